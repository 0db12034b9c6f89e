"""Cards V-U01 to V-U17: whatever becomes of a request or its answer, there is never a second order and never a guess.

Asked is the exchange itself: which orders it has, and how many requests to place one have reached it.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.venues.port import Absent, Accepted, OrderRequest, Rejected, Unknown, Venue, VenueStatus
from tests.cards.stand import Trader

BUY, SELL = Side.BUY, Side.SELL


def _request(trader: Trader) -> OrderRequest:
    """Return a request of somebody whose clock and nonces the venue takes: another card may have left them ahead.

    Else the venue may refuse the first request, rightly, and the fault is spent on it.
    """
    trader.position()
    return trader.request(BUY, "0.010")


def _done_but_not_told(trader: Trader, kind: str, venue: Venue | None = None) -> None:
    """Place an order that is done and whose answer tells nothing: it is found, and stands once."""
    order = _request(trader)
    trader.stand.fault(kind, "place")
    (outcome,) = trader.send(order, venue=venue)

    assert isinstance(outcome, Unknown), outcome
    assert outcome.reason
    report = trader.report(order)
    assert (report.status, report.filled_quantity) == (VenueStatus.FILLED, Decimal("0.010"))
    assert sum((fill.quantity for fill in report.fills), Decimal(0)) == Decimal("0.010")
    assert len(trader.there(order)) == 1
    assert trader.stand.asked_to_place(trader.account) == 1


def _not_done_and_not_told(trader: Trader, kind: str, **more: Any) -> None:
    """Place an order that never arrives, or is not taken, and nobody says so."""
    order = _request(trader)
    trader.stand.fault(kind, "place", **more)
    outcome = trader.place(order)

    assert isinstance(outcome, Unknown), outcome
    assert outcome.reason
    assert trader.find(order) == Absent()
    assert trader.stand.orders_there(trader.account) == []


def _not_done_and_perhaps_told(trader: Trader, kind: str) -> None:
    """Place an order that is not done; the venue may say so for certain, and the adapter may believe it or not."""
    order = _request(trader)
    trader.stand.fault(kind, "place")
    outcome = trader.place(order)

    assert isinstance(outcome, Unknown) or (isinstance(outcome, Rejected) and outcome.may_be_repeated), outcome
    assert trader.find(order) == Absent()
    assert trader.stand.orders_there(trader.account) == []
    assert trader.stand.asked_to_place(trader.account) == 1


@pytest.mark.card("V-U01")
def test_an_answer_that_is_lost_is_unknown_and_the_order_is_found(trader: Trader) -> None:
    """The connection was reset behind the order: it stands, and only a question tells."""
    _done_but_not_told(trader, "lost")


@pytest.mark.card("V-U02")
def test_a_request_that_is_lost_is_unknown_and_stays_absent(trader: Trader) -> None:
    """The same silence, and nothing stands: neither at once nor when the request could no longer be accepted."""
    order = trader.request(BUY, "0.010")
    trader.stand.fault("reset", "place")
    outcome = trader.place(order)

    assert isinstance(outcome, Unknown), outcome
    assert trader.find(order) == Absent()
    window = trader.stand.venue.card.acceptance_window_s
    assert window is not None, "without a window no absence would ever be a proof"
    trader.stand.advance(timedelta(seconds=int(window) + 1))
    assert trader.find(order) == Absent()
    late = trader.place(order)  # as it was stamped then: what still travels is refused when it arrives
    assert not isinstance(late, Accepted), late
    assert trader.stand.orders_there(trader.account) == []


@pytest.mark.card("V-U03")
def test_an_answer_that_never_comes_is_unknown_and_the_order_is_found(trader: Trader) -> None:
    """A time-out is no failure."""
    venue = trader.stand.impatient()
    try:
        _done_but_not_told(trader, "hang", venue)
    finally:
        venue.close()


@pytest.mark.card("V-U04")
def test_a_503_unknown_error_is_unknown_where_the_order_was_done(trader: Trader) -> None:
    """The venue's own word for not knowing."""
    _done_but_not_told(trader, "unknown")


@pytest.mark.card("V-U05")
def test_a_503_unknown_error_is_unknown_where_it_was_not_done(trader: Trader) -> None:
    """The same word, byte for byte, and no order."""
    _not_done_and_not_told(trader, "unknown_undone")


@pytest.mark.card("V-U06")
def test_a_503_service_unavailable_makes_no_order(trader: Trader) -> None:
    """One venue calls it a failure, another does not: never accepted, and never sent again by itself."""
    _not_done_and_perhaps_told(trader, "unavailable")


@pytest.mark.card("V-U07")
def test_a_503_internal_error_makes_no_order(trader: Trader) -> None:
    """As above."""
    _not_done_and_perhaps_told(trader, "internal")


@pytest.mark.card("V-U08")
def test_a_503_throttled_is_a_refusal_that_may_be_repeated(trader: Trader) -> None:
    """-1008: it was not looked at; this one the venue vouches for."""
    order = trader.request(BUY, "0.010")
    trader.stand.fault("throttled", "place")
    outcome = trader.place(order)

    assert isinstance(outcome, Rejected), outcome
    assert outcome.may_be_repeated
    trader.placed(order)
    assert len(trader.there(order)) == 1


@pytest.mark.card("V-U09")
def test_a_timeout_behind_the_door_is_unknown_and_the_order_is_found(trader: Trader) -> None:
    """408 with -1007: the status of the order is unknown, says the venue, and means it."""
    _done_but_not_told(trader, "timeout")


@pytest.mark.card("V-U10")
def test_an_unexpected_answer_from_behind_is_unknown_and_the_order_is_found(trader: Trader) -> None:
    """503 with -1006."""
    _done_but_not_told(trader, "unexpected")


@pytest.mark.card("V-U11")
def test_a_page_of_a_gateway_is_unknown(trader: Trader) -> None:
    """502 and HTML: who answered knows nothing of orders."""
    _not_done_and_not_told(trader, "gateway")


@pytest.mark.card("V-U12")
def test_an_error_nobody_has_listed_is_unknown(trader: Trader) -> None:
    """Venues add codes without asking; what they mean is asked, not guessed."""
    _not_done_and_not_told(trader, "reject", code=-9_876, text="Something new.")


@pytest.mark.card("V-U13")
def test_a_question_that_is_lost_is_unknown_and_never_absent(trader: Trader) -> None:
    """Who takes silence for absence places the order twice."""
    order = trader.buy("0.010")
    trader.stand.fault("reset", "find", times=-1)

    assert isinstance(trader.find(order), Unknown)
    trader.stand.clear()
    assert trader.status(order) is VenueStatus.FILLED


@pytest.mark.card("V-U14")
def test_a_cancel_whose_answer_is_lost_is_unknown_and_then_known(trader: Trader) -> None:
    """To cancel again does no harm, and says how it ended."""
    order = trader.rest()
    trader.stand.fault("lost", "cancel")

    assert isinstance(trader.cancel(order), Unknown)
    assert trader.status(order) is VenueStatus.CANCELED


@pytest.mark.card("V-U15")
def test_a_cancel_that_is_lost_is_unknown_and_the_order_stands(trader: Trader) -> None:
    """Until the venue says that it is cancelled, it is not."""
    order = trader.rest()
    trader.stand.fault("reset", "cancel")

    assert isinstance(trader.cancel(order), Unknown)
    assert trader.status(order) is VenueStatus.NEW
    assert isinstance(trader.cancel(order), Accepted)


@pytest.mark.card("V-U16")
def test_a_batch_whose_answer_is_lost_leaves_each_order_unknown(trader: Trader) -> None:
    """Each is asked for by itself, and none is sent again."""
    trader.buy("0.010")
    before = trader.stand.asked_to_place(trader.account)
    stops = [
        trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop=stop, reduce_only=True) for stop in ("63000", "62000")
    ]
    trader.stand.fault("lost", "batch")
    outcomes = trader.send(*stops)

    assert all(isinstance(outcome, Unknown) for outcome in outcomes), outcomes
    assert [trader.status(stop) for stop in stops] == [VenueStatus.NEW, VenueStatus.NEW]
    assert [len(trader.there(stop)) for stop in stops] == [1, 1]
    assert trader.stand.asked_to_place(trader.account) <= before + len(stops)


@pytest.mark.card("V-U17")
def test_a_change_whose_answer_is_lost_is_unknown_and_one_order_stands(trader: Trader) -> None:
    """At the old price or at the new one, but not at both."""
    order = trader.rest(BUY, "0.010", "64000")
    wanted = trader.request(BUY, "0.010", OrderType.LIMIT, price="63500")
    trader.stand.fault("lost", "amend")
    outcome = trader.stand.venue.amend(trader.account, order.client_order_id, wanted)

    assert isinstance(outcome, Unknown), outcome
    assert len(trader.stand.venue.open_orders(trader.account)) <= 1
    assert trader.stand.fills_there(trader.account) == {}
    assert len({each.client_order_id for each in trader.stand.orders_there(trader.account)}) == 1
