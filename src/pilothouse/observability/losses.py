"""Losses of a day and from the highest equity, asked whether or not anybody trades.

In: accounts with their limits and prices. Out: a condition for each level that is reached, which stands until the loss
is well below the level again; so what swings about a level is one crossing and not a hundred.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from pilothouse.accounts.trading_accounts import TradingAccount
from pilothouse.core.errors import Unavailable
from pilothouse.core.limits import Limits
from pilothouse.core.risk import lost_percent
from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution import limit_sets
from pilothouse.execution.together import worth_of
from pilothouse.kit.db import Tx
from pilothouse.ledger.exposure import holdings
from pilothouse.notifications import words
from pilothouse.observability.condition import Condition, Key
from pilothouse.observability.living import Living

_ALL_OF_IT: Final = Decimal(100)
"""Who may lose everything is not asked."""

_OVER_AT: Final = Decimal("0.9")
"""A crossing is over when the loss is below so much of its level."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of loss: the code of its alarm, the limit, and what is said."""

    code: str
    limit: str
    stops: bool
    said: str


LEVELS: Final = (
    Level(words.DAILY_LOSS, "daily_loss_percent_max", True, "{lost} % of the equity at midnight UTC are lost"),
    Level(words.DAILY_LOSS_NEAR, "daily_loss_percent_max", False, "{lost} % of the equity at midnight UTC are lost"),
    Level(words.DRAWDOWN, "drawdown_percent_max", True, "the equity is {lost} % below its highest"),
    Level(words.DRAWDOWN_NEAR, "drawdown_percent_max", False, "the equity is {lost} % below its highest"),
)
CODES: Final = tuple(level.code for level in LEVELS)


@dataclass(frozen=True, slots=True)
class Lost:
    """What is lost, percent by the name of its limit; None: nobody can say, for want of a price."""

    daily_loss_percent_max: Decimal
    drawdown_percent_max: Decimal


def of_accounts(
    tx: Tx, house: Living, accounts: Collection[TradingAccount], opened: Collection[Key], now: datetime
) -> Iterator[Condition]:
    """Yield what accounts, and bots on them, have lost by their own limits. `opened`: what is told already."""
    bots = limit_sets.of_bots(tx)
    for account in accounts:
        standing = limit_sets.standing(tx, account.owner_id, account.id, None, now)
        own = [(scope.id, each.at(now)) for scope, each in bots if scope.account_id == account.id]
        if not any(map(_asks, (standing.stop, standing.warn, *(limits for _, each in own for limits in _both(each))))):
            continue
        lost = _lost(tx, house, account, now)
        yield from conditions(lost, standing.stop, standing.warn, account.id, account.owner_id, "", opened)
        for hook_id, each in own:
            yield from conditions(lost, each.stop, each.warn, account.id, account.owner_id, hook_id, opened)


def of_all_accounts(
    tx: Tx, house: Living, accounts: Collection[TradingAccount], opened: Collection[Key], now: datetime
) -> Iterator[Condition]:
    """Yield what accounts have lost together by limits of their user and of the house, one for each kind of money.

    One account alone has lost no other than what is told of itself.
    """
    for scope, each in limit_sets.of_all_accounts(tx):
        own = each.at(now)
        if not any(map(_asks, _both(own))):
            continue
        groups: dict[tuple[str, str], list[TradingAccount]] = {}
        for account in accounts:
            if scope.level is limit_sets.Level.HOUSE or account.owner_id == scope.owner_id:
                groups.setdefault((account.mode.value, account.currency), []).append(account)
        for (mode, currency), together_ in groups.items():
            if len(together_) > 1:
                lost, about = _lost_together(tx, house, together_, now), f"{scope.level}, {mode}, {currency}"
                yield from conditions(lost, own.stop, own.warn, None, scope.owner_id, about, opened)


def _lost_together(tx: Tx, house: Living, accounts: Collection[TradingAccount], now: datetime) -> Lost | None:
    try:
        first, *others = [worth_of(tx, house.desk, account, now) for account in accounts]
    except Unavailable:
        return None
    worth = sum(others, first)
    return Lost(lost_percent(worth.at_midnight, worth.equity), lost_percent(worth.high_water, worth.equity))


def conditions(
    lost: Lost | None,
    stop: Limits,
    warn: Limits,
    account_id: str | None,
    owner_id: str,
    about: str,
    opened: Collection[Key],
) -> Iterator[Condition]:
    """Yield the levels that a loss has reached, or has been told to have reached and is not well below."""
    for level in LEVELS:
        most = getattr(stop if level.stops else warn, level.limit)
        is_open = (level.code, account_id, about) in opened
        if most is None or most >= _ALL_OF_IT:
            continue
        if lost is None:
            if is_open:  # no price, no verdict: what was told is neither over nor news
                yield Condition(level.code, about, account_id, owner_id, "")
            continue
        percent = getattr(lost, level.limit)
        if percent >= (EXACT.multiply(most, _OVER_AT) if is_open else most):
            number, limit = plain(percent), plain(most)
            verb = "stop new exposure" if level.stops else "are the warning level"
            said = f"{level.said.format(lost=number)}, {limit} % {verb}"
            said += f" (all accounts together: {about})" if account_id is None else ""
            yield Condition(level.code, about, account_id, owner_id, said, {"number": number, "limit": limit})


def _both(each: limit_sets.LimitSet) -> tuple[Limits, Limits]:
    return each.stop, each.warn


def _asks(limits: Limits) -> bool:
    """Say whether limits name a loss that is less than everything."""
    found = (limits.daily_loss_percent_max, limits.drawdown_percent_max)
    return any(most is not None and most < _ALL_OF_IT for most in found)


def _lost(tx: Tx, house: Living, account: TradingAccount, now: datetime) -> Lost | None:
    held = holdings(tx, account.id, now, account.currency)
    marks = {symbol: quote.mark for symbol, quote in house.quotes.all(account.venue).items()}
    try:
        worth = held.equity(marks).equity
    except Unavailable:
        return None
    fallen = Decimal(0) if held.high_water is None else lost_percent(held.high_water, worth)
    return Lost(lost_percent(held.day.counts_from, worth), fallen)
