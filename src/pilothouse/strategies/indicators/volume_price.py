"""Averages of price by volume, and sums that count a bar by its volume. Rules as in `volume.py`."""

from math import isnan, sqrt

import numpy as np

from pilothouse.strategies.indicators.averages import Sma, Vwma, sma, vwma
from pilothouse.strategies.indicators.compiling import Column, Whole, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin


def _index_step(level: float, close: float, before: tuple[float, float], volume: float, way: float) -> float:
    """Return the next level of `nvi` (way -1) or `pvi` (way 1)."""
    if isnan(close + volume):
        return NAN
    if isnan(level):
        return 1000.0
    if way * volume > way * before[1] and before[0] != 0.0:
        return level + level * ((close - before[0]) / before[0])
    return level


index_step = compiled(_index_step)


@compiled
def volume_index(close: Column, volume: Column, way: float) -> Column:
    """Return `nvi` (way -1) or `pvi` (way 1)."""
    out = np.full(len(close), np.nan)
    level, before = np.nan, (np.nan, np.nan)
    for i in range(len(close)):
        level = index_step(level, close[i], before, volume[i], way)
        before = (close[i], volume[i])
        out[i] = level
    return out


class VolumeIndex(Twin):
    """The twin of `volume_index`."""

    __slots__ = ("close", "level", "sign", "volume")

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.level = self.close = self.volume = NAN

    def update(self, close: float, volume: float) -> float:
        """Take one bar and return the index."""
        self.level = _index_step(self.level, close, (self.close, self.volume), volume, self.sign)
        self.close, self.volume = close, volume
        return self.level


@compiled
def nvi(close: Column, volume: Column) -> Column:
    """Negative volume index: counts only bars that were quieter than the one before; 1000 at the first.

    Formula: n = n' close / close' if volume < volume', else n'
    Source: P. Dysart; N. G. Fosback, Stock Market Logic, 1976
    """
    return volume_index(close, volume, -1.0)


class Nvi(VolumeIndex):
    """The twin of `nvi`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(-1.0)


@compiled
def pvi(close: Column, volume: Column) -> Column:
    """Positive volume index: counts only bars that were busier than the one before; 1000 at the first.

    Formula: p = p' close / close' if volume > volume', else p'
    Source: P. Dysart; N. G. Fosback, Stock Market Logic, 1976
    """
    return volume_index(close, volume, 1.0)


class Pvi(VolumeIndex):
    """The twin of `pvi`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(1.0)


@compiled
def rolling_vwap(high: Column, low: Column, close: Column, volume: Column, period: int) -> Column:
    """Volume-weighted average price of the last `period` bars; NaN where nothing was traded.

    Formula: sum(t volume) / sum(volume), t = (high + low + close) / 3
    Source: S. A. Berkowitz, D. E. Logue and E. A. Noser, The Total Cost of Transactions on the NYSE, 1988
    """
    return vwma((high + low + close) / 3.0, volume, period)


class RollingVwap(Vwma):
    """The twin of `rolling_vwap`."""

    __slots__ = ()

    def update(self, high: float, low: float, close: float, volume: float) -> float:  # type: ignore[override]  # it takes a bar
        """Take one bar and return the average."""
        return super().update((high + low + close) / 3.0, volume)


@compiled
def session_vwap(
    high: Column, low: Column, close: Column, volume: Column, session: Whole, width: float
) -> tuple[Column, Column, Column]:
    """Volume-weighted average price since the session began, with bands: upper, middle, lower.

    `session` is a number that is the same for all bars of a session and differs from the one before; a negative one is
    no session and answers NaN. Anchored to an event, it is 0 from there on and negative before. NaN until something was
    traded.

    Formula: m = sum(t volume) / sum(volume), t = (high + low + close) / 3;
        bands m +- width sqrt(sum(volume (t - m)^2) / sum(volume))
    Source: S. A. Berkowitz, D. E. Logue and E. A. Noser, 1988; sums kept as D. H. D. West, 1979
    """
    upper, middle, lower = np.full(len(close), np.nan), np.full(len(close), np.nan), np.full(len(close), np.nan)
    traded, mean, spread = 0.0, 0.0, 0.0
    for i in range(len(close)):
        if i == 0 or session[i] != session[i - 1]:
            traded, mean, spread = 0.0, 0.0, 0.0
        typical = (high[i] + low[i] + close[i]) / 3.0
        if isnan(typical + volume[i]):
            traded, mean, spread = 0.0, 0.0, 0.0
            continue
        if volume[i] > 0.0:
            traded += volume[i]
            apart = typical - mean
            mean += apart * (volume[i] / traded)
            spread += volume[i] * apart * (typical - mean)
        if traded > 0.0 and session[i] >= 0:
            room = width * sqrt(max(spread / traded, 0.0))
            upper[i], middle[i], lower[i] = mean + room, mean, mean - room
    return upper, middle, lower


class SessionVwap(Twin):
    """The twin of `session_vwap`."""

    __slots__ = ("mean", "session", "spread", "traded", "width")

    def __init__(self, width: float) -> None:
        self.width = width
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.traded = self.mean = self.spread = 0.0
        self.session = -1

    def update(self, high: float, low: float, close: float, volume: float, session: int) -> tuple[float, float, float]:
        """Take one bar and return upper, middle and lower."""
        typical = (high + low + close) / 3.0
        if session != self.session or isnan(typical + volume):
            self.traded = self.mean = self.spread = 0.0
            self.session = session
        if isnan(typical + volume):
            return NAN, NAN, NAN
        if volume > 0.0:
            self.traded = traded = self.traded + volume
            apart = typical - self.mean
            self.mean += apart * (volume / traded)
            self.spread += volume * apart * (typical - self.mean)
        if self.traded <= 0.0 or session < 0:
            return NAN, NAN, NAN
        room = self.width * sqrt(max(self.spread / self.traded, 0.0))
        return self.mean + room, self.mean, self.mean - room


@compiled
def ease_of_movement(high: Column, low: Column, volume: Column, period: int) -> Column:
    """Ease of movement: how far the middle goes for the volume that it takes; 0 where nothing was traded.

    Formula: SMA((m - m') (high - low) / volume, period), m = (high + low) / 2
    Source: R. W. Arms, The Arms Index, 1989
    """
    steps = np.full(len(high), np.nan)
    for i in range(1, len(high)):
        if isnan(high[i] + low[i] + volume[i] + high[i - 1] + low[i - 1] + volume[i - 1]):
            continue
        moved = (high[i] + low[i]) / 2.0 - (high[i - 1] + low[i - 1]) / 2.0
        steps[i] = moved * (high[i] - low[i]) / volume[i] if volume[i] > 0.0 else 0.0
    return sma(steps, period)


class EaseOfMovement(Twin):
    """The twin of `ease_of_movement`."""

    __slots__ = ("average", "before")

    def __init__(self, period: int) -> None:
        self.average, self.before = Sma(period), NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.average.reset()
        self.before = NAN

    def update(self, high: float, low: float, volume: float) -> float:
        """Take one bar and return the ease."""
        middle = (high + low) / 2.0 + 0.0 * volume
        moved, self.before = middle - self.before, middle
        step = moved * (high - low) / volume if volume > 0.0 else 0.0 * moved
        return self.average.update(step)
