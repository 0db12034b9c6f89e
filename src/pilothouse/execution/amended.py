"""What became of a change of a resting order, taken in: made in place, dropped, or another order takes its place."""

from dataclasses import replace
from decimal import Decimal

from pilothouse.core.order import OrderState
from pilothouse.core.rounding import EXACT
from pilothouse.execution import amendments, cancel, settle, store
from pilothouse.execution.amendments import Amendment
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import pursue_later, told
from pilothouse.kit.db import Tx
from pilothouse.venues.port import Accepted, OrderReport, PlaceOutcome, Rejected, Unknown
from pilothouse.venues.replace import places_first


def taking_the_place(tx: Tx, desk: Desk, account_id: str, report: OrderReport) -> store.OrderRecord | None:
    """Return the order that a report of an unknown client id speaks of, if it takes the place of one that is changed.

    The stream may tell of it before the answer does.
    """
    wanted = amendments.by_client_id(tx, account_id, report.client_order_id)
    order = None if wanted is None else store.get(tx, wanted.order_id)
    if wanted is None or order is None:
        return None
    successor = _successor(tx, desk, order, wanted, report.terms.quantity)
    _end_the_old(tx, desk, order.id)
    return successor


def in_place(tx: Tx, desk: Desk, order_id: str, report: OrderReport) -> None:
    """Take in that the venue changed the order itself; `report` tells how it is."""
    order, wanted = store.get(tx, order_id), amendments.of(tx, order_id)
    if order is not None and wanted is not None:
        amendments.made_in_place(tx, order, wanted, desk.clock.now())
    settle.reported(tx, desk, order_id, report)


def dropped(tx: Tx, desk: Desk, order_id: str, report: OrderReport | None, reason: str) -> None:
    """Take in that nothing was changed, and why; `report` tells how the order is."""
    order = store.get(tx, order_id)
    if order is not None and order.amend_quantity is not None:
        now = desk.clock.now()
        amendments.close(tx, order_id, now)
        store.note(tx, order, now, ("amend_refused", order.state, reason))
        told(tx, order, now)
    if report is not None:
        settle.reported(tx, desk, order_id, report)


def replaced(tx: Tx, desk: Desk, order_id: str, ended: OrderReport | None, placed: PlaceOutcome | None) -> None:
    """Take in that the order was ended, with what it had filled, and what became of the one in its place."""
    if ended is not None:
        settle.reported(tx, desk, order_id, ended)
    order, wanted = store.get(tx, order_id), amendments.of(tx, order_id)
    assert order is not None, "orders are kept"
    if placed is None:
        dropped(tx, desk, order_id, None, "it had filled before there was anything left to change")
        return
    if wanted is None:
        # The stream told of the new order first; what the answer tells besides is taken in below.
        successor = None if order.replaced_by is None else store.get(tx, order.replaced_by)
    else:
        filled = ended.filled_quantity if ended is not None else order.filled_quantity
        quantity = EXACT.subtract(wanted.quantity, filled)
        if isinstance(placed, Accepted):
            quantity = placed.report.terms.quantity
        successor = _successor(tx, desk, order, wanted, quantity)
    if successor is None:
        return
    if not isinstance(placed, Rejected):
        _end_the_old(tx, desk, order_id)
    match placed:
        case Accepted(report):
            settle.reported(tx, desk, successor.id, report)
        case Rejected():
            settle.rejected(tx, desk, successor.id, placed)
        case Unknown(reason):
            settle.lost(tx, desk, successor.id, reason)
            now = desk.clock.now()
            pursue_later(tx, successor, "ask", now + desk.patience.ask_first, now)


def _end_the_old(tx: Tx, desk: Desk, order_id: str) -> None:
    """See to it that an order ends whose place was taken while it stood: whoever was to end it may be dead."""
    order = store.get(tx, order_id)
    if order is not None and order.state.is_resting and places_first(order.terms, coins=False):
        cancel.ask(tx, desk, order, by="the order that takes its place")


def _successor(tx: Tx, desk: Desk, order: store.OrderRecord, wanted: Amendment, quantity: Decimal) -> store.OrderRecord:
    """Store the order that takes the place of another, on its way; a cancel that was asked for goes over to it."""
    now = desk.clock.now()
    successor = replace(
        order,
        id=desk.ids.fresh("ord"),
        client_order_id=wanted.client_order_id,
        venue_order_id=None,
        terms=replace(wanted.terms_of(order), quantity=quantity),
        reason=f"{order.reason}; amended by {wanted.asked_by}",
        state=OrderState.SENDING,
        filled_quantity=Decimal(0),
        filled_notional=Decimal(0),
        commission=Decimal(0),
        decided_price=wanted.decided_price,
        outcome=None,
        cancel_asked_at=None,
        created_at=now,
        sent_at=now,
        sendable_until=wanted.sendable_until,
        until_tick=wanted.until_tick,
        asked=0,
        updated_at=now,
        amend_quantity=None,
        replaced_by=None,
    )
    store.add(tx, successor)
    store.note(tx, successor, now, ("amended", successor.state, f"takes the place of {order.id}"))
    amendments.close(tx, order.id, now)
    store.change(tx, order.id, now, replaced_by=successor.id)
    store.note(tx, order, now, ("amended", order.state, f"{successor.id} takes its place"))
    told(tx, successor, now)
    if order.cancel_asked_at is not None:
        cancel.ask(tx, desk, successor, by="the cancel of the order before it")
    return successor
