"""Is there a trend, which way, how strong. Rules as in `volatility.py`."""

from math import isnan

import numpy as np

from pilothouse.strategies.indicators.averages import Rma, rma
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.lagless import Earlier, earlier
from pilothouse.strategies.indicators.momentum import shares
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.volatility import TrueRange, true_range
from pilothouse.strategies.indicators.windows import (
    Held,
    HighestWindow,
    LowestWindow,
    SumWindow,
    rolling_highest,
    rolling_lowest,
    rolling_sum,
)


@compiled
def directional(high: Column, low: Column, close: Column) -> tuple[Column, Column]:
    """Wilder's directional movement, upwards and downwards, of each bar; NaN where there is no bar before.

    Formula: up = high - high' if that is above 0 and above low' - low, else 0; down the other way round
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    up, down = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        rise, fall = high[i] - high[i - 1], low[i - 1] - low[i]
        if isnan(rise + fall + close[i] + close[i - 1]):
            continue
        up[i] = rise if rise > fall and rise > 0.0 else 0.0
        down[i] = fall if fall > rise and fall > 0.0 else 0.0
    return up, down


@compiled
def dmi(high: Column, low: Column, close: Column, period: int) -> tuple[Column, Column, Column]:
    """Directional indicators +DI and -DI, and how far they are apart (DX); 0 to 100, 0 where nothing moved.

    Formula: +DI = 100 RMA(up) / RMA(true range), -DI likewise of down; DX = 100 |+DI - -DI| / (+DI + -DI)
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    up, down = directional(high, low, close)
    whole = rma(true_range(high, low, close), period)
    plus, minus = shares(rma(up, period), whole, 0.0), shares(rma(down, period), whole, 0.0)
    return plus, minus, shares(np.abs(plus - minus), plus + minus, 0.0)


class Dmi(Twin):
    """The twin of `dmi`."""

    __slots__ = ("down", "high", "low", "range", "up", "whole")

    def __init__(self, period: int) -> None:
        self.up, self.down, self.whole, self.range = Rma(period), Rma(period), Rma(period), TrueRange()
        self.high = self.low = NAN

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.up, self.down, self.whole, self.range):
            twin.reset()
        self.high = self.low = NAN

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Take one bar and return +DI, -DI and DX."""
        whole = self.whole.update(self.range.update(high, low, close))
        rise, fall = high - self.high, self.low - low
        self.high, self.low = high, low
        if isnan(close):
            self.high = self.low = NAN
        if isnan(rise + fall + close):
            self.up.reset()
            self.down.reset()
            return NAN, NAN, NAN
        up = self.up.update(rise if rise > fall and rise > 0.0 else 0.0)
        down = self.down.update(fall if fall > rise and fall > 0.0 else 0.0)
        plus = 0.0 if whole == 0.0 else 100.0 * up / whole
        minus = 0.0 if whole == 0.0 else 100.0 * down / whole
        return plus, minus, 0.0 if plus + minus == 0.0 else 100.0 * abs(plus - minus) / (plus + minus)


@compiled
def adx(high: Column, low: Column, close: Column, period: int) -> tuple[Column, Column]:
    """Average directional index, 0 to 100, and its rating ADXR.

    Formula: ADX = RMA(DX, period); ADXR = (ADX + ADX_(period - 1 bars ago)) / 2
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    index = rma(dmi(high, low, close, period)[2], period)
    return index, (index + earlier(index, period - 1)) / 2.0


class Adx(Twin):
    """The twin of `adx`."""

    __slots__ = ("average", "before", "dmi")

    def __init__(self, period: int) -> None:
        self.dmi, self.average, self.before = Dmi(period), Rma(period), Earlier(period - 1)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.dmi, self.average, self.before):
            twin.reset()

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Take one bar and return ADX and ADXR."""
        index = self.average.update(self.dmi.update(high, low, close)[2])
        return index, (index + self.before.update(index)) / 2.0


@compiled
def aroon(high: Column, low: Column, period: int) -> tuple[Column, Column, Column]:
    """Aroon up, down and their difference: how lately the highest and the lowest was seen; of equals the latest counts.

    Formula: up = 100 (period - bars since the highest high of period + 1 bars) / period; down likewise; up - down
    Source: T. S. Chande, A Time Price Oscillator, Stocks & Commodities, 1995
    """
    if period < 1:
        raise ValueError("period: 1 or more")
    up, down = np.full(len(high), np.nan), np.full(len(high), np.nan)
    seen = 0
    for i in range(len(high)):
        seen = 0 if isnan(high[i] + low[i]) else seen + 1
        if seen > period:
            up[i] = 100.0 * latest_highest(high[i - period : i + 1], 1.0) / period
            down[i] = 100.0 * latest_highest(low[i - period : i + 1], -1.0) / period
    return up, down, up - down


def _latest_highest(window: Column | list[float], sign: float) -> int:
    """Return the place of the last of the greatest values (of the least, if the sign is -1)."""
    found = 0
    for k in range(1, len(window)):
        if sign * window[k] >= sign * window[found]:
            found = k
    return found


latest_highest = compiled(_latest_highest)


class Aroon(Twin):
    """The twin of `aroon`."""

    __slots__ = ("highs", "lows", "period")

    def __init__(self, period: int) -> None:
        self.period, self.highs, self.lows = period, Held(period + 1), Held(period + 1)

    def reset(self) -> None:
        """Forget every bar."""
        self.highs.reset()
        self.lows.reset()

    def update(self, high: float, low: float) -> tuple[float, float, float]:
        """Take one bar and return up, down and their difference."""
        spoiled = 0.0 * (high + low)
        self.lows.update(low + spoiled)
        if not self.highs.update(high + spoiled):
            return NAN, NAN, NAN
        up = 100.0 * _latest_highest(self.highs.values, 1.0) / self.period
        down = 100.0 * _latest_highest(self.lows.values, -1.0) / self.period
        return up, down, up - down


@compiled
def vortex(high: Column, low: Column, close: Column, period: int) -> tuple[Column, Column]:
    """Vortex indicator, plus and minus; 1 where nothing moved.

    Formula: plus = sum(|high - low'|) / sum(true range), minus = sum(|low - high'|) / sum(true range), over `period`
    Source: E. Botes and D. Siepman, The Vortex Indicator, Stocks & Commodities, 2010
    """
    ranges = true_range(high, low, close)
    up, down = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(1, len(close)):
        if not isnan(ranges[i]):
            up[i], down[i] = abs(high[i] - low[i - 1]), abs(low[i] - high[i - 1])
    whole = rolling_sum(ranges, period)
    plus, minus = shares(rolling_sum(up, period), whole, 100.0), shares(rolling_sum(down, period), whole, 100.0)
    return plus / 100.0, minus / 100.0


class Vortex(Twin):
    """The twin of `vortex`."""

    __slots__ = ("down", "high", "low", "range", "up", "whole")

    def __init__(self, period: int) -> None:
        self.range, self.high, self.low = TrueRange(), NAN, NAN
        self.up, self.down, self.whole = SumWindow(period), SumWindow(period), SumWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.range, self.up, self.down, self.whole):
            twin.reset()
        self.high = self.low = NAN

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Take one bar and return plus and minus."""
        wide = self.range.update(high, low, close)
        up, down = abs(high - self.low) + 0.0 * wide, abs(low - self.high) + 0.0 * wide
        self.high, self.low = high, low
        whole, up, down = self.whole.update(wide), self.up.update(up), self.down.update(down)
        if whole == 0.0:
            return 1.0, 1.0
        return 100.0 * up / whole / 100.0, 100.0 * down / whole / 100.0


@compiled
def ichimoku(
    high: Column, low: Column, fast: int, slow: int, cloud: int, shift: int
) -> tuple[Column, Column, Column, Column]:
    """Ichimoku: conversion, base, and the two edges of the cloud that stand at this bar (made `shift` bars ago).

    Nothing is drawn into the future and no bar is told with a later close: the lagging line is the close itself, to be
    compared with the price `shift` bars before.

    Formula: m(n) = (highest high + lowest low) / 2 over n bars; conversion m(fast); base m(slow);
        edges, of `shift` bars ago: (conversion + base) / 2 and m(cloud)
    Source: G. Hosoda, 1969; TA-Lib knows none, TradingView, Ichimoku Cloud
    """
    spoiled = 0.0 * (high + low)
    upper, lower = high + spoiled, low + spoiled
    conversion = (rolling_highest(upper, fast) + rolling_lowest(lower, fast)) / 2.0
    base = (rolling_highest(upper, slow) + rolling_lowest(lower, slow)) / 2.0
    far = (rolling_highest(upper, cloud) + rolling_lowest(lower, cloud)) / 2.0
    near = (conversion + base) / 2.0
    return conversion, base, earlier(near, shift), earlier(far, shift)


class Middle(Twin):
    """The middle of the range of the last `period` bars."""

    __slots__ = ("least", "most")

    def __init__(self, period: int) -> None:
        self.most, self.least = HighestWindow(period), LowestWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.most.reset()
        self.least.reset()

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the middle."""
        spoiled = 0.0 * (high + low)
        return (self.most.update(high + spoiled) + self.least.update(low + spoiled)) / 2.0


class Ichimoku(Twin):
    """The twin of `ichimoku`."""

    __slots__ = ("base", "conversion", "far", "far_shift", "near_shift")

    def __init__(self, fast: int, slow: int, cloud: int, shift: int) -> None:
        self.conversion, self.base, self.far = Middle(fast), Middle(slow), Middle(cloud)
        self.near_shift, self.far_shift = Earlier(shift), Earlier(shift)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.conversion, self.base, self.far, self.near_shift, self.far_shift):
            twin.reset()

    def update(self, high: float, low: float) -> tuple[float, float, float, float]:
        """Take one bar and return conversion, base and the two edges of the cloud."""
        if isnan(high + low):
            self.reset()
        conversion, base, far = (twin.update(high, low) for twin in (self.conversion, self.base, self.far))
        near = (conversion + base) / 2.0
        return conversion, base, self.near_shift.update(near), self.far_shift.update(far)
