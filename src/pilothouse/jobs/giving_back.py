"""What becomes of a message whose handler failed: it is delivered again later, or put aside and told of.

It is put aside when its deliveries failed too often. One that found the other side away, or was given back because its
process stops, says nothing of the message and is excused. A backtest whose message is put aside has failed: it would
run for ever else.
"""

from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.errors import Unavailable
from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import Message
from pilothouse.marketdata.quotes import QuoteMissing
from pilothouse.notifications.words import MESSAGE_PARKED
from pilothouse.wiring.benches import BenchesClosed, BenchGone
from pilothouse.wiring.compute import fail_broken
from pilothouse.wiring.subscriptions import COMPUTE_TOPICS

FAILURES_MAX: Final = 12
"""A message that fails in this delivery or a later one of those that count is parked, and shown."""

_TOLD_MOST: Final = 300
_FIRST_PAUSE: Final = timedelta(milliseconds=200)
_LONGEST_PAUSE: Final = timedelta(seconds=10)
_PRICE_PAUSE: Final = timedelta(seconds=1)
"""The longest pause for what misses a price: who missed it follows the instrument from then on, so it comes soon."""


def words_of(error: Exception) -> str:
    """Return what is kept and told of an error."""
    return f"{type(error).__name__}: {error}"


def is_poisoned(message: Message, error: Exception, *, stopping: bool = False) -> bool:
    """Tell whether this was the last time; `stopping` says that the process is about to end."""
    passes = stopping or isinstance(error, (Unavailable, MemoryError))
    return message.suspect >= FAILURES_MAX and not passes


def give_back(
    tx: Tx,
    message: Message,
    error: Exception,
    now: datetime,
    operator_id: str,
    *,
    stopping: bool = False,
    kept_for: str | None = None,
) -> None:
    """Let another delivery have it: at once where this process stops, else later; put aside what always fails.

    kept_for   the process that is asked first
    """
    words = words_of(error)
    if is_poisoned(message, error, stopping=stopping):
        if outbox.park(tx, message.id, message.attempt, words):
            if message.topic in COMPUTE_TOPICS:
                fail_broken(tx, message, f"it failed {message.suspect} times: {words}"[:_TOLD_MOST], now)
            tx.announce(parked(message, words, now, operator_id))
        return
    longest = _PRICE_PAUSE if isinstance(error, QuoteMissing) else _LONGEST_PAUSE
    pause = timedelta(0) if stopping else min(_FIRST_PAUSE * (1 << min(message.attempt - 1, 8)), longest)
    counts = not (stopping or _is_excuse(error))
    outbox.fail(tx, message.id, message.attempt, words, now + pause, by_itself=counts, kept_for=kept_for)


def _is_excuse(error: Exception) -> bool:
    """Tell whether an error says nothing of the message. A process that died of computing it may well die again."""
    if isinstance(error, BenchGone):
        return isinstance(error, BenchesClosed)
    return isinstance(error, Unavailable)


def parked(message: Message, words: str, now: datetime, operator_id: str) -> Fact:
    """Return what is told of a message that is put aside."""
    failed = f"message {message.id} under {message.topic!r} failed {message.suspect} times: {words[:_TOLD_MOST]}"
    payload = {"code": MESSAGE_PARKED, "about": message.topic, "message": failed}
    return Fact(FactKind.ALARM_RAISED, operator_id, now, None, payload)
