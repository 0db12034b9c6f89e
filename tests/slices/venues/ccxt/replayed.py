"""An adapter that speaks to tapes: answers that somebody else recorded, told at the address that it asks.

What is asked without a tape gets a 404 that no exchange gives, so that nothing is understood by accident. What is sent
is kept as it came.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.http_client import HttpLimits
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.ccxt.adapter import Accounts, CcxtVenue
from pilothouse.venues.ccxt.card import card_of
from pilothouse.venues.ccxt.exchange import Endpoint, Keys
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.rest import Tools
from pilothouse.venues.ccxt.sheets import sheet_of
from pilothouse.venues.port import OrderRequest, PlaceOutcome, VenueAccount
from tests.slices.venues.aster.recorder import Heard, Recorder, Say

TAPES = Path(__file__).parents[3] / "fixtures" / "tapes"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
NOW_MS = 1_767_323_045_678
ACCOUNT = VenueAccount("acc_1", "usr_1")

KEYS = {
    "bybit": {"apiKey": "BYBITKEY00000001", "secret": "S"},
    "okx": {"apiKey": "OKXKEY0000000001", "secret": "S", "password": "P"},
    "hyperliquid": {
        "walletAddress": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "privateKey": "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    },
    "alpaca": {"apiKey": "ALPACAKEY0000001", "secret": "S"},
}


def tape(name: str, wrap: Callable[[Any], Any] | None = None) -> Say:
    """Return a tape as an answer: its text as it was taken, or the same put into what surrounded it on the wire."""
    text = (TAPES / name).read_bytes()
    return Say(text) if wrap is None else Say(json.dumps(wrap(json.loads(text))).encode())


def played(name: str) -> Any:
    """Return what a tape says."""
    return json.loads((TAPES / name).read_bytes())


class Player:
    """An exchange made of tapes, and the adapter that asks it. `close()` it."""

    def __init__(self, name: str) -> None:
        """Open the adapter of an exchange of this name; no tape is in yet."""
        self.recorder = Recorder()
        self.name = name
        quirks = quirks_of(name)
        self.clock = FrozenClock(NOW)
        keys = Keys.of({part: Secret(value) for part, value in KEYS[quirks.exchange].items()})
        self.venue = CcxtVenue(
            Endpoint.at(f"{name}@{self.recorder.url}", quirks.exchange, self.recorder.url),
            quirks,
            card_of(name, sheet_of(name)),
            Accounts(lambda _: keys, lambda: [ACCOUNT]),
            Tools(self.clock, Throttle(OwnBooks(), self.clock), sleep=lambda _: None, http=HttpLimits(read_s=60)),
        )

    def close(self) -> None:
        """End both."""
        self.venue.close()
        self.recorder.close()

    def on(self, method: str, path: str, *answers: Say) -> None:
        """Answer so from now on."""
        self.recorder.on(method, path, *answers)

    def on_info(self, **answers: Say) -> None:
        """Answer questions that all go to one address, by the type they name."""

        def answer(heard: Heard) -> Say:
            kind = json.loads(heard.text)["type"]
            return answers.get(kind, Say({"error": f"no tape for {kind}"}, 404))

        self.recorder.on("POST", "/info", answer)

    def place(self, request: OrderRequest) -> PlaceOutcome:
        """Place one order."""
        return self.venue.place(ACCOUNT, [request])[0]

    def sent(self, method: str, path: str) -> list[Any]:
        """Return the bodies, or parameters, that were sent to one address."""
        heard = self.recorder.of(method, path)
        return [json.loads(each.text) if each.in_body else each.params for each in heard]

    def text(self, method: str, path: str) -> str:
        """Return the last body that was sent to one address, as it was sent."""
        return self.recorder.of(method, path)[-1].text


@contextmanager
def player(name: str) -> Iterator[Player]:
    """Open an exchange made of tapes for a while."""
    opened = Player(name)
    try:
        yield opened
    finally:
        opened.close()


def order(
    symbol: str,
    side: Side,
    quantity: str,
    kind: OrderType = OrderType.MARKET,
    *,
    name: str = "ph7K3J2QWERTYUIOPASDFGHJKLZ",
    close_position: bool = False,
    **terms: Any,
) -> OrderRequest:
    """Return an order, stamped now."""
    prices: dict[str, Any] = {key: Decimal(value) if key.endswith("price") else value for key, value in terms.items()}
    return OrderRequest(name, OrderTerms(symbol, side, kind, Decimal(quantity), **prices), NOW, close_position)
