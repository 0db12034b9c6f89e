"""Levels that belong to a session: the pivots of the one before, and the range in which it opened.

`session` and `minute` are int64[n]: a number that is the same for all bars of a session and differs from the one before
(the day, as a count), and the minute of the local day at which the bar opened. Both are made from the time of the bar
with the clock of the exchange, summer time included, by whoever knows the calendar.

The session in which the history begins may have been cut, so nothing is concluded from it.
"""

from math import isnan

import numpy as np

from pilothouse.strategies.indicators.compiling import Column, Whole, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin

Levels = tuple[float, float, float, float, float, float, float, float, float]
NO_LEVELS = (NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN)


def _pivots_of(high: float, low: float, close: float) -> Levels:
    pivot = (high + low + close) / 3.0
    bottom = (high + low) / 2.0
    top = 2.0 * pivot - bottom
    wide = high - low
    return (
        pivot, max(bottom, top), min(bottom, top),
        2.0 * pivot - low, 2.0 * pivot - high, pivot + wide, pivot - wide,
        high + 2.0 * (pivot - low), low - 2.0 * (high - pivot),
    )  # fmt: skip


pivots_of = compiled(_pivots_of)


@compiled
def pivots(
    high: Column, low: Column, close: Column, session: Whole
) -> tuple[Column, Column, Column, Column, Column, Column, Column, Column, Column]:
    """Central pivot range and floor pivots of the session before: P, TC, BC, R1, S1, R2, S2, R3, S3.

    TC is the upper and BC the lower edge of the central range, whichever formula makes it. The levels are known from
    the first bar of a session on; a NaN in a bar leaves that bar out of its session.

    Formula: P = (H + L + C) / 3, BC = (H + L) / 2, TC = 2 P - BC; R1 = 2 P - L, S1 = 2 P - H, R2, S2 = P +- (H - L),
        R3 = H + 2 (P - L), S3 = L - 2 (H - P), of the H, L, C of the session before
    Source: E. L. S. Ochoa, Secrets of a Pivot Boss, 2010; J. L. Person, Technical Trading Tactics, 2004
    """
    out = np.full((9, len(close)), np.nan)
    levels = (np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    most, least, last, whole = np.nan, np.nan, np.nan, False
    for i in range(len(close)):
        if i > 0 and session[i] != session[i - 1]:
            if whole and not isnan(last):
                levels = pivots_of(most, least, last)
            else:
                levels = (np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
            most, least, last, whole = np.nan, np.nan, np.nan, True
        if not isnan(high[i] + low[i] + close[i]):
            most = high[i] if isnan(most) or high[i] > most else most
            least = low[i] if isnan(least) or low[i] < least else least
            last = close[i]
        for k in range(9):
            out[k, i] = levels[k]
    return out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7], out[8]


class Pivots(Twin):
    """The twin of `pivots`."""

    __slots__ = ("last", "least", "levels", "most", "session", "started", "whole")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.most = self.least = self.last = NAN
        self.levels = list(NO_LEVELS)
        self.session, self.started, self.whole = 0, False, False

    def update(self, high: float, low: float, close: float, session: int) -> Levels:
        """Take one bar and return the nine levels."""
        if self.started and session != self.session:
            known = self.whole and not isnan(self.last)
            self.levels = list(_pivots_of(self.most, self.least, self.last) if known else NO_LEVELS)
            self.most = self.least = self.last = NAN
            self.whole = True
        self.session, self.started = session, True
        if not isnan(high + low + close):
            self.most = high if isnan(self.most) or high > self.most else self.most
            self.least = low if isnan(self.least) or low < self.least else self.least
            self.last = close
        p, tc, bc, r1, s1, r2, s2, r3, s3 = self.levels
        return p, tc, bc, r1, s1, r2, s2, r3, s3


@compiled
def opening_range(
    high: Column, low: Column, session: Whole, minute: Whole, begin: int, minutes: int
) -> tuple[Column, Column]:
    """Highest and lowest price of the first minutes of the session; NaN until they are over, and where none was traded.

    A bar counts if it opened in the `minutes` from minute `begin` of the local day on. The range is told from the first
    bar on that opened after them, until the session ends.

    Formula: max(high), min(low) of the bars with begin <= minute < begin + minutes
    Source: T. Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout, 1990
    """
    upper, lower = np.full(len(high), np.nan), np.full(len(high), np.nan)
    most, least, whole = np.nan, np.nan, False
    for i in range(len(high)):
        if i > 0 and session[i] != session[i - 1]:
            most, least, whole = np.nan, np.nan, True
        if isnan(high[i] + low[i]):
            continue
        if begin <= minute[i] < begin + minutes:
            most = high[i] if isnan(most) or high[i] > most else most
            least = low[i] if isnan(least) or low[i] < least else least
        elif minute[i] >= begin + minutes and whole:
            upper[i], lower[i] = most, least
    return upper, lower


class OpeningRange(Twin):
    """The twin of `opening_range`."""

    __slots__ = ("begin", "least", "minutes", "most", "session", "started", "whole")

    def __init__(self, begin: int, minutes: int) -> None:
        self.begin, self.minutes = begin, minutes
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.most = self.least = NAN
        self.session, self.started, self.whole = 0, False, False

    def update(self, high: float, low: float, session: int, minute: int) -> tuple[float, float]:
        """Take one bar and return the highest and the lowest price of the opening."""
        if self.started and session != self.session:
            self.most = self.least = NAN
            self.whole = True
        self.session, self.started = session, True
        if isnan(high + low):
            return NAN, NAN
        if self.begin <= minute < self.begin + self.minutes:
            self.most = high if isnan(self.most) or high > self.most else self.most
            self.least = low if isnan(self.least) or low < self.least else self.least
        elif minute >= self.begin + self.minutes and self.whole:
            return self.most, self.least
        return NAN, NAN
