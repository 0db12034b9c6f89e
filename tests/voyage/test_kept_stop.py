"""A whole house at an exchange that is asked in ccxt's common words: the house keeps the stop, and it works."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.order import OrderState, OrderType, Purpose
from pilothouse.fleet import protect
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.protect import Standing
from pilothouse.observability.watch import survey
from pilothouse.venues.card import STOPS_KEPT
from pilothouse.venues.catalogue import card_of
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring.subscriptions import trader_of
from tests.living import Living, within
from tests.slices.simexchange.sim_house import RunningExchange
from tests.voyage.test_binance_house import OnBinance

pytestmark = pytest.mark.timeout(400)


class ByCcxt(OnBinance):
    """A house at Binance spot as if nobody knew anything of it: by ccxt's common words."""

    secret = "secret"

    @property
    def key(self) -> str:
        """Return what the exchange is called here."""
        return str(VenueKey("binance-spot", self.base))


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="binance") as running:
        running.control("POST", "price", symbol="BTCUSDT", price="65000")
        yield running


@pytest.fixture
def living(exchange: RunningExchange, tmp_path: Path) -> Iterator[Living]:
    """Yield a running house whose account is heard."""
    with ByCcxt(tmp_path, f"sqlite:///{tmp_path}/pilothouse.db", exchange.base) as house:
        _is_up(house)
        yield house


def _is_up(house: Living) -> None:
    assert within(30, house.is_heard)
    house.house.venues[house.key].follow(["BTCUSDT"])
    assert within(20, lambda: house.house.quotes.all(house.key))


def _protection(living: Living) -> Standing:
    desk, trader = living.house.desk, trader_of(living.account)
    return living.house.database.read(lambda tx: protect.standing(tx, desk, trader, "BTCUSDT"))


def _orders_sent(exchange: RunningExchange) -> list[dict[str, Any]]:
    asked = exchange.control("GET", "requests")
    return [one for one in asked if one["method"] == "POST" and "order" in one["path"]]


def test_a_stop_that_the_house_keeps_outlives_a_restart_and_closes_when_its_price_comes(
    living: Living, exchange: RunningExchange
) -> None:
    """Nothing waits at the exchange: what is written in the books is what protects, whoever reads them next."""
    assert card_of("binance-spot").has(STOPS_KEPT)
    taken = living.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="1%")
    assert within(20, lambda: living.outcome(taken).state is AnswerState.FILLED), living.outcome(taken)
    assert within(20, lambda: living.position("BTCUSDT") > 0)
    assert within(10, lambda: _protection(living).stands)
    assert _protection(living).kept == ("stop",)
    assert len(_orders_sent(exchange)) == 1, "the entry, and no stop"

    living.stop()
    living.house = living.built()
    living.start()
    _is_up(living)
    assert _protection(living).kept == ("stop",)
    exchange.control("POST", "price", symbol="BTCUSDT", price="64000")

    assert within(30, lambda: living.position("BTCUSDT") < Decimal("0.001")), living.orders()
    exits = [one for one in living.orders() if one.purpose is Purpose.EXIT]
    assert [(one.state, one.terms.type, one.terms.reduce_only) for one in exits] == [
        (OrderState.FILLED, OrderType.MARKET, True)
    ]
    assert "kept by the house" in exits[0].reason
    assert len(_orders_sent(exchange)) == 2, "the exit, once"
    assert within(10, lambda: survey(living.house) == []), survey(living.house)
