"""Cancel one order, or all of an account: asked for in a transaction, done by whoever delivers the message."""

from datetime import datetime, timedelta

from pilothouse.core.errors import NotFound
from pilothouse.execution import settle, store
from pilothouse.execution.desk import Desk
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.wire_tape import taped
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
    with taped() as wire:
        outcome = venue.cancel(account, order.terms.symbol, order.client_order_id, stamped_at)
    asked = {
        "order": order.id,
        "client_order_id": order.client_order_id,
        "stamped_at": stamped_at,
        "at": desk.clock.now(),
        "answer": type(outcome).__name__,
        "wire": wire,
    }

    def take_in(report: OrderReport) -> None:
        def work(tx: Tx) -> None:
            tx.record(order.account_id, order.about, "cancel_sent", asked)
            settle.reported(tx, desk, order.id, report)

        desk.database.write(work, name="settle", urgent=True)

    def refuse(reason: str) -> None:
        def work(tx: Tx) -> None:
            tx.record(order.account_id, order.about, "cancel_sent", asked)
            _refused(tx, desk, order.id, reason)

        desk.database.write(work, name="cancel refused")

    match outcome:
        case Accepted(report):
            take_in(report)
            return None
        case Gone(OrderReport() as report):
            take_in(report)
            return None
        case Gone():
            # Filled or gone: -2011 does not say which, so ask.
            found = venue.find(account, order.terms.symbol, order.client_order_id)
            if isinstance(found, Accepted):
                take_in(found.report)
                return None
            return desk.patience.ask_most
        case Rejected(code, message):
            refuse(f"{code}: {message}")
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
