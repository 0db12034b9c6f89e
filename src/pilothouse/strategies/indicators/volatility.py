"""How much the price moves: ranges of candles and spreads of returns.

Columns are float64[n], oldest first; the answer is NaN during the warm-up. Prices are above zero. A twin takes one bar.
"""

from math import isnan, log, sqrt

import numpy as np

from pilothouse.strategies.indicators.averages import Ema, Rma, Sma, ema, rma, sma
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.momentum import Roc, roc, shares
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import (
    HighestWindow,
    LowestWindow,
    MomentsWindow,
    SumWindow,
    rolling_highest,
    rolling_lowest,
    rolling_moments,
    rolling_sum,
)

LN2 = log(2.0)


@compiled
def true_range(high: Column, low: Column, close: Column) -> Column:
    """How far the price went since the last close; NaN at the first bar, which has no close before it.

    Formula: max(high, close') - min(low, close')
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    out = np.full(len(close), np.nan)
    for i in range(1, len(close)):
        if isnan(high[i] + low[i] + close[i] + high[i - 1] + low[i - 1] + close[i - 1]):
            continue
        out[i] = max(high[i], close[i - 1]) - min(low[i], close[i - 1])
    return out


class TrueRange(Twin):
    """The twin of `true_range`."""

    __slots__ = ("before",)

    def __init__(self) -> None:
        self.before = NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.before = NAN

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the range."""
        before = self.before
        if isnan(high + low + close):
            self.before = NAN
            return NAN
        self.before = close
        if isnan(before):
            return NAN
        return (max(before, high)) - (min(before, low))


@compiled
def atr(high: Column, low: Column, close: Column, period: int) -> Column:
    """Average true range.

    Formula: RMA(true range, period)
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    return rma(true_range(high, low, close), period)


class Atr(Twin):
    """The twin of `atr`."""

    __slots__ = ("average", "range")

    def __init__(self, period: int) -> None:
        self.range, self.average = TrueRange(), Rma(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.range.reset()
        self.average.reset()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the average."""
        return self.average.update(self.range.update(high, low, close))


@compiled
def natr(high: Column, low: Column, close: Column, period: int) -> Column:
    """Average true range in percent of the close.

    Formula: 100 ATR / close
    Source: J. Forman, Cross-Market Evaluations with Normalized Average True Range, Stocks & Commodities, 2006
    """
    return shares(atr(high, low, close, period), close, np.nan)


class Natr(Atr):
    """The twin of `natr`."""

    __slots__ = ()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the average in percent."""
        average = super().update(high, low, close)
        return NAN if close == 0.0 else 100.0 * average / close


@compiled
def log_returns(values: Column) -> Column:
    """Return ln(x / x') for each bar; NaN where a price is not above zero."""
    out = np.full(len(values), np.nan)
    for i in range(1, len(values)):
        if values[i] > 0.0 and values[i - 1] > 0.0:
            out[i] = log(values[i] / values[i - 1])
    return out


@compiled
def realised_volatility(values: Column, period: int, bars_per_year: float) -> Column:
    """Realised volatility, annualised, as a fraction (0.5 is 50 % a year).

    Formula: sqrt(bars_per_year) standard deviation (period - 1 below) of ln(x / x') over `period` returns
    Source: J. C. Hull, Options, Futures and Other Derivatives, 2017, chapter 15
    """
    if period < 2:
        raise ValueError("period: 2 or more")
    _mean, squares = rolling_moments(log_returns(values), period)
    return np.sqrt(squares / (period - 1.0)) * sqrt(bars_per_year)


class RealisedVolatility(Twin):
    """The twin of `realised_volatility`."""

    __slots__ = ("bars_per_year", "before", "moments", "period")

    def __init__(self, period: int, bars_per_year: float) -> None:
        self.period, self.bars_per_year = period, bars_per_year
        self.moments, self.before = MomentsWindow(period), NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.moments.reset()
        self.before = NAN

    def update(self, value: float) -> float:
        """Take one price and return the volatility."""
        before, self.before = self.before, value
        step = log(value / before) if value > 0.0 and before > 0.0 else NAN
        return sqrt(self.moments.update(step)[1] / (self.period - 1.0)) * sqrt(self.bars_per_year)


@compiled
def parkinson(high: Column, low: Column, period: int, bars_per_year: float) -> Column:
    """Volatility from the ranges of candles, annualised, as a fraction.

    Formula: sqrt(bars_per_year mean(ln(high / low)^2) / (4 ln 2))
    Source: M. Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return, 1980
    """
    squares = np.full(len(high), np.nan)
    for i in range(len(high)):
        if high[i] > 0.0 and low[i] > 0.0:
            wide = log(high[i] / low[i])
            squares[i] = wide * wide
    return np.sqrt(bars_per_year * sma(squares, period) / (4.0 * LN2))


class Parkinson(Twin):
    """The twin of `parkinson`."""

    __slots__ = ("average", "bars_per_year")

    def __init__(self, period: int, bars_per_year: float) -> None:
        self.average, self.bars_per_year = Sma(period), bars_per_year

    def reset(self) -> None:
        """Forget every bar."""
        self.average.reset()

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the volatility."""
        wide = log(high / low) if high > 0.0 and low > 0.0 else NAN
        return sqrt(self.bars_per_year * self.average.update(wide * wide) / (4.0 * LN2))


@compiled
def chaikin_volatility(high: Column, low: Column, period: int, change: int) -> Column:
    """How the range of the candles grows or shrinks, in percent.

    Formula: ROC(EMA(high - low, period), change)
    Source: M. Chaikin; S. B. Achelis, Technical Analysis from A to Z, 2000
    """
    return roc(ema(high - low, period), change)


class ChaikinVolatility(Twin):
    """The twin of `chaikin_volatility`."""

    __slots__ = ("average", "rate")

    def __init__(self, period: int, change: int) -> None:
        self.average, self.rate = Ema(period), Roc(change)

    def reset(self) -> None:
        """Forget every bar."""
        self.average.reset()
        self.rate.reset()

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the change."""
        return self.rate.update(self.average.update(high - low))


@compiled
def ulcer(values: Column, period: int) -> Column:
    """Ulcer index: how deep and how long the price stood below its high, in percent.

    Formula: sqrt(mean(d^2) over `period`), d = 100 (x / highest x of `period` bars - 1)
    Source: P. G. Martin and B. McCann, The Investor's Guide to Fidelity Funds, 1989
    """
    most = rolling_highest(values, period)
    below = shares(values - most, most, np.nan)
    roots: Column = np.sqrt(sma(below * below, period))
    return roots


class Ulcer(Twin):
    """The twin of `ulcer`."""

    __slots__ = ("average", "most")

    def __init__(self, period: int) -> None:
        self.most, self.average = HighestWindow(period), Sma(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.most.reset()
        self.average.reset()

    def update(self, value: float) -> float:
        """Take one price and return the index."""
        most = self.most.update(value)
        below = NAN if most == 0.0 else 100.0 * (value - most) / most
        return sqrt(self.average.update(below * below))


@compiled
def choppiness(high: Column, low: Column, close: Column, period: int) -> Column:
    """Choppiness index: near 100 the price goes sideways, near 0 straight; NaN where nothing moved.

    Formula: 100 log10(sum(true range) / (max(high, close') - min(low, close') over `period`)) / log10(period)
    Source: E. W. Dreiss, 1993; TradingView, Choppiness Index
    """
    if period < 2:
        raise ValueError("period: 2 or more")
    walked = rolling_sum(true_range(high, low, close), period)
    upper, lower = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        if not isnan(high[i] + low[i] + close[i]):
            upper[i], lower[i] = max(high[i], close[i - 1]), min(low[i], close[i - 1])
            if isnan(high[i - 1] + low[i - 1] + close[i - 1]):
                upper[i], lower[i] = np.nan, np.nan
    most, least = rolling_highest(upper, period), rolling_lowest(lower, period)
    out = np.full(len(close), np.nan)
    for i in range(len(close)):
        if most[i] > least[i]:
            out[i] = 100.0 * log(walked[i] / (most[i] - least[i])) / log(float(period))
    return out


class Choppiness(Twin):
    """The twin of `choppiness`."""

    __slots__ = ("before", "least", "most", "period", "walked")

    def __init__(self, period: int) -> None:
        self.period, self.before, self.walked = period, NAN, SumWindow(period)
        self.most, self.least = HighestWindow(period), LowestWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.walked, self.most, self.least):
            twin.reset()
        self.before = NAN

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the index."""
        before = self.before
        if isnan(high + low + close):
            self.reset()
            return NAN
        self.before = close
        if isnan(before):
            return NAN
        upper, lower = max(high, before), min(low, before)
        walked = self.walked.update(upper - lower)
        most, least = self.most.update(upper), self.least.update(lower)
        return 100.0 * log(walked / (most - least)) / log(float(self.period)) if most > least else NAN


@compiled
def mass_index(high: Column, low: Column, period: int, window: int) -> Column:
    """Mass index: a bulge of the range that often comes before a turn.

    Formula: sum over `window` of EMA(r, period) / EMA(EMA(r, period), period), r = high - low;
        NaN where the range is zero
    Source: D. Dorsey, The Mass Index, Stocks & Commodities, 1992
    """
    once = ema(high - low, period)
    return rolling_sum(shares(once, ema(once, period), np.nan) / 100.0, window)


class MassIndex(Twin):
    """The twin of `mass_index`."""

    __slots__ = ("once", "total", "twice")

    def __init__(self, period: int, window: int) -> None:
        self.once, self.twice, self.total = Ema(period), Ema(period), SumWindow(window)

    def reset(self) -> None:
        """Forget every bar."""
        self.once.reset()
        self.twice.reset()
        self.total.reset()

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the index."""
        once = self.once.update(high - low)
        twice = self.twice.update(once)
        return self.total.update(NAN if twice == 0.0 else 100.0 * once / twice / 100.0)
