"""Change a resting order at its venue: an order with a change that was asked for in; what became of it out.

When an answer is lost, the venue is asked for the old order and for the one that takes its place, and nothing is sent
blindly.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from pilothouse.accounts import trading_accounts
from pilothouse.core.clock import Tick
from pilothouse.execution import amendments, halt_store, settle, store
from pilothouse.execution.amended import dropped, in_place, replaced
from pilothouse.execution.amendments import Amendment
from pilothouse.execution.desk import Desk
from pilothouse.execution.elapsed import is_over
from pilothouse.kit.db import Tx
from pilothouse.kit.wire_tape import taped
from pilothouse.venues.abilities import ChangesInPlace
from pilothouse.venues.card import HOLDINGS
from pilothouse.venues.port import (
    Absent,
    Accepted,
    Gone,
    OrderReport,
    OrderRequest,
    Rejected,
    Replaced,
    Unknown,
    Venue,
    VenueAccount,
    VenueStatus,
)
from pilothouse.venues.replace import places_first

_ENDED = frozenset({VenueStatus.CANCELED, VenueStatus.EXPIRED, VenueStatus.REJECTED, VenueStatus.FILLED})


def carry_out(desk: Desk, venue_name: str, order_id: str) -> timedelta | None:
    """Change an order at its venue; returns after how long to come back, or None when it is known what became of it.

    Once the wire was touched for it, whoever comes next asks the venue for both orders; it is sent again only when the
    venue never saw it and can no longer accept it.
    """
    order, wanted = desk.database.read(lambda tx: (store.get(tx, order_id), amendments.of(tx, order_id)))
    if order is None or wanted is None:
        return None
    venue = desk.venue(venue_name)
    if not desk.writers.may_send(venue_name, order.account_id):
        return desk.patience.elsewhere
    if wanted.sendable_until is not None:
        return _ask_for_both(desk, venue, order, wanted)
    held = desk.database.write(lambda tx: _hold(tx, desk, order_id), name="amend", urgent=True)
    if held is None or held.sendable_until is None:
        return None
    request = OrderRequest(held.client_order_id, held.terms_of(order), desk.clock.now())
    assert held.until_tick is not None, "this process has just taken it in hand"
    is_late = is_over(desk.clock, held.sendable_until, held.until_tick)
    if is_late or not desk.writers.may_send(venue_name, order.account_id):
        return timedelta(0)
    with taped() as wire:
        outcome = venue.amend(VenueAccount(order.account_id, order.owner_id), order.client_order_id, request)
    sent = {
        "order": order.id,
        "request": request,
        "at": desk.clock.now(),
        "answer": type(outcome).__name__,
        "wire": wire,
    }
    match outcome:
        case Accepted(report):
            return _done(desk, order_id, lambda tx: in_place(tx, desk, order_id, report), sent)
        case Replaced(ended, placed):
            return _done(desk, order_id, lambda tx: replaced(tx, desk, order_id, ended, placed), sent)
        case Gone(report=last):
            return _done(desk, order_id, lambda tx: dropped(tx, desk, order_id, last, "it had ended before"), sent)
        case Rejected(code, message):
            return _done(desk, order_id, lambda tx: dropped(tx, desk, order_id, None, f"{code}: {message}"), sent)
        case Unknown(reason):
            return _come_back(desk, held, reason, sent)


def _hold(tx: Tx, desk: Desk, order_id: str) -> Amendment | None:
    """Commit that the wire is about to be touched; None if the order is no longer to be changed."""
    wanted = amendments.of(tx, order_id)
    order = store.get(tx, order_id, lock=True)
    if wanted is None or order is None or wanted.sendable_until is not None:
        return None
    why = ""
    if order.cancel_asked_at is not None:
        why = "it is being cancelled"
    elif not order.state.is_resting:
        why = f"it is {order.state}"
    elif desk.clock.now() - wanted.asked_at > desk.patience.intent_age_most:
        why = f"it waited longer than {desk.patience.intent_age_most.total_seconds():.0f} s"
    elif wanted.adds_to(order) and _is_halted(tx, order):
        why = "the account was halted while it waited"
    elif not trading_accounts.by_id(tx, order.account_id).may_send:
        why = "the account was disarmed"
    if why:
        dropped(tx, desk, order_id, None, why)
        return None
    until, tick = desk.clock.now() + desk.patience.ask_most, desk.clock.tick().later(desk.patience.ask_most)
    amendments.hold(tx, order_id, until, tick)
    return replace(wanted, sendable_until=until, until_tick=tick)


def _is_halted(tx: Tx, order: store.OrderRecord) -> bool:
    return halt_store.halted(tx, order.account_id, order.owner_id, order.hook_id) is not None


def _done(
    desk: Desk, order_id: str, work: Callable[[Tx], None], sent: Mapping[str, object] | None = None
) -> timedelta | None:
    """Take in what became of a change, unless something else has told it already.

    sent   what was asked of the venue and answered, for the record
    """

    def unit(tx: Tx) -> None:
        order = store.get(tx, order_id)
        assert order is not None, "orders are kept"
        tx.lock(f"account:{order.account_id}")
        if sent is not None:
            tx.record(order.account_id, order.about, "amend_sent", sent)
        work(tx)

    desk.database.write(unit, name="amended", urgent=True)
    return None


def _come_back(desk: Desk, wanted: Amendment, reason: str, sent: Mapping[str, object] | None = None) -> timedelta:
    """Note that nobody can say what became of a change, and return when to ask."""

    def work(tx: Tx) -> None:
        order = store.get(tx, wanted.order_id)
        amendments.count_question(tx, wanted.order_id)
        if order is not None and sent is not None:
            tx.record(order.account_id, order.about, "amend_sent", sent)
        if order is not None and not wanted.asked:
            store.note(tx, order, desk.clock.now(), ("amend_unknown", order.state, reason))

    desk.database.write(work, name="amend asked")
    return desk.patience.back_off(wanted.asked)


def _ask_for_both(desk: Desk, venue: Venue, order: store.OrderRecord, wanted: Amendment) -> timedelta | None:
    """Ask the venue for the order that may stand in place of the old one, then for the old one, and take that in.

    In this turn: where a new order is placed only after the old one has ended, an old one that still stands when it
    is asked for second has no successor. Where it is placed first, an old one that has ended proves nothing of the new.
    """
    account, symbol = VenueAccount(order.account_id, order.owner_id), order.terms.symbol
    is_first = _is_first(venue, order)
    asked_at = desk.clock.tick()
    new = venue.find(account, symbol, wanted.client_order_id)
    old = venue.find(account, symbol, order.client_order_id)
    match new, old:
        case (Unknown(reason), _) | (_, Unknown(reason)):
            return _come_back(desk, wanted, reason)
        case Accepted(), Accepted(ended):
            return _done(desk, order.id, lambda tx: replaced(tx, desk, order.id, ended, new))
        case Accepted(), Absent():
            return _done(desk, order.id, lambda tx: replaced(tx, desk, order.id, None, new))
        case Absent(), Accepted(report) if wanted.is_told_by(report.terms):
            return _done(desk, order.id, lambda tx: in_place(tx, desk, order.id, report))
        case Absent(), Accepted(report) if report.status in _ENDED and (
            not is_first or _too_late(desk, venue, wanted, asked_at)
        ):
            return _done(desk, order.id, lambda tx: _ended(tx, desk, venue, order.id, report))
        case Absent(), Accepted(report) if report.status not in _ENDED and _too_late(desk, venue, wanted, asked_at):
            return _done(desk, order.id, lambda tx: _never_arrived(tx, desk, order.id, report)) or timedelta(0)
        case Absent(), Absent() if _too_late(desk, venue, wanted, asked_at):
            return _done(desk, order.id, lambda tx: dropped(tx, desk, order.id, None, "the venue knows neither order"))
        case _:
            return _come_back(desk, wanted, "the venue has not seen it, which proves nothing yet")


def _is_first(venue: Venue, order: store.OrderRecord) -> bool:
    """Say whether the order that takes the place of this one is placed before it is ended."""
    return places_first(order.terms, coins=venue.card.has(HOLDINGS))


def _too_late(desk: Desk, venue: Venue, wanted: Amendment, asked_at: Tick) -> bool:
    """Say whether the request can no longer be accepted; where a venue never says so, after several minutes."""
    ended = desk.elapsed.ended(wanted.client_order_id, wanted.until_tick, asked_at, desk.patience.ask_most)
    window = venue.card.acceptance_window
    slack = desk.patience.intent_age_most if window is None else window + desk.patience.window_slack
    return asked_at.until(ended) + slack <= timedelta(0)


def _ended(tx: Tx, desk: Desk, venue: Venue, order_id: str, report: OrderReport) -> None:
    """Take in that the old order has ended and no other is seen: one may be on its way, or have to be.

    Where the venue changes such orders in place, or the other one is placed first, nothing took its place. Else it was
    ended for the other one, which is then asked about and, if it certainly never arrived and is still wanted, sent
    under its own id.
    """
    order, wanted = store.get(tx, order_id), amendments.of(tx, order_id)
    if order is None or wanted is None:
        return
    request = OrderRequest(wanted.client_order_id, wanted.terms_of(order), desk.clock.now())
    in_place = isinstance(venue, ChangesInPlace) and venue.changes_in_place(request)
    nothing_follows = in_place or _is_first(venue, order)
    if nothing_follows or report.status is not VenueStatus.CANCELED or report.filled_quantity >= wanted.quantity:
        dropped(tx, desk, order_id, report, "it had ended before")
        return
    replaced(tx, desk, order_id, report, Unknown("nobody knows whether it was sent"))


def _never_arrived(tx: Tx, desk: Desk, order_id: str, report: OrderReport) -> None:
    """Take in that the venue never saw the change and no longer can: it may be sent again, under the same id."""
    order = store.get(tx, order_id)
    if order is not None and order.amend_quantity is not None:
        amendments.hold(tx, order_id, None)
        store.note(
            tx, order, desk.clock.now(), ("amend_again", order.state, "the venue never saw it and no longer can")
        )
    settle.reported(tx, desk, order_id, report)
