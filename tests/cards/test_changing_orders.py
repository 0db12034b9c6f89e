"""Cards V-O20 to V-O29: an order is cancelled or changed, and what filled in between is counted."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AmendOutcome,
    Gone,
    OrderReport,
    OrderRequest,
    Rejected,
    Replaced,
    VenueStatus,
)
from tests.cards.stand import SOL, Trader

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.card("V-O20")
def test_a_resting_order_is_cancelled(trader: Trader) -> None:
    """It is told to be cancelled and stands no longer."""
    order = trader.rest()
    outcome = trader.cancel(order)

    assert isinstance(outcome, Accepted), outcome
    assert outcome.report.status is VenueStatus.CANCELED
    assert trader.status(order) is VenueStatus.CANCELED
    assert trader.stand.venue.open_orders(trader.account) == []


@pytest.mark.card("V-O21")
def test_a_cancel_tells_what_had_filled(trader: Trader) -> None:
    """What traded before the cancel is a position."""
    order = trader.placed(trader.too_large())
    outcome = trader.cancel(order)

    assert isinstance(outcome, Accepted), outcome
    assert outcome.report.filled_quantity == trader.position(SOL) > 0
    assert trader.status(order) is VenueStatus.CANCELED


@pytest.mark.card("V-O22")
def test_a_cancel_of_a_filled_order_is_gone_with_its_fills(trader: Trader) -> None:
    """A cancel that comes late finds out what happened instead."""
    order = trader.buy("0.010")
    outcome = trader.cancel(order)

    assert isinstance(outcome, Gone), outcome
    assert outcome.report is not None
    assert outcome.report.status is VenueStatus.FILLED
    assert {fill.venue_trade_id for fill in outcome.report.fills} == trader.stand.fills_there(trader.account).keys()


@pytest.mark.card("V-O23")
def test_a_cancel_of_an_unknown_order_is_gone_without_a_word(trader: Trader) -> None:
    """There was nothing to cancel, and nothing is made up."""
    assert trader.cancel(trader.request(BUY, "0.010")) == Gone(None)


@pytest.mark.card("V-O24")
def test_a_stop_is_cancelled_like_any_other_order(trader: Trader) -> None:
    """A stop that outlives its position opens a new one."""
    trader.buy("0.010")
    stop = trader.placed(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True))

    assert isinstance(trader.cancel(stop), Accepted)
    trader.stand.put("BTCUSDT", "62000")
    assert trader.position() == Decimal("0.010")


@pytest.mark.card("V-O25")
def test_the_price_of_a_resting_order_is_changed(trader: Trader) -> None:
    """Afterwards exactly one order stands, at the new price."""
    order = trader.rest(BUY, "0.010", "64000")
    outcome = trader.stand.venue.amend(trader.account, order.client_order_id, _as_wanted(trader, order, price="63500"))

    standing = _standing_after(outcome)
    assert standing.terms.price == Decimal(63_500)
    assert _open(trader) == [(Decimal("0.010"), Decimal(63_500))]


@pytest.mark.card("V-O26")
def test_the_size_of_an_order_is_changed_with_what_filled_in_between_counted(trader: Trader) -> None:
    """Nine thousand asked, some filled, eight thousand wanted: eight thousand in the end, not more."""
    order = trader.placed(trader.too_large())
    wanted = _as_wanted(trader, order, quantity="8000")
    outcome = trader.stand.venue.amend(trader.account, order.client_order_id, wanted)
    _standing_after(outcome)

    for _ in range(100):
        if not trader.stand.venue.open_orders(trader.account):
            break
        trader.stand.put(SOL, "149")
    assert trader.position(SOL) == Decimal(8_000)


@pytest.mark.card("V-O27")
def test_an_order_that_has_ended_is_not_changed(trader: Trader) -> None:
    """Gone: no other order takes its place."""
    order = trader.placed(trader.request(BUY, "0.010", OrderType.LIMIT, price="65100"))
    wanted = trader.request(BUY, "0.010", OrderType.LIMIT, price="64000")
    outcome = trader.stand.venue.amend(trader.account, order.client_order_id, wanted)

    assert isinstance(outcome, Gone), outcome
    assert outcome.report is not None
    assert outcome.report.status is VenueStatus.FILLED
    assert trader.stand.venue.open_orders(trader.account) == []
    assert len(trader.stand.orders_there(trader.account)) == 1


@pytest.mark.card("V-O28")
def test_a_stop_is_moved(trader: Trader) -> None:
    """A stop that trails by hand: the old one no longer triggers, the new one does."""
    trader.buy("0.010")
    stop = trader.placed(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True))
    wanted = trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="62000", reduce_only=True)
    outcome = trader.stand.venue.amend(trader.account, stop.client_order_id, wanted)
    _standing_after(outcome)

    trader.stand.put("BTCUSDT", "62900")
    assert trader.position() == Decimal("0.010")
    trader.stand.put("BTCUSDT", "61900")
    assert trader.position() == 0


@pytest.mark.card("V-O29")
def test_an_id_is_not_found_before_it_was_used(trader: Trader) -> None:
    """Absent, which alone is no proof; never an order of somebody else."""
    trader.rest()
    assert trader.find(trader.request(BUY, "0.010")) == Absent()


def _as_wanted(trader: Trader, order: OrderRequest, *, price: str = "", quantity: str = "") -> OrderRequest:
    """Return an order as it is to be, under an id of its own."""
    other = trader.request(order.terms.side, "1")
    terms = replace(
        order.terms,
        price=Decimal(price) if price else order.terms.price,
        quantity=Decimal(quantity) if quantity else order.terms.quantity,
    )
    return replace(other, terms=terms)


def _standing_after(outcome: AmendOutcome) -> OrderReport:
    """Return the order that stands after a change, changed in place or put in the other's place."""
    assert not isinstance(outcome, Rejected | Gone), outcome
    placed = outcome.placed if isinstance(outcome, Replaced) else outcome
    assert isinstance(placed, Accepted), outcome
    return placed.report


def _open(trader: Trader) -> list[tuple[Decimal, Decimal | None]]:
    return [(each.terms.quantity, each.terms.price) for each in trader.stand.venue.open_orders(trader.account)]
