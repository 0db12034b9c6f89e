"""The twelve numbers that a search tells of a trial: what it earned goes in; they come out, without the interpreter.

The same formulas as `metrics_of_returns.py` and `metrics_of_trades.py`, and the same floats to the last bit: sums are
taken in the order in which numpy takes them. The tests hold each number to the one that is told of a single run.
"""

from math import expm1, isfinite, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels.counting import Int
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]
Floats = NDArray[np.float64]

NAMES: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar", "profit_factor", "win_rate", "trades",
    "time_in_market", "fees", "sqn",
)  # fmt: skip
FIGURES: Final = len(NAMES) + 1
"""Those, and behind them the Sharpe ratio of an observation."""

_SUMMED_AT_ONCE: Final = 128
_TRADES_COUNTED_MOST: Final = 100
_NOTHING: Final = 1e-15


@compiled
def summed(values: Floats) -> float:
    """Return the sum as numpy adds it up: by halves, of which each of at most 128 values is added in eight rows."""
    count = len(values)
    if count < 8:
        total: float = -0.0 if count > 0 else 0.0
        for each in range(count):
            total += values[each]
        return total
    if count <= _SUMMED_AT_ONCE:
        a, b, c, d = values[0], values[1], values[2], values[3]
        e, f, g, h = values[4], values[5], values[6], values[7]
        whole = count // 8 * 8
        for each in range(8, whole, 8):
            a, b, c, d = a + values[each], b + values[each + 1], c + values[each + 2], d + values[each + 3]
            e, f, g, h = e + values[each + 4], f + values[each + 5], g + values[each + 6], h + values[each + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        for each in range(whole, count):
            total += values[each]
        return total
    half = count // 2
    half -= half % 8
    return summed(values[:half]) + summed(values[half:])


@compiled
def over(above: float, below: float) -> float:
    """Return a ratio, NaN where there is nothing to divide by."""
    return above / below if abs(below) > _NOTHING else np.nan


@compiled
def mean_and_spread(values: Floats, away: Floats) -> tuple[float, float, float]:
    """Return mean, standard deviation (n - 1) and variance (n); `away` is written on. Two values or more."""
    count = len(values)
    mean = summed(values) / count
    for each in range(count):
        off = values[each] - mean
        away[each] = off * off
    squares = summed(away[:count])
    return mean, sqrt(squares / (count - 1)), squares / count


@compiled
def returns_between(worth: Array, unit: float, returns: Floats) -> None:
    """Write simple returns between what the account was worth, units, as `curves.Grid.returns` does."""
    for each in range(len(returns)):
        before, after = worth[each] * unit, worth[each + 1] * unit
        returns[each] = after / before - 1.0 if before > 0 else 0.0


@compiled
def figures_of(
    capital: Int, last: Int, unit: float, years: float, per_year: float, worth: Array, results: Array, paid: Array,
    deepest: float, exposed: float, returns: Floats, money: Floats, away: Floats, found: Floats,
) -> None:  # fmt: skip
    """Write `returns`, and `found` in the order of NAMES; NaN for what is not defined.

    capital, last   units, the account before the first bar and behind the last
    worth           int64[k + 1], units, the account at the instants between which `returns`, float64[k], are told
    results, paid   int64[m], units, of each trade
    deepest         drawdown, a share
    exposed         share of bars with a position
    money, away     float64, room for as many numbers as there are returns, and as there are trades
    """
    total = last * unit / (capital * unit)
    found[0] = total - 1.0
    power = log(total) / years if total > 0 and years > 0 else 0.0
    found[1] = expm1(power) if power < 700 else np.nan
    if total <= 0:
        found[1] = -1.0
    if years <= 0:
        found[1] = np.nan
    found[2], found[5] = deepest, over(found[1], deepest)
    found[8], found[9] = len(results), exposed
    returns_between(worth, unit, returns)
    figures_of_returns(returns, per_year, away, found)
    figures_of_trades(results, paid, unit, money, away, found)
    for each in range(len(NAMES)):
        if not isfinite(found[each]):
            found[each] = np.nan


@compiled
def figures_of_returns(returns: Floats, per_year: float, away: Floats, found: Floats) -> None:
    """Write the ratios of Sharpe and Sortino, and behind the names the former of an observation."""
    count = len(returns)
    found[3] = found[4] = found[len(NAMES)] = np.nan
    if count == 0:
        return
    mean, spread, variance = summed(returns) / count, 0.0, 0.0
    if count > 1:
        mean, spread, variance = mean_and_spread(returns, away)
        found[3] = over(mean, spread) * sqrt(per_year)
        flat = abs(mean) * 1e-12
        found[len(NAMES)] = 0.0
        if variance > flat * flat and variance != 0.0:
            found[len(NAMES)] = mean / (sqrt(variance) * sqrt(count / (count - 1)))
    for each in range(count):
        loss = min(returns[each], 0.0)
        away[each] = loss * loss
    found[4] = over(mean * per_year, sqrt(summed(away[:count]) / count) * sqrt(per_year))


@compiled
def figures_of_trades(results: Array, paid: Array, unit: float, money: Floats, away: Floats, found: Floats) -> None:
    """Write profit factor, win rate, fees and system quality."""
    count = len(results)
    won = lost = 0
    for each in range(count):
        result = results[each] * unit
        money[won] = result
        won += result > 0
    wins = summed(money[:won])
    for each in range(count):
        result = results[each] * unit
        money[lost] = result
        lost += result < 0
    found[6] = over(wins, -summed(money[:lost]))
    found[7] = won / count if count > 0 else np.nan
    for each in range(count):
        money[each] = paid[each] * unit
    found[10] = summed(money[:count])
    found[11] = np.nan
    if count > 1:
        for each in range(count):
            money[each] = results[each] * unit
        mean, spread, _ = mean_and_spread(money[:count], away)
        found[11] = over(mean, spread) * sqrt(float(min(count, _TRADES_COUNTED_MOST)))
