"""Prices of another kind made of candles, turning points that are told only when they are certain, and patterns.

Rules as in `volatility.py`. A pattern answers 1 (speaks for a rise), -1 (for a fall) or 0.
"""

from math import isnan

import numpy as np

from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import Held


@compiled
def typical_price(high: Column, low: Column, close: Column) -> Column:
    """Typical price.

    Formula: (high + low + close) / 3
    Source: TA-Lib, TA_TYPPRICE
    """
    return (high + low + close) / 3.0


class Stateless(Twin):
    """A twin that remembers nothing."""

    __slots__ = ()

    def reset(self) -> None:
        """There is nothing to forget."""


class TypicalPrice(Stateless):
    """The twin of `typical_price`."""

    __slots__ = ()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the price."""
        return (high + low + close) / 3.0


@compiled
def median_price(high: Column, low: Column) -> Column:
    """Median price.

    Formula: (high + low) / 2
    Source: TA-Lib, TA_MEDPRICE
    """
    return (high + low) / 2.0


class MedianPrice(Stateless):
    """The twin of `median_price`."""

    __slots__ = ()

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the price."""
        return (high + low) / 2.0


@compiled
def weighted_close(high: Column, low: Column, close: Column) -> Column:
    """Weighted close.

    Formula: (high + low + 2 close) / 4
    Source: TA-Lib, TA_WCLPRICE
    """
    return (high + low + 2.0 * close) / 4.0


class WeightedClose(Stateless):
    """The twin of `weighted_close`."""

    __slots__ = ()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the price."""
        return (high + low + 2.0 * close) / 4.0


Bar = tuple[float, float, float, float]


def _heikin_step(bar: Bar, open_before: float, close_before: float) -> Bar:
    first = (bar[0] + bar[3]) / 2.0 if isnan(open_before) else (open_before + close_before) / 2.0
    last = (bar[0] + bar[1] + bar[2] + bar[3]) / 4.0
    return first, max(bar[1], first, last), min(bar[2], first, last), last


heikin_step = compiled(_heikin_step)


@compiled
def heikin_ashi(open: Column, high: Column, low: Column, close: Column) -> tuple[Column, Column, Column, Column]:  # noqa: A002 - the word of candles
    """Heikin-Ashi candles: open, high, low, close. They are averages, not prices at which anything was traded.

    Formula: close = (o + h + l + c) / 4; open = (open' + close') / 2, at first (o + c) / 2; high, low with both in them
    Source: D. Valcu, Using the Heikin-Ashi Technique, Stocks & Commodities, 2004
    """
    count = len(close)
    opens, highs, lows, closes = (
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.full(count, np.nan),
    )
    first, last = np.nan, np.nan
    for i in range(count):
        if isnan(open[i] + high[i] + low[i] + close[i]):
            first, last = np.nan, np.nan
            continue
        first, most, least, last = heikin_step((open[i], high[i], low[i], close[i]), first, last)
        opens[i], highs[i], lows[i], closes[i] = first, most, least, last
    return opens, highs, lows, closes


class HeikinAshi(Twin):
    """The twin of `heikin_ashi`."""

    __slots__ = ("first", "last")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.first = self.last = NAN

    def update(self, open: float, high: float, low: float, close: float) -> Bar:  # noqa: A002 - the word of candles
        """Take one bar and return open, high, low and close."""
        if isnan(open + high + low + close):
            self.reset()
            return NAN, NAN, NAN, NAN
        bar = _heikin_step((open, high, low, close), self.first, self.last)
        self.first, self.last = bar[0], bar[3]
        return bar


def _turns(window: Column | list[float], left: int, sign: float) -> bool:
    """Tell whether the bar behind the first `left` is above them (below, if the sign is -1) and not passed after it."""
    value = sign * window[left]
    for k in range(left):
        if sign * window[k] >= value:
            return False
    passed = 0.0  # the compiler knows loops, and no generators
    for k in range(left + 1, len(window)):
        passed = max(passed, sign * window[k] - value)
    return passed <= 0.0


turns = compiled(_turns)


@compiled
def swings(high: Column, low: Column, left: int, right: int) -> tuple[Column, Column, Column, Column]:
    """Turning points, told at the bar that makes them certain and never before: `right` bars after they happened.

    With left = right = 2 these are Williams' fractals. First two columns: the high (low) that is confirmed at this bar,
    NaN elsewhere. Last two: the latest confirmed ones, NaN until there is one.

    Formula: a high above the `left` highs before it and not below the `right` highs behind it; a low mirrored
    Source: B. Williams, Trading Chaos, 1995; TradingView, Pine Script reference, ta.pivothigh
    """
    if left < 1 or right < 1:
        raise ValueError("left, right: 1 or more")
    count = len(high)
    new_high, new_low = np.full(count, np.nan), np.full(count, np.nan)
    last_high, last_low = np.full(count, np.nan), np.full(count, np.nan)
    top, bottom = np.nan, np.nan
    seen = 0
    for i in range(count):
        if isnan(high[i] + low[i]):
            seen, top, bottom = 0, np.nan, np.nan
            continue
        seen += 1
        if seen > left + right:
            if turns(high[i - left - right : i + 1], left, 1.0):
                new_high[i] = top = high[i - right]
            if turns(low[i - left - right : i + 1], left, -1.0):
                new_low[i] = bottom = low[i - right]
        last_high[i], last_low[i] = top, bottom
    return new_high, new_low, last_high, last_low


class Swings(Twin):
    """The twin of `swings`."""

    __slots__ = ("bottom", "highs", "left", "lows", "right", "top")

    def __init__(self, left: int, right: int) -> None:
        self.left, self.right = left, right
        self.highs, self.lows = Held(left + right + 1), Held(left + right + 1)
        self.top = self.bottom = NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.highs.reset()
        self.lows.reset()
        self.top = self.bottom = NAN

    def update(self, high: float, low: float) -> tuple[float, float, float, float]:
        """Take one bar and return what it confirms, and the latest confirmed high and low."""
        if isnan(high + low):
            self.reset()
            return NAN, NAN, NAN, NAN
        new_high = new_low = NAN
        self.lows.update(low)
        if self.highs.update(high):
            if _turns(self.highs.values, self.left, 1.0):
                new_high = self.top = self.highs.values[self.left]
            if _turns(self.lows.values, self.left, -1.0):
                new_low = self.bottom = self.lows.values[self.left]
        return new_high, new_low, self.top, self.bottom


def _engulfs(bar: tuple[float, float], before: tuple[float, float]) -> float:
    """Return the pattern of two bodies (open, close)."""
    if isnan(bar[0] + bar[1] + before[0] + before[1]):
        return NAN
    if bar[1] > bar[0] and before[1] < before[0] and bar[1] > before[0] and bar[0] < before[1]:
        return 1.0
    if bar[1] < bar[0] and before[1] > before[0] and bar[1] < before[0] and bar[0] > before[1]:
        return -1.0
    return 0.0


engulfs = compiled(_engulfs)


@compiled
def engulfing(open: Column, close: Column) -> Column:  # noqa: A002 - the word of candles
    """Engulfing: a body that holds the whole body of the bar before, which had the other colour.

    Formula: 1 if close > open' > close' > open; -1 if close < open' < close' < open; else 0
    Source: S. Nison, Japanese Candlestick Charting Techniques, 1991
    """
    out = np.full(len(close), np.nan)
    for i in range(1, len(close)):
        out[i] = engulfs((open[i], close[i]), (open[i - 1], close[i - 1]))
    return out


class Engulfing(Twin):
    """The twin of `engulfing`."""

    __slots__ = ("first", "last")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.first = self.last = NAN

    def update(self, open: float, close: float) -> float:  # noqa: A002 - the word of candles
        """Take one bar and return the pattern."""
        found = _engulfs((open, close), (self.first, self.last))
        self.first, self.last = open, close
        return found


def _pin(bar: Bar, most: float) -> float:
    """Return the pattern of one bar: open, high, low, close."""
    body, wide = abs(bar[3] - bar[0]), bar[1] - bar[2]
    if isnan(body + wide):
        return NAN
    over, under = bar[1] - max(bar[0], bar[3]), min(bar[0], bar[3]) - bar[2]
    if wide <= 0.0 or body > most * wide:
        return 0.0
    if under >= 2.0 * body and under >= 2.0 * over:
        return 1.0
    return -1.0 if over >= 2.0 * body and over >= 2.0 * under else 0.0


pin = compiled(_pin)


@compiled
def pin_bar(open: Column, high: Column, low: Column, close: Column, most: float) -> Column:  # noqa: A002 - the word of candles
    """Pin bar (hammer, shooting star): a long wick that was refused, and a small body at the other end.

    Formula: body at most `most` of the range; 1 if the lower wick is at least twice the body and twice the upper wick,
        -1 mirrored, else 0
    Source: S. Nison, Japanese Candlestick Charting Techniques, 1991
    """
    out = np.full(len(close), np.nan)
    for i in range(len(close)):
        out[i] = pin((open[i], high[i], low[i], close[i]), most)
    return out


class PinBar(Stateless):
    """The twin of `pin_bar`."""

    __slots__ = ("most",)

    def __init__(self, most: float) -> None:
        self.most = most

    def update(self, open: float, high: float, low: float, close: float) -> float:  # noqa: A002 - the word of candles
        """Take one bar and return the pattern."""
        return _pin((open, high, low, close), self.most)


@compiled
def inside_bar(high: Column, low: Column) -> Column:
    """Inside bar: 1 where a bar stays within the one before, else 0; it says that something waits, not which way.

    Formula: 1 if high <= high' and low >= low', else 0
    Source: T. Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout, 1990
    """
    out = np.full(len(high), np.nan)
    for i in range(1, len(high)):
        if not isnan(high[i] + low[i] + high[i - 1] + low[i - 1]):
            out[i] = 1.0 if high[i] <= high[i - 1] and low[i] >= low[i - 1] else 0.0
    return out


class InsideBar(Twin):
    """The twin of `inside_bar`."""

    __slots__ = ("high", "low")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.high = self.low = NAN

    def update(self, high: float, low: float) -> float:
        """Take one bar and return the pattern."""
        before, self.high, self.low = (self.high, self.low), high, low
        if isnan(high + low + before[0] + before[1]):
            return NAN
        return 1.0 if high <= before[0] and low >= before[1] else 0.0
