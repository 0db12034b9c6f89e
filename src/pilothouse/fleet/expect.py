"""Alerts that did not come, or came too late: what a hook expects in; alarms and superseded alerts out.

A strategy that says where its position shall be is put right by its own instants: an alert that is older than one that
came before never overrides it. What is missing is told by silence, by a gap in the running numbers, and by a position
that is not what the strategy says it was; the next alert that says where it shall be brings it there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pilothouse.accounts import trading_accounts
from pilothouse.accounts.hooks import Expects, Hook
from pilothouse.core.clock import iso
from pilothouse.core.errors import Refused
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.rounding import EXACT, plain
from pilothouse.core.signals import Signal, SignalKind
from pilothouse.execution import store as orders_store
from pilothouse.execution.desk import Desk
from pilothouse.fleet import watch_store
from pilothouse.fleet.store import SignalRecord
from pilothouse.fleet.watch_store import Mark, Watch
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions

AHEAD_MOST = timedelta(seconds=60)
"""An instant that lies further ahead is a wrong clock: it must not make every alert after it look old."""

_FEES = Decimal("0.005")
"""Of coins that were bought, no venue takes a larger share as its fee."""

GAP = "hook_gap"
DISAGREES = "hook_disagrees"
SILENT = "hook_silent"
NOT_THERE = "hook_not_there"

_ABSOLUTE = (SignalKind.TARGET, SignalKind.CLOSE)


def arrived(tx: Tx, desk: Desk, hook: Hook, record: SignalRecord) -> None:
    """Take in that an alert of a hook came that is no repetition, and tell what was missed before it.

    Only for hooks that are to expect something; the account is locked.
    """
    expects, signal = hook.expects, record.signal
    if expects is None or signal is None:
        return
    known = watch_store.watch_of(tx, hook.id)
    watch = _counted(tx, hook, record, known, expects)
    watch_store.keep_watch(tx, watch, is_new=known is None)
    if expects.position and record.symbol is not None and signal.position_before is not None:
        _compare(tx, desk, hook, record, signal.position_before)


def older_than(tx: Tx, hook: Hook, record: SignalRecord, received_at: datetime) -> str | None:
    """Return why an alert is superseded by one that came before it, or None; then it is remembered as the newest.

    Only alerts that say where the position shall be are put in order, by when they were sent, and by their bar where
    that says nothing. Which of two came first counts where they do not say.

    received_at   when it came, by the clock that times are believed by
    """
    signal, symbol = record.signal, record.symbol
    if signal is None or symbol is None or signal.kind not in _ABSOLUTE:
        return None
    sent_at, bar_time = (_believed(each, received_at) for each in (signal.sent_at, signal.bar_time))
    is_watched = hook.expects is not None and hook.expects.position
    if sent_at is None and bar_time is None and not is_watched:
        return None
    newest = watch_store.mark_of(tx, hook.id, symbol)
    if newest is not None and _is_older(sent_at, bar_time, newest):
        return (
            f"it is older than the alert {newest.signal_id}, which came before it and was "
            f"{_stamped(newest.sent_at, newest.bar_time)}; this one was {_stamped(sent_at, bar_time)}"
        )
    mark = Mark(
        hook_id=hook.id,
        symbol=symbol,
        owner_id=record.owner_id,
        account_id=record.account_id,
        signal_id=record.id,
        target=_target(signal),
        sent_at=sent_at,
        bar_time=bar_time,
        at=record.received_at,
    )
    watch_store.keep_mark(tx, mark, is_new=newest is None)
    return None


@dataclass(frozen=True, slots=True)
class Missed:
    """Something that a hook expects and that is not so: `code` of the alarm, `about` what it is one alarm for."""

    code: str
    about: str
    owner_id: str
    account_id: str
    message: str


def missed(tx: Tx, desk: Desk, hooks: list[Hook], now: datetime) -> Iterator[Missed]:
    """Yield what hooks expect and is not so now: silence, and positions that are not what was last said."""
    for hook in hooks:
        if hook.expects is None:
            continue
        yield from _silence(tx, hook, hook.expects, now)
        if hook.expects.position:
            yield from _not_there(tx, desk, hook, hook.expects, now)


def _silence(tx: Tx, hook: Hook, expects: Expects, now: datetime) -> Iterator[Missed]:
    if expects.every_s is None:
        return
    watch = watch_store.watch_of(tx, hook.id)
    last = max(watch.last_at, expects.since) if watch is not None else expects.since
    silent = now - last
    if silent > timedelta(seconds=expects.every_s):
        message = (
            f"no alert of the hook {hook.name!r} came for {silent.total_seconds():.0f} s, since {iso(last)}; "
            f"one is expected every {expects.every_s} s"
        )
        yield Missed(SILENT, hook.id, hook.owner_id, hook.account_id, message)


def _not_there(tx: Tx, desk: Desk, hook: Hook, expects: Expects, now: datetime) -> Iterator[Missed]:
    for mark in watch_store.marks_of(tx, hook.id):
        if now - mark.at <= timedelta(seconds=expects.within_s):
            continue
        held = positions.position(tx, mark.account_id, mark.symbol).quantity
        if _differs(tx, desk, mark.account_id, mark.symbol, held, mark.target):
            message = (
                f"the hook {hook.name!r} said at {iso(mark.at)} that the position in {mark.symbol} shall be "
                f"{plain(mark.target)}; the account holds {plain(held)} (alert {mark.signal_id})"
            )
            yield Missed(NOT_THERE, f"{hook.id}:{mark.symbol}", hook.owner_id, hook.account_id, message)


def _counted(tx: Tx, hook: Hook, record: SignalRecord, known: Watch | None, expects: Expects) -> Watch:
    """Return the watch with this alert counted in; a gap in its numbers is told."""
    assert record.signal is not None, "only alerts that were understood are counted"
    number = record.signal.counter if expects.counter else None
    last = known.last_counter if known is not None else None
    missed_so_far = known.missed if known is not None else 0
    missed_at = known.missed_at if known is not None else None
    if number is not None and last is not None and number > last + 1:
        lost = number - last - 1
        which = f"number {last + 1}" if lost == 1 else f"numbers {last + 1} to {number - 1}"
        message = f"{which} of the hook {hook.name!r} never came before number {number} did"
        if record.signal.kind is SignalKind.TARGET:
            message += "; this one says where the position shall be, and brings it there"
        _alarm(tx, record, GAP, hook.id, message)
        missed_so_far, missed_at = missed_so_far + lost, record.received_at
    if number is None or (last is not None and number < last and _is_late(tx, hook, record)):
        number = last  # it says nothing, or came late: what was counted stays
    return Watch(
        hook_id=hook.id,
        owner_id=record.owner_id,
        account_id=record.account_id,
        last_at=record.received_at,
        last_counter=number,
        missed=missed_so_far,
        missed_at=missed_at,
    )


def _is_late(tx: Tx, hook: Hook, record: SignalRecord) -> bool:
    """Say whether an alert with a lower number is an old one; else its sender has begun to count anew."""
    signal = record.signal
    if signal is None or record.symbol is None:
        return False
    newest = watch_store.mark_of(tx, hook.id, record.symbol)
    return newest is not None and _is_older(signal.sent_at, signal.bar_time, newest)


def _compare(tx: Tx, desk: Desk, hook: Hook, record: SignalRecord, before: Decimal) -> None:
    """Tell when the account does not hold what the strategy says it held: an alert was missed in between."""
    assert record.symbol is not None, "the caller looked"
    orders = orders_store.live_in(tx, record.account_id, record.symbol)
    held = positions.position(tx, record.account_id, record.symbol).quantity
    for order in orders:
        if not order.terms.rests:
            held = EXACT.add(held, EXACT.multiply(order.remaining, Decimal(order.terms.side.sign)))
    if not _differs(tx, desk, record.account_id, record.symbol, held, before):
        return
    message = (
        f"before this alert the strategy of the hook {hook.name!r} held {plain(before)} {record.symbol}, the account "
        f"{plain(held)}: an alert was missed, or somebody else trades there"
    )
    if record.signal is not None and record.signal.kind is SignalKind.TARGET:
        message += "; this one says where the position shall be, and brings it there"
    _alarm(tx, record, DISAGREES, f"{hook.id}:{record.symbol}", message)


def _differs(tx: Tx, desk: Desk, account_id: str, symbol: str, held: Decimal, wanted: Decimal) -> bool:
    """Say whether what is held is another position than what was said: by a lot or more.

    An order cannot bring it closer than a lot. Where positions are coins, a fee was taken out of them too. An
    instrument that is not known now, because its venue is not open yet, differs in nothing.
    """
    venue = trading_accounts.by_id(tx, account_id).venue
    try:
        lot = desk.instrument_of(venue, symbol).lot
    except Refused:
        return False
    least = max(lot, EXACT.multiply(abs(wanted), _FEES)) if desk.holds_coins(venue) else lot
    return abs(EXACT.subtract(held, wanted)) >= least


def _alarm(tx: Tx, record: SignalRecord, code: str, about: str, message: str) -> None:
    payload = {"code": code, "about": about, "message": message, "signal_id": record.id}
    tx.announce(Fact(FactKind.ALARM_RAISED, record.owner_id, record.received_at, record.account_id, payload))


def _target(signal: Signal) -> Decimal:
    return signal.target if signal.target is not None else Decimal(0)


def _believed(stamp: datetime | None, received_at: datetime) -> datetime | None:
    return stamp if stamp is not None and stamp <= received_at + AHEAD_MOST else None


def _is_older(sent_at: datetime | None, bar_time: datetime | None, newest: Mark) -> bool:
    """Say whether an alert is older than the newest one; what neither says does not count."""
    if sent_at is not None and newest.sent_at is not None and sent_at != newest.sent_at:
        return sent_at < newest.sent_at
    if bar_time is not None and newest.bar_time is not None:
        return bar_time < newest.bar_time
    return False


def _stamped(sent_at: datetime | None, bar_time: datetime | None) -> str:
    words = [f"sent at {iso(sent_at)}"] if sent_at is not None else []
    words += [f"of the bar of {iso(bar_time)}"] if bar_time is not None else []
    return ", ".join(words) or "without a time"
