"""A queued backtest is taken up, comes on, and ends: done, failed, cancelled or removed; each end is told once.

Every change names the delivery that makes it. A worker that was thought dead, and comes back after its lease, finds a
later delivery in the row: what it has counts for nothing.
"""

from datetime import datetime
from typing import Any

from pilothouse.accounts.audit import record
from pilothouse.backtest import store
from pilothouse.backtest.asking import tell
from pilothouse.backtest.store import UNFINISHED, Backtest, State
from pilothouse.kit.db import Tx

_WHOLE_PPM = 1_000_000
_ERROR_MOST = 2_000


def begin(tx: Tx, backtest_id: str, attempt: int, now: datetime) -> Backtest | None:
    """Take a backtest up; None if there is nothing to do: it has ended, was removed, or a later delivery has it."""
    backtest = store.by_id(tx, backtest_id)
    if backtest is None or not backtest.is_unfinished or backtest.attempt >= attempt:
        return None
    values = {"state": State.RUNNING.value, "attempt": attempt, "started_at": now, "progress_ppm": 0}
    if not store.move(tx, backtest_id, UNFINISHED, values):
        return None
    tell(tx, backtest, State.RUNNING, 0, now)
    return store.by_id(tx, backtest_id)


def go_on(tx: Tx, backtest_id: str) -> Backtest | None:
    """Take up a backtest that runs and of which all pieces are done; None if it runs no more.

    Whoever took it up before has nothing to say any more.
    """
    backtest = store.by_id(tx, backtest_id)
    if backtest is None:
        return None
    values = {"attempt": backtest.attempt + 1}
    if not store.move(tx, backtest_id, (State.RUNNING,), values, attempt=backtest.attempt):
        return None
    return store.by_id(tx, backtest_id)


def advance(tx: Tx, backtest: Backtest, progress_ppm: int, now: datetime) -> bool:
    """Note how far it has come; False if it is worked on no more."""
    values = {"progress_ppm": progress_ppm}
    if not store.move(tx, backtest.id, (State.RUNNING,), values, attempt=backtest.attempt):
        return False
    tell(tx, backtest, State.RUNNING, progress_ppm, now)
    return True


def finish(tx: Tx, backtest: Backtest, result: dict[str, Any], now: datetime, *, found: bool) -> bool:
    """Keep its result; False if it is worked on no more, and then nothing is kept."""
    values = {
        "state": State.DONE.value, "progress_ppm": _WHOLE_PPM, "result": result, "found": found, "finished_at": now,
    }  # fmt: skip
    if not store.move(tx, backtest.id, (State.RUNNING,), values, attempt=backtest.attempt):
        return False
    tell(tx, backtest, State.DONE, _WHOLE_PPM, now)
    return True


def fail(tx: Tx, backtest: Backtest, error: str, now: datetime) -> bool:
    """Keep why it cannot be done; False if it is worked on no more."""
    values = {"state": State.FAILED.value, "error": error[:_ERROR_MOST], "finished_at": now}
    if not store.move(tx, backtest.id, (State.RUNNING,), values, attempt=backtest.attempt):
        return False
    tell(tx, backtest, State.FAILED, backtest.progress_ppm, now)
    return True


def cancel(tx: Tx, owner_id: str, backtest_id: str, now: datetime, *, who: str) -> tuple[Backtest, bool]:
    """Cancel a backtest that has not ended; returns it, and whether it was this that ended it. Raises NoSuchBacktest.

    Whoever works on it looks twice in a second whether it still shall, and stops.
    """
    backtest = store.get(tx, owner_id, backtest_id)
    values = {"state": State.CANCELLED.value, "finished_at": now}
    if not store.move(tx, backtest_id, UNFINISHED, values):
        return backtest, False
    record(tx, owner_id=owner_id, who=who, what="backtest.cancelled", now=now, detail={"backtest_id": backtest_id})
    tell(tx, backtest, State.CANCELLED, backtest.progress_ppm, now)
    return store.get(tx, owner_id, backtest_id), True


def remove(tx: Tx, owner_id: str, backtest_id: str, now: datetime, *, who: str) -> Backtest:
    """Cancel a backtest if need be, and show it no more; returns it as it was. Raises NoSuchBacktest."""
    backtest, _ = cancel(tx, owner_id, backtest_id, now, who=who)
    record(tx, owner_id=owner_id, who=who, what="backtest.removed", now=now, detail={"backtest_id": backtest_id})
    store.move(tx, backtest_id, tuple(State), {"removed_at": now})
    return backtest
