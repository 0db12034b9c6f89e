"""Limits: which there are, what each asks, and how those of several levels become one. The tightest wins.

A limit that is None asks nothing. `RULES` is the declared list: code, name, unit, bounds, and whether a compiled
backtest may ask it by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pilothouse.core.hours import Hours

Value = Decimal | int | frozenset[str] | Hours


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed; None: not limited. Units and bounds stand in `RULES`."""

    order_quantity_max: Decimal | None = None
    order_notional_max: Decimal | None = None
    position_equity_ratio_max: Decimal | None = None
    position_notional_max: Decimal | None = None
    gross_notional_max: Decimal | None = None
    net_notional_max: Decimal | None = None
    leverage_max: Decimal | None = None
    open_orders_max: int | None = None
    orders_per_second_max: int | None = None
    orders_per_minute_max: int | None = None
    orders_per_day_max: int | None = None
    notional_per_second_max: Decimal | None = None
    notional_per_minute_max: Decimal | None = None
    notional_per_day_max: Decimal | None = None
    repeats_per_minute_max: int | None = None
    price_collar_percent: Decimal | None = None
    quote_age_max_s: Decimal | None = None
    spread_percent_max: Decimal | None = None
    daily_loss_percent_max: Decimal | None = None
    drawdown_percent_max: Decimal | None = None
    losses_in_a_row_max: int | None = None
    cooldown_s: Decimal | None = None
    symbols: frozenset[str] | None = None
    hours: Hours | None = None
    self_trade_quantity_max: Decimal | None = None

    def named(self) -> dict[str, Value]:
        """Return the limits that are set, by name."""
        return {name: value for name in NAMES if (value := getattr(self, name)) is not None}


NAMES: Final = tuple(field.name for field in fields(Limits))
NOTHING: Final = Limits()


class Kind(StrEnum):
    """How a limit reads.

    MOST    the number may be as high as the limit
    BELOW   the number stays below the limit: at the limit it is over
    LEAST   the number has to be at least the limit: a longer one is tighter
    WITHIN  a set of names, or of hours: what is not in it is over
    """

    MOST = "most"
    BELOW = "below"
    LEAST = "least"
    WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Rule:
    """One question of the risk gate.

    code       stands in denials and warnings
    limit      name of the limit in `Limits`
    unit       of number and limit
    low, high  what the limit may be set to; None for sets
    whole      whether it is a whole number
    reducing   whether an order that only reduces is asked too
    own        whether a bot's limit counts what the bot itself did; every other is measured on its account
    kernels    whether a compiled backtest may ask it by itself; a run that sets another one takes the turn engine
    """

    code: str
    limit: str
    asks: str
    unit: str
    low: Decimal | None
    high: Decimal | None
    kind: Kind = Kind.MOST
    whole: bool = False
    reducing: bool = False
    own: bool = False
    kernels: bool = False


def _most(code: str, limit: str, asks: str, unit: str, low: str, high: str, **more: Any) -> Rule:
    return Rule(code, limit, asks, unit, Decimal(low), Decimal(high), **more)


def _count(code: str, limit: str, asks: str, low: str = "1", high: str = "1000000", **more: Any) -> Rule:
    return Rule(code, limit, asks, "orders", Decimal(low), Decimal(high), whole=True, **more)


_MONEY: Final = ("quote", "1", "1000000000000")
_PERCENT: Final = ("percent", "0.01", "100")

RULES: Final = (
    _most("order_quantity", "order_quantity_max", "size of one order", "base", "0", str(10**12), kernels=True),
    _most("order_size", "order_notional_max", "worth of one order", *_MONEY, kernels=True),
    _most(
        "position_size",
        "position_equity_ratio_max",
        "position in one instrument, with what is under way, as a multiple of equity",
        "x equity",
        "0.01",
        "200",
        kernels=True,
    ),
    _most(
        "position_notional",
        "position_notional_max",
        "worth of the position in one instrument, with what is under way",
        *_MONEY,
        kernels=True,
    ),
    _most(
        "gross_exposure", "gross_notional_max", "worth of all positions, long and short added up", *_MONEY, kernels=True
    ),
    _most("net_exposure", "net_notional_max", "worth of all positions, short taken from long", *_MONEY, kernels=True),
    _most(
        "leverage",
        "leverage_max",
        "worth of all positions as a multiple of equity",
        "x equity",
        "0.01",
        "200",
        kernels=True,
    ),
    _count("open_orders", "open_orders_max", "orders that rest or are under way", own=True),
    _count("order_rate_second", "orders_per_second_max", "orders within a second", reducing=True, own=True),
    _count("order_rate", "orders_per_minute_max", "orders within 60 seconds", reducing=True, own=True),
    _count("order_rate_day", "orders_per_day_max", "orders since midnight UTC", reducing=True, own=True),
    _most("notional_rate_second", "notional_per_second_max", "worth of orders within a second", *_MONEY, own=True),
    _most("notional_rate_minute", "notional_per_minute_max", "worth of orders within 60 seconds", *_MONEY, own=True),
    _most("notional_rate_day", "notional_per_day_max", "worth of orders since midnight UTC", *_MONEY, own=True),
    _count(
        "repeat_order",
        "repeats_per_minute_max",
        "equal orders within 60 seconds: same instrument, side, kind, size and price",
        reducing=True,
        own=True,
    ),
    _most(
        "price_collar",
        "price_collar_percent",
        "how far the limit price lies from the mark on the losing side",
        *_PERCENT,
        reducing=True,
    ),
    _most("stale_quote", "quote_age_max_s", "age of the price it is decided by", "s", "0.1", "3600", reducing=True),
    _most("spread", "spread_percent_max", "ask above bid, percent of the mark", *_PERCENT),
    _most(
        "daily_loss",
        "daily_loss_percent_max",
        "loss since midnight UTC, open result, fees and funding in, percent of the equity then",
        *_PERCENT,
        kind=Kind.BELOW,
        kernels=True,
    ),
    _most(
        "drawdown",
        "drawdown_percent_max",
        "loss from the highest equity so far, open result, fees and funding in, percent of it",
        *_PERCENT,
        kind=Kind.BELOW,
        kernels=True,
    ),
    Rule(
        "losses_in_a_row",
        "losses_in_a_row_max",
        "closing orders of this UTC day that lost, with none that won behind them",
        "losses",
        Decimal(1),
        Decimal(1000),
        kind=Kind.BELOW,
        whole=True,
        own=True,
        kernels=True,
    ),
    _most(
        "cooldown", "cooldown_s", "time since the last loss", "s", "1", "86400", kind=Kind.LEAST, own=True, kernels=True
    ),
    Rule("symbol", "symbols", "the instrument", "symbols", None, None, kind=Kind.WITHIN),
    Rule("hours", "hours", "the hour of the week", "UTC", None, None, kind=Kind.WITHIN),
    _most(
        "self_trade",
        "self_trade_quantity_max",
        "how much of the account's own resting orders it would meet",
        "base",
        "0",
        str(10**12),
    ),
)
"""Every question of the gate, in the order in which they are asked and shown."""

BY_LIMIT: Final = MappingProxyType({rule.limit: rule for rule in RULES})
OWN: Final = frozenset(rule.limit for rule in RULES if rule.own)
SUMMED: Final = frozenset(
    {
        "position_equity_ratio_max",
        "position_notional_max",
        "gross_notional_max",
        "net_notional_max",
        "leverage_max",
        "open_orders_max",
        "orders_per_second_max",
        "orders_per_minute_max",
        "orders_per_day_max",
        "notional_per_second_max",
        "notional_per_minute_max",
        "notional_per_day_max",
        "repeats_per_minute_max",
        "daily_loss_percent_max",
        "drawdown_percent_max",
        "losses_in_a_row_max",
        "cooldown_s",
        "self_trade_quantity_max",
    }
)
"""Limits of a user and of the house that hold for all accounts together, besides for each account by itself."""

KERNELS: Final = frozenset(rule.limit for rule in RULES if rule.kernels)
"""What a run may limit and still be compiled."""


def tightest(levels: Iterable[Limits]) -> Limits:
    """Return the limits that let through only what every level lets through."""
    found: dict[str, Any] = {}
    for level in levels:
        for name, value in level.named().items():
            found[name] = value if name not in found else _tighter(name, found[name], value)
    return Limits(**found)


def _tighter(name: str, one: Any, other: Any) -> Any:
    kind = BY_LIMIT[name].kind
    if kind is Kind.WITHIN:
        return one & other
    return max(one, other) if kind is Kind.LEAST else min(one, other)


def is_looser(name: str, new: Value | None, old: Value | None) -> bool:
    """Say whether `new` lets anything through that `old` did not; None limits nothing."""
    if old is None:
        return False
    if new is None:
        return True
    return bool(_tighter(name, new, old) != new)


def summed(limits: Limits) -> Limits:
    """Return those limits that hold for several accounts together; NOTHING if there are none."""
    named = {name: value for name, value in limits.named().items() if name in SUMMED}
    return Limits(**named) if named else NOTHING  # type: ignore[arg-type]  # each was read from the field of its name


def apart(limits: Limits) -> tuple[Limits, Limits]:
    """Return the limits of a bot in two: those measured on its account, and those that count what it did itself."""
    named = limits.named()
    ours = {name: value for name, value in named.items() if name in OWN}
    shared = {name: value for name, value in named.items() if name not in OWN}
    return Limits(**shared), Limits(**ours)  # type: ignore[arg-type]  # each was read from the field of its name
