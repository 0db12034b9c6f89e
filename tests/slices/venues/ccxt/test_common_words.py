"""Futures asked in ccxt's common words, as at any exchange that nobody tested: an exit there only ever reduces."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.http_client import HttpLimits
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.ccxt.adapter import Accounts, CcxtVenue
from pilothouse.venues.ccxt.card import card_of
from pilothouse.venues.ccxt.exchange import Endpoint
from pilothouse.venues.ccxt.plain import Quirks
from pilothouse.venues.ccxt.rest import Tools
from pilothouse.venues.port import Accepted, Rejected
from tests.slices.simexchange.sim_house import RunningExchange
from tests.slices.venues.ccxt.ccxt_house import ACCOUNT, KEYS, PATIENCE_S, QUICK, order, placed


class Common(Quirks):
    """Binance USD-M futures as if nobody knew anything of them."""

    exchange = "binanceusdm"
    title = "an exchange"


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="binance") as running:
        yield running


@pytest.fixture
def venue(exchange: RunningExchange) -> Iterator[CcxtVenue]:
    """Yield the adapter with nothing particular about it."""
    clock = SystemClock()
    endpoint = Endpoint.at(f"somewhere@{exchange.base}", Common.exchange, exchange.base)
    accounts = Accounts(lambda _: KEYS, lambda: [ACCOUNT])
    tools = Tools(clock, Throttle(OwnBooks(), clock), http=HttpLimits(read_s=PATIENCE_S))
    opened = CcxtVenue(endpoint, Common(), card_of("bitget", None), accounts, tools, patience=QUICK)
    opened.instruments()
    yield opened
    opened.close()


def _held(exchange: RunningExchange) -> Decimal:
    positions = exchange.truth("binance-K")["positions"]
    return sum((Decimal(each["quantity"]) for each in positions), Decimal(0))


def test_an_exit_of_the_house_is_reduce_only_there_and_never_turns_the_position_round(
    venue: CcxtVenue, exchange: RunningExchange
) -> None:
    """A stop that the house keeps closes at the market: sent twice, or for too much, it opens nothing."""
    assert isinstance(placed(venue, order(Side.BUY, "0.010")), Accepted)
    assert [each.quantity for each in venue.positions(ACCOUNT)] == [Decimal("0.010")]

    placed(venue, order(Side.SELL, "0.015", reduce_only=True))
    assert _held(exchange) == 0
    placed(venue, order(Side.SELL, "0.015", reduce_only=True))
    assert _held(exchange) == 0

    made = exchange.control("GET", "orders?account=binance-K")
    assert [(each["side"], each["reduceOnly"]) for each in made][:2] == [("BUY", False), ("SELL", True)]


def test_an_order_that_trails_is_never_sent_where_nobody_tried_it(venue: CcxtVenue, exchange: RunningExchange) -> None:
    """The library would send what it can make of it: another order than the one that was meant."""
    asked = order(Side.SELL, "0.010", OrderType.TRAILING_STOP_MARKET, trail_percent=Decimal(1), reduce_only=True)
    outcome = placed(venue, asked)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "trailing"
    assert exchange.control("GET", "orders?account=binance-K") == []
