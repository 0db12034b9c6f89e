"""No message waits longer than its bound, and none was put aside for a person."""

from datetime import timedelta

from sqlalchemy import bindparam, func, select

from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import LEASED, PARKED, READY
from pilothouse.kit.tables import outbox
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking
from pilothouse.observability.invariants.whose import accounts

NAME = "outbox_moves"
DUE_AT_MOST = timedelta(seconds=60)

_LATE = (
    select(
        outbox.c.topic,
        outbox.c.key,
        func.count().label("number"),
        func.min(outbox.c.available_at).label("oldest"),
        func.min(outbox.c.id).label("first"),
    )
    .where(outbox.c.state.in_([READY, LEASED]), outbox.c.available_at < bindparam("before"))
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
    found = []
    for row in tx.execute(_LATE, {"before": looking.now - DUE_AT_MOST}):
        waited = (looking.now - row.oldest).total_seconds()
        words = f"{row.number} messages under {row.topic!r} are due, the oldest ({row.first}) for {waited:.0f} s"
        found.append((row.key, words, {"topic": row.topic, "messages": str(row.number), "seconds": f"{waited:.0f}"}))
    for row in tx.execute(_PARKED):
        words = f"message {row.id} under {row.topic!r} failed {row.attempt} times and waits for a person"
        found.append((row.key, words, {"topic": row.topic, "message_id": row.id, "attempts": str(row.attempt)}))
    return [
        Finding(
            NAME,
            Gravity.LATE,
            words,
            key if key in by_id else None,
            by_id[key].owner_id if key in by_id else None,
            numbers,
        )
        for key, words, numbers in found
    ]


OUTBOX_MOVES = Invariant(NAME, "Is every message delivered within a minute of being due, and none put aside?", check)
