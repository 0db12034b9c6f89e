"""Who may do what nobody else may do meanwhile: the lock on a data directory, and leases with a fencing epoch."""

import fcntl
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pilothouse.core.errors import Conflict
from pilothouse.kit.tables import leases
from pilothouse.kit.transaction import Tx


class HouseTaken(Conflict):
    """Another process already works on this data directory."""

    code = "house_taken"

    def __init__(self, folder: Path, pid: int | None) -> None:
        """Keep who holds it; `pid` is None if that could not be read."""
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{who} already works on {folder}; stop it first, or choose another PILOTHOUSE_DATA")
        self.folder, self.pid = folder, pid


class HouseLock:
    """The lock that is held; released by `release()`, by leaving a `with`, or by the end of the process."""

    def __init__(self, handle: int) -> None:
        """Keep the open file: the lock lives as long as it does."""
        self._handle: int | None = handle

    def release(self) -> None:
        """Let another process in. Safe to call twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def house_lock(data_dir: Path) -> HouseLock:
    """Take `data_dir` for this process alone, making it (mode 0700) if need be. Raises HouseTaken."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data_dir / "pilothouse.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        os.close(handle)
        raise HouseTaken(data_dir, int(holder) if holder.isdigit() else None) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return HouseLock(handle)


@dataclass(frozen=True, slots=True)
class Held:
    """A lease: whoever holds it may act until `until`, and marks what it does with `epoch`."""

    name: str
    owner: str
    epoch: int
    until: datetime


_FREE = leases.c.until <= bindparam("now")
_TAKE = {
    "sqlite": (_row := sqlite.insert(leases)).on_conflict_do_update(
        index_elements=["name"],
        set_={"owner": _row.excluded.owner, "epoch": leases.c.epoch + 1, "until": _row.excluded.until},
        where=_FREE,
    ),
    "postgresql": (_row_too := postgresql.insert(leases)).on_conflict_do_update(
        index_elements=["name"],
        set_={"owner": _row_too.excluded.owner, "epoch": leases.c.epoch + 1, "until": _row_too.excluded.until},
        where=_FREE,
    ),
}
_TAKE_TELLING = {dialect: statement.returning(leases.c.epoch) for dialect, statement in _TAKE.items()}
_MINE = (
    leases.c.name == bindparam("this_name"),
    leases.c.owner == bindparam("this_owner"),
    leases.c.epoch == bindparam("this_epoch"),
    leases.c.until > bindparam("now"),
)
_MOVE_END = update(leases).where(*_MINE).values(until=bindparam("new_until"))
_LAST = select(leases).where(leases.c.name == bindparam("this_name"))
_HOLDER = select(leases).where(leases.c.name == bindparam("this_name"), leases.c.until > bindparam("now"))


def acquire(tx: Tx, name: str, *, owner: str, now: datetime, lease_for: timedelta) -> Held | None:
    """Take the lease `name` if nobody holds it; None if somebody does, be it `owner` itself.

    Its epoch is higher than that of every holder before.
    """
    until = now + lease_for
    values = {"name": name, "owner": owner, "epoch": 1, "until": until, "now": now}
    epoch = tx.execute(_TAKE_TELLING[tx.dialect], values).scalar_one_or_none()
    return None if epoch is None else Held(name, owner, epoch, until)


def renew(tx: Tx, held: Held, *, now: datetime, lease_for: timedelta) -> Held | None:
    """Hold it for longer; None if it has ended meanwhile: then stop at once, another may have it."""
    until = now + lease_for
    return Held(held.name, held.owner, held.epoch, until) if _move_end(tx, held, now, until) else None


def hand_on(tx: Tx, held: Held, *, owner: str, until: datetime) -> bool:
    """Put `owner` into the place of whoever holds it, who can renew it no more; False if it moved meanwhile.

    until   from then on `owner` may take it; not before the end that the holder knows of
    """
    which = (leases.c.name == held.name) & (leases.c.owner == held.owner) & (leases.c.epoch == held.epoch)
    changed = update(leases).where(which).values(owner=owner, epoch=held.epoch + 1, until=until)
    return tx.execute(changed).rowcount == 1


def release(tx: Tx, held: Held, *, now: datetime, ends: datetime | None = None) -> bool:
    """Give it back before its end; False if it has ended already. `ends`: what is noted as its end, else `now`."""
    return _move_end(tx, held, now, now if ends is None else ends)


def free_others(
    tx: Tx, owner: str, prefix: str, now: datetime, *, ends: datetime | None = None, but: str | None = None
) -> int:
    """End the leases of everybody else whose name begins with `prefix`: for who knows that they are dead.

    ends   what is noted as their end, also of those that are over; None: `now`, and what is over stays as it is
    but    owners whose names begin so keep theirs
    """
    others = leases.c.name.startswith(prefix, autoescape=True) & (leases.c.owner != owner)
    if ends is None:
        others &= leases.c.until > now
    if but is not None:
        others &= ~leases.c.owner.startswith(but, autoescape=True)
    return tx.execute(update(leases).where(others).values(until=now if ends is None else ends)).rowcount


def last(tx: Tx, name: str) -> Held | None:
    """Return who holds `name`, or held it last; None if nobody ever did."""
    row = tx.execute(_LAST, {"this_name": name}).one_or_none()
    return None if row is None else Held(row.name, row.owner, row.epoch, row.until)


def holder(tx: Tx, name: str, *, now: datetime) -> Held | None:
    """Return who holds `name`, if anybody does."""
    row = tx.execute(_HOLDER, {"this_name": name, "now": now}).one_or_none()
    return None if row is None else Held(row.name, row.owner, row.epoch, row.until)


def held(tx: Tx, prefix: str, *, now: datetime) -> list[Held]:
    """Return the leases in force whose names begin with `prefix`."""
    named = leases.c.name.startswith(prefix, autoescape=True)
    rows = tx.execute(select(leases).where(named, leases.c.until > now).order_by(leases.c.name))
    return [Held(row.name, row.owner, row.epoch, row.until) for row in rows]


def forget(tx: Tx, prefix: str, *, before: datetime) -> int:
    """Delete the leases whose names begin with `prefix` and that ended before then; returns how many.

    Only for names that nobody takes again: the epoch of one that is taken anew begins anew.
    """
    named = leases.c.name.startswith(prefix, autoescape=True)
    return tx.execute(delete(leases).where(named, leases.c.until < before)).rowcount


def still_held(tx: Tx, held: Held, *, now: datetime) -> bool:
    """Say whether `held` is still in force: asked in the transaction that is to be fenced."""
    found = holder(tx, held.name, now=now)
    return found is not None and (found.owner, found.epoch) == (held.owner, held.epoch)


def _move_end(tx: Tx, held: Held, now: datetime, until: datetime) -> bool:
    values = {"this_name": held.name, "this_owner": held.owner, "this_epoch": held.epoch, "now": now}
    return tx.execute(_MOVE_END, values | {"new_until": until}).rowcount == 1
