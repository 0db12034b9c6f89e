"""The testnets of Bybit, OKX, Hyperliquid and Alpaca: nothing meant for one leaves for the exchange itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.ccxt.exchange import Endpoint, Keys
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.names import OrderNames
from pilothouse.venues.ccxt.rest import Rest, Tools
from tests.slices.venues.ccxt.replayed import NOW

NAMES = ("bybit", "bybit-spot", "okx", "okx-spot", "hyperliquid", "alpaca")


def object_of(name: str, *, testnet: bool, base_url: str = "") -> Any:
    """Return the object of ccxt that would build the requests; nothing is sent."""
    quirks, clock = quirks_of(name), FrozenClock(NOW)
    endpoint = Endpoint.at(name, quirks.exchange, base_url, testnet=testnet)
    return Rest(endpoint, quirks, Tools(clock, Throttle(OwnBooks(), clock)), OrderNames())._make("", Keys()).x


def texts(urls: Any) -> Iterator[str]:
    """Yield every address, however deep it stands."""
    if isinstance(urls, dict):
        for each in urls.values():
            yield from texts(each)
    elif isinstance(urls, str):
        yield urls


@pytest.mark.parametrize("name", NAMES)
def test_a_testnet_is_another_place_or_is_named_in_each_request(name: str) -> None:
    """Play money is asked for, and real money would be moved."""
    test, live = object_of(name, testnet=True), object_of(name, testnet=False)

    trades = "trader" if name == "alpaca" else "rest" if name.startswith("okx") else "private"
    elsewhere = test.urls["api"][trades] != live.urls["api"][trades]
    assert elsewhere or test.headers.get("x-simulated-trading") == "1"
    assert live.headers.get("x-simulated-trading") is None


def test_hyperliquid_signs_otherwise_for_its_testnet() -> None:
    """What was signed for play money is worth nothing at the exchange itself."""
    assert object_of("hyperliquid", testnet=True).options["sandboxMode"] is True
    assert object_of("hyperliquid", testnet=False).options["sandboxMode"] is False


@pytest.mark.parametrize("name", NAMES)
def test_every_address_is_put_elsewhere_with_the_venue(name: str) -> None:
    """One that was forgotten would take signed requests to the exchange itself."""
    x = object_of(name, testnet=False, base_url="http://127.0.0.1:9")

    urls = [*texts(x.urls["api"]), *texts(x.urls.get("test", {}))]
    assert urls
    assert all(each.startswith(("http://127.0.0.1:9", "ws://127.0.0.1:9")) for each in urls)
