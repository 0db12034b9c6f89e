"""Pairs at Binance spot whose answer was lost: looked for by both ids, and by the name of the pair."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.venues.ccxt.adapter import CcxtVenue
from pilothouse.venues.port import Absent, Accepted, OrderRequest, Unknown
from tests.slices.simexchange.sim_house import RunningExchange
from tests.slices.venues.ccxt.ccxt_house import ACCOUNT, opened, order, placed


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="binance") as running:
        running.control("POST", "price", symbol="BTCUSDT", price="65000")
        yield running


@pytest.fixture
def venue(exchange: RunningExchange) -> Iterator[CcxtVenue]:
    """Yield the adapter, with coins bought."""
    made = opened("binance", exchange.base, counts=False)
    made.instruments()
    assert isinstance(placed(made, order(Side.BUY, "0.010")), Accepted)
    yield made
    made.close()


def _pair() -> tuple[OrderRequest, OrderRequest]:
    stop = order(Side.SELL, "0.009", OrderType.STOP_MARKET, stop_price=Decimal(63_000), reduce_only=True)
    target = order(Side.SELL, "0.009", OrderType.TAKE_PROFIT_MARKET, stop_price=Decimal(67_000), reduce_only=True)
    return replace(stop, beside=target), target


def _fault(exchange: RunningExchange, kind: str, method: str, path: str, **more: Any) -> None:
    exchange.control("POST", "faults", kind=kind, method=method, path=path, **{"times": 1, **more})


def test_both_halves_of_a_pair_whose_answer_was_lost_are_found_by_their_ids(
    venue: CcxtVenue, exchange: RunningExchange
) -> None:
    """One request; whoever asks finds two orders."""
    stop, target = _pair()
    _fault(exchange, "unknown", "POST", "orderList/oco")
    assert isinstance(placed(venue, stop), Unknown)
    found = [venue.find(ACCOUNT, "BTCUSDT", each.client_order_id) for each in (stop, target)]
    assert [isinstance(each, Accepted) for each in found] == [True, True]


def test_a_stop_that_is_not_told_of_while_its_pair_is_known_is_no_proof_that_it_never_came(
    venue: CcxtVenue, exchange: RunningExchange
) -> None:
    """Sent again, it would be a second pair: the answer to the question is that nobody knows."""
    stop, _ = _pair()
    assert isinstance(placed(venue, stop), Accepted)
    _fault(exchange, "reject", "GET", "order", code=-2013, text="Order does not exist.", times=2)  # it asks twice
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", stop.client_order_id), Unknown)
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", stop.client_order_id), Accepted)


def test_a_pair_that_never_came_is_known_by_neither_half(venue: CcxtVenue, exchange: RunningExchange) -> None:
    """Only then, and after the window of the request, it may be sent again."""
    stop, target = _pair()
    _fault(exchange, "unknown_undone", "POST", "orderList/oco")
    assert isinstance(placed(venue, stop), Unknown)
    found = [venue.find(ACCOUNT, "BTCUSDT", each.client_order_id) for each in (stop, target)]
    assert [isinstance(each, Absent) for each in found] == [True, True]


def test_the_same_pair_sent_again_while_it_stands_is_adopted_whole(venue: CcxtVenue, exchange: RunningExchange) -> None:
    """The ids stand there already: it is answered with what stands, and nothing is added."""
    stop, target = _pair()
    first, again = placed(venue, stop), placed(venue, stop)
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert first.beside is not None
    assert again.beside is not None
    assert (again.report.venue_order_id, again.beside.venue_order_id) == (
        first.report.venue_order_id, first.beside.venue_order_id,
    )  # fmt: skip
    assert len(venue.open_orders(ACCOUNT)) == 2
    assert target.client_order_id == again.beside.client_order_id
