"""An order on its way to the venue, and what is done when nobody knows whether it arrived.

`send_batch` is the one-shot hand-off of orders that their own commit marked SENDING for this process. Every other
delivery goes through `pursue`, which asks the venue before it sends anything.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import NamedTuple

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.core.clock import Tick
from pilothouse.core.errors import Broken, Unavailable
from pilothouse.core.order import OrderEvent, OrderState, OrderTerms, Purpose, after
from pilothouse.core.rounding import plain, ratio
from pilothouse.execution import free_coins, halt_store, hearing, settle, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.lanes import Lane, Outgoing
from pilothouse.execution.limits import of_account
from pilothouse.execution.tell import moved, told
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.engines import CommitUnknown
from pilothouse.kit.wire_tape import Exchange, taped
from pilothouse.ledger import positions
from pilothouse.venues.port import (
    Absent,
    Accepted,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Unknown,
    Venue,
    VenueAccount,
)

HUNDRED = Decimal(100)

_log = structlog.get_logger("pilothouse.execution")


@dataclass(frozen=True, slots=True)
class Sent:
    """What the record holds of one request: what was asked of the venue, when, and which of three answers came.

    handed_at   right before the wire was touched
    answer      Accepted, Rejected or Unknown; what it says in particular stands beside it
    wire        what went over the wire for it, where the venue is one over a wire; orders sent together share it
    """

    order: str
    request: OrderRequest
    handed_at: datetime
    answered_at: datetime
    answer: str
    wire: Sequence[Exchange] = ()


def send_batch(desk: Desk, batch: Sequence[Outgoing]) -> None:
    """Put orders of one lane on the wire, in order, and take in their outcomes.

    Each is stamped before its hold and the lease are looked at: a process that was stopped and wakes up late either
    sees that they have passed, or sends what the venue refuses as too old. Orders were decided as if those before them
    had filled: behind one that may not have arrived nothing is sent, and what is not sent is put off until its turn.
    """
    first = batch[0]
    lane = (first.account.id, first.request.terms.symbol)
    venue = desk.venue(first.venue)
    stamped = [(one, replace(one.request, stamped_at=desk.clock.now())) for one in batch]
    if not desk.writers.may_send(first.venue, first.account.id):
        _put_off_before_others(desk, lane, batch, "this process may not send for the account any more")
        return
    if not _armed(desk, batch):
        _put_off_before_others(desk, lane, batch, "the account is not armed any more")
        return
    if first.is_live and _is_halted(desk, batch):
        adding = [one for one in batch if _adds(one)]
        _put_off(desk, adding, "trading was halted before it left")
        stamped, batch = [pair for pair in stamped if not _adds(pair[0])], [one for one in batch if not _adds(one)]
    late = [one for one in batch if one.is_late(desk.clock)]
    _put_off_before_others(desk, lane, late, "it waited too long in this process")
    ready = [pair for pair in stamped if pair[0] not in late]
    if desk.lanes.is_doubted(lane):
        ready = _behind_a_doubt(desk, lane, ready)
    for run in _runs(ready, in_one_go=venue.card.in_one_go):
        if desk.lanes.is_doubted(lane) and not _goes_at_once(desk, run[0][0]):
            _put_off(desk, [one for one, _ in run], "an order before it may not have arrived")
        else:
            _send_run(desk, venue, lane, run)


def _adds(one: Outgoing) -> bool:
    return not one.request.terms.reduce_only and not one.protects


def _is_halted(desk: Desk, batch: Sequence[Outgoing]) -> bool:
    """Say whether a halt came after these were decided that what adds may not pass; closing and protecting always may.

    A halt of one bot is not asked for here: it is told of an order, and no longer of what leaves.
    """
    account = batch[0].account
    if not any(_adds(one) for one in batch):
        return False
    return desk.database.read(lambda tx: halt_store.halted(tx, account.id, account.owner_id)) is not None


Stamped = tuple[Outgoing, OrderRequest]


def _runs(ready: Sequence[Stamped], *, in_one_go: bool) -> Iterator[list[Stamped]]:
    """Yield what is handed to the venue together: stops and targets beside each other, any other order alone.

    in_one_go   the venue keeps the order of what comes in one call, so those others leave together too
    """
    for waits, run in groupby(ready, key=lambda pair: pair[1].terms.type.is_conditional):
        if waits or in_one_go:
            yield list(run)
        else:
            yield from ([pair] for pair in run)


def _behind_a_doubt(desk: Desk, lane: Lane, ready: list[Stamped]) -> list[Stamped]:
    """Return what may be sent in a lane in which an order was doubted; the rest is put off."""
    mine = {one.order_id for one, _ in ready}
    first = desk.database.read(lambda tx: store.first_on_its_way(tx, *lane))
    if first is None or first.id in mine:
        desk.lanes.doubt(lane, is_so=False)
        return ready
    wait = [one for one, _ in ready if not _goes_at_once(desk, one)]
    _put_off(desk, wait, f"{first.id} before it may not have arrived")
    return [pair for pair in ready if pair[0] not in wait]


def _goes_at_once(desk: Desk, one: Outgoing) -> bool:
    account_id, terms, protects = one.account.id, one.request.terms, one.protects
    return desk.database.read(lambda tx: waits_for_nobody(tx, account_id, one.order_id, terms, protects=protects))


def waits_for_nobody(tx: Tx, account_id: str, order_id: str, terms: OrderTerms, *, protects: bool) -> bool:
    """Say whether an order may leave before others: it protects, or closes just what is held and can open nothing.

    What is still on its way and does not rest was counted as filled when a later one was decided. Behind such an order
    a reduction may happen to be as large as what is held now, and mean another position.
    """
    if protects or not terms.reduce_only:
        return protects
    if any(not one.terms.rests for one in store.on_their_way(tx, account_id, terms.symbol) if one.id < order_id):
        return False
    return positions.position(tx, account_id, terms.symbol).quantity == -terms.side.sign * terms.quantity


def _send_run(desk: Desk, venue: Venue, lane: Lane, run: Sequence[Stamped]) -> None:
    for one, _ in run:
        if one.alert_at is not None:
            desk.meters.alert_to_send.observe((desk.clock.now() - one.alert_at).total_seconds())
    handed = desk.clock.now()
    with taped() as wire:
        outcomes = venue.place(run[0][0].account, [request for _, request in run])
    left_at, left_tick = desk.clock.now(), desk.clock.tick()
    heard = []
    for (one, request), outcome in zip(run, outcomes, strict=True):
        _log.info(
            "order_sent",
            correlation=one.signal_id or one.order_id,
            order=one.order_id,
            client_order_id=one.request.client_order_id,
            outcome=type(outcome).__name__.lower(),
        )
        desk.meters.outcomes.labels(one.venue, type(outcome).__name__.lower()).inc()
        if not one.protects and (isinstance(outcome, Unknown) or _may_come_later(outcome)):
            desk.lanes.doubt(lane, is_so=True)
        sent = Sent(one.order_id, request, handed, left_at, type(outcome).__name__, wire)
        heard.append(_Heard(one, outcome, sent, settle.Ended(left_at, one.sendable_until, left_tick)))
    if venue.card.in_one_go:
        _settle_together(desk, heard)
    else:
        _settle_each(desk, heard)


def _may_come_later(outcome: PlaceOutcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.may_be_repeated


def _put_off(desk: Desk, unsent: Sequence[Outgoing], reason: str) -> None:
    """Let what this process did not send, and will not send from its lane, wait to be sent in its turn."""
    if not unsent:
        return
    _log.info("orders_put_off", orders=[one.order_id for one in unsent], why=reason)

    def work(tx: Tx) -> None:
        put_off_all(tx, desk, unsent, reason)

    desk.database.submit(work, name="put off", urgent=True)


def _put_off_before_others(desk: Desk, lane: Lane, unsent: Sequence[Outgoing], reason: str) -> None:
    """Put off what comes before others of its lane, which were decided as if it had filled: they wait behind it."""
    if any(not one.protects for one in unsent):
        desk.lanes.doubt(lane, is_so=True)
    _put_off(desk, unsent, reason)


def put_off_all(tx: Tx, desk: Desk, unsent: Sequence[Outgoing], reason: str) -> None:
    """Store that orders were certainly not sent; their messages bring them to the venue later."""
    for one in unsent:
        for order_id, message_id in _halves(one):
            settle.put_off(tx, desk, order_id, reason, held_until=one.sendable_until)
            outbox.fail(tx, message_id, 1, reason, desk.clock.now())


def _halves(one: Outgoing) -> tuple[tuple[str, str], ...]:
    """Return the ids of the order and its message; of a pair, those of both of its halves."""
    mine = (one.order_id, one.message_id)
    return (mine,) if one.beside is None else (mine, one.beside)


def _armed(desk: Desk, batch: Sequence[Outgoing]) -> bool:
    """Say whether the account of a batch may send: for real money, asked once more right before the wire."""
    first = batch[0]
    return not first.is_live or desk.database.read(lambda tx: trading_accounts.by_id(tx, first.account.id)).may_send


class _Heard(NamedTuple):
    """What came of an order that was handed off."""

    one: Outgoing
    outcome: PlaceOutcome
    sent: Sent
    ended: settle.Ended


def _settle_each(desk: Desk, heard: Sequence[_Heard]) -> None:
    """Take in what came of orders, each by itself: what cannot be taken in holds up no other."""
    for each in heard:
        desk.database.submit(partial(_take_in_handed_off, desk=desk, heard=each), name="settle", urgent=True)


def _settle_together(desk: Desk, heard: Sequence[_Heard]) -> None:
    """Take in what came of orders that became durable at the venue all at once; if that fails, each by itself."""

    def work(tx: Tx) -> None:
        for each in heard:
            _take_in_handed_off(tx, desk, each)

    def look(done: Future[None]) -> None:
        failed = done.exception()
        if failed is None or isinstance(failed, Unavailable | CommitUnknown) or len(heard) == 1:
            return  # what the database could not do now, whoever has the orders' messages asks for later
        _log.error("settled_one_by_one", orders=len(heard), error=repr(failed))
        with suppress(Unavailable):
            _settle_each(desk, heard)

    desk.database.submit(work, name="settle", urgent=True).add_done_callback(look)


def _take_in_handed_off(tx: Tx, desk: Desk, heard: _Heard) -> None:
    one, outcome, sent, ended = heard
    tx.record(one.account.id, one.signal_id or one.order_id, "sent", sent)
    order = _take_in(tx, desk, one.order_id, outcome, ended)
    if one.beside is not None:
        _record_other_half(tx, one.account.id, one.signal_id, one.beside[0], sent)
        _take_in_beside(tx, desk, one.beside, outcome, ended)
    if isinstance(outcome, Unknown):
        outbox.fail(tx, one.message_id, 1, outcome.reason, desk.clock.now() + desk.patience.ask_first)
        return
    if order.state is OrderState.INTENDED:
        outbox.fail(tx, one.message_id, 1, order.outcome or "", desk.clock.now() + desk.patience.venue_busy)
        return
    outbox.done(tx, one.message_id, 1)
    if one.alert_at is not None and order.state is OrderState.FILLED:
        desk.meters.alert_to_fill.observe((desk.clock.now() - one.alert_at).total_seconds())


def _record_other_half(tx: Tx, account_id: str, signal_id: str | None, order_id: str, sent: Sent) -> None:
    """Tell the record that the other half of a pair went by the same request."""
    assert sent.request.beside is not None, "only a pair has another half"
    its = replace(sent, order=order_id, request=sent.request.beside)
    tx.record(account_id, signal_id or order_id, "sent", its)


def _take_in_beside(tx: Tx, desk: Desk, beside: tuple[str, str], outcome: PlaceOutcome, ended: settle.Ended) -> None:
    """Take in what became of the other half of a pair, whose message brings it on where that is not known."""
    order = _take_in(tx, desk, beside[0], _of_other_half(outcome), ended)
    if order.state in {OrderState.INTENDED, OrderState.SENDING, OrderState.UNKNOWN}:
        outbox.fail(tx, beside[1], 1, order.outcome or "", desk.clock.now() + desk.patience.ask_first)
    else:
        outbox.done(tx, beside[1], 1)


def _of_other_half(outcome: PlaceOutcome) -> PlaceOutcome:
    """Return what a request for a pair says of its other half: the same, or that it is to be asked for."""
    if not isinstance(outcome, Accepted):
        return outcome
    return Accepted(outcome.beside) if outcome.beside is not None else Unknown("the venue told of its other half only")


def pursue(desk: Desk, venue_name: str, order_id: str) -> timedelta | None:
    """Do the next thing for an order that is not done: ask about it, or send it if it certainly never arrived.

    Returns after how long to come back, or None when nothing is left to do. Raises Unavailable while there is no price.
    """
    order = desk.database.read(lambda tx: store.get(tx, order_id))
    if order is None:
        raise Broken(f"a message speaks of order {order_id}, which is not stored")
    if order.state.is_final and order.filled_quantity <= order.terms.quantity and not _fills_missing(order):
        _send_the_next(desk, venue_name, order)
        return None
    if order.state is OrderState.INTENDED:
        again = _send_in_turn(desk, venue_name, order)
        if again is None:
            _send_the_next(desk, venue_name, order)
        return again
    held_for = _held_for(desk, order)
    return held_for if held_for > timedelta(0) else _ask(desk, venue_name, order)


def _held_for(desk: Desk, order: store.OrderRecord) -> timedelta:
    """Return for how long whoever is to send an order may still do so; not above zero: it may not any more."""
    if order.state is not OrderState.SENDING or order.sendable_until is None:
        return timedelta(0)
    tick = desk.clock.tick()
    if order.until_tick is not None and order.until_tick.boot == tick.boot:
        return tick.until(order.until_tick)
    return order.sendable_until - desk.clock.now()


def _send_in_turn(desk: Desk, venue_name: str, order: store.OrderRecord) -> timedelta | None:
    """Send an order that waits, if nothing decided before it is still on its way; returns when to come back.

    What was decided later took for granted that what was decided before had filled. What only reduces waits for that
    no longer than an order may wait at all.
    """
    is_old = desk.clock.now() - order.created_at > desk.patience.intent_age_most
    if not (order.terms.reduce_only and is_old) and desk.database.read(lambda tx: _has_others_before(tx, order)):
        return desk.patience.ask_most
    return _send_again(desk, venue_name, order)


def _has_others_before(tx: Tx, order: store.OrderRecord) -> bool:
    if waits_for_nobody(tx, order.account_id, order.id, order.terms, protects=order.purpose.protects):
        return False
    first = store.first_on_its_way(tx, order.account_id, order.terms.symbol)
    return first is not None and first.id != order.id


def _send_the_next(desk: Desk, venue_name: str, order: store.OrderRecord) -> None:
    """Send what waits behind an order that is known now, one after the other, until one of them is not known again."""
    if order.purpose.protects:
        return
    while True:
        after_it = desk.database.read(lambda tx: store.first_on_its_way(tx, order.account_id, order.terms.symbol))
        if after_it is None or after_it.state is not OrderState.INTENDED:
            return
        if _send_again(desk, venue_name, after_it) is not None:
            return


def _fills_missing(order: store.OrderRecord) -> bool:
    return order.state in {OrderState.CANCELED, OrderState.EXPIRED} and order.filled_quantity < order.terms.quantity


def _ask(desk: Desk, venue_name: str, order: store.OrderRecord) -> timedelta | None:
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
            left = _may_arrive_for(desk, venue.card.acceptance_window_s, order, tick)
            if left is not None and left <= timedelta(0):
                take_in("deny", lambda tx: _denied(tx, desk, order.id))
                desk.elapsed.over(order.id)
                return timedelta(0)
            reason = "the venue does not know it, which proves nothing yet"
            again = _back_off(desk, order.asked)
            if left is not None:
                again = min(again, left)
        case Unknown(lost):
            reason, again = lost, _back_off(desk, order.asked)
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


def _may_arrive_for(desk: Desk, window_s: Decimal | None, order: store.OrderRecord, tick: Tick) -> timedelta | None:
    """Return for how long after `tick` the last request may still be accepted, or None if nobody can say.

    Counted as the machine counts: a wall clock that is set forward must make no request too old to arrive.
    """
    if window_s is None or order.sendable_until is None:
        return None
    held_for = desk.patience.hand_off if order.state is OrderState.SENDING else timedelta(0)
    ended = desk.elapsed.ended(order.id, order.until_tick, tick, held_for)
    return tick.until(ended) + timedelta(microseconds=int(window_s * 1_000_000)) + desk.patience.window_slack


def _back_off(desk: Desk, asked: int) -> timedelta:
    doubled: int = 1 << min(asked, 10)
    return min(desk.patience.ask_first * doubled, desk.patience.ask_most)


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


def _send_again(desk: Desk, venue_name: str, order: store.OrderRecord) -> timedelta | None:
    """Send an order that never left or never arrived, if it is still wanted and no stop locks what it sells.

    SENDING is committed before the wire is touched.
    """
    if not desk.writers.may_send(venue_name, order.account_id):
        return desk.patience.elsewhere
    if not order.terms.reduce_only and not order.purpose.protects and _is_deaf(desk, order.account_id):
        return desk.patience.ask_most
    other = None
    if order.beside is not None:
        other = desk.database.read(lambda tx: store.by_client_id(tx, order.account_id, order.beside or ""))
        waits = _waits_for_other_half(desk, order, other)
        if waits is not None:
            return waits or None
    stale = _no_longer_wanted(desk, venue_name, order)
    if stale is not None:
        desk.database.write(lambda tx: _withdraw(tx, desk, order.id, stale), name="withdraw", urgent=True)
        return None
    if desk.holds_coins(venue_name):
        locked = desk.database.write(
            lambda tx: free_coins.still_locked(tx, desk, venue_name, order.id), name="free coins", urgent=True
        )
        if locked is not None:
            return locked
    held, held_other = desk.database.write(
        lambda tx: _hold_both(tx, desk, venue_name, order.id, other), name="hold", urgent=True
    )
    if held is None or held.sendable_until is None:
        return timedelta(0)
    until, now = held.sendable_until, desk.clock.now()
    assert held.until_tick is not None, "this process has just taken it in hand"
    beside = OrderRequest(held_other.client_order_id, held_other.terms, now) if held_other is not None else None
    request = OrderRequest(held.client_order_id, held.terms, now, beside=beside)
    is_late = desk.clock.now() >= until or desk.clock.tick().us >= held.until_tick.us
    if is_late or not desk.writers.may_send(venue_name, order.account_id):
        why = "its sender was held up, or may not send any more"

        def let_go(tx: Tx) -> None:
            settle.put_off(tx, desk, order.id, why, held_until=until)
            if held_other is not None:
                settle.put_off(tx, desk, held_other.id, why, held_until=held_other.sendable_until or until)

        desk.database.write(let_go, name="put off")
        return desk.patience.elsewhere
    handed = desk.clock.now()
    with taped() as wire:
        outcome = desk.venue(venue_name).place(VenueAccount(order.account_id, order.owner_id), [request])[0]
    left_at, left_tick = desk.clock.now(), desk.clock.tick()
    sent = Sent(order.id, request, handed, left_at, type(outcome).__name__, wire)
    ended = settle.Ended(left_at, until, left_tick)
    desk.meters.outcomes.labels(venue_name, type(outcome).__name__.lower()).inc()

    def settle_it(tx: Tx) -> store.OrderRecord:
        tx.record(order.account_id, order.about, "sent", sent)
        if held_other is not None:
            _record_other_half(tx, order.account_id, order.signal_id, held_other.id, sent)
            its = settle.Ended(left_at, held_other.sendable_until or until, left_tick)
            _take_in(tx, desk, held_other.id, _of_other_half(outcome), its)
        return _take_in(tx, desk, order.id, outcome, ended)

    settled = desk.database.write(settle_it, name="settle", urgent=True)
    if settled.state is OrderState.INTENDED:
        return max(desk.patience.venue_busy, _back_off(desk, settled.asked))
    return desk.patience.ask_first if isinstance(outcome, Unknown) else None


def _waits_for_other_half(desk: Desk, order: store.OrderRecord, other: store.OrderRecord | None) -> timedelta | None:
    """Return when to look again at one half of a pair that is not sent; zero: it is given up; None: both leave now.

    Half of a pair is never sent: where the other one has ended, or stands, the protection asks for another pair.
    """
    wanted = other is not None and not other.state.is_final and not other.state.is_resting
    if not wanted or order.cancel_asked_at is not None or (other is not None and other.cancel_asked_at is not None):
        why = "the pair that it is half of is not wanted any more"
        desk.database.write(lambda tx: _withdraw(tx, desk, order.id, why), name="withdraw", urgent=True)
        return timedelta(0)
    if other is None or other.state is not OrderState.INTENDED or order.purpose is not Purpose.STOP_LOSS:
        return desk.patience.ask_first if order.purpose is Purpose.STOP_LOSS else desk.patience.venue_busy
    return None


def _hold_both(
    tx: Tx, desk: Desk, venue_name: str, order_id: str, other: store.OrderRecord | None
) -> tuple[store.OrderRecord | None, store.OrderRecord | None]:
    """Commit that this process is about to send an order, and the other half of it where it is a pair, or neither."""
    if other is not None:
        known = store.get(tx, other.id, lock=True)
        if known is None or known.state is not OrderState.INTENDED:
            return None, None
    held = _hold(tx, desk, venue_name, order_id)
    if held is None or other is None:
        return held, None
    return held, _hold(tx, desk, venue_name, other.id)


def _is_deaf(desk: Desk, account_id: str) -> bool:
    return desk.database.read(lambda tx: hearing.deaf_since(tx, account_id, desk.clock.now())) is not None


def _no_longer_wanted(desk: Desk, venue_name: str, order: store.OrderRecord) -> str | None:
    """Return why an order that waited is not sent any more, or None. What only reduces does not expire.

    Raises Unavailable while there is no price to measure it against.
    """
    if order.cancel_asked_at is not None:
        return "cancelled before it was sent"
    if order.terms.reduce_only or order.purpose.protects:
        return None
    waited = desk.clock.now() - order.created_at
    if waited > desk.patience.intent_age_most:
        most = desk.patience.intent_age_most.total_seconds()
        return f"it waited {waited.total_seconds():.0f} s; an order that adds exposure may wait {most:.0f} s"
    # Without a price nobody can say: it waits for one, for as long as it may wait at all.
    mark = desk.quote_of(venue_name, order.terms.symbol).mark
    now = desk.clock.now()
    collar = desk.database.read(lambda tx: of_account(tx, order.account_id, order.owner_id, now)).price_collar_percent
    away = abs(ratio((mark - order.decided_price) * HUNDRED, order.decided_price))
    if collar is not None and away > collar:
        return f"the price moved {plain(away)} % since the decision, at most {plain(collar)} % are allowed"
    if (
        desk.database.read(lambda tx: halt_store.halted(tx, order.account_id, order.owner_id, order.hook_id))
        is not None
    ):
        return "the account was halted while it waited"
    return None


def _hold(tx: Tx, desk: Desk, venue_name: str, order_id: str) -> store.OrderRecord | None:
    """Commit that this process is about to send; None if somebody else moved the order, or it may not be sent."""
    order = store.get(tx, order_id, lock=True)
    if order is None or order.state is not OrderState.INTENDED:
        return None
    if not trading_accounts.by_id(tx, order.account_id).may_send:
        _withdraw(tx, desk, order.id, "the account was disarmed while it waited")
        return None
    now = desk.clock.now()
    held = replace(
        order,
        state=after(order.state, OrderEvent.SEND),
        sent_at=now,
        sendable_until=now + desk.patience.ask_most,
        until_tick=desk.clock.tick().later(desk.patience.ask_most),
        updated_at=now,
    )
    kept = {"sendable_until": held.sendable_until, **store.as_columns(held.until_tick)}
    store.change(tx, order.id, now, state=held.state, sent_at=now, **kept)
    how = "sent again under the same id" if order.sent_at is not None else "sent"
    epoch = desk.writers.in_words(venue_name, order.account_id)
    store.note(tx, order, now, (OrderEvent.SEND, held.state, f"{how} by {desk.process}{epoch}"))
    told(tx, held, now)
    return held


def _withdraw(tx: Tx, desk: Desk, order_id: str, reason: str) -> None:
    """Give up an order that was certainly never sent."""
    order = store.get(tx, order_id, lock=True)
    if order is None or order.state is not OrderState.INTENDED:
        return
    now = desk.clock.now()
    state = after(order.state, OrderEvent.WITHDRAW)
    store.change(tx, order.id, now, state=state, outcome=reason)
    store.note(tx, order, now, (OrderEvent.WITHDRAW, state, reason))
    told(tx, replace(order, state=state, outcome=reason), now)
    moved(tx, order.account_id, order.terms.symbol, now)


def _take_in(tx: Tx, desk: Desk, order_id: str, outcome: PlaceOutcome, ended: settle.Ended) -> store.OrderRecord:
    match outcome:
        case Accepted(report):
            return settle.reported(tx, desk, order_id, report)
        case Rejected(code, message, may_be_repeated=True):
            return settle.put_off(tx, desk, order_id, f"{code}: {message}", held_until=ended.held_until)
        case Rejected():
            return settle.rejected(tx, desk, order_id, outcome)
        case Unknown(reason):
            return settle.lost(tx, desk, order_id, reason, ended=ended)
