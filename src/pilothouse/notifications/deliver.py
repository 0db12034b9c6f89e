"""Tell one address what waits for it: one message at a time, never more than ten in a minute, until it arrives.

In: stored tellings. Out: they arrived, or wait for their next attempt, or were given up after a day. An address that
is slow or dead holds up nothing but itself. It is at least once: a process that dies between sending and noting it is
followed by one that sends it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pilothouse.core.clock import Clock
from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit import lease
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.lease import Held
from pilothouse.notifications import letters, store
from pilothouse.notifications.post import Post
from pilothouse.notifications.raising import deliver_from
from pilothouse.notifications.store import Telling
from pilothouse.notifications.words import ADDRESS_FAILS

GAP = timedelta(seconds=6)
"""An address is sent one message in this time at most; what comes meanwhile goes out together."""

PAUSE_FIRST, PAUSE_MOST = timedelta(seconds=6), timedelta(minutes=5)
GIVEN_UP_AFTER = timedelta(hours=24)
COMPLAINED_AFTER = 3
"""After so many failures in a row the other addresses are told."""

LEASE_PREFIX = "alarm:"
_LEASE = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What this turn may send, under its lease."""

    held: Held
    batch: list[Telling]


def turn(database: Database, clock: Clock, post: Post, key: str, process: str) -> None:
    """Send what waits for one address, if it may be sent anything now, and say when to come back."""
    if key not in post:
        database.write(lambda tx: _forget_address(tx, key, clock.now()), name="alarm address gone")
        return
    mine = database.write(lambda tx: _begin(tx, key, process, clock.now()), name="alarm turn")
    if mine is None:
        return
    error = post.send(key, letters.as_one(mine.batch))
    label = post.label(key)
    database.write(lambda tx: _finish(tx, key, label, mine, error, clock.now()), name="alarm told")


def _begin(tx: Tx, key: str, process: str, now: datetime) -> _Turn | None:
    """Take the lease and note the attempt; None if there is nothing to send now."""
    held = lease.acquire(tx, f"{LEASE_PREFIX}{key}", owner=process, now=now, lease_for=_LEASE)
    if held is None:
        deliver_from(tx, key, now, now + GAP)  # its holder looks again when it is done; if it died, this does
        return None
    batch = _given_up(tx, store.waiting(tx, key), now)
    if not batch:
        lease.release(tx, held, now=now)
        return None
    last = store.last_tried(tx, key)
    failures = max(one.attempts for one in batch)
    due = now if last is None else last + (pause_after(failures) if failures else GAP)
    if now < due:
        lease.release(tx, held, now=now)
        deliver_from(tx, key, now, due)
        return None
    store.mark_tried(tx, [one.id for one in batch], now)
    return _Turn(held, batch)


def _finish(tx: Tx, key: str, label: str, mine: _Turn, error: str, now: datetime) -> None:
    """Note how it went, let go of the lease, and come back if there is more."""
    ids = [one.id for one in mine.batch]
    if not error:
        store.settle(tx, ids, now, arrived=True)
    else:
        store.note_error(tx, ids, error)
    lease.release(tx, mine.held, now=now)
    if not store.waiting(tx, key, 1):
        return
    failures = max(one.attempts for one in mine.batch) + 1
    deliver_from(tx, key, now, now + (pause_after(failures) if error else GAP))
    if error and failures == COMPLAINED_AFTER:
        message = f"{label} was tried {failures} times: {error}"
        payload = {"code": ADDRESS_FAILS, "about": label, "message": message}
        tx.announce(Fact(FactKind.ALARM_RAISED, mine.batch[0].owner_id, now, None, payload))


def _given_up(tx: Tx, waiting: list[Telling], now: datetime) -> list[Telling]:
    """Return what is still worth telling; what waited for a day is given up."""
    old = [one.id for one in waiting if now - one.made_at > GIVEN_UP_AFTER]
    if old:
        store.settle(tx, old, now, arrived=False)
    return [one for one in waiting if one.id not in old]


def _forget_address(tx: Tx, key: str, now: datetime) -> None:
    gone = store.waiting(tx, key, 1_000)
    if gone:
        store.settle(tx, [one.id for one in gone], now, arrived=False, error="it is no longer among the addresses")


def pause_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: it doubles, up to PAUSE_MOST."""
    return min(PAUSE_FIRST * (1 << min(failures - 1, 10)), PAUSE_MOST) if failures else timedelta(0)
