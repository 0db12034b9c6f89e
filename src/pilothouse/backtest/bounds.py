"""How much one user may ask for: the bounds of the house and of the user go in; what is too much is refused by number.

The tighter of the two holds. Each refusal says what was asked for, what is allowed, and who said so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pilothouse.accounts.audit import record
from pilothouse.backtest import store
from pilothouse.backtest.store import Own
from pilothouse.core.errors import Refused
from pilothouse.kit.db import Tx

NAMES: Final = ("at_once", "per_day", "work")


class TooMuch(Refused):
    """A bound of the house or of the user would be passed; nothing was stored."""

    code = "backtest_limit"

    def __init__(self, bound: str, number: int, limit: int, words: str) -> None:
        """Keep which bound, what it would come to, and what is allowed."""
        super().__init__(words)
        self.bound, self.number, self.limit = bound, number, limit


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one user may ask for.

    at_once   queued or running at the same time
    per_day   asked for in one day, UTC, without those that were found
    work      bars times combinations of one request
    """

    at_once: int
    per_day: int
    work: int

    def tightened(self, own: Own) -> "Bounds":
        """Return the tighter of each pair."""
        pairs = ((getattr(self, name), getattr(own, name)) for name in NAMES)
        return Bounds(*(house if user is None else min(house, user) for house, user in pairs))


@dataclass(frozen=True, slots=True)
class Used:
    """What one user has asked for already."""

    at_once: int
    today: int


def used(tx: Tx, owner_id: str, now: datetime) -> Used:
    """Return what a user has in hand and has asked for today."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Used(store.unfinished(tx, owner_id), store.made_since(tx, owner_id, midnight))


def refuse_too_much(tx: Tx, owner_id: str, house: Bounds, work: int, now: datetime) -> None:
    """Return if one more request of so much work fits. Raises TooMuch."""
    own = store.own_bounds(tx, owner_id)
    bounds, has = house.tightened(own), used(tx, owner_id, now)
    asked = (
        ("work", work, bounds.work, "bars times combinations are asked for"),
        ("at_once", has.at_once + 1, bounds.at_once, "backtests would be queued or running at once"),
        ("per_day", has.today + 1, bounds.per_day, "backtests would be asked for today (UTC)"),
    )
    for name, number, limit, words in asked:
        if number > limit:
            said = "your limit" if getattr(own, name) == limit else "the house's limit"
            raise TooMuch(name, number, limit, f"{number:,} {words}; {limit:,} is {said}")


def set_own(tx: Tx, owner_id: str, own: Own, *, by: str, who: str, now: datetime) -> None:
    """Set the bounds of one user; `by` is the owner of the token that says so, and keeps it in the audit."""
    store.set_bounds(tx, owner_id, own)
    detail = {"user_id": owner_id} | {name: getattr(own, name) for name in NAMES}
    record(tx, owner_id=by, who=who, what="backtest.limits_set", now=now, detail=detail)
