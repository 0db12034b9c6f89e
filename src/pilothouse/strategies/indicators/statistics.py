"""Statistics over the last bars. Rules as in `averages.py`; spreads are divided by the number of bars, not one less."""

from math import atan, isnan, log, pi, sqrt

import numpy as np

from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.momentum import Roc, roc
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import (
    Held,
    HighestWindow,
    LowestWindow,
    MomentsWindow,
    SumWindow,
    WeightedWindow,
    rolling_highest,
    rolling_lowest,
    rolling_moments,
    rolling_sum,
    rolling_weighted,
)

Window = Column | list[float]


@compiled
def variance(values: Column, period: int) -> Column:
    """Variance.

    Formula: mean((x - mean)^2) over `period`
    Source: T. Chan, G. Golub and R. LeVeque, 1979 (how it is kept exact); divided as TA-Lib divides
    """
    return rolling_moments(values, period)[1] / period


class Variance(Twin):
    """The twin of `variance`."""

    __slots__ = ("moments", "period")

    def __init__(self, period: int) -> None:
        self.period, self.moments = period, MomentsWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.moments.reset()

    def update(self, value: float) -> float:
        """Take one value and return the variance."""
        return self.moments.update(value)[1] / self.period


@compiled
def std_dev(values: Column, period: int) -> Column:
    """Standard deviation.

    Formula: sqrt(mean((x - mean)^2)) over `period`
    Source: T. Chan, G. Golub and R. LeVeque, 1979 (how it is kept exact); divided as TA-Lib divides
    """
    roots: Column = np.sqrt(variance(values, period))
    return roots


class StdDev(Variance):
    """The twin of `std_dev`."""

    __slots__ = ()

    def update(self, value: float) -> float:
        """Take one value and return the deviation."""
        return sqrt(super().update(value))


@compiled
def z_score(values: Column, period: int) -> Column:
    """How many standard deviations the value is from its mean; 0 where nothing moved.

    Formula: (x - mean) / standard deviation over `period`
    Source: W. Feller, An Introduction to Probability Theory and Its Applications, 1968
    """
    means, squares = rolling_moments(values, period)
    out = np.full(len(values), np.nan)
    for i in range(len(values)):
        if squares[i] > 0.0:
            out[i] = (values[i] - means[i]) / sqrt(squares[i] / period)
        elif squares[i] == 0.0:
            out[i] = 0.0
    return out


class ZScore(Twin):
    """The twin of `z_score`."""

    __slots__ = ("moments", "period")

    def __init__(self, period: int) -> None:
        self.period, self.moments = period, MomentsWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.moments.reset()

    def update(self, value: float) -> float:
        """Take one value and return the score."""
        mean, square = self.moments.update(value)
        return 0.0 if square == 0.0 else (value - mean) / sqrt(square / self.period)


@compiled
def linear_regression(values: Column, period: int) -> tuple[Column, Column, Column, Column]:
    """Straight line through the last values: its end, slope per bar, angle in degrees, and its beginning.

    Formula: least squares over k = 0 (oldest) ... period - 1: slope, intercept; end = intercept + slope (period - 1);
        angle = atan(slope) 180 / pi
    Source: C. F. Gauss, 1809; TA-Lib, TA_LINEARREG
    """
    if period < 2:
        raise ValueError("period: 2 or more")
    total, weighted = rolling_sum(values, period), rolling_weighted(values, period)
    slope = 12.0 * (weighted - (period + 1) / 2.0 * total) / (period * (period * period - 1.0))
    begin = total / period - slope * ((period - 1) / 2.0)
    angle = np.empty(len(values))
    for i in range(len(values)):
        angle[i] = atan(slope[i]) * (180.0 / pi)
    return begin + slope * (period - 1), slope, angle, begin


class LinearRegression(Twin):
    """The twin of `linear_regression`."""

    __slots__ = ("period", "total", "weighted")

    def __init__(self, period: int) -> None:
        self.period, self.total, self.weighted = period, SumWindow(period), WeightedWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.total.reset()
        self.weighted.reset()

    def update(self, value: float) -> tuple[float, float, float, float]:
        """Take one value and return end, slope, angle and beginning."""
        period, total = self.period, self.total.update(value)
        weighted = self.weighted.update(value)
        slope = 12.0 * (weighted - (period + 1) / 2.0 * total) / (period * (period * period - 1.0))
        begin = total / period - slope * ((period - 1) / 2.0)
        return begin + slope * (period - 1), slope, atan(slope) * (180.0 / pi), begin


def _moments_of_two(first: Window, second: Window) -> tuple[float, float, float]:
    """Return the sums of squared distances of both from their means, and of the products of the distances."""
    count = len(first)
    mean_first, mean_second = 0.0, 0.0
    for k in range(count):
        mean_first += first[k]
        mean_second += second[k]
    mean_first /= count
    mean_second /= count
    squares_first, squares_second, products = 0.0, 0.0, 0.0
    for k in range(count):
        a, b = first[k] - mean_first, second[k] - mean_second
        squares_first += a * a
        squares_second += b * b
        products += a * b
    return squares_first, squares_second, products


moments_of_two = compiled(_moments_of_two)


@compiled
def correlation(values: Column, other: Column, period: int) -> Column:
    """Pearson's correlation, -1 to 1; NaN where one of the two did not move.

    Formula: cov(x, y) / (deviation(x) deviation(y)) over `period`
    Source: K. Pearson, 1895
    """
    out = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(values[i] + other[i]) else seen + 1
        if seen >= period:
            a, b, both = moments_of_two(values[i - period + 1 : i + 1], other[i - period + 1 : i + 1])
            if a > 0.0 and b > 0.0:
                out[i] = min(max(both / sqrt(a * b), -1.0), 1.0)
    return out


class Correlation(Twin):
    """The twin of `correlation`."""

    __slots__ = ("first", "second")

    def __init__(self, period: int) -> None:
        self.first, self.second = Held(period), Held(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.first.reset()
        self.second.reset()

    def update(self, value: float, other: float) -> float:
        """Take one value of each and return the correlation."""
        spoiled = 0.0 * (value + other)
        self.first.update(value + spoiled)
        if not self.second.update(other + spoiled):
            return NAN
        a, b, both = _moments_of_two(self.first.values, self.second.values)
        return min(max(both / sqrt(a * b), -1.0), 1.0) if a > 0.0 and b > 0.0 else NAN


@compiled
def beta(values: Column, market: Column, period: int) -> Column:
    """How much the value moves when the market moves by one percent; NaN where the market did not move.

    Formula: cov(r, m) / var(m) over `period` one-bar returns r of the value and m of the market
    Source: W. F. Sharpe, Portfolio Theory and Capital Markets, 1970
    """
    mine, theirs = roc(values + 0.0 * market, 1), roc(market + 0.0 * values, 1)
    out = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(mine[i] + theirs[i]) else seen + 1
        if seen >= period:
            _a, b, both = moments_of_two(mine[i - period + 1 : i + 1], theirs[i - period + 1 : i + 1])
            if b > 0.0:
                out[i] = both / b
    return out


class Beta(Twin):
    """The twin of `beta`."""

    __slots__ = ("mine", "my_rate", "their_rate", "theirs")

    def __init__(self, period: int) -> None:
        self.my_rate, self.their_rate = Roc(1), Roc(1)
        self.mine, self.theirs = Held(period), Held(period)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.my_rate, self.their_rate, self.mine, self.theirs):
            twin.reset()

    def update(self, value: float, market: float) -> float:
        """Take one value of each and return beta."""
        mine, theirs = self.my_rate.update(value + 0.0 * market), self.their_rate.update(market + 0.0 * value)
        spoiled = 0.0 * (mine + theirs)
        self.mine.update(mine + spoiled)
        if not self.theirs.update(theirs + spoiled):
            return NAN
        _a, b, both = _moments_of_two(self.mine.values, self.theirs.values)
        return both / b if b > 0.0 else NAN


def _rank_of_last(window: Window) -> float:
    below = 0
    for k in range(len(window) - 1):
        below += window[k] <= window[-1]
    return 100.0 * below / (len(window) - 1)


rank_of_last = compiled(_rank_of_last)


@compiled
def percent_rank(values: Column, period: int) -> Column:
    """Percentile rank: how many of the `period` values before are not above this one, in percent.

    Formula: 100 count(x_k <= x) / period, x_k the `period` values before
    Source: TradingView, Pine Script reference, ta.percentrank
    """
    if period < 1:
        raise ValueError("period: 1 or more")
    out = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(values[i]) else seen + 1
        if seen > period:
            out[i] = rank_of_last(values[i - period : i + 1])
    return out


class PercentRank(Twin):
    """The twin of `percent_rank`."""

    __slots__ = ("held",)

    def __init__(self, period: int) -> None:
        self.held = Held(period + 1)

    def reset(self) -> None:
        """Forget every bar."""
        self.held.reset()

    def update(self, value: float) -> float:
        """Take one value and return its rank."""
        return _rank_of_last(self.held.values) if self.held.update(value) else NAN


@compiled
def highest(values: Column, period: int) -> Column:
    """Greatest value of the last `period`, this one included.

    Formula: max(x) over `period`
    Source: M. van Herk, 1992 (how it is found in a few steps)
    """
    return rolling_highest(values, period)


class Highest(HighestWindow):
    """The twin of `highest`."""

    __slots__ = ()


@compiled
def lowest(values: Column, period: int) -> Column:
    """Least value of the last `period`, this one included.

    Formula: min(x) over `period`
    Source: M. van Herk, 1992 (how it is found in a few steps)
    """
    return rolling_lowest(values, period)


class Lowest(LowestWindow):
    """The twin of `lowest`."""

    __slots__ = ()


@compiled
def median(values: Column, period: int) -> Column:
    """Middle value of the last `period`; the mean of the two in the middle if `period` is even.

    Formula: median(x) over `period`
    Source: J. W. Tukey, Exploratory Data Analysis, 1977
    """
    if period < 1:
        raise ValueError("period: 1 or more")
    out = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(values[i]) else seen + 1
        if seen >= period:
            ordered = np.sort(values[i - period + 1 : i + 1])
            out[i] = (ordered[(period - 1) // 2] + ordered[period // 2]) / 2.0
    return out


class Median(Twin):
    """The twin of `median`."""

    __slots__ = ("held", "period")

    def __init__(self, period: int) -> None:
        self.period, self.held = period, Held(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.held.reset()

    def update(self, value: float) -> float:
        """Take one value and return the median."""
        if not self.held.update(value):
            return NAN
        ordered = sorted(self.held.values)
        return (ordered[(self.period - 1) // 2] + ordered[self.period // 2]) / 2.0


def _hurst_of(logs: Window) -> float:
    count = len(logs)
    x_sum, y_sum, xx_sum, xy_sum, points = 0.0, 0.0, 0.0, 0.0, 0
    lag = 1
    while lag <= count // 4:
        square = 0.0
        for k in range(lag, count):
            apart = logs[k] - logs[k - lag]
            square += apart * apart
        if square <= 0.0:
            return NAN
        x, y = log(float(lag)), log(square / (count - lag))
        x_sum += x
        y_sum += y
        xx_sum += x * x
        xy_sum += x * y
        points += 1
        lag *= 2
    return 0.5 * (points * xy_sum - x_sum * y_sum) / (points * xx_sum - x_sum * x_sum)


hurst_of = compiled(_hurst_of)


@compiled
def hurst(values: Column, period: int) -> Column:
    """Hurst exponent: above 0.5 moves go on, below 0.5 they come back. Prices above zero; NaN where nothing moved.

    Formula: half the least-squares slope of ln(mean((ln x - ln x_lag_ago)^2)) over ln(lag), lags 1, 2, 4 ... period / 4
    Source: T. Di Matteo, Multi-scaling in Finance, Quantitative Finance, 2007 (q = 2)
    """
    if period < 8:
        raise ValueError("period: 8 or more")
    logs = np.full(len(values), np.nan)
    for i in range(len(values)):
        if values[i] > 0.0:
            logs[i] = log(values[i])
    out = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(logs[i]) else seen + 1
        if seen >= period:
            out[i] = hurst_of(logs[i - period + 1 : i + 1])
    return out


class Hurst(Twin):
    """The twin of `hurst`."""

    __slots__ = ("held",)

    def __init__(self, period: int) -> None:
        self.held = Held(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.held.reset()

    def update(self, value: float) -> float:
        """Take one price and return the exponent."""
        return _hurst_of(self.held.values) if self.held.update(log(value) if value > 0.0 else NAN) else NAN
