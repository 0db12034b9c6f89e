"""Every query over the tables of backtests: records in and out, nothing decided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from pilothouse.backtest.tables import backtest_bounds, backtests
from pilothouse.core.errors import NotFound
from pilothouse.kit.db import Tx
from pilothouse.strategies.names import spelled

_B = backtests.c


class State(StrEnum):
    """How far a backtest has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """What was asked for."""

    RUN = "run"
    SWEEP = "sweep"
    WALKFORWARD = "walkforward"
    CHANCE = "chance"
    CHECK = "check"


UNFINISHED: Final = (State.QUEUED, State.RUNNING)


class NoSuchBacktest(NotFound):
    """There is no backtest of this id, or it is somebody else's."""

    code = "backtest_not_found"


@dataclass(frozen=True, slots=True)
class Backtest:
    """One backtest that was asked for; see `tables.py`."""

    id: str
    owner_id: str
    kind: Kind
    strategy: str
    name: str
    asked: dict[str, Any]
    spec: str | None
    bars: int
    combinations: int
    state: State
    requested_by: str
    created_at: datetime
    progress_ppm: int = 0
    attempt: int = 0
    found: bool = False
    result: dict[str, Any] | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_unfinished(self) -> bool:
        """Say whether it waits or is worked on."""
        return self.state in UNFINISHED


@dataclass(frozen=True, slots=True)
class Own:
    """Bounds of one user; None: as the house says."""

    at_once: int | None = None
    per_day: int | None = None
    work: int | None = None


_FIELDS = Backtest.__slots__


def _backtest(row: Row[Any]) -> Backtest:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Backtest(**values | {"kind": Kind(row.kind), "state": State(row.state)})


# ── One backtest ──────────────────────────────────────────────────────────────────────────────────

_SHOWN = _B.removed_at.is_(None)
_INSERT = insert(backtests)
_BY_ID = select(backtests).where(_B.id == bindparam("this_id"), _SHOWN)
_OF_OWNER = _BY_ID.where(_B.owner_id == bindparam("of_owner"))
_STATE = select(_B.state, _B.attempt).where(_B.id == bindparam("this_id"), _SHOWN)


def add(tx: Tx, backtest: Backtest) -> None:
    """Store a new backtest."""
    values = {name: getattr(backtest, name) for name in _FIELDS}
    tx.execute(_INSERT, values | {"kind": backtest.kind.value, "state": backtest.state.value, "removed_at": None})


def by_id(tx: Tx, backtest_id: str) -> Backtest | None:
    """Return one backtest, whoever's it is; None if there is none, or it was removed."""
    row = tx.execute(_BY_ID, {"this_id": backtest_id}).one_or_none()
    return None if row is None else _backtest(row)


def get(tx: Tx, owner_id: str, backtest_id: str) -> Backtest:
    """Return one backtest of an owner. Raises NoSuchBacktest."""
    row = tx.execute(_OF_OWNER, {"this_id": backtest_id, "of_owner": owner_id}).one_or_none()
    if row is None:
        raise NoSuchBacktest(f"there is no backtest {backtest_id[:64]!r}")
    return _backtest(row)


def is_worked_on(tx: Tx, backtest_id: str, attempt: int) -> bool:
    """Say whether a delivery still works on it: it was neither cancelled nor removed nor taken up by a later one."""
    row = tx.execute(_STATE, {"this_id": backtest_id}).one_or_none()
    return row is not None and row.state == State.RUNNING.value and row.attempt == attempt


def runs(tx: Tx, backtest_id: str) -> bool:
    """Say whether somebody works on it, whoever that is."""
    row = tx.execute(_STATE, {"this_id": backtest_id}).one_or_none()
    return row is not None and row.state == State.RUNNING.value


def move(
    tx: Tx, backtest_id: str, came_from: Collection[State], values: Mapping[str, Any], *, attempt: int | None = None
) -> bool:
    """Change a backtest that is in one of these states; False if it is not, or another delivery has it.

    attempt   only if this delivery works on it
    """
    states = [state.value for state in came_from]
    statement = update(backtests).where(_B.id == backtest_id, _B.state.in_(states), _SHOWN)
    if attempt is not None:
        statement = statement.where(_B.attempt == attempt)
    return tx.execute(statement.values(**values)).rowcount == 1


# ── Many ──────────────────────────────────────────────────────────────────────────────────────────

_SAME = (
    select(backtests)
    .where(_B.owner_id == bindparam("of_owner"), _B.name == bindparam("of_name"), _B.kind == bindparam("of_kind"))
    .where(_B.state.in_([State.QUEUED.value, State.RUNNING.value, State.DONE.value]), _SHOWN)
    .order_by(_B.id.desc())
    .limit(1)
)
_UNFINISHED = (
    select(func.count())
    .select_from(backtests)
    .where(_B.owner_id == bindparam("of_owner"), _B.state.in_([state.value for state in UNFINISHED]), _SHOWN)
)
_SINCE = (
    select(func.count())
    .select_from(backtests)
    .where(_B.owner_id == bindparam("of_owner"), _B.created_at >= bindparam("since"), _B.found.is_(False))
)
_BY_STATE = select(_B.state, func.count().label("number")).where(_SHOWN).group_by(_B.state)
_OTHERS = select(func.count()).select_from(backtests).where(_B.name == bindparam("of_name"), _SHOWN)
_FORGET = delete(backtests).where(_B.removed_at < bindparam("before"))


def same(tx: Tx, owner_id: str, kind: Kind, name: str) -> Backtest | None:
    """Return the newest backtest of an owner with this name that waits, runs or is done; None if there is none."""
    row = tx.execute(_SAME, {"of_owner": owner_id, "of_name": name, "of_kind": kind.value}).one_or_none()
    return None if row is None else _backtest(row)


def page(
    tx: Tx, owner_id: str, *, kind: Kind | None, state: State | None, strategy: str | None, before: str | None,
    limit: int,
) -> list[Backtest]:  # fmt: skip
    """Return backtests of an owner, the newest first."""
    statement = select(backtests).where(_B.owner_id == owner_id, _SHOWN)
    for column, wanted in ((_B.kind, kind), (_B.state, state)):
        if wanted is not None:
            statement = statement.where(column == str(wanted))
    if strategy is not None:
        statement = statement.where(_B.strategy.in_({strategy, spelled(strategy), strategy.replace("-", "_")}))
    if before is not None:
        statement = statement.where(_B.id < before)
    return [_backtest(row) for row in tx.execute(statement.order_by(_B.id.desc()).limit(limit))]


def unfinished(tx: Tx, owner_id: str) -> int:
    """Return how many backtests of an owner wait or run."""
    return int(tx.execute(_UNFINISHED, {"of_owner": owner_id}).scalar_one())


def made_since(tx: Tx, owner_id: str, since: datetime) -> int:
    """Return how many backtests an owner asked for since then that were not just found, removed ones too."""
    return int(tx.execute(_SINCE, {"of_owner": owner_id, "since": since}).scalar_one())


def by_state(tx: Tx) -> dict[str, int]:
    """Return how many backtests there are in each state, of everybody."""
    return {state.value: 0 for state in State} | {row.state: row.number for row in tx.execute(_BY_STATE)}


def named(tx: Tx, name: str) -> int:
    """Return how many backtests, of whomever, have this name."""
    return int(tx.execute(_OTHERS, {"of_name": name}).scalar_one())


def forget(tx: Tx, before: datetime) -> None:
    """Delete what was removed before then."""
    tx.execute(_FORGET, {"before": before})


# ── Bounds ────────────────────────────────────────────────────────────────────────────────────────

_OWN = select(backtest_bounds).where(backtest_bounds.c.owner_id == bindparam("of_owner"))


def own_bounds(tx: Tx, owner_id: str) -> Own:
    """Return the bounds of one user."""
    row = tx.execute(_OWN, {"of_owner": owner_id}).one_or_none()
    return Own() if row is None else Own(row.at_once, row.per_day, row.work)


def set_bounds(tx: Tx, owner_id: str, own: Own) -> None:
    """Set the bounds of one user."""
    tx.execute(delete(backtest_bounds).where(backtest_bounds.c.owner_id == owner_id))
    tx.execute(
        insert(backtest_bounds),
        {"owner_id": owner_id, "at_once": own.at_once, "per_day": own.per_day, "work": own.work},
    )
