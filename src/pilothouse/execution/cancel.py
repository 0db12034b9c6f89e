"""Cancel one order, or all of an account: asked for in a transaction, done by whoever delivers the message."""

from datetime import datetime, timedelta
from functools import partial

from pilothouse.core.errors import NotFound
from pilothouse.execution import settle, store
from pilothouse.execution.desk import Desk
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.venues.port import Accepted, Gone, OrderReport, Rejected, Unknown, VenueAccount

CANCEL_TOPIC = "cancel"
"""Messages under this topic ask for one order to be cancelled."""


class OrderNotFound(NotFound):
    """There is no such order."""

    code = "order_not_found"


def ask(tx: Tx, desk: Desk, order: store.OrderRecord, *, by: str) -> bool:
    """Ask for an order to be cancelled; returns False if it is final or was asked for already."""
    if order.state.is_final or order.cancel_asked_at is not None:
        return False
    now = desk.clock.now()
    store.change(tx, order.id, now, cancel_asked_at=now)
    store.note(tx, order, now, ("cancel_asked", order.state, f"by {by}"))
    _put(tx, order, now, now)
    return True


def ask_all(tx: Tx, desk: Desk, account_id: str, *, symbol: str | None, by: str, protective_too: bool) -> int:
    """Ask for every live order of an account (of one instrument, if named) to be cancelled; returns how many."""
    live = store.live_of(tx, account_id) if symbol is None else store.live_in(tx, account_id, symbol)
    return sum(ask(tx, desk, order, by=by) for order in live if protective_too or not order.purpose.protects)


def carry_out(desk: Desk, venue_name: str, order_id: str) -> timedelta | None:
    """Cancel an order at its venue; returns after how long to come back, or None when it is done.

    An order whose outcome is unknown is not cancelled but asked about first: until then there may be nothing to cancel.
    """
    order = desk.database.read(lambda tx: store.get(tx, order_id))
    if order is None or order.state.is_final:
        return None
    if not order.state.is_resting:
        return desk.patience.ask_first
    account = VenueAccount(order.account_id, order.owner_id)
    venue = desk.venue(venue_name)
    stamped_at = desk.clock.now()
    if not desk.writers.may_send(venue_name, order.account_id):
        return desk.patience.elsewhere
    outcome = venue.cancel(account, order.terms.symbol, order.client_order_id, stamped_at)
    match outcome:
        case Accepted(report):
            desk.database.write(
                partial(settle.reported, desk=desk, order_id=order.id, report=report), name="settle", urgent=True
            )
            return None
        case Gone(OrderReport() as report):
            desk.database.write(
                partial(settle.reported, desk=desk, order_id=order.id, report=report), name="settle", urgent=True
            )
            return None
        case Gone():
            # Filled or gone: -2011 does not say which, so ask.
            found = venue.find(account, order.terms.symbol, order.client_order_id)
            if isinstance(found, Accepted):
                desk.database.write(
                    partial(settle.reported, desk=desk, order_id=order.id, report=found.report),
                    name="settle",
                    urgent=True,
                )
                return None
            return desk.patience.ask_most
        case Rejected(code, message):
            desk.database.write(lambda tx: _refused(tx, desk, order.id, f"{code}: {message}"), name="cancel refused")
            return None
        case Unknown():
            return desk.patience.ask_first


def _refused(tx: Tx, desk: Desk, order_id: str, reason: str) -> None:
    """Note that the venue does not cancel the order: it may be asked for again."""
    order = store.get(tx, order_id)
    if order is None or order.state.is_final:
        return
    now = desk.clock.now()
    store.change(tx, order.id, now, cancel_asked_at=None)
    store.note(tx, order, now, ("cancel_refused", order.state, reason))


def _put(tx: Tx, order: store.OrderRecord, now: datetime, at: datetime) -> None:
    outbox.put(
        tx,
        CANCEL_TOPIC,
        key=order.account_id,
        payload={"order_id": order.id},
        dedupe_key=f"cancel:{order.id}",
        available_at=at,
        now=now,
    )
