"""Change price, trigger or size of a resting order: asked for in a transaction, done by whoever delivers the message.

The venue changes it in place, or ends it and takes another for the rest. The client id of that other one is stored
before the wire is touched; when an answer is lost, the venue is asked for both, and nothing is sent blindly.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from pilothouse.accounts import trading_accounts
from pilothouse.core.clock import Tick
from pilothouse.core.errors import Conflict, Invalid, Problem, Refused
from pilothouse.core.ids import client_order_id
from pilothouse.core.intent import OrderIntent
from pilothouse.core.order import OrderState
from pilothouse.core.rounding import EXACT, plain
from pilothouse.core.sizing import within_bounds
from pilothouse.execution import account_store, amendments, cancel, halt_store, settle, store
from pilothouse.execution.amendments import Amendment
from pilothouse.execution.desk import Desk
from pilothouse.execution.elapsed import is_over
from pilothouse.execution.gate import Basis, ask_the_gate
from pilothouse.execution.tell import pursue_later, told
from pilothouse.execution.trader import Trader
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.wire_tape import taped
from pilothouse.venues.port import (
    HOLDINGS,
    Absent,
    Accepted,
    ChangesInPlace,
    Gone,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Replaced,
    Unknown,
    Venue,
    VenueAccount,
    VenueStatus,
)
from pilothouse.venues.replace import places_first

AMEND_TOPIC = "amend"
"""Messages under this topic ask for one resting order to be changed."""

_ENDED = frozenset({VenueStatus.CANCELED, VenueStatus.EXPIRED, VenueStatus.REJECTED, VenueStatus.FILLED})


class NotResting(Conflict):
    """The order does not stand at its venue, so there is nothing to change."""

    code = "order_not_resting"


class AlreadyAsked(Conflict):
    """Another change, or a cancel, of this order is on its way."""

    code = "order_changing"


class Protects(Refused):
    """A stop-loss or take-profit follows its position and is not changed by hand."""

    code = "order_protects"


# ── Asking for it ─────────────────────────────────────────────────────────────────────────────────


def ask(
    tx: Tx,
    desk: Desk,
    trader: Trader,
    order: store.OrderRecord,
    basis: Basis,
    *,
    price: Decimal | None,
    quantity: Decimal | None,
    by: str,
    stop_price: Decimal | None = None,
) -> bool:
    """Ask for an order to be changed, in the caller's transaction, in which the account is locked.

    price      its new limit; None: as it is
    stop_price its new trigger; None: as it is
    quantity   its new size, base, with what has filled already; None: as it is

    Returns whether it could add to what the account risks: then the risk gate has allowed it. Raises Invalid,
    NotResting, AlreadyAsked, Protects, AccountDisarmed, OffGrid, SizeBelowMinimum, DeniedByRisk.
    """
    _may_change(trader, order)
    wanted = _wanted(desk, order, basis, price, stop_price, quantity, by)
    now = wanted.asked_at
    rest = replace(wanted.terms_of(order), quantity=EXACT.subtract(wanted.quantity, order.filled_quantity))
    within_bounds(
        basis.instrument.quantity(rest.quantity),
        basis.instrument,
        rest.price or rest.stop_price or basis.quote.mark,
        reduces=rest.reduce_only,
    )
    adds = _adds(order, wanted)
    if adds:
        others = tuple(each for each in basis.orders if each.id != order.id)
        intent = OrderIntent(order.id, rest, order.purpose, basis.quote.mark, f"amended by hand: {by}")
        ask_the_gate(tx, desk, trader, intent, replace(basis, orders=others), now, without=order.id)
    amendments.add(tx, wanted)
    account_store.count_order(tx, order.account_id, order.owner_id, now)
    words = f"to {amendments.in_words(wanted.terms_of(order))}, by {by}"
    store.note(tx, order, now, ("amend_asked", order.state, words))
    outbox.put(
        tx,
        AMEND_TOPIC,
        key=order.account_id,
        payload={"order_id": order.id},
        dedupe_key=f"amend:{wanted.client_order_id}",
        available_at=now,
        now=now,
    )
    return adds


def _may_change(trader: Trader, order: store.OrderRecord) -> None:
    if order.purpose.protects:
        raise Protects(f"this {order.purpose} follows its position; it is not changed by hand")
    if not order.state.is_resting:
        raise NotResting(f"an order that is {order.state} does not stand at its venue: there is nothing to change")
    if order.amend_quantity is not None or order.cancel_asked_at is not None:
        raise AlreadyAsked("another change, or a cancel, of this order is on its way")
    trader.must_be_armed()


def _wanted(
    desk: Desk,
    order: store.OrderRecord,
    basis: Basis,
    price: Decimal | None,
    stop_price: Decimal | None,
    quantity: Decimal | None,
    by: str,
) -> Amendment:
    """Return the change as it is stored; raises Invalid for what cannot be one."""
    problems = []
    if price is not None and not order.terms.type.has_limit:
        problems.append(Problem("price", "a number", f"nothing: a {order.terms.type} order has none", "unexpected"))
    if stop_price is not None and not order.terms.type.is_conditional:
        nothing = f"nothing: a {order.terms.type} order has none"
        problems.append(Problem("stop_price", "a number", nothing, "unexpected"))
    if quantity is not None and quantity <= order.filled_quantity:
        above = f"a number above {plain(order.filled_quantity)}, which has filled already"
        problems.append(Problem("quantity", plain(quantity), above, "out_of_range"))
    new_price = order.terms.price if price is None else price
    new_stop = order.terms.stop_price if stop_price is None else stop_price
    new_quantity = order.terms.quantity if quantity is None else quantity
    if (new_price, new_stop, new_quantity) == (order.terms.price, order.terms.stop_price, order.terms.quantity):
        allowed = "another price, stop_price or quantity"
        problems.append(Problem("price", "nothing new", allowed, "missing"))
    if problems:
        raise Invalid(problems)
    return Amendment(
        order_id=order.id,
        owner_id=order.owner_id,
        account_id=order.account_id,
        client_order_id=client_order_id(desk.house_key, order.account_id, desk.ids.fresh("amd")),
        quantity=basis.instrument.quantity(new_quantity),
        price=None if new_price is None else basis.instrument.price(new_price),
        decided_price=basis.quote.mark,
        asked_by=by,
        asked_at=desk.clock.now(),
        sendable_until=None,
        asked=0,
        stop_price=None if new_stop is None else basis.instrument.price(new_stop),
    )


def _adds(order: store.OrderRecord, wanted: Amendment) -> bool:
    """Say whether the change asks for more, or at a price that costs more."""
    if wanted.quantity > order.terms.quantity:
        return True
    terms, sign = order.terms, order.terms.side.sign
    costs = ((wanted.price, terms.price), (wanted.stop_price, terms.stop_price))
    return any(new is not None and old is not None and (new - old) * sign > 0 for new, old in costs)


# ── Carrying it out ───────────────────────────────────────────────────────────────────────────────


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
            return _done(desk, order_id, lambda tx: _in_place(tx, desk, order_id, report), sent)
        case Replaced(ended, placed):
            return _done(desk, order_id, lambda tx: _replaced(tx, desk, order_id, ended, placed), sent)
        case Gone(report=last):
            return _done(desk, order_id, lambda tx: _dropped(tx, desk, order_id, last, "it had ended before"), sent)
        case Rejected(code, message):
            return _done(desk, order_id, lambda tx: _dropped(tx, desk, order_id, None, f"{code}: {message}"), sent)
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
    elif _adds(order, wanted) and _is_halted(tx, order):
        why = "the account was halted while it waited"
    elif not trading_accounts.by_id(tx, order.account_id).may_send:
        why = "the account was disarmed"
    if why:
        _dropped(tx, desk, order_id, None, why)
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


# ── When the answer was lost ──────────────────────────────────────────────────────────────────────


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
            return _done(desk, order.id, lambda tx: _replaced(tx, desk, order.id, ended, new))
        case Accepted(), Absent():
            return _done(desk, order.id, lambda tx: _replaced(tx, desk, order.id, None, new))
        case Absent(), Accepted(report) if wanted.is_told_by(report.terms):
            return _done(desk, order.id, lambda tx: _in_place(tx, desk, order.id, report))
        case Absent(), Accepted(report) if report.status in _ENDED and (
            not is_first or _too_late(desk, venue, wanted, asked_at)
        ):
            return _done(desk, order.id, lambda tx: _ended(tx, desk, venue, order.id, report))
        case Absent(), Accepted(report) if report.status not in _ENDED and _too_late(desk, venue, wanted, asked_at):
            return _done(desk, order.id, lambda tx: _never_arrived(tx, desk, order.id, report)) or timedelta(0)
        case Absent(), Absent() if _too_late(desk, venue, wanted, asked_at):
            return _done(desk, order.id, lambda tx: _dropped(tx, desk, order.id, None, "the venue knows neither order"))
        case _:
            return _come_back(desk, wanted, "the venue has not seen it, which proves nothing yet")


def _is_first(venue: Venue, order: store.OrderRecord) -> bool:
    """Say whether the order that takes the place of this one is placed before it is ended."""
    return places_first(order.terms, coins=venue.card.has(HOLDINGS))


def _too_late(desk: Desk, venue: Venue, wanted: Amendment, asked_at: Tick) -> bool:
    """Say whether the request can no longer be accepted; where a venue never says so, after several minutes."""
    ended = desk.elapsed.ended(wanted.client_order_id, wanted.until_tick, asked_at, desk.patience.ask_most)
    window = venue.card.acceptance_window_s
    if window is None:
        slack = desk.patience.intent_age_most
    else:
        slack = timedelta(microseconds=int(window * 1_000_000)) + desk.patience.window_slack
    return asked_at.until(ended) + slack <= timedelta(0)


def _ended(tx: Tx, desk: Desk, venue: Venue, order_id: str, report: OrderReport) -> None:
    """Take in that the old order has ended and no other is seen: one may be on its way, or have to be.

    Where the venue changes such orders in place, or the other one is placed first, nothing took its place. Else it was
    ended for the other
    one, which is then asked about and, if it certainly never arrived and is still wanted, sent under its own id.
    """
    order, wanted = store.get(tx, order_id), amendments.of(tx, order_id)
    if order is None or wanted is None:
        return
    request = OrderRequest(wanted.client_order_id, wanted.terms_of(order), desk.clock.now())
    in_place = isinstance(venue, ChangesInPlace) and venue.changes_in_place(request)
    nothing_follows = in_place or _is_first(venue, order)
    if nothing_follows or report.status is not VenueStatus.CANCELED or report.filled_quantity >= wanted.quantity:
        _dropped(tx, desk, order_id, report, "it had ended before")
        return
    _replaced(tx, desk, order_id, report, Unknown("nobody knows whether it was sent"))


def _never_arrived(tx: Tx, desk: Desk, order_id: str, report: OrderReport) -> None:
    """Take in that the venue never saw the change and no longer can: it may be sent again, under the same id."""
    order = store.get(tx, order_id)
    if order is not None and order.amend_quantity is not None:
        amendments.hold(tx, order_id, None)
        store.note(
            tx, order, desk.clock.now(), ("amend_again", order.state, "the venue never saw it and no longer can")
        )
    settle.reported(tx, desk, order_id, report)


# ── What became of it ─────────────────────────────────────────────────────────────────────────────


def _in_place(tx: Tx, desk: Desk, order_id: str, report: OrderReport) -> None:
    order, wanted = store.get(tx, order_id), amendments.of(tx, order_id)
    if order is not None and wanted is not None:
        amendments.made_in_place(tx, order, wanted, desk.clock.now())
    settle.reported(tx, desk, order_id, report)


def _dropped(tx: Tx, desk: Desk, order_id: str, report: OrderReport | None, reason: str) -> None:
    """Take in that nothing was changed, and why; `report` tells how the order is."""
    order = store.get(tx, order_id)
    if order is not None and order.amend_quantity is not None:
        now = desk.clock.now()
        amendments.close(tx, order_id, now)
        store.note(tx, order, now, ("amend_refused", order.state, reason))
        told(tx, order, now)
    if report is not None:
        settle.reported(tx, desk, order_id, report)


def _replaced(tx: Tx, desk: Desk, order_id: str, ended: OrderReport | None, placed: PlaceOutcome | None) -> None:
    """Take in that the order was ended, with what it had filled, and what became of the one in its place."""
    if ended is not None:
        settle.reported(tx, desk, order_id, ended)
    order, wanted = store.get(tx, order_id), amendments.of(tx, order_id)
    assert order is not None, "orders are kept"
    if placed is None:
        _dropped(tx, desk, order_id, None, "it had filled before there was anything left to change")
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
