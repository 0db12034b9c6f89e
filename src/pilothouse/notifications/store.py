"""Every query over the tables of alarms: records in and out, nothing decided."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, or_, select, update

from pilothouse.kit.db import Tx
from pilothouse.notifications.pace import Pace
from pilothouse.notifications.tables import alarm_tellings, alarms

_A, _T = alarms.c, alarm_tellings.c
_OPEN = _A.over_at.is_(None)


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """One alarm; see `tables.py`."""

    id: str
    owner_id: str
    account_id: str | None
    code: str
    about: str
    grade: str
    headline: str
    message: str
    did: str
    todo: str
    first_at: datetime
    last_at: datetime
    pace: Pace
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    over_at: datetime | None
    last_message: str


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to be told to one address; see `tables.py`."""

    id: str
    owner_id: str
    alarm_id: str
    address: str
    label: str
    grade: str
    title: str
    body: str
    made_at: datetime
    attempts: int = 0
    tried_at: datetime | None = None
    error: str | None = None
    settled_at: datetime | None = None
    arrived: bool | None = None


_PACE = ("stands", "news", "step", "told_at", "next_at")
_PLAIN = tuple(name for name in AlarmRecord.__slots__ if name != "pace")


def _alarm(row: Row[Any]) -> AlarmRecord:
    pace = Pace(row.stands, row.times, row.news, row.step, row.told_at, row.next_at)
    return AlarmRecord(pace=pace, **{name: getattr(row, name) for name in _PLAIN})


def _cells(alarm: AlarmRecord) -> dict[str, Any]:
    pace = {name: getattr(alarm.pace, name) for name in _PACE}
    return {name: getattr(alarm, name) for name in _PLAIN} | pace | {"times": alarm.pace.count}


# ── Alarms ────────────────────────────────────────────────────────────────────────────────────────

_INSERT = insert(alarms)
_CHANGE = update(alarms).where(_A.id == bindparam("this_id"))
_BY_ID = select(alarms).where(_A.id == bindparam("this_id"))


def add(tx: Tx, alarm: AlarmRecord) -> None:
    """Store a new alarm."""
    tx.execute(_INSERT, _cells(alarm))


def change(tx: Tx, alarm: AlarmRecord) -> None:
    """Store an alarm that is stored already as it is now."""
    cells = _cells(alarm)
    tx.execute(_CHANGE, {"this_id": cells.pop("id"), **cells})


def get(tx: Tx, alarm_id: str) -> AlarmRecord | None:
    """Return one alarm; None if there is none of this id."""
    row = tx.execute(_BY_ID, {"this_id": alarm_id}).one_or_none()
    return None if row is None else _alarm(row)


def latest(tx: Tx, code: str, account_id: str | None, about: str) -> AlarmRecord | None:
    """Return the newest alarm of this kind, open or over."""
    same = select(alarms).where(_A.code == code, _A.about == about, _A.account_id.is_not_distinct_from(account_id))
    row = tx.execute(same.order_by(_A.id.desc()).limit(1)).one_or_none()
    return None if row is None else _alarm(row)


def open_alarms(tx: Tx, codes: Collection[str]) -> list[AlarmRecord]:
    """Return the alarms of these codes that are not over, oldest first; a code with a dot behind it begins others."""
    exact = sorted(code for code in codes if not code.endswith("."))
    begun = (_A.code.startswith(code, autoescape=True) for code in codes if code.endswith("."))
    wanted = or_(_A.code.in_(exact), *begun)
    return [_alarm(row) for row in tx.execute(select(alarms).where(_OPEN, wanted).order_by(_A.id))]


def page(
    tx: Tx, owner_id: str, *, open_only: bool, before: str | None, limit: int
) -> list[tuple[AlarmRecord, list[Telling]]]:
    """Return alarms, newest first, each with what was told of it."""
    statement = select(alarms).where(_A.owner_id == owner_id)
    if open_only:
        statement = statement.where(_OPEN)
    if before is not None:
        statement = statement.where(_A.id < before)
    found = [_alarm(row) for row in tx.execute(statement.order_by(_A.id.desc()).limit(limit))]
    tellings: dict[str, list[Telling]] = {alarm.id: [] for alarm in found}
    if found:
        of_them = select(alarm_tellings).where(_T.alarm_id.in_(list(tellings))).order_by(_T.id)
        for row in tx.execute(of_them):
            tellings[row.alarm_id].append(_telling(row))
    return [(alarm, tellings[alarm.id]) for alarm in found]


def forget(tx: Tx, before: datetime) -> None:
    """Delete alarms that were over before, with what was told of them."""
    old = select(_A.id).where(_A.over_at < before)
    tx.execute(alarm_tellings.delete().where(_T.alarm_id.in_(old), _T.settled_at.is_not(None)))
    tx.execute(alarms.delete().where(_A.over_at < before, _A.id.not_in(select(_T.alarm_id))))


# ── What is told ──────────────────────────────────────────────────────────────────────────────────


def _telling(row: Row[Any]) -> Telling:
    return Telling(**{name: getattr(row, name) for name in Telling.__slots__})


def add_tellings(tx: Tx, tellings: Sequence[Telling]) -> None:
    """Store what is to be told."""
    if tellings:
        rows = [{name: getattr(one, name) for name in Telling.__slots__} for one in tellings]
        tx.execute(insert(alarm_tellings), rows)


def told_of(tx: Tx, alarm_id: str) -> list[Telling]:
    """Return what was told of an alarm, oldest first."""
    rows = tx.execute(select(alarm_tellings).where(_T.alarm_id == alarm_id).order_by(_T.id))
    return [_telling(row) for row in rows]


def waiting(tx: Tx, address: str, limit: int = 50) -> list[Telling]:
    """Return what an address is still to be told, oldest first."""
    mine = select(alarm_tellings).where(_T.address == address, _T.settled_at.is_(None))
    return [_telling(row) for row in tx.execute(mine.order_by(_T.id).limit(limit))]


def last_tried(tx: Tx, address: str) -> datetime | None:
    """Return when an address was last sent anything, with whatever success."""
    found: datetime | None = tx.execute(select(func.max(_T.tried_at)).where(_T.address == address)).scalar()
    return found


def mark_tried(tx: Tx, ids: Sequence[str], now: datetime) -> None:
    """Note, before it is sent, that it is: a process that dies meanwhile has tried."""
    tx.execute(update(alarm_tellings).where(_T.id.in_(list(ids))).values(tried_at=now, attempts=_T.attempts + 1))


def settle(tx: Tx, ids: Sequence[str], now: datetime, *, arrived: bool, error: str | None = None) -> None:
    """Note that it arrived, or is given up with the error."""
    values: dict[str, Any] = {"settled_at": now, "arrived": arrived}
    if error is not None:
        values["error"] = error
    tx.execute(update(alarm_tellings).where(_T.id.in_(list(ids)), _T.settled_at.is_(None)).values(values))


def note_error(tx: Tx, ids: Sequence[str], error: str) -> None:
    """Keep why it did not arrive."""
    tx.execute(update(alarm_tellings).where(_T.id.in_(list(ids))).values(error=error))
