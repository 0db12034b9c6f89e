"""Moving averages that are made to lag less: by extrapolation, or by following how purposefully the price moves.

Shapes and rules as in `averages.py`.
"""

from math import isnan, sqrt

import numpy as np

from pilothouse.strategies.indicators.averages import Ema, Sma, Wma, ema, sma, wma
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import Lag, SumWindow, rolling_sum


@compiled
def earlier(values: Column, bars: int) -> Column:
    """Return the value of `bars` bars before; NaN where there is none, or where one since then is NaN."""
    out = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(values[i]) else seen + 1
        if seen > bars:
            out[i] = values[i - bars]
    return out


class Earlier(Lag):
    """The twin of `earlier`."""

    __slots__ = ()

    def update(self, value: float) -> float:
        """Take one value and return the one of `period` bars before."""
        if isnan(value):
            self.reset()
            return NAN
        return super().update(value)


@compiled
def changes(values: Column, bars: int) -> Column:
    """Return by how much each value differs from the one `bars` bars before; NaN as in `earlier`."""
    return values - earlier(values, bars)


class Change(Twin):
    """The twin of `changes`."""

    __slots__ = ("lag",)

    def __init__(self, bars: int) -> None:
        self.lag = Earlier(bars)

    def reset(self) -> None:
        """Forget every bar."""
        self.lag.reset()

    def update(self, value: float) -> float:
        """Take one value and return the change."""
        return value - self.lag.update(value)


@compiled
def dema(values: Column, period: int) -> Column:
    """Double exponential moving average.

    Formula: 2 EMA - EMA(EMA)
    Source: P. G. Mulloy, Smoothing Data with Faster Moving Averages, Stocks & Commodities, 1994
    """
    once = ema(values, period)
    return 2.0 * once - ema(once, period)


class Dema(Twin):
    """The twin of `dema`."""

    __slots__ = ("once", "twice")

    def __init__(self, period: int) -> None:
        self.once, self.twice = Ema(period), Ema(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.once.reset()
        self.twice.reset()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        once = self.once.update(value)
        return 2.0 * once - self.twice.update(once)


@compiled
def tema(values: Column, period: int) -> Column:
    """Triple exponential moving average.

    Formula: 3 EMA - 3 EMA(EMA) + EMA(EMA(EMA))
    Source: P. G. Mulloy, Smoothing Data with Less Lag, Stocks & Commodities, 1994
    """
    once = ema(values, period)
    twice = ema(once, period)
    return 3.0 * once - 3.0 * twice + ema(twice, period)


class Tema(Twin):
    """The twin of `tema`."""

    __slots__ = ("once", "thrice", "twice")

    def __init__(self, period: int) -> None:
        self.once, self.twice, self.thrice = Ema(period), Ema(period), Ema(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.once.reset()
        self.twice.reset()
        self.thrice.reset()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        once = self.once.update(value)
        twice = self.twice.update(once)
        return 3.0 * once - 3.0 * twice + self.thrice.update(twice)


@compiled
def root_period(period: int) -> int:
    """Return the nearest whole number to the square root of `period`."""
    return int(sqrt(period) + 0.5)


@compiled
def hma(values: Column, period: int) -> Column:
    """Hull moving average.

    Formula: WMA(2 WMA(x, period / 2) - WMA(x, period), sqrt(period)); period / 2 cut, sqrt to the nearest
    Source: A. Hull, 2005
    """
    if period < 2:
        raise ValueError("period: 2 or more")
    return wma(2.0 * wma(values, period // 2) - wma(values, period), root_period(period))


class Hma(Twin):
    """The twin of `hma`."""

    __slots__ = ("half", "last", "whole")

    def __init__(self, period: int) -> None:
        self.half, self.whole, self.last = Wma(period // 2), Wma(period), Wma(int(sqrt(period) + 0.5))

    def reset(self) -> None:
        """Forget every bar."""
        self.half.reset()
        self.whole.reset()
        self.last.reset()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        return self.last.update(2.0 * self.half.update(value) - self.whole.update(value))


@compiled
def efficiency_ratio(values: Column, period: int) -> Column:
    """How straight the way was: 1 for a line, near 0 for noise; 0 where nothing moved.

    Formula: |x - x_period_ago| / sum(|x - x'|) over `period` bars
    Source: P. J. Kaufman, Smarter Trading, 1995
    """
    straight, walked = changes(values, period), rolling_sum(np.abs(changes(values, 1)), period)
    out = np.full(len(values), np.nan)
    for i in range(len(values)):
        if walked[i] > 0.0:
            out[i] = abs(straight[i]) / walked[i]
        elif walked[i] == 0.0:
            out[i] = 0.0
    return out


class EfficiencyRatio(Twin):
    """The twin of `efficiency_ratio`."""

    __slots__ = ("step", "straight", "walked")

    def __init__(self, period: int) -> None:
        self.straight, self.step, self.walked = Change(period), Change(1), SumWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.straight.reset()
        self.step.reset()
        self.walked.reset()

    def update(self, value: float) -> float:
        """Take one value and return the ratio."""
        straight, walked = abs(self.straight.update(value)), self.walked.update(abs(self.step.update(value)))
        return 0.0 if walked == 0.0 else straight / walked


@compiled
def kama(values: Column, period: int, fast: int, slow: int) -> Column:
    """Kaufman's adaptive moving average: quick where the price goes straight, slow where it only shakes.

    Formula: s = s' + c^2 (x - s'), c = ER (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1); begun with the x before
    Source: P. J. Kaufman, Smarter Trading, 1995
    """
    ratio = efficiency_ratio(values, period)
    quick, lazy = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    out = np.full(len(values), np.nan)
    for i in range(1, len(values)):
        if isnan(ratio[i]):
            continue
        before = values[i - 1] if isnan(out[i - 1]) else out[i - 1]
        c = ratio[i] * (quick - lazy) + lazy
        out[i] = before + c * c * (values[i] - before)
    return out


class Kama(Twin):
    """The twin of `kama`."""

    __slots__ = ("before", "fast", "level", "ratio", "slow")

    def __init__(self, period: int, fast: int, slow: int) -> None:
        self.fast, self.slow, self.ratio = fast, slow, EfficiencyRatio(period)
        self.before = self.level = NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.ratio.reset()
        self.before = self.level = NAN

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        ratio = self.ratio.update(value)
        if isnan(ratio):
            self.level = NAN
        else:
            before = self.before if isnan(self.level) else self.level
            lazy = 2.0 / (self.slow + 1.0)
            c = ratio * (2.0 / (self.fast + 1.0) - lazy) + lazy
            self.level = before + c * c * (value - before)
        self.before = value
        return self.level


@compiled
def t3(values: Column, period: int, hump: float) -> Column:
    """Tillson's T3: six exponential averages in a row, mixed so that the lag is small and the line is smooth.

    Formula: -v^3 e6 + (3 v^2 + 3 v^3) e5 - (6 v^2 + 3 v + 3 v^3) e4 + (1 + 3 v + 3 v^2 + v^3) e3,
        v = hump, e_k = EMA taken k times
    Source: T. Tillson, Better Moving Averages, Stocks & Commodities, 1998
    """
    e3 = ema(ema(ema(values, period), period), period)
    e4 = ema(e3, period)
    e5 = ema(e4, period)
    e6 = ema(e5, period)
    c6, c5, c4, c3 = t3_weights(hump)
    return c6 * e6 + c5 * e5 + c4 * e4 + c3 * e3


@compiled
def t3_weights(hump: float) -> tuple[float, float, float, float]:
    """Return how much of e6, e5, e4 and e3 is in T3."""
    square = hump * hump
    cube = square * hump
    c5 = 3.0 * square + 3.0 * cube
    return -cube, c5, -6.0 * square - 3.0 * hump - 3.0 * cube, 1.0 + 3.0 * hump + cube + 3.0 * square


class T3(Twin):
    """The twin of `t3`."""

    __slots__ = ("e1", "e2", "e3", "e4", "e5", "e6", "weights")

    def __init__(self, period: int, hump: float) -> None:
        self.e1, self.e2, self.e3, self.e4, self.e5, self.e6 = (Ema(period) for _ in range(6))
        self.weights = list(t3_weights(hump))

    def reset(self) -> None:
        """Forget every bar."""
        for average in (self.e1, self.e2, self.e3, self.e4, self.e5, self.e6):
            average.reset()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        e3 = self.e3.update(self.e2.update(self.e1.update(value)))
        e4 = self.e4.update(e3)
        e5 = self.e5.update(e4)
        c6, c5, c4, c3 = self.weights
        return c6 * self.e6.update(e5) + c5 * e5 + c4 * e4 + c3 * e3


@compiled
def zlema(values: Column, period: int) -> Column:
    """Zero-lag exponential moving average.

    Formula: EMA(x + (x - x_lag_ago), period), lag = (period - 1) / 2, cut
    Source: J. Ehlers and R. Way, Zero Lag (Well, Almost), Stocks & Commodities, 2010
    """
    return ema(values + changes(values, (period - 1) // 2), period)


class Zlema(Twin):
    """The twin of `zlema`."""

    __slots__ = ("average", "change")

    def __init__(self, period: int) -> None:
        self.change, self.average = Change((period - 1) // 2), Ema(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.change.reset()
        self.average.reset()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        return self.average.update(value + self.change.update(value))


@compiled
def mcginley(values: Column, period: int, constant: float) -> Column:
    """McGinley's dynamic: an average that speeds up when the price falls away from it. Prices above zero.

    Formula: s = s' + (x - s') / (constant period (x / s')^4), begun with SMA(x, period); a step is never beyond x
    Source: J. R. McGinley, Journal of Technical Analysis, 1997
    """
    began = sma(values, period)
    out = np.full(len(values), np.nan)
    level = np.nan
    for i in range(len(values)):
        level = mcginley_step(level, values[i], began[i], constant * period)
        out[i] = level
    return out


@compiled
def mcginley_step(level: float, value: float, began: float, length: float) -> float:
    """Return the next level."""
    if isnan(level) or isnan(began) or value <= 0.0 or level <= 0.0:
        return began
    ratio = value / level
    # Far below the average the fraction would be more than the whole way, and the line would swing without bound.
    divisor = max(length * ratio * ratio * ratio * ratio, 1.0)
    return level + (value - level) / divisor


class Mcginley(Twin):
    """The twin of `mcginley`."""

    __slots__ = ("began", "constant", "level", "period")

    def __init__(self, period: int, constant: float) -> None:
        self.period, self.constant, self.began = period, constant, Sma(period)
        self.level = NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.began.reset()
        self.level = NAN

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        length = self.constant * self.period
        self.level = mcginley_step(self.level, value, self.began.update(value), length)
        return self.level
