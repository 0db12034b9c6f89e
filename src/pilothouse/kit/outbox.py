"""Work that was committed and waits to be done: put with the change that caused it, claimed under a lease, done once.

A message may be delivered more than once (a lease ran out, a process died), so handlers must not mind. What a late
handler says of it counts for nothing: each delivery has a higher `attempt`, and only the latest may finish.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pilothouse.core.clock import iso
from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit.hot import Hot, hot
from pilothouse.kit.tables import outbox
from pilothouse.kit.transaction import Tx

READY, LEASED, PARKED = "ready", "leased", "parked"

KEPT = timedelta(seconds=3)
"""So long a message that is given back for one process waits for it; a process looks once in a second."""

PATIENT = "compute."
"""A topic that begins so may wait behind others for as long as those take: nobody is told that it is late."""

_ERROR_LENGTH_MAX = 2_000
_WAITING = (READY, LEASED)


@dataclass(frozen=True, slots=True)
class Lease:
    """A message that is put already leased: `owner` hands it on in memory and works on it before `until`."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery.

    key        what must not run side by side, such as an account id
    attempt    1 for the first delivery; the fence that `done`, `fail` and `park` ask for
    excused    how many of the deliveries before this one say nothing against it: put off, given back, nobody there
    """

    id: str
    topic: str
    key: str
    payload: dict[str, Any]
    attempt: int
    lease_until: datetime
    created_at: datetime
    excused: int = 0

    @property
    def suspect(self) -> int:
        """Return how often it was delivered, this time included, without being excused: it failed, or killed."""
        return self.attempt - self.excused


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that failed too often and waits for a person."""

    id: str
    topic: str
    key: str
    payload: dict[str, Any]
    attempt: int
    error: str
    created_at: datetime


# ── putting ───────────────────────────────────────────────────────────────────────────────────────

_INSERT = hot(insert(outbox))
# A waiting message with the same key is touched, not left alone: the lock on it makes a claim wait until the change
# that wanted it is committed too, so that its handler sees that change.
_INSERT_ONCE = {
    "sqlite": (_once := sqlite.insert(outbox)).on_conflict_do_update(
        index_elements=["dedupe_key"], set_={"dedupe_key": _once.excluded.dedupe_key}
    ),
    "postgresql": (_once_more := postgresql.insert(outbox)).on_conflict_do_update(
        index_elements=["dedupe_key"], set_={"dedupe_key": _once_more.excluded.dedupe_key}
    ),
}
_INSERT_ONCE_TELLING = {name: hot(statement.returning(outbox.c.id)) for name, statement in _INSERT_ONCE.items()}
_INSERT_ALL_ONCE = {name: hot(statement) for name, statement in _INSERT_ONCE.items()}


def put(
    tx: Tx,
    topic: str,
    *,
    key: str,
    payload: Mapping[str, Any],
    now: datetime,
    dedupe_key: str | None = None,
    available_at: datetime | None = None,
    lease: Lease | None = None,
) -> str | None:
    """Store a message with the change of `tx`; return its id, or None if one with this `dedupe_key` already waits.

    dedupe_key     waits means: not yet claimed. Once a handler has it, a new message is a new message.
    available_at   not delivered before; now when None
    lease          already leased, with attempt 1: this process does it itself as soon as the commit is durable;
                   if it dies, the message is claimed by another after `lease.until`
    """
    known = tx.remembered
    if dedupe_key is not None and known is not None and known.waits(dedupe_key):
        return None
    row = _row(tx, topic, key, dict(payload), now, dedupe_key)
    if available_at is not None:
        row["available_at"] = available_at
    if lease is not None:
        row |= {"state": LEASED, "attempt": 1, "available_at": lease.until}
        row |= {"lease_until": lease.until, "lease_owner": lease.owner}
    if dedupe_key is None:
        tx.execute(_INSERT, row)
    elif tx.execute(_INSERT_ONCE_TELLING[tx.dialect], row).scalar_one() != row["id"]:
        return None
    if lease is None:
        if dedupe_key is not None and known is not None:
            known.put(dedupe_key)  # it waits until it is claimed, which only this writer does, or its data are others'
        tx.wake()
    return str(row["id"])


def put_heard(tx: Tx, heard: Collection[str]) -> None:
    """Put a message for each announced fact whose kind somebody hears; the topic is the kind."""
    rows = [
        _row(
            tx,
            fact.kind.value,
            fact.account_id or fact.owner_id,
            {
                "owner_id": fact.owner_id,
                "account_id": fact.account_id,
                "at": iso(fact.at),
                "payload": fact.payload,
                "key": fact.key,
            },
            fact.at,
            f"{fact.kind.value}/{fact.key}" if fact.key else None,
        )
        for fact, _ in tx.facts
        if fact.kind in heard
    ]
    if rows:
        tx.execute(_INSERT_ALL_ONCE[tx.dialect], rows)
        tx.wake()


def fact_in(message: Message) -> Fact:
    """Return the fact that `message` brings."""
    told = message.payload
    at = datetime.fromisoformat(told["at"])
    return Fact(FactKind(message.topic), told["owner_id"], at, told["account_id"], told["payload"], told["key"])


def _row(tx: Tx, topic: str, key: str, payload: Any, now: datetime, dedupe_key: str | None) -> dict[str, Any]:
    return {
        "id": tx.ids.fresh("msg"),
        "topic": topic,
        "key": key,
        "dedupe_key": dedupe_key,
        "payload": payload,
        "state": READY,
        "attempt": 0,
        "available_at": now,
        "lease_until": None,
        "lease_owner": None,
        "error": None,
        "created_at": now,
        "excused": 0,
    }


# ── delivering ────────────────────────────────────────────────────────────────────────────────────

_LEASE = hot(
    update(outbox)
    .where(outbox.c.id == bindparam("this_id"))
    .values(
        state=LEASED,
        attempt=outbox.c.attempt + 1,
        dedupe_key=None,
        available_at=bindparam("lease_end"),
        lease_until=bindparam("lease_end"),
        lease_owner=bindparam("new_owner"),
    )
)


# What was given back for one process keeps its name until others may have it, too; a lease that has ended is over.
_FOR_ME = or_(
    outbox.c.lease_owner.is_(None),
    outbox.c.lease_owner == bindparam("me"),
    outbox.c.lease_until <= bindparam("now"),
)


@cache
def _due_of(topics: tuple[str, ...]) -> Hot:
    """Return the question what is due of some topics, what is due first in front."""
    return hot(
        select(*(outbox.c[name] for name in ("id", "topic", "key", "payload", "attempt", "created_at", "excused")))
        .where(
            outbox.c.state.in_(_WAITING),
            outbox.c.available_at <= bindparam("now"),
            outbox.c.topic.in_(topics),
            _FOR_ME,
        )
        .order_by(outbox.c.available_at, outbox.c.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )


def claim(
    tx: Tx, *, owner: str, topics: Collection[str], limit: int, now: datetime, lease_for: timedelta
) -> list[Message]:
    """Lease up to `limit` messages of `topics` to `owner`, those due first in front; skips what others are claiming.

    Due is what is ready and available, and what was leased and whose lease has ended; not what is kept for another.
    """
    values = {"now": now, "limit": limit, "me": owner}
    rows = tx.execute(_due_of(tuple(sorted(topics))), values).all() if topics else []
    if not rows:
        return []
    until = now + lease_for
    if tx.remembered is not None:
        tx.remembered.claimed()
    tx.execute(_LEASE, [{"this_id": row.id, "lease_end": until, "new_owner": owner} for row in rows])
    return [
        Message(row.id, row.topic, row.key, row.payload, row.attempt + 1, until, row.created_at, row.excused)
        for row in rows
    ]


_MINE = (outbox.c.id == bindparam("this_id"), outbox.c.attempt == bindparam("this_attempt"), outbox.c.state == LEASED)
_DONE = hot(delete(outbox).where(*_MINE))
_FREED: dict[str, Any] = {"lease_until": None, "lease_owner": None, "error": bindparam("new_error")}
_KEPT = _FREED | {"lease_until": bindparam("kept_until"), "lease_owner": bindparam("kept_for")}
_FAIL = hot(update(outbox).where(*_MINE).values(state=READY, available_at=bindparam("due"), **_FREED))
_EXCUSE = hot(
    update(outbox)
    .where(*_MINE)
    .values(state=READY, available_at=bindparam("due"), excused=outbox.c.excused + 1, **_KEPT)
)
_PARK = update(outbox).where(*_MINE).values(state=PARKED, **_FREED)
_FREE_OTHERS = (
    update(outbox)
    .where(outbox.c.state == LEASED, outbox.c.lease_owner != bindparam("this_owner"))
    .values(state=READY, available_at=bindparam("due"), lease_until=None, lease_owner=None)
)
_KEPT_FOR_NOBODY: dict[str, Any] = {"lease_until": None, "lease_owner": None}
_KEEP_FOR_OTHERS_NO_MORE = (
    update(outbox)
    .where(outbox.c.state == READY, outbox.c.lease_owner != bindparam("this_owner"))
    .values(**_KEPT_FOR_NOBODY)
)
_EXTEND = update(outbox).where(*_MINE).values(available_at=bindparam("due"), lease_until=bindparam("due"))


def done(tx: Tx, message_id: str, attempt: int) -> bool:
    """Forget a message that was handled; False if a later attempt has it: then this handler's work must not count."""
    return tx.execute(_DONE, {"this_id": message_id, "this_attempt": attempt}).rowcount == 1


def fail(
    tx: Tx,
    message_id: str,
    attempt: int,
    error: str,
    retry_at: datetime,
    *,
    by_itself: bool = False,
    kept_for: str | None = None,
) -> bool:
    """Give a message back, to be delivered again from `retry_at` on; False if a later attempt has it.

    by_itself   by an error that the message may bring with it: it counts, and too many of them mean poison. What was
                put off, could not be reached, or is given back because the process stops says nothing of the message.
    kept_for    the process that can do it: for a moment (`KEPT`) nobody else is given the message
    """
    tx.wake()
    values = {"this_id": message_id, "this_attempt": attempt, "new_error": error[:_ERROR_LENGTH_MAX], "due": retry_at}
    if by_itself:
        return tx.execute(_FAIL, values).rowcount == 1
    kept_until = None if kept_for is None else retry_at + KEPT
    return tx.execute(_EXCUSE, values | {"kept_for": kept_for, "kept_until": kept_until}).rowcount == 1


def park(tx: Tx, message_id: str, attempt: int, error: str) -> bool:
    """Put a poisoned message aside until a person looks at it; False if a later attempt has it."""
    values = {"this_id": message_id, "this_attempt": attempt, "new_error": error[:_ERROR_LENGTH_MAX]}
    return tx.execute(_PARK, values).rowcount == 1


def free_others(tx: Tx, owner: str, now: datetime) -> int:
    """Make due what is leased to anybody but `owner`; returns how many. Nothing is kept for others any more.

    Only for a process that knows it is alone, such as the one that holds the lock on the data directory.
    """
    tx.wake()
    tx.execute(_KEEP_FOR_OTHERS_NO_MORE, {"this_owner": owner})
    return tx.execute(_FREE_OTHERS, {"this_owner": owner, "due": now}).rowcount


def free_of(tx: Tx, owner: str, key: str, now: datetime) -> int:
    """Make due what is leased to `owner` under one key; returns how many. Its late answers do not count.

    What was given back for `owner` is there for everybody.
    """
    tx.wake()
    theirs = (outbox.c.lease_owner == owner, outbox.c.key == key)
    tx.execute(update(outbox).where(outbox.c.state == READY, *theirs).values(**_KEPT_FOR_NOBODY))
    leased = update(outbox).where(outbox.c.state == LEASED, *theirs)
    return tx.execute(leased.values(state=READY, available_at=now, **_KEPT_FOR_NOBODY)).rowcount


def set_back(tx: Tx, by: timedelta, now: datetime) -> int:
    """Let what waits wait no longer than it would have, after the wall clock was set back; returns how many.

    by   so far; what would be due in the past by then is due now
    """
    later = or_(outbox.c.available_at > now, outbox.c.lease_until > now)
    found = select(outbox.c.id, outbox.c.state, outbox.c.available_at)
    rows = tx.execute(found.where(outbox.c.state.in_(_WAITING), later)).all()
    for row in rows:
        due = max(row.available_at - by, now)
        values = {"available_at": due} | ({"lease_until": due} if row.state == LEASED else _KEPT_FOR_NOBODY)
        tx.execute(update(outbox).where(outbox.c.id == row.id).values(**values))
    tx.wake()
    return len(rows)


def hurry(tx: Tx, now: datetime) -> int:
    """Make due what waits although it was put in what is the future again: the clock was set back; returns how many."""
    put_later = (outbox.c.state == READY, outbox.c.created_at > now, outbox.c.available_at > now)
    return tx.execute(update(outbox).where(*put_later).values(available_at=now, **_KEPT_FOR_NOBODY)).rowcount


def extend(tx: Tx, message_id: str, attempt: int, until: datetime) -> bool:
    """Lengthen the lease of a message that takes long; False if a later attempt has it: then stop."""
    return tx.execute(_EXTEND, {"this_id": message_id, "this_attempt": attempt, "due": until}).rowcount == 1


# ── looking ───────────────────────────────────────────────────────────────────────────────────────

_PARKED = select(outbox).where(outbox.c.state == PARKED).order_by(outbox.c.id).limit(bindparam("limit"))
_UNPARK = (
    update(outbox)
    .where(outbox.c.id == bindparam("this_id"), outbox.c.state == PARKED)
    .values(state=READY, available_at=bindparam("due"))
)
_COUNT = select(outbox.c.state, func.count().label("number")).group_by(outbox.c.state)
_OF_KEY = (
    select(func.count())
    .select_from(outbox)
    .where(outbox.c.topic == bindparam("of_topic"), outbox.c.key == bindparam("of_key"))
)
_NEXT = hot(select(func.min(outbox.c.available_at)).where(outbox.c.state.in_(_WAITING)))


def parked(tx: Tx, limit: int = 100) -> list[Parked]:
    """Return the messages that wait for a person, oldest first."""
    rows = tx.execute(_PARKED, {"limit": limit})
    return [Parked(r.id, r.topic, r.key, r.payload, r.attempt, r.error or "", r.created_at) for r in rows]


def unpark(tx: Tx, message_id: str, now: datetime) -> bool:
    """Let a parked message be delivered again; False if it is not parked."""
    tx.wake()
    return tx.execute(_UNPARK, {"this_id": message_id, "due": now}).rowcount == 1


def counts(tx: Tx) -> dict[str, int]:
    """Return how many messages are ready, leased and parked."""
    return {READY: 0, LEASED: 0, PARKED: 0} | {row.state: row.number for row in tx.execute(_COUNT)}


def waiting(tx: Tx, topic: str, key: str) -> int:
    """Return how many messages of one topic under one key are not done yet, parked ones too."""
    return int(tx.execute(_OF_KEY, {"of_topic": topic, "of_key": key}).scalar_one())


def next_due(
    tx: Tx, topics: frozenset[str] | None = None, *, owner: str | None = None, now: datetime | None = None
) -> datetime | None:
    """Return when the next message (of `topics`, or any) is due, perhaps in the past; None if none waits.

    owner, now   who asks, and when: what is kept for another by then does not count
    """
    if topics is None:
        due: datetime | None = tx.execute(_NEXT).scalar()
        return due
    asked = _next_of(topics, is_asked_for=owner is not None)
    values = {"me": owner, "now": now} if owner is not None else {}
    return min((each for each in tx.execute(asked, values).one() if each is not None), default=None)


@cache
def _next_of(topics: frozenset[str], *, is_asked_for: bool) -> Hot:
    """Return the question when the first message of some topics is due: ready, and leased; each walks the index."""
    among = or_(*(outbox.c.topic == topic for topic in sorted(topics)))

    def first(state: str) -> Any:
        due = select(outbox.c.available_at).where(outbox.c.state == state, among)
        if is_asked_for and state == READY:
            due = due.where(_FOR_ME)
        return due.order_by(outbox.c.available_at).limit(1).scalar_subquery()

    return hot(select(first(READY).label("ready"), first(LEASED).label("leased")))


_NEXT_IMPATIENT = select(func.min(outbox.c.available_at)).where(
    outbox.c.state.in_(_WAITING), outbox.c.topic.not_like(f"{PATIENT}%")
)


def lag(tx: Tx, now: datetime) -> timedelta:
    """Return for how long the oldest due message has been waiting that may not wait long; zero if none is due."""
    due: datetime | None = tx.execute(_NEXT_IMPATIENT).scalar()
    return timedelta(0) if due is None else max(timedelta(0), now - due)
