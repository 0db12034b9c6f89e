"""Oscillators made of differences between averages, and the like. Shapes and rules as in `momentum.py`."""

from math import isnan, log

import numpy as np

from pilothouse.strategies.indicators.averages import Ema, Sma, ema, sma
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.lagless import Earlier, earlier
from pilothouse.strategies.indicators.momentum import Roc, roc, shares
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import (
    HighestWindow,
    LowestWindow,
    SumWindow,
    rolling_highest,
    rolling_lowest,
    rolling_sum,
)


@compiled
def apo(values: Column, fast: int, slow: int) -> Column:
    """Absolute price oscillator.

    Formula: EMA(x, fast) - EMA(x, slow)
    Source: G. Appel, The Moving Average Convergence-Divergence Trading Method, 1979
    """
    return ema(values, fast) - ema(values, slow)


class Apo(Twin):
    """The twin of `apo`."""

    __slots__ = ("quick", "slowly")

    def __init__(self, fast: int, slow: int) -> None:
        self.quick, self.slowly = Ema(fast), Ema(slow)

    def reset(self) -> None:
        """Forget every bar."""
        self.quick.reset()
        self.slowly.reset()

    def update(self, value: float) -> float:
        """Take one value and return the oscillator."""
        return self.quick.update(value) - self.slowly.update(value)


@compiled
def macd(values: Column, fast: int, slow: int, signal: int) -> tuple[Column, Column, Column]:
    """Moving average convergence divergence.

    Formula: line = EMA(x, fast) - EMA(x, slow); signal = EMA(line, signal); histogram = line - signal
    Source: G. Appel, The Moving Average Convergence-Divergence Trading Method, 1979
    """
    line = apo(values, fast, slow)
    average = ema(line, signal)
    return line, average, line - average


class Macd(Twin):
    """The twin of `macd`."""

    __slots__ = ("average", "line")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self.line, self.average = Apo(fast, slow), Ema(signal)

    def reset(self) -> None:
        """Forget every bar."""
        self.line.reset()
        self.average.reset()

    def update(self, value: float) -> tuple[float, float, float]:
        """Take one value and return line, signal and histogram."""
        line = self.line.update(value)
        average = self.average.update(line)
        return line, average, line - average


@compiled
def ppo(values: Column, fast: int, slow: int, signal: int) -> tuple[Column, Column, Column]:
    """Percentage price oscillator: MACD in percent of the slow average; NaN where that is zero.

    Formula: line = 100 (EMA(x, fast) / EMA(x, slow) - 1); signal = EMA(line, signal); histogram = line - signal
    Source: G. Appel, Technical Analysis: Power Tools for Active Investors, 2005
    """
    slowly = ema(values, slow)
    line = shares(ema(values, fast) - slowly, slowly, np.nan)
    average = ema(line, signal)
    return line, average, line - average


class Ppo(Twin):
    """The twin of `ppo`."""

    __slots__ = ("average", "quick", "slowly")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self.quick, self.slowly, self.average = Ema(fast), Ema(slow), Ema(signal)

    def reset(self) -> None:
        """Forget every bar."""
        self.quick.reset()
        self.slowly.reset()
        self.average.reset()

    def update(self, value: float) -> tuple[float, float, float]:
        """Take one value and return line, signal and histogram."""
        quick, slowly = self.quick.update(value), self.slowly.update(value)
        line = NAN if slowly == 0.0 else 100.0 * (quick - slowly) / slowly
        average = self.average.update(line)
        return line, average, line - average


@compiled
def trix(values: Column, period: int) -> Column:
    """One-bar rate of change of a triple exponential average, in percent.

    Formula: 100 (e / e' - 1), e = EMA(EMA(EMA(x)))
    Source: J. K. Hutson, Good TRIX, Stocks & Commodities, 1983
    """
    return roc(ema(ema(ema(values, period), period), period), 1)


class Trix(Twin):
    """The twin of `trix`."""

    __slots__ = ("once", "rate", "thrice", "twice")

    def __init__(self, period: int) -> None:
        self.once, self.twice, self.thrice, self.rate = Ema(period), Ema(period), Ema(period), Roc(1)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.once, self.twice, self.thrice, self.rate):
            twin.reset()

    def update(self, value: float) -> float:
        """Take one value and return the rate."""
        return self.rate.update(self.thrice.update(self.twice.update(self.once.update(value))))


@compiled
def awesome(high: Column, low: Column, fast: int, slow: int) -> Column:
    """Awesome oscillator.

    Formula: SMA(m, fast) - SMA(m, slow), m = (high + low) / 2
    Source: B. Williams, New Trading Dimensions, 1998
    """
    middle = (high + low) / 2.0
    return sma(middle, fast) - sma(middle, slow)


class Awesome(Twin):
    """The twin of `awesome`."""

    __slots__ = ("quick", "slowly")

    def __init__(self, fast: int, slow: int) -> None:
        self.quick, self.slowly = Sma(fast), Sma(slow)

    def reset(self) -> None:
        """Forget every bar."""
        self.quick.reset()
        self.slowly.reset()

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the oscillator."""
        middle = (high + low) / 2.0
        return self.quick.update(middle) - self.slowly.update(middle)


@compiled
def buying_pressure(high: Column, low: Column, close: Column) -> tuple[Column, Column]:
    """Return close - min(low, close') and max(high, close') - min(low, close') for each bar."""
    pressure, whole = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        if isnan(high[i]) or isnan(low[i]) or isnan(close[i]) or isnan(high[i - 1] + low[i - 1] + close[i - 1]):
            continue
        floor = min(low[i], close[i - 1])
        pressure[i] = close[i] - floor
        whole[i] = max(high[i], close[i - 1]) - floor
    return pressure, whole


@compiled
def ultimate(high: Column, low: Column, close: Column, fast: int, middle: int, slow: int) -> Column:
    """Ultimate oscillator, 0 to 100; a window without any range counts as 50.

    Formula: 100 (4 A_fast + 2 A_middle + A_slow) / 7, A_n = sum(close - min(low, close')) / sum(true range) over n bars
    Source: L. Williams, The Ultimate Oscillator, Stocks & Commodities, 1985
    """
    pressure, whole = buying_pressure(high, low, close)
    quick = shares(rolling_sum(pressure, fast), rolling_sum(whole, fast), 50.0)
    medium = shares(rolling_sum(pressure, middle), rolling_sum(whole, middle), 50.0)
    slowly = shares(rolling_sum(pressure, slow), rolling_sum(whole, slow), 50.0)
    return (4.0 * quick + 2.0 * medium + slowly) / 7.0


class Ultimate(Twin):
    """The twin of `ultimate`."""

    __slots__ = ("before", "p_fast", "p_middle", "p_slow", "w_fast", "w_middle", "w_slow")

    def __init__(self, fast: int, middle: int, slow: int) -> None:
        self.p_fast, self.p_middle, self.p_slow = SumWindow(fast), SumWindow(middle), SumWindow(slow)
        self.w_fast, self.w_middle, self.w_slow = SumWindow(fast), SumWindow(middle), SumWindow(slow)
        self.before = NAN

    def reset(self) -> None:
        """Forget every bar."""
        for window in (self.p_fast, self.p_middle, self.p_slow, self.w_fast, self.w_middle, self.w_slow):
            window.reset()
        self.before = NAN

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the oscillator."""
        before = self.before
        if isnan(high + low + close):
            self.reset()
            return NAN
        self.before = close
        if isnan(before):
            return NAN
        floor = min(low, before)
        pressure, whole = close - floor, max(high, before) - floor
        quick = _share(self.p_fast.update(pressure), self.w_fast.update(whole))
        medium = _share(self.p_middle.update(pressure), self.w_middle.update(whole))
        slowly = _share(self.p_slow.update(pressure), self.w_slow.update(whole))
        return (4.0 * quick + 2.0 * medium + slowly) / 7.0


def _share(part: float, whole: float) -> float:
    return 50.0 if whole == 0.0 else 100.0 * part / whole


@compiled
def dpo(values: Column, period: int) -> Column:
    """Detrended price oscillator in the form that needs no future: an old price against today's average.

    Formula: x_(period / 2 + 1 bars ago) - SMA(x, period)
    Source: J. J. Murphy, Technical Analysis of the Financial Markets, 1999; not shifted back on the chart
    """
    return earlier(values, period // 2 + 1) - sma(values, period)


class Dpo(Twin):
    """The twin of `dpo`."""

    __slots__ = ("average", "lag")

    def __init__(self, period: int) -> None:
        self.lag, self.average = Earlier(period // 2 + 1), Sma(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.lag.reset()
        self.average.reset()

    def update(self, value: float) -> float:
        """Take one value and return the oscillator."""
        return self.lag.update(value) - self.average.update(value)


@compiled
def fisher(high: Column, low: Column, period: int) -> tuple[Column, Column]:
    """Fisher transform of the place in the range: turns show as sharp peaks; and its value one bar before.

    Formula: y = 0.66 ((m - lowest m) / (highest m - lowest m) - 0.5) + 0.67 y', cut to +-0.999;
        f = 0.5 ln((1 + y) / (1 - y)) + 0.5 f'; m = (high + low) / 2; y and f begin at 0
    Source: J. F. Ehlers, Using the Fisher Transform, Stocks & Commodities, 2002
    """
    middle = (high + low) / 2.0
    place = shares(
        middle - rolling_lowest(middle, period), rolling_highest(middle, period) - rolling_lowest(middle, period), 50.0
    )
    out, before = np.full(len(high), np.nan), np.full(len(high), np.nan)
    level, line = 0.0, np.nan
    for i in range(len(high)):
        if isnan(place[i]):
            level, line = 0.0, np.nan
            continue
        before[i] = line
        level, line = fisher_step(level, 0.0 if isnan(line) else line, place[i])
        out[i] = line
    return out, before


def _fisher_step(level: float, line: float, place: float) -> tuple[float, float]:
    level = 0.66 * (place / 100.0 - 0.5) + 0.67 * level
    level = min(max(level, -0.999), 0.999)
    return level, 0.5 * log((1.0 + level) / (1.0 - level)) + 0.5 * line


fisher_step = compiled(_fisher_step)


class Fisher(Twin):
    """The twin of `fisher`."""

    __slots__ = ("least", "level", "line", "most")

    def __init__(self, period: int) -> None:
        self.most, self.least = HighestWindow(period), LowestWindow(period)
        self.level, self.line = 0.0, NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.most.reset()
        self.least.reset()
        self.level, self.line = 0.0, NAN

    def update(self, high: float, low: float) -> tuple[float, float]:
        """Take one bar and return the transform, and its value one bar before."""
        middle = (high + low) / 2.0
        most, least = self.most.update(middle), self.least.update(middle)
        if isnan(most):
            self.level, self.line = 0.0, NAN
            return NAN, NAN
        place = 50.0 if most == least else 100.0 * (middle - least) / (most - least)
        before = self.line
        level, line = _fisher_step(self.level, 0.0 if isnan(before) else before, place)
        self.level, self.line = float(level), float(line)
        return self.line, before


@compiled
def elder_ray(high: Column, low: Column, close: Column, period: int) -> tuple[Column, Column]:
    """Elder's bull and bear power.

    Formula: bull = high - EMA(close, period); bear = low - EMA(close, period)
    Source: A. Elder, Trading for a Living, 1993
    """
    average = ema(close + 0.0 * (high + low), period)
    return high - average, low - average


class ElderRay(Twin):
    """The twin of `elder_ray`."""

    __slots__ = ("average",)

    def __init__(self, period: int) -> None:
        self.average = Ema(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.average.reset()

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Take one bar and return bull and bear power."""
        average = self.average.update(close + 0.0 * (high + low))
        return high - average, low - average
