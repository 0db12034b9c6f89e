"""No message waits longer than its bound, and none was put aside for a person.

What is late is told. Work for orders that was put aside, or whose first message has been the same for ten minutes and
three runs, is not done any more: then nothing adds on its account. Alarms and whatever else is no order halt nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, bindparam, func, select

from pilothouse.execution.amend import AMEND_TOPIC
from pilothouse.execution.cancel import CANCEL_TOPIC
from pilothouse.execution.tell import MOVED_TOPIC, ORDER_TOPIC
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import LEASED, PARKED, PATIENT, READY
from pilothouse.kit.tables import outbox
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking, Stuck
from pilothouse.observability.invariants.whose import Whose, accounts

NAME = "outbox_moves"
DUE_AT_MOST = timedelta(seconds=60)
_WORK: Final = frozenset({ORDER_TOPIC, CANCEL_TOPIC, AMEND_TOPIC, MOVED_TOPIC})

_LATE = (
    select(
        outbox.c.topic,
        outbox.c.key,
        func.count().label("number"),
        func.min(outbox.c.available_at).label("oldest"),
        func.min(outbox.c.id).label("first"),
    )
    .where(outbox.c.state.in_([READY, LEASED]), outbox.c.available_at < bindparam("before"))
    .where(outbox.c.topic.not_like(f"{PATIENT}%"))
    .group_by(outbox.c.topic, outbox.c.key)
    .order_by(outbox.c.topic, outbox.c.key)
    .limit(FINDINGS_MAX)
)
_PARKED = (
    select(outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.attempt)
    .where(outbox.c.state == PARKED)
    .order_by(outbox.c.id)
    .limit(FINDINGS_MAX)
)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return messages that are due and not delivered, and those that failed too often."""
    by_id = accounts(tx, looking)
    late = tx.execute(_LATE, {"before": looking.now - DUE_AT_MOST}).all()
    stuck = looking.memory.keep(NAME, Stuck)
    stuck.seen({(row.topic, row.key): row.first for row in late})
    found = []
    for row in late:
        waited = looking.now - row.oldest
        seconds = f"{waited.total_seconds():.0f}"
        words = f"{row.number} messages under {row.topic!r} are due, the oldest ({row.first}) for {seconds} s"
        gravity = stuck.gravity((row.topic, row.key), waited) if _is_work(row, by_id) else Gravity.LATE
        found.append((gravity, row.key, words, {"topic": row.topic, "messages": str(row.number), "seconds": seconds}))
    for row in tx.execute(_PARKED):
        words = f"message {row.id} under {row.topic!r} failed {row.attempt} times and waits for a person"
        gravity = Gravity.BREACH if _is_work(row, by_id) else Gravity.LATE
        numbers = {"topic": row.topic, "message_id": row.id, "attempts": str(row.attempt)}
        found.append((gravity, row.key, words, numbers))
    return [
        Finding(
            NAME,
            gravity,
            words,
            key if key in by_id else None,
            by_id[key].owner_id if key in by_id else None,
            numbers,
        )
        for gravity, key, words, numbers in found
    ]


def _is_work(row: Row[Any], by_id: Mapping[str, Whose]) -> bool:
    """Say whether a message is about orders of an account."""
    return row.topic in _WORK and row.key in by_id


OUTBOX_MOVES = Invariant(NAME, "Is every message delivered within a minute of being due, and none put aside?", check)
