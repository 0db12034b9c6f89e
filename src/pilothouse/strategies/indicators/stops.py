"""Lines that follow the price at a distance and turn when it crosses them. Rules as in `volatility.py`."""

from math import isnan

import numpy as np

from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.volatility import Atr, atr
from pilothouse.strategies.indicators.windows import (
    HighestWindow,
    LowestWindow,
    rolling_highest,
    rolling_lowest,
)

Bands = tuple[float, float, float]


def _supertrend_step(upper: float, lower: float, way: float, bar: Bands, before: float, room: float) -> Bands:
    """Return the next upper band, lower band and way (1 up, -1 down; NaN before the first)."""
    high, low, close = bar
    middle = (high + low) / 2.0
    raw_upper, raw_lower = middle + room, middle - room
    if isnan(way):
        return raw_upper, raw_lower, 1.0 if close >= middle else -1.0
    upper = raw_upper if raw_upper < upper or before > upper else upper
    lower = raw_lower if raw_lower > lower or before < lower else lower
    if way > 0.0:
        return upper, lower, -1.0 if close < lower else 1.0
    return upper, lower, 1.0 if close > upper else -1.0


supertrend_step = compiled(_supertrend_step)


@compiled
def supertrend(high: Column, low: Column, close: Column, period: int, width: float) -> tuple[Column, Column]:
    """Supertrend: the line under a rising or over a falling price, and the way: 1 up, -1 down.

    Formula: bands (high + low) / 2 +- width ATR(period); the upper one only falls and the lower one only rises, until
        the close before has crossed it; the way turns when the close crosses the band of the other side
    Source: O. Seban, 2009; TradingView, Pine Script reference, ta.supertrend. The first way is that of the close
        against the middle of its bar.
    """
    rooms = atr(high, low, close, period)
    line, ways = np.full(len(close), np.nan), np.full(len(close), np.nan)
    upper, lower, way = np.nan, np.nan, np.nan
    for i in range(len(close)):
        if isnan(rooms[i]):
            way = np.nan
            continue
        bar = (high[i], low[i], close[i])
        upper, lower, way = supertrend_step(upper, lower, way, bar, close[i - 1], width * rooms[i])
        line[i], ways[i] = lower if way > 0.0 else upper, way
    return line, ways


class Supertrend(Twin):
    """The twin of `supertrend`."""

    __slots__ = ("before", "lower", "range", "upper", "way", "width")

    def __init__(self, period: int, width: float) -> None:
        self.range, self.width = Atr(period), width
        self.before = self.upper = self.lower = self.way = NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.range.reset()
        self.before = self.upper = self.lower = self.way = NAN

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Take one bar and return line and way."""
        room = self.range.update(high, low, close)
        before, self.before = self.before, close
        if isnan(room):
            self.way = NAN
            return NAN, NAN
        bar = (high, low, close)
        upper, lower, way = _supertrend_step(self.upper, self.lower, self.way, bar, before, self.width * room)
        self.upper, self.lower, self.way = upper, lower, way
        return lower if way > 0.0 else upper, way


Parabola = tuple[float, float, float, float]


def _parabola_begin(high: float, low: float, high_before: float, low_before: float, step: float) -> Parabola:
    """Return stop, extreme, acceleration and way of the first bar that has one before it."""
    fall, rise = low_before - low, high - high_before
    if fall > 0.0 and fall > rise:
        return high_before, low, step, -1.0
    return low_before, high, step, 1.0


def _parabola_step(
    state: Parabola, bar: tuple[float, float], before: tuple[float, float], step: float, most: float
) -> tuple[float, float, Parabola]:
    """Return the stop of this bar, its way, and the state for the next bar."""
    stop, extreme, pace, way = state
    high, low = bar
    if way > 0.0 and low <= stop:
        stop = max(extreme, before[0], high)
        ahead = stop + step * (low - stop)
        return stop, -1.0, (max(ahead, before[0], high), low, step, -1.0)
    if way < 0.0 and high >= stop:
        stop = min(extreme, before[1], low)
        ahead = stop + step * (high - stop)
        return stop, 1.0, (min(ahead, before[1], low), high, step, 1.0)
    if way > 0.0:
        if high > extreme:
            extreme, pace = high, min(pace + step, most)
        return stop, way, (min(stop + pace * (extreme - stop), before[1], low), extreme, pace, way)
    if low < extreme:
        extreme, pace = low, min(pace + step, most)
    return stop, way, (max(stop + pace * (extreme - stop), before[0], high), extreme, pace, way)


parabola_begin = compiled(_parabola_begin)
parabola_step = compiled(_parabola_step)


@compiled
def psar(high: Column, low: Column, step: float, most: float) -> tuple[Column, Column]:
    """Parabolic stop and reverse, and its way: 1 below the price, -1 above it.

    Formula: stop of the next bar = stop + pace (extreme - stop), not inside this bar or the one before; pace grows by
        `step` at each new extreme up to `most`; a touched stop turns to the extreme and the pace begins anew
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978; begun as TA-Lib begins: the way of the second
        bar's directional movement
    """
    out, ways = np.full(len(high), np.nan), np.full(len(high), np.nan)
    state = (0.0, 0.0, 0.0, 0.0)
    for i in range(1, len(high)):
        if isnan(high[i] + low[i] + high[i - 1] + low[i - 1]):
            continue
        before = (high[i - 1], low[i - 1])
        if isnan(ways[i - 1]):
            state = parabola_begin(high[i], low[i], before[0], before[1], step)
            # The second bar is itself the bar before, as in TA-Lib.
            before = (high[i], low[i])
        out[i], ways[i], state = parabola_step(state, (high[i], low[i]), before, step, most)
    return out, ways


class Psar(Twin):
    """The twin of `psar`."""

    __slots__ = ("high", "low", "most", "state", "step", "way")

    def __init__(self, step: float, most: float) -> None:
        self.step, self.most = step, most
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.high = self.low = self.way = NAN
        self.state: list[float] = []

    def update(self, high: float, low: float) -> tuple[float, float]:
        """Take one bar and return stop and way."""
        before = (self.high, self.low)
        if isnan(high + low):
            self.reset()
            return NAN, NAN
        self.high, self.low = high, low
        if isnan(before[0]):
            return NAN, NAN
        if self.state:
            stop, extreme, pace, way = self.state
            state = (stop, extreme, pace, way)
        else:
            state = _parabola_begin(high, low, before[0], before[1], self.step)
            before = (high, low)
        out, way, state = _parabola_step(state, (high, low), before, self.step, self.most)
        self.state = list(state)
        return out, way


@compiled
def chandelier(high: Column, low: Column, close: Column, period: int, width: float) -> tuple[Column, Column]:
    """Chandelier exits: how far a trend may fall back: the stop of a long and the stop of a short position.

    Formula: long = highest high of `period` bars - width ATR(period); short = lowest low + width ATR(period)
    Source: C. Le Beau; A. Elder, Come into My Trading Room, 2002
    """
    room = width * atr(high, low, close, period)
    spoiled = 0.0 * (high + low + close)
    return rolling_highest(high + spoiled, period) - room, rolling_lowest(low + spoiled, period) + room


class Chandelier(Twin):
    """The twin of `chandelier`."""

    __slots__ = ("least", "most", "range", "width")

    def __init__(self, period: int, width: float) -> None:
        self.width, self.range = width, Atr(period)
        self.most, self.least = HighestWindow(period), LowestWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.range, self.most, self.least):
            twin.reset()

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Take one bar and return the stop of a long and of a short position."""
        room = self.width * self.range.update(high, low, close)
        spoiled = 0.0 * (high + low + close)
        return self.most.update(high + spoiled) - room, self.least.update(low + spoiled) + room
