"""The limits of each level as they are stored, and as they hold together for one account or bot.

In: house, user, account and bot, and the time. Out: what the gate is asked with. One statement reads all levels; what
a row says is made into limits once and remembered by what stands in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, or_, select, update

from pilothouse.core.clock import from_micros, micros
from pilothouse.core.hours import Hours
from pilothouse.core.limits import BY_LIMIT, NAMES, NOTHING, Kind, Limits, Value, apart, summed, tightest
from pilothouse.core.limits_text import stored
from pilothouse.execution.tables import limit_changes, limit_sets
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot

HOUSE: Final = "house"
"""The one scope of the house's level."""

WIDE: Final = Limits(
    order_notional_max=Decimal(1_000_000),
    position_equity_ratio_max=Decimal(20),
    orders_per_minute_max=100_000,
    daily_loss_percent_max=Decimal(100),
    price_collar_percent=Decimal(10),
    quote_age_max_s=Decimal(10),
)
"""What an account allows where nobody has said: it lets a newcomer play and still stops a runaway."""


class Level(StrEnum):
    """Where a limit or a halt is set; each holds for everything below it."""

    HOUSE = "house"
    USER = "user"
    ACCOUNT = "account"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class Scope:
    """One place where limits and halts are set.

    id           house, or the id of the user, the account or the bot (a hook)
    owner_id     whose it is; of the house: its operator
    account_id   of an account, or the account of a bot
    """

    level: Level
    id: str
    owner_id: str
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """A loosened limit that does not hold yet."""

    at: datetime
    which: str
    name: str
    value: Value | None


@dataclass(frozen=True, slots=True)
class LimitSet:
    """What one level says; compared and hashed by what is cheap first, for it is looked up for alert after alert."""

    scope_id: str
    level: Level
    revision: int
    stop: Limits = field(hash=False)
    warn: Limits = field(hash=False)
    later: tuple[Later, ...] = field(hash=False)

    def at(self, now: datetime) -> "LimitSet":
        """Return what holds at `now`: with what was loosened long enough ago."""
        if not self.later:
            return self
        due = [each for each in self.later if each.at <= now]
        stop = {each.name: each.value for each in due if each.which == "stop"}
        warn = {each.name: each.value for each in due if each.which == "warn"}
        waiting = tuple(each for each in self.later if each.at > now)
        return replace(self, stop=_with(self.stop, stop), warn=_with(self.warn, warn), later=waiting)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one account, or one bot on it: the tightest of every level.

    bot, bot_warn   what counts the bot's own doings
    set_at          by name of the limit: the level whose limit it is
    asks            names of all limits that are set, stops and warnings
    together        (level, stops, warnings) of house and user that hold for all of their accounts together
    """

    stop: Limits
    warn: Limits
    bot: Limits
    bot_warn: Limits
    set_at: Mapping[str, Level]
    asks: frozenset[str]
    together: tuple[tuple[Level, Limits, Limits], ...] = ()


def _with(limits: Limits, changes: Mapping[str, Any]) -> Limits:
    return replace(limits, **changes) if changes else limits


# ── As they hold together ─────────────────────────────────────────────────────────────────────────


def standing(tx: Tx, owner_id: str, account_id: str, hook_id: str | None, now: datetime) -> Standing:
    """Return what holds for an account, and for a bot on it if one is named. One statement."""
    params = {"of_house": HOUSE, "of_owner": owner_id, "of_account": account_id, "of_hook": hook_id or ""}
    rows = tx.execute(_LEVELS, params).all()
    return _DEFAULT if not rows else _together(tuple(row.at(now) for row in rows))


@lru_cache(256)
def _together(rows: tuple[LimitSet, ...]) -> Standing:
    by_level = {row.level: row for row in rows}
    account = by_level.get(Level.ACCOUNT)
    own = Limits(**{**WIDE.named(), **(account.stop.named() if account else {})})  # type: ignore[arg-type]  # by field
    bot = by_level.get(Level.BOT)
    shared, counted = apart(bot.stop) if bot else (NOTHING, NOTHING)
    shared_warn, counted_warn = apart(bot.warn) if bot else (NOTHING, NOTHING)
    above = [by_level[level] for level in (Level.HOUSE, Level.USER) if level in by_level]
    levels = [*((row.level, row.stop) for row in above), (Level.ACCOUNT, own), (Level.BOT, shared)]
    stop = tightest(limits for _, limits in levels)
    warn = tightest([*(row.warn for row in above), account.warn if account else NOTHING, shared_warn])
    set_at = {}
    for name, value in stop.named().items():
        set_at[name] = next((at for at, limits in levels if getattr(limits, name) == value), Level.ACCOUNT)
    parts = (stop, warn, counted, counted_warn)
    asks = frozenset(name for part in parts for name in part.named())
    sums = [(row.level, summed(row.stop), summed(row.warn)) for row in above]
    together = tuple(one for one in sums if one[1] is not NOTHING or one[2] is not NOTHING)
    return Standing(stop, _or_nothing(warn), _or_nothing(counted), _or_nothing(counted_warn), set_at, asks, together)


def _or_nothing(limits: Limits) -> Limits:
    """Return the one empty set of limits if there are none: the gate knows it by sight."""
    return NOTHING if limits == NOTHING else limits


# ── As they are stored ────────────────────────────────────────────────────────────────────────────


def restored(name: str, raw: Any) -> Value | None:
    """Return a limit of what was stored."""
    if raw is None:
        return None
    rule = BY_LIMIT[name]
    if rule.kind is Kind.WITHIN:
        return Hours.read(raw) if raw and name == "hours" else Hours(()) if name == "hours" else frozenset(raw)
    return int(raw) if rule.whole else Decimal(raw)


def _limits(raw: Mapping[str, Any]) -> Limits:
    return Limits(**{name: restored(name, value) for name, value in raw.items() if name in NAMES})  # type: ignore[arg-type]  # by field


def _record(row: Row[Any]) -> LimitSet:
    later = tuple(
        Later(from_micros(one["at"]), one["which"], one["name"], restored(one["name"], one["value"]))
        for one in row.later
    )
    return LimitSet(row.scope_id, Level(row.level), row.revision, _limits(row.stop), _limits(row.warn), later)


_COLUMNS = tuple(
    limit_sets.c[name] for name in ("scope_id", "level", "owner_id", "account_id", "revision", "stop", "warn", "later")
)
_LEVELS = hot(
    select(*_COLUMNS).where(
        or_(*(limit_sets.c.scope_id == bindparam(name) for name in ("of_house", "of_owner", "of_account", "of_hook")))
    ),
    _record,
    seldom=True,
)
_OF = hot(select(*_COLUMNS).where(limit_sets.c.scope_id == bindparam("of_scope")), _record)
_OF_BOTS = select(*_COLUMNS).where(limit_sets.c.level == Level.BOT.value).order_by(limit_sets.c.scope_id)
_ABOVE = (
    select(*_COLUMNS)
    .where(limit_sets.c.level.in_([Level.HOUSE.value, Level.USER.value]))
    .order_by(limit_sets.c.level, limit_sets.c.scope_id)
)
_DEFAULT = _together(())


def of_scope(tx: Tx, scope: Scope) -> LimitSet:
    """Return what one level says by itself; nothing, if nothing was ever set there."""
    found: LimitSet | None = tx.execute(_OF, {"of_scope": scope.id}).one_or_none()
    return found or LimitSet(scope.id, scope.level, 0, NOTHING, NOTHING, ())


def put(tx: Tx, scope: Scope, new: LimitSet, at: datetime, by: str) -> None:
    """Store what one level says."""
    later = [
        {"at": micros(each.at), "which": each.which, "name": each.name, "value": stored(each.value)}
        for each in new.later
    ]
    values = {
        "stop": {name: stored(value) for name, value in new.stop.named().items()},
        "warn": {name: stored(value) for name, value in new.warn.named().items()},
        "later": later,
        "revision": new.revision,
        "updated_at": at,
        "updated_by": by[:64],
    }
    done = tx.execute(update(limit_sets).where(limit_sets.c.scope_id == scope.id).values(**values))
    if done.rowcount == 0:
        whose = {"scope_id": scope.id, "level": scope.level.value, "owner_id": scope.owner_id}
        tx.execute(insert(limit_sets).values(**whose, account_id=scope.account_id, **values))


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One line of the record of limits; `was` and `became` as they are stored."""

    id: str
    level: str
    scope_id: str
    name: str
    which: str
    was: Any
    became: Any
    at: datetime
    holds_from: datetime
    by: str
    why: str


def note(tx: Tx, scope: Scope, changes: Sequence[LimitChange]) -> None:
    """Append to the record of who changed what and why."""
    for each in changes:
        tx.execute(
            insert(limit_changes).values(
                id=each.id,
                owner_id=scope.owner_id,
                level=each.level,
                scope_id=each.scope_id,
                name=each.name,
                which=each.which,
                was=_shown(each.was),
                became=_shown(each.became),
                at=each.at,
                holds_from=each.holds_from,
                by=each.by[:64],
                why=each.why,
            )
        )


def _shown(raw: Any) -> str | None:
    return ", ".join(raw) if isinstance(raw, list) else None if raw is None else str(raw)


def changes_of(tx: Tx, owner_id: str, *, before: str | None, limit: int) -> list[LimitChange]:
    """Return the record of changes, newest first, behind the cursor `before`."""
    query = select(limit_changes).where(limit_changes.c.owner_id == owner_id)
    if before is not None:
        query = query.where(limit_changes.c.id < before)
    rows = tx.execute(query.order_by(limit_changes.c.id.desc()).limit(limit))
    return [
        LimitChange(
            row.id,
            row.level,
            row.scope_id,
            row.name,
            row.which,
            row.was,
            row.became,
            row.at,
            row.holds_from,
            row.by,
            row.why,
        )
        for row in rows
    ]


def of_all_accounts(tx: Tx) -> list[tuple[Scope, LimitSet]]:
    """Return what the house, and what every user, says by itself."""
    rows = tx.execute(_ABOVE)
    return [(Scope(Level(row.level), row.scope_id, row.owner_id), _record(row)) for row in rows]


def of_bots(tx: Tx) -> list[tuple[Scope, LimitSet]]:
    """Return what every bot says by itself."""
    rows = tx.execute(_OF_BOTS)
    return [(Scope(Level.BOT, row.scope_id, row.owner_id, row.account_id), _record(row)) for row in rows]


def of_owner(tx: Tx, owner_id: str) -> list[tuple[Scope, LimitSet]]:
    """Return what stands at every level of one owner, and at the house's."""
    mine = or_(limit_sets.c.owner_id == owner_id, limit_sets.c.scope_id == HOUSE)
    rows = tx.execute(select(*_COLUMNS).where(mine).order_by(limit_sets.c.level, limit_sets.c.scope_id))
    return [(Scope(Level(row.level), row.scope_id, row.owner_id, row.account_id), _record(row)) for row in rows]
