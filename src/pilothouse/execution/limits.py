"""Change limits, at each of four levels, with who and why.

What is tightened holds at once. What is loosened holds after the delay that the house has set, so that nobody talks
themselves into a larger bet in the heat of a moment; until then it can be taken back by tightening it again.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits import NAMES, Limits, Value, is_looser
from pilothouse.core.limits_text import Asked, read, stored
from pilothouse.core.rounding import plain
from pilothouse.execution import limit_sets
from pilothouse.execution.desk import Desk
from pilothouse.execution.limit_sets import WIDE, Later, Level, LimitChange, LimitSet, Scope, Standing
from pilothouse.kit.db import Tx
from pilothouse.ledger import high_water
from pilothouse.ledger.exposure import holdings


def of_account(tx: Tx, account_id: str, owner_id: str, now: datetime) -> Limits:
    """Return what holds for an account: the tightest of house, user and account."""
    return limit_sets.standing(tx, owner_id, account_id, None, now).stop


def as_values(limits: Limits) -> dict[str, Any]:
    """Return limits as plain values by name, those too that are not set."""
    return {name: stored(getattr(limits, name)) for name in NAMES}


def change(
    tx: Tx, desk: Desk, scope: Scope, *, stop: Asked, warn: Asked, by: str, why: str, account_id: str
) -> Standing:
    """Set the limits (`stop`) and warnings (`warn`) that are named at one level, and keep the others.

    account_id   of the account whose limits are returned as they hold now
    Raises Invalid naming every wrong one.
    """
    problems: list[Problem] = []
    wanted = {"stop": read(stop, "", problems), "warn": read(warn, "warnings.", problems)}
    if problems:
        raise Invalid(problems)
    tx.lock(f"limits:{scope.id}")
    now = desk.clock.now()
    was = limit_sets.of_scope(tx, scope).at(now)
    new, changes = was, []
    for which, values in wanted.items():
        for name, value in values.items():
            new, line = _set(desk, scope, new, which, name, value, now, by=by, why=why)
            changes += [line] if line is not None else []
    if changes:
        limit_sets.put(tx, scope, replace(new, revision=was.revision + 1), now, by)
        limit_sets.note(tx, scope, changes)
    hook_id = scope.id if scope.level is Level.BOT else None
    return limit_sets.standing(tx, scope.owner_id, account_id, hook_id, now)


def measure_anew(tx: Tx, desk: Desk, account: TradingAccount, *, by: str, why: str) -> LimitChange:
    """Measure an account's drawdown from what it is worth now on, and keep who said so.

    Raises Unavailable without a price of what is held.
    """
    tx.lock(f"account:{account.id}")
    now = desk.clock.now()
    held = holdings(tx, account.id, now, account.currency)
    worth = held.equity({name: desk.quote_of(account.venue, name).mark for name in held.positions}).equity
    scope = Scope(Level.ACCOUNT, account.id, account.owner_id, account.id)
    high_water.begin_anew(tx, owner_id=account.owner_id, account_id=account.id, equity=worth, now=now)
    line = LimitChange(
        id=desk.ids.fresh("lim"),
        level=scope.level.value,
        scope_id=scope.id,
        name="high_water",
        which="stop",
        was=None if held.high_water is None else plain(held.high_water),
        became=plain(worth),
        at=now,
        holds_from=now,
        by=by,
        why=why,
    )
    limit_sets.note(tx, scope, [line])
    return line


def _set(
    desk: Desk,
    scope: Scope,
    was: LimitSet,
    which: str,
    name: str,
    value: Value | None,
    now: datetime,
    *,
    by: str,
    why: str,
) -> tuple[LimitSet, LimitChange | None]:
    """Return what a level says with one limit changed, and the line for the record; None if it was so already."""
    side = was.stop if which == "stop" else was.warn
    default = getattr(WIDE, name) if scope.level is Level.ACCOUNT and which == "stop" else None
    old = getattr(side, name)
    pending = [each for each in was.later if (each.which, each.name) == (which, name)]
    if old == value and not pending:
        return was, None
    others = tuple(each for each in was.later if each not in pending)
    loosens = is_looser(name, default if value is None else value, default if old is None else old)
    holds_from = now
    if loosens and desk.patience.loosening:
        holds_from = now + desk.patience.loosening
        new = replace(was, later=(*others, Later(holds_from, which, name, value)))
    elif which == "stop":
        new = replace(was, later=others, stop=replace(side, **{name: value}))  # type: ignore[arg-type]  # by field
    else:
        new = replace(was, later=others, warn=replace(side, **{name: value}))  # type: ignore[arg-type]  # by field
    line = LimitChange(
        id=desk.ids.fresh("lim"),
        level=scope.level.value,
        scope_id=scope.id,
        name=name,
        which=which,
        was=stored(old),
        became=stored(value),
        at=now,
        holds_from=holds_from,
        by=by,
        why=why,
    )
    return new, line
