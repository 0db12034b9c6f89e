"""Every query over what hooks expect: when their alerts came, their numbers, and what they last said."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from pilothouse.fleet.tables import hook_marks, hook_watch
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot


@dataclass(frozen=True, slots=True)
class Watch:
    """What came through one hook; see `fleet/tables.py`."""

    hook_id: str
    owner_id: str
    account_id: str
    last_at: datetime
    last_counter: int | None
    missed: int
    missed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What a hook last said that the position in one instrument shall be; see `fleet/tables.py`."""

    hook_id: str
    symbol: str
    owner_id: str
    account_id: str
    signal_id: str
    target: Decimal
    sent_at: datetime | None
    bar_time: datetime | None
    at: datetime


_WATCH = hot(select(hook_watch).where(hook_watch.c.hook_id == bindparam("of_hook")))
_ADD_WATCH = hot(insert(hook_watch))
_CHANGE_WATCH = hot(update(hook_watch).where(hook_watch.c.hook_id == bindparam("of_hook")))
_MARKS = select(hook_marks).where(hook_marks.c.hook_id == bindparam("of_hook")).order_by(hook_marks.c.symbol)
_WHICH = (hook_marks.c.hook_id == bindparam("of_hook"), hook_marks.c.symbol == bindparam("of_symbol"))
_MARK = hot(select(hook_marks).where(*_WHICH))
_ADD_MARK = hot(insert(hook_marks))
_CHANGE_MARK = hot(update(hook_marks).where(*_WHICH))


def watch_of(tx: Tx, hook_id: str) -> Watch | None:
    """Return what came through a hook since it expects something, or None."""
    row = tx.execute(_WATCH, {"of_hook": hook_id}).first()
    if row is None:
        return None
    return Watch(row.hook_id, row.owner_id, row.account_id, row.last_at, row.last_counter, row.missed, row.missed_at)


def keep_watch(tx: Tx, watch: Watch, *, is_new: bool) -> None:
    """Keep what came through a hook."""
    values: dict[str, Any] = {
        "last_at": watch.last_at,
        "last_counter": watch.last_counter,
        "missed": watch.missed,
        "missed_at": watch.missed_at,
    }
    if is_new:
        who = {"hook_id": watch.hook_id, "owner_id": watch.owner_id, "account_id": watch.account_id}
        tx.execute(_ADD_WATCH, {**who, **values})
    else:
        tx.execute(_CHANGE_WATCH, {"of_hook": watch.hook_id, **values})


def mark_of(tx: Tx, hook_id: str, symbol: str) -> Mark | None:
    """Return what a hook last said of one instrument, or None."""
    row = tx.execute(_MARK, {"of_hook": hook_id, "of_symbol": symbol}).first()
    return _mark(row) if row is not None else None


def marks_of(tx: Tx, hook_id: str) -> list[Mark]:
    """Return what a hook last said of each instrument."""
    return [_mark(row) for row in tx.execute(_MARKS, {"of_hook": hook_id})]


def keep_mark(tx: Tx, mark: Mark, *, is_new: bool) -> None:
    """Keep what a hook said of one instrument; what it said before is forgotten."""
    values: dict[str, Any] = {
        "signal_id": mark.signal_id,
        "target": mark.target,
        "sent_at": mark.sent_at,
        "bar_time": mark.bar_time,
        "at": mark.at,
    }
    if is_new:
        who = {"hook_id": mark.hook_id, "owner_id": mark.owner_id, "account_id": mark.account_id}
        tx.execute(_ADD_MARK, {**who, "symbol": mark.symbol, **values})
    else:
        tx.execute(_CHANGE_MARK, {"of_hook": mark.hook_id, "of_symbol": mark.symbol, **values})


def _mark(row: Row[Any]) -> Mark:
    return Mark(
        row.hook_id,
        row.symbol,
        row.owner_id,
        row.account_id,
        row.signal_id,
        row.target,
        row.sent_at,
        row.bar_time,
        row.at,
    )
