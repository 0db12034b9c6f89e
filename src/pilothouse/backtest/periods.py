"""A run by day, month, year, instrument and side: equity and trades go in; one row for each stretch comes out. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pilothouse.backtest.curves import Curve, Floats, Ints

_DAY_MS: Final = 86_400_000
UNITS: Final = {"day": "D", "month": "M", "year": "Y"}


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Trades as periods need them, in the order in which they ended.

    at_ms   int64[m], when each ended, UTC
    result  float64[m], quote, everything in
    fees    float64[m], quote
    side    int64[m], 1 long, -1 short
    symbol  text[m]
    """

    at_ms: Ints
    result: Floats
    fees: Floats
    side: Ints
    symbol: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """One stretch of time, or one kind of trade.

    name      2024-01-31, 2024-01, 2024, a symbol, long or short
    began     equity before it, quote; 0 for kinds of trades, which have no equity of their own
    ended     equity at its end, quote
    change    share of `began`, or None
    drawdown  deepest fall from a high within it, share; 0 for kinds of trades
    """

    name: str
    began: float
    ended: float
    change: float | None
    drawdown: float
    trades: int
    wins: int
    result: float
    fees: float


def by_time(curve: Curve, ended: Ended, unit: str) -> list[Period]:
    """Return one row for each day, month or year (UTC) in which there was a bar, the earliest first.

    A bar that ends at midnight belongs to the day that ends there, and so does a trade that ended in it.
    """
    code = UNITS[unit]
    stamps = _stamps(curve.at_ms[1:], code)
    equity = curve.equity
    last = np.flatnonzero(np.append(stamps[1:] != stamps[:-1], True)) if len(stamps) else np.zeros(0, np.int64)
    traded = _stamps(ended.at_ms, code)
    found, first = [], 0
    for end in last.tolist():
        within = equity[first : end + 2]  # the end of the stretch before it, and its own bars
        high = np.maximum.accumulate(within)
        depth = np.where(high > 0, (high - within) / np.where(high > 0, high, 1.0), 0.0)
        chosen = traded == stamps[end]
        found.append(_period(str(stamps[end]), float(within[0]), float(within[-1]), float(depth.max()), ended, chosen))
        first = end + 1
    return found


def by_kind(ended: Ended) -> list[Period]:
    """Return one row for each instrument, where there are several, and one for each side."""
    kinds = [(symbol, np.array([each == symbol for each in ended.symbol])) for symbol in sorted(set(ended.symbol))]
    rows = kinds if len(kinds) > 1 else []
    rows += [("long", ended.side > 0), ("short", ended.side < 0)]
    return [_period(name, 0.0, 0.0, 0.0, ended, chosen) for name, chosen in rows if bool(np.any(chosen))]


def _period(name: str, began: float, end: float, depth: float, ended: Ended, chosen: Ints) -> Period:
    results = ended.result[chosen]
    return Period(
        name, began, end, end / began - 1.0 if began > 0 else None, depth,
        len(results), int((results > 0).sum()), float(results.sum()), float(ended.fees[chosen].sum()),
    )  # fmt: skip


def _stamps(at_ms: Ints, code: str) -> Ints:
    found: Ints = (at_ms - 1).astype("datetime64[ms]").astype(f"datetime64[{code}]")
    return found
