"""An equity curve cut into days, months and drawdowns. Pure; floats, because nothing here becomes an order."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_DAY_MS: Final = 86_400_000
_YEAR_MS: Final = 365 * _DAY_MS


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What an account was worth.

    at_ms    int64[n], rising, UTC; the first is the start, each other one the end of a bar
    equity   float64[n], quote currency
    """

    at_ms: Ints
    equity: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TradeTable:
    """Trades, one row each, in the order in which they ended.

    result    float64[m], quote currency, fees and funding in
    fees      float64[m], quote currency, paid, zero or more
    funding   float64[m], quote currency, received less paid
    bars      float64[m], from entry to exit
    turned    float64[m], quote currency, value bought and sold
    """

    result: Floats
    fees: Floats
    funding: Floats
    bars: Floats
    turned: Floats

    @classmethod
    def none(cls) -> "TradeTable":
        """Return no trades at all."""
        return cls(*(np.zeros(0) for _ in range(5)))


@dataclass(frozen=True, slots=True, eq=False)
class Falls:
    """The drawdowns of a curve.

    depth           float64[n], how far below its high, 0 to 1 of the high (above 1 where more than all was lost)
    bottoms         float64[k], the deepest point of each drawdown, in order
    days            float64[k], how long each lasted, from the high to the next higher one or to the end
    deepest         of `bottoms`, 0 without any
    deepest_quote   deepest fall in quote currency
    longest_days    of `days`, 0 without any
    """

    depth: Floats
    bottoms: Floats
    days: Floats
    deepest: float
    deepest_quote: float
    longest_days: float


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Between which instants of a curve returns are told.

    places     int64[k + 1], rows of the curve, rising; fewer than two: there is nothing to tell
    per_year   how many returns make a year
    """

    places: Ints
    per_year: float

    def returns(self, equity: Floats) -> Floats:
        """Return float64[k], simple returns; `equity` is float64[k + 1], at the places."""
        if len(equity) < 2:
            return np.zeros(0)
        before, after = equity[:-1], equity[1:]
        sound = before > 0
        return np.where(sound, after / np.where(sound, before, 1.0) - 1.0, 0.0)


def grid_of(at: Ints) -> Grid:
    """Return where the returns of a curve with these instants are told, see `returns_of`."""
    if len(at) < 2:
        return Grid(np.zeros(0, np.int64), 365.0)
    span = float(np.median(np.diff(at)))
    if span >= _DAY_MS:
        return Grid(np.arange(len(at), dtype=np.int64), _YEAR_MS / span)
    # The end of a bar at midnight belongs to the day that ends there.
    days = (at - 1) // _DAY_MS
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    first = np.array([0]) if last[0] != 0 else np.zeros(0, np.int64)
    places = np.concatenate((first, last)).astype(np.int64)
    return Grid(places, 365.0 if _is_daily(days[last]) else 252.0)


def returns_of(curve: Curve) -> tuple[Floats, float]:
    """Return simple returns and how many of them make a year.

    Per UTC day where bars are shorter than a day, else per bar. A day counts from the last equity before it to the last
    one in it; days without a bar are no days. Nothing can be earned on nothing: what follows ruin is 0.
    """
    grid = grid_of(curve.at_ms)
    return grid.returns(curve.equity[grid.places]), grid.per_year


def _is_daily(days: Ints) -> bool:
    """Say whether a market has weekends too: it traded on more than six days of seven."""
    return len(days) < 7 or len(days) * 7 > (int(days[-1]) - int(days[0]) + 1) * 6


def by_month(curve: Curve) -> Floats:
    """Return simple returns of calendar months, UTC; the first and the last may be parts of months."""
    months = (curve.at_ms - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    ends = curve.equity[last]
    begins = np.concatenate(([curve.equity[0]], ends[:-1]))
    keep = begins > 0
    if last[0] == 0:  # the start stands at the very end of a month, in which nothing happened
        keep[0] = False
    return np.where(keep, ends / np.where(begins > 0, begins, 1.0) - 1.0, 0.0)[keep]


def falls_of(curve: Curve) -> Falls:
    """Return the drawdowns."""
    equity = curve.equity
    high = np.maximum.accumulate(equity)
    depth = np.where(high > 0, (high - equity) / np.where(high > 0, high, 1.0), 0.0)
    under = depth > 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], under, [False])).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    # Between two drawdowns the depth is zero, so that each may be looked at up to where the next one begins.
    bottoms = np.maximum.reduceat(depth, begins) if len(begins) else np.zeros(0)
    until = np.minimum(ends, len(equity) - 1)
    days = (curve.at_ms[until] - curve.at_ms[np.maximum(begins - 1, 0)]) / _DAY_MS
    return Falls(
        depth,
        bottoms.astype(np.float64),
        days.astype(np.float64),
        float(bottoms.max()) if len(bottoms) else 0.0,
        float((high - equity).max()),
        float(days.max()) if len(days) else 0.0,
    )


def streak(truths: NDArray[np.bool_]) -> int:
    """Return the length of the longest row of truths."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], truths, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
