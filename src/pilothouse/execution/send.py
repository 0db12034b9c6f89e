"""The one-shot hand-off: orders that their own commit marked SENDING for this process go out, lane by lane.

Every other delivery of such an order goes through `pursue`, which asks the venue before it sends anything.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import NamedTuple

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.core.errors import Unavailable
from pilothouse.core.order import OrderState
from pilothouse.execution import halt_store, settle, store, writing
from pilothouse.execution.desk import Desk
from pilothouse.execution.in_turn import waits_for_nobody
from pilothouse.execution.lanes import Lane, Outgoing
from pilothouse.execution.take_in import Sent, of_other_half, record_other_half, take_in
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.engines import CommitUnknown
from pilothouse.kit.wire_tape import taped
from pilothouse.venues.port import OrderRequest, PlaceOutcome, Rejected, Unknown, Venue

_log = structlog.get_logger("pilothouse.execution")


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
    """Store that orders were certainly not sent; their messages bring them to the venue later, by whoever may send."""
    now = desk.clock.now()
    accounts = {one.account.id for one in unsent}
    senders = {each: writing.sender(tx, each, now) for each in sorted(accounts)}
    for one in unsent:
        for order_id, message_id in _halves(one):
            settle.put_off(tx, desk, order_id, reason, held_until=one.sendable_until)
            outbox.fail(tx, message_id, 1, reason, desk.clock.now(), kept_for=senders[one.account.id])


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
    order = take_in(tx, desk, one.order_id, outcome, ended)
    if one.beside is not None:
        record_other_half(tx, one.account.id, one.signal_id, one.beside[0], sent)
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


def _take_in_beside(tx: Tx, desk: Desk, beside: tuple[str, str], outcome: PlaceOutcome, ended: settle.Ended) -> None:
    """Take in what became of the other half of a pair, whose message brings it on where that is not known."""
    order = take_in(tx, desk, beside[0], of_other_half(outcome), ended)
    if order.state in {OrderState.INTENDED, OrderState.SENDING, OrderState.UNKNOWN}:
        outbox.fail(tx, beside[1], 1, order.outcome or "", desk.clock.now() + desk.patience.ask_first)
    else:
        outbox.done(tx, beside[1], 1)
