"""Ask the venue for an order of which nobody knows whether it arrived, and take in what it says.

That it knows no such order proves something only when the last request for it can no longer be accepted.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from pilothouse.core.clock import Tick
from pilothouse.core.errors import Broken
from pilothouse.core.order import OrderEvent, OrderState, after
from pilothouse.core.rounding import plain
from pilothouse.execution import settle, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import told
from pilothouse.kit.db import Tx
from pilothouse.kit.wire_tape import taped
from pilothouse.venues.port import Absent, Accepted, OrderReport, Unknown, VenueAccount


def ask(desk: Desk, venue_name: str, order: store.OrderRecord) -> timedelta | None:
    """Ask the venue for the order and take in what it says."""
    venue = desk.venue(venue_name)
    account = VenueAccount(order.account_id, order.owner_id)
    # "No such order" proves something only if the question was asked after the window: so look at the clock first.
    asked_at, tick = desk.clock.now(), desk.clock.tick()
    with taped() as wire:
        answer = venue.find(account, order.terms.symbol, order.client_order_id)
    asked = {"order": order.id, "at": asked_at, "answer": type(answer).__name__, "wire": wire}

    def take_in(name: str, work: Callable[[Tx], object]) -> None:
        def unit(tx: Tx) -> None:
            tx.record(order.account_id, order.about, "asked", asked)
            work(tx)

        desk.database.write(unit, name=name, urgent=True)

    match answer:
        case Accepted(report):
            take_in("settle", lambda tx: adopt(tx, desk, order, report))
            desk.elapsed.over(order.id)
            return None
        case Absent() if order.state.is_resting or order.state.is_final:
            return None
        case Absent():
            left = _may_arrive_for(desk, venue.card.acceptance_window, order, tick)
            if left is not None and left <= timedelta(0):
                take_in("deny", lambda tx: _denied(tx, desk, order.id))
                desk.elapsed.over(order.id)
                return timedelta(0)
            reason = "the venue does not know it, which proves nothing yet"
            again = desk.patience.back_off(order.asked)
            if left is not None:
                again = min(again, left)
        case Unknown(lost):
            reason, again = lost, desk.patience.back_off(order.asked)
    take_in("lost", lambda tx: settle.lost(tx, desk, order.id, reason))
    return again


def adopt(tx: Tx, desk: Desk, order: store.OrderRecord, report: OrderReport) -> None:
    """Take in an order found at the venue, if it is the one that was sent: same symbol, side and size.

    One that closes all that is held was sent without a size, and the venue tells none.
    """
    ours, theirs = order.terms, report.terms
    is_same_size = ours.whole_position or ours.quantity == theirs.quantity
    if (ours.symbol, ours.side) != (theirs.symbol, theirs.side) or not is_same_size:
        settle.stop(
            tx,
            desk,
            order,
            Broken(
                f"the venue knows {order.client_order_id} as {theirs.side} {plain(theirs.quantity)} {theirs.symbol}, "
                f"we sent {ours.side} {plain(ours.quantity)} {ours.symbol}"
            ),
        )
        return
    settle.reported(tx, desk, order.id, report, told_by="question")


def _may_arrive_for(desk: Desk, window: timedelta | None, order: store.OrderRecord, tick: Tick) -> timedelta | None:
    """Return for how long after `tick` the last request may still be accepted, or None if nobody can say.

    Counted as the machine counts: a wall clock that is set forward must make no request too old to arrive.
    """
    if window is None or order.sendable_until is None:
        return None
    held_for = desk.patience.hand_off if order.state is OrderState.SENDING else timedelta(0)
    ended = desk.elapsed.ended(order.id, order.until_tick, tick, held_for)
    return tick.until(ended) + window + desk.patience.window_slack


def _denied(tx: Tx, desk: Desk, order_id: str) -> None:
    """Take in that the order never arrived and no longer can: it may be sent again, under the same id."""
    order = store.get(tx, order_id)
    if order is None or order.state not in {OrderState.SENDING, OrderState.UNKNOWN}:
        return
    now = desk.clock.now()
    if order.state is OrderState.SENDING:
        store.note(tx, order, now, (OrderEvent.LOSE, OrderState.UNKNOWN, "nobody knows whether it was sent"))
    state = after(OrderState.UNKNOWN, OrderEvent.DENY)
    store.change(tx, order.id, now, state=state, outcome=None)
    store.note(tx, order, now, (OrderEvent.DENY, state, "the venue never saw it and no longer can"))
    told(tx, replace(order, state=state), now)
