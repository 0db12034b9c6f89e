"""The eight numbers that every search looks at, in one pass: equity and results of trades in, numbers out.

The same formulas as `backtest/metrics.py`, which has fifty more of them and is made for reading.
"""

from math import expm1, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]

NAMES: Final = ("total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "profit_factor", "win_rate")

_DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 64
_YEAR_MS: Final = 365.0 * 86_400_000.0


@compiled
def core_statistics(opened_ms: Array, span_ms: int, capital: int, equity: Array, pnl: Array) -> NDArray[np.float64]:
    """Return float64[8] in the order of NAMES; NaN for what is not defined.

    opened_ms, equity   int64[n], bars and what the account was worth at their closes, units
    span_ms             how long a bar is
    capital             units, above zero, what it was worth before the first bar
    pnl                 int64[m], results of the trades, units
    """
    found = np.full(8, np.nan)
    count = len(equity)
    if count == 0:
        return found
    total = equity[count - 1] / capital
    years = (opened_ms[count - 1] + span_ms - opened_ms[0]) / _YEAR_MS
    found[0] = total - 1.0
    found[1] = expm1(log(total) / years) if total > 0 else -1.0
    found[5] = deepest_fall(equity, capital, 1.0)
    spread_and_ratios(opened_ms, span_ms, capital, equity, found)
    won, lost, wins = 0.0, 0.0, 0
    for row in range(len(pnl)):
        if pnl[row] > 0:
            won += pnl[row]
            wins += 1
        else:
            lost -= pnl[row]
    if lost > 0:
        found[6] = won / lost
    if len(pnl) > 0:
        found[7] = wins / len(pnl)
    return found


@compiled
def deepest_fall(equity: Array, capital: int, unit: float) -> float:
    """Return the deepest drawdown, as a share of the high before it, 0 without any.

    unit   what one of the units is worth; the same floats as in `curves.falls_of` come of the same unit
    """
    count, top, low, deepest = len(equity), capital, capital, 0.0
    for first in range(0, count, _AT_ONCE):
        until = min(first + _AT_ONCE, count)
        highest, lowest = equity[np.uint64(first)], equity[np.uint64(first)]
        for bar in range(first, until):
            worth = equity[np.uint64(bar)]
            highest, lowest = max(highest, worth), min(lowest, worth)
        if highest <= top:
            # No new high in these bars: then only their lowest point matters, and nothing of their order.
            low = min(low, lowest)
            continue
        for bar in range(first, until):
            worth = equity[np.uint64(bar)]
            if worth > top:
                # A fall is deepest at its lowest point, so that one division for each high is enough.
                if low < top:
                    deepest = max(deepest, (top * unit - low * unit) / (top * unit))
                top = low = worth
            elif worth < low:
                low = worth
    if low < top:
        deepest = max(deepest, (top * unit - low * unit) / (top * unit))
    return deepest


@compiled
def spread_and_ratios(opened_ms: Array, span_ms: int, capital: int, equity: Array, found: NDArray[np.float64]) -> None:
    """Write volatility and the two ratios: of returns per UTC day where bars are shorter, else per bar."""
    count = len(equity)
    steps, mean, squares, falls = 0, 0.0, 0.0, 0.0
    before = float(capital)
    is_daily = span_ms < _DAY_MS
    bar = 0
    while bar < count:
        last = bar
        if is_daily:
            # The end of a bar at midnight belongs to the day that ends there.
            until = ((opened_ms[bar] + span_ms - 1) // _DAY_MS + 1) * _DAY_MS - span_ms
            last = min(count - 1, bar + (until - opened_ms[bar]) // span_ms)
            while opened_ms[last] > until:
                last -= 1
        now = float(equity[last])
        step = now / before - 1.0 if before > 0 else 0.0
        steps += 1
        # Squares about the mean as it moves (Welford, 1962): those about zero would cancel where returns are alike.
        off = step - mean
        mean += off / steps
        squares += off * (step - mean)
        if step < 0:
            falls += step * step
        before = now
        bar = last + 1
    per_year = _YEAR_MS / span_ms
    if is_daily:
        # A start at midnight counts as the end of the day before, as in curves.py.
        days = (opened_ms[count - 1] + span_ms - 1) // _DAY_MS - (opened_ms[0] - 1) // _DAY_MS + 1
        ends = steps + (1 if opened_ms[0] % _DAY_MS == 0 else 0)
        per_year = 365.0 if ends < 7 or ends * 7 > days * 6 else 252.0
    if falls > 0:
        found[4] = mean * per_year / sqrt(falls / steps * per_year)
    if steps > 1:
        spread = sqrt(squares / (steps - 1))
        found[2] = spread * sqrt(per_year)
        if spread > 1e-15:
            found[3] = mean / spread * sqrt(per_year)
