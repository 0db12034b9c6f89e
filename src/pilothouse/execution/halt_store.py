"""Every query over halts: which stand, for whom, and the severest of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, insert, or_, select, update

from pilothouse.core.halts import HaltKind
from pilothouse.execution.limit_sets import Level, Scope
from pilothouse.execution.tables import halts
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot


@dataclass(frozen=True, slots=True)
class Halt:
    """A stop of trading: at a level, of a kind, by somebody, for a reason.

    account_id   of an account, or the account of a bot; empty for the house and for a user
    hook_id      of a bot
    """

    id: str
    owner_id: str
    account_id: str
    at: datetime
    by: str
    reason: str
    level: Level = Level.ACCOUNT
    kind: HaltKind = HaltKind.NO_NEW_EXPOSURE
    hook_id: str | None = None

    def concerns(self, owner_id: str, account_id: str) -> bool:
        """Say whether it halts an account, or a bot on it."""
        if self.level is Level.HOUSE:
            return True
        return self.owner_id == owner_id if self.level is Level.USER else self.account_id == account_id


def _record(row: Row[Any]) -> Halt:
    level, kind = Level(row.level), HaltKind(row.kind)
    return Halt(row.id, row.owner_id, row.account_id, row.at, row.by, row.reason, level, kind, row.hook_id)


_STANDS = halts.c.resumed_at.is_(None)
_OVER = hot(
    select(halts)
    .where(
        _STANDS,
        or_(
            halts.c.level == Level.HOUSE.value,
            and_(halts.c.level == Level.USER.value, halts.c.owner_id == bindparam("of_owner")),
            and_(halts.c.level == Level.ACCOUNT.value, halts.c.account_id == bindparam("of_account")),
            and_(halts.c.level == Level.BOT.value, halts.c.hook_id == bindparam("of_hook")),
        ),
    )
    .order_by(halts.c.id),
    _record,
    seldom=True,
)
_ALL = hot(select(halts).where(_STANDS).order_by(halts.c.id), _record)


def halted(tx: Tx, account_id: str, owner_id: str | None = None, hook_id: str | None = None) -> Halt | None:
    """Return the severest halt over an account (and over a bot on it), the oldest of these; None if there is none.

    owner_id   whose account it is; None: halts of users are not asked for
    """
    params = {"of_owner": owner_id or "", "of_account": account_id, "of_hook": hook_id or ""}
    found: list[Halt] = tx.execute(_OVER, params).all()
    return max(found, key=lambda halt: halt.kind.severity) if found else None


def standing(tx: Tx) -> list[Halt]:
    """Return every halt that stands, oldest first."""
    return tx.execute(_ALL, {}).all()


def of_scope(tx: Tx, scope: Scope) -> list[Halt]:
    """Return the halts that stand at one level, oldest first."""
    return [_record(row) for row in tx.execute(select(halts).where(_STANDS, _at(scope)).order_by(halts.c.id))]


def add(tx: Tx, halt: Halt) -> None:
    """Store a halt."""
    tx.execute(
        insert(halts).values(
            id=halt.id,
            owner_id=halt.owner_id,
            account_id=halt.account_id,
            at=halt.at,
            by=halt.by,
            reason=halt.reason,
            level=halt.level.value,
            kind=halt.kind.value,
            hook_id=halt.hook_id,
        )
    )


def end(tx: Tx, scope: Scope, at: datetime, by: str) -> int:
    """End every halt at one level; returns how many stood."""
    return tx.execute(update(halts).where(_STANDS, _at(scope)).values(resumed_at=at, resumed_by=by)).rowcount


def was_resumed(tx: Tx, scope: Scope, reason: str) -> bool:
    """Say whether somebody has ended a halt at this level that was for exactly this reason."""
    ended = select(halts.c.id).where(halts.c.resumed_at.is_not(None), _at(scope), halts.c.reason == reason)
    return tx.execute(ended.limit(1)).first() is not None


def _at(scope: Scope) -> ColumnElement[bool]:
    """Return what says that a halt stands exactly at a level."""
    at = halts.c.level == scope.level.value
    if scope.level is Level.USER:
        return at & (halts.c.owner_id == scope.owner_id)
    if scope.level is Level.ACCOUNT:
        return at & (halts.c.account_id == scope.account_id)
    return at & (halts.c.hook_id == scope.id) if scope.level is Level.BOT else at
