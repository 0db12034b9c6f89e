"""Bands around the price: an average with room above and below, or the range itself. Rules as in `volatility.py`."""

from math import exp, isnan, sqrt

import numpy as np

from pilothouse.strategies.indicators.averages import Ema, Sma, ema, sma
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.momentum import shares
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.volatility import Atr, atr
from pilothouse.strategies.indicators.windows import (
    Held,
    HighestWindow,
    LowestWindow,
    MomentsWindow,
    rolling_highest,
    rolling_lowest,
    rolling_moments,
)


@compiled
def bollinger(values: Column, period: int, width: float) -> tuple[Column, Column, Column]:
    """Bollinger bands: upper, middle, lower.

    Formula: middle = SMA(x, period); upper, lower = middle +- width standard deviation (divided by period)
    Source: J. Bollinger, Bollinger on Bollinger Bands, 2001
    """
    _mean, squares = rolling_moments(values, period)
    middle, room = sma(values, period), width * np.sqrt(squares / period)
    return middle + room, middle, middle - room


class Bollinger(Twin):
    """The twin of `bollinger`."""

    __slots__ = ("average", "moments", "period", "width")

    def __init__(self, period: int, width: float) -> None:
        self.period, self.width = period, width
        self.average, self.moments = Sma(period), MomentsWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.average.reset()
        self.moments.reset()

    def update(self, value: float) -> tuple[float, float, float]:
        """Take one value and return upper, middle and lower."""
        middle = self.average.update(value)
        room = self.width * sqrt(self.moments.update(value)[1] / self.period)
        return middle + room, middle, middle - room


@compiled
def bollinger_place(values: Column, period: int, width: float) -> tuple[Column, Column]:
    """Where the value stands in its Bollinger bands (%b) and how wide they are.

    Formula: place = (x - lower) / (upper - lower), 0.5 where the bands meet; width = 100 (upper - lower) / middle
    Source: J. Bollinger, Bollinger on Bollinger Bands, 2001
    """
    upper, middle, lower = bollinger(values, period, width)
    return shares(values - lower, upper - lower, 50.0) / 100.0, shares(upper - lower, middle, np.nan)


class BollingerPlace(Bollinger):
    """The twin of `bollinger_place`."""

    __slots__ = ()

    def update(self, value: float) -> tuple[float, float]:  # type: ignore[override]  # the same bands, told otherwise
        """Take one value and return place and width."""
        upper, middle, lower = super().update(value)
        whole = upper - lower
        place = 50.0 if whole == 0.0 else 100.0 * (value - lower) / whole
        return place / 100.0, NAN if middle == 0.0 else 100.0 * whole / middle


@compiled
def keltner(
    high: Column, low: Column, close: Column, period: int, range_period: int, width: float
) -> tuple[Column, Column, Column]:
    """Keltner channel: upper, middle, lower.

    Formula: middle = EMA(close, period); upper, lower = middle +- width ATR(range_period)
    Source: C. W. Keltner, How to Make Money in Commodities, 1960; in the form of L. B. Raschke
    """
    middle, room = ema(close + 0.0 * (high + low), period), width * atr(high, low, close, range_period)
    return middle + room, middle, middle - room


class Keltner(Twin):
    """The twin of `keltner`."""

    __slots__ = ("average", "range", "width")

    def __init__(self, period: int, range_period: int, width: float) -> None:
        self.average, self.range, self.width = Ema(period), Atr(range_period), width

    def reset(self) -> None:
        """Forget every bar."""
        self.average.reset()
        self.range.reset()

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Take one bar and return upper, middle and lower."""
        middle = self.average.update(close + 0.0 * (high + low))
        room = self.width * self.range.update(high, low, close)
        return middle + room, middle, middle - room


@compiled
def donchian(high: Column, low: Column, period: int) -> tuple[Column, Column, Column]:
    """Donchian channel: upper, middle, lower. It holds its own bar, so a breakout is told against the bar before.

    Formula: upper = highest high, lower = lowest low of `period` bars; middle = their mean
    Source: R. D. Donchian, 1960; J. J. Murphy, Technical Analysis of the Financial Markets, 1999
    """
    spoiled = 0.0 * (high + low)
    upper, lower = rolling_highest(high + spoiled, period), rolling_lowest(low + spoiled, period)
    return upper, (upper + lower) / 2.0, lower


class Donchian(Twin):
    """The twin of `donchian`."""

    __slots__ = ("least", "most")

    def __init__(self, period: int) -> None:
        self.most, self.least = HighestWindow(period), LowestWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.most.reset()
        self.least.reset()

    def update(self, high: float, low: float) -> tuple[float, float, float]:
        """Take one bar and return upper, middle and lower."""
        spoiled = 0.0 * (high + low)
        upper, lower = self.most.update(high + spoiled), self.least.update(low + spoiled)
        return upper, (upper + lower) / 2.0, lower


@compiled
def kernel_weights(period: int, bandwidth: float) -> Column:
    """Return the one-sided bell of `nadaraya_watson`, oldest bar first: float64[period], sum 1."""
    weights = np.empty(period)
    total = 0.0
    for k in range(period):
        apart = (period - 1 - k) / bandwidth
        weights[k] = exp(-0.5 * apart * apart)
        total += weights[k]
    for k in range(period):
        weights[k] /= total
    return weights


@compiled
def nadaraya_watson(values: Column, period: int, bandwidth: float, width: float) -> tuple[Column, Column, Column]:
    """Kernel regression over the past alone, with bands: upper, middle, lower. It never repaints.

    Formula: middle = sum(w_j x_(j bars ago)) / sum(w_j), w_j = exp(-j^2 / (2 bandwidth^2)), j = 0 ... period - 1;
        upper, lower = middle +- width mean(|x - middle|) over `period` bars
    Source: E. A. Nadaraya, On Estimating Regression, 1964; G. S. Watson, Smooth Regression Analysis, 1964; one-sided
    """
    if period < 1 or bandwidth <= 0.0:
        raise ValueError("period: 1 or more; bandwidth: above 0")
    weights = kernel_weights(period, bandwidth)
    middle = np.full(len(values), np.nan)
    seen = 0
    for i in range(len(values)):
        seen = 0 if isnan(values[i]) else seen + 1
        if seen >= period:
            total = 0.0
            for k in range(period):
                total += weights[k] * values[i - period + 1 + k]
            middle[i] = total
    room = width * sma(np.abs(values - middle), period)
    return middle + room, middle, middle - room


class NadarayaWatson(Twin):
    """The twin of `nadaraya_watson`."""

    __slots__ = ("held", "room", "weights", "width")

    def __init__(self, period: int, bandwidth: float, width: float) -> None:
        self.width, self.weights = width, kernel_weights(period, bandwidth).tolist()
        self.held, self.room = Held(period), Sma(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.held.reset()
        self.room.reset()

    def update(self, value: float) -> tuple[float, float, float]:
        """Take one value and return upper, middle and lower."""
        middle = NAN
        if self.held.update(value):
            middle = 0.0
            for weight, held in zip(self.weights, self.held.values, strict=True):
                middle += weight * held
        room = self.width * self.room.update(abs(value - middle))
        return middle + room, middle, middle - room
