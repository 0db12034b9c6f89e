"""What the volume says about the price. `volume` is in base units, zero or more; rules as in `volatility.py`.

Sums that run from the first bar on (OBV, A/D, PVT, NVI, PVI) have no level of their own: only their changes mean
something, and these do not depend on where the history begins.
"""

from math import isnan

import numpy as np

from pilothouse.strategies.indicators.averages import Ema, ema
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.lagless import Change, changes
from pilothouse.strategies.indicators.momentum import shares
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import SumWindow, rolling_sum


@compiled
def running_total(values: Column) -> Column:
    """Return the sum of all values so far; a NaN answers NaN and begins anew."""
    out = np.full(len(values), np.nan)
    total = 0.0
    for i in range(len(values)):
        total = 0.0 if isnan(values[i]) else total + values[i]
        if not isnan(values[i]):
            out[i] = total
    return out


class RunningTotal(Twin):
    """The twin of `running_total`."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0.0

    def reset(self) -> None:
        """Forget every bar."""
        self.total = 0.0

    def update(self, value: float) -> float:
        """Take one value and return the sum."""
        if isnan(value):
            self.total = 0.0
            return NAN
        self.total = total = self.total + value
        return total


def _signed_volume(close: float, before: float, volume: float) -> float:
    if isnan(close + before + volume):
        return NAN if isnan(close + volume) else 0.0
    return volume if close > before else -volume if close < before else 0.0


signed_volume = compiled(_signed_volume)


@compiled
def obv(close: Column, volume: Column) -> Column:
    """On-balance volume; 0 at the first bar.

    Formula: o = o' + volume if close > close', o' - volume if close < close', else o'
    Source: J. E. Granville, Granville's New Key to Stock Market Profits, 1963
    """
    steps = np.full(len(close), np.nan)
    before = np.nan
    for i in range(len(close)):
        steps[i] = signed_volume(close[i], before, volume[i])
        before = np.nan if isnan(steps[i]) else close[i]
    return running_total(steps)


class Obv(Twin):
    """The twin of `obv`."""

    __slots__ = ("before", "total")

    def __init__(self) -> None:
        self.before, self.total = NAN, RunningTotal()

    def reset(self) -> None:
        """Forget every bar."""
        self.before = NAN
        self.total.reset()

    def update(self, close: float, volume: float) -> float:
        """Take one bar and return the balance."""
        step = _signed_volume(close, self.before, volume)
        self.before = NAN if isnan(step) else close
        return self.total.update(step)


def _flow(high: float, low: float, close: float, volume: float) -> float:
    """Return the volume times where the close stands in its bar, -1 to 1; 0 where the bar has no range."""
    wide = high - low
    if wide == 0.0:
        return 0.0 * (close + volume)
    return ((close - low) - (high - close)) / wide * volume


flow = compiled(_flow)


@compiled
def money_flow(high: Column, low: Column, close: Column, volume: Column) -> Column:
    """Return `flow` of each bar."""
    out = np.empty(len(close))
    for i in range(len(close)):
        out[i] = flow(high[i], low[i], close[i], volume[i])
    return out


@compiled
def ad(high: Column, low: Column, close: Column, volume: Column) -> Column:
    """Accumulation/distribution line.

    Formula: running sum of volume ((close - low) - (high - close)) / (high - low); 0 where high = low
    Source: M. Chaikin; S. B. Achelis, Technical Analysis from A to Z, 2000
    """
    return running_total(money_flow(high, low, close, volume))


class Ad(RunningTotal):
    """The twin of `ad`."""

    __slots__ = ()

    def update(self, high: float, low: float, close: float, volume: float) -> float:  # type: ignore[override]  # it takes a bar
        """Take one bar and return the line."""
        return super().update(_flow(high, low, close, volume))


@compiled
def adosc(high: Column, low: Column, close: Column, volume: Column, fast: int, slow: int) -> Column:
    """Chaikin oscillator.

    Formula: EMA(A/D, fast) - EMA(A/D, slow)
    Source: M. Chaikin; S. B. Achelis, Technical Analysis from A to Z, 2000
    """
    line = ad(high, low, close, volume)
    return ema(line, fast) - ema(line, slow)


class Adosc(Twin):
    """The twin of `adosc`."""

    __slots__ = ("line", "quick", "slowly")

    def __init__(self, fast: int, slow: int) -> None:
        self.line, self.quick, self.slowly = Ad(), Ema(fast), Ema(slow)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.line, self.quick, self.slowly):
            twin.reset()

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take one bar and return the oscillator."""
        line = self.line.update(high, low, close, volume)
        return self.quick.update(line) - self.slowly.update(line)


@compiled
def cmf(high: Column, low: Column, close: Column, volume: Column, period: int) -> Column:
    """Chaikin money flow, -1 to 1; 0 where nothing was traded.

    Formula: sum(volume ((close - low) - (high - close)) / (high - low)) / sum(volume) over `period`
    Source: M. Chaikin; S. B. Achelis, Technical Analysis from A to Z, 2000
    """
    flows = money_flow(high, low, close, volume)
    return shares(rolling_sum(flows, period), rolling_sum(volume + 0.0 * flows, period), 0.0) / 100.0


class Cmf(Twin):
    """The twin of `cmf`."""

    __slots__ = ("flows", "traded")

    def __init__(self, period: int) -> None:
        self.flows, self.traded = SumWindow(period), SumWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.flows.reset()
        self.traded.reset()

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take one bar and return the money flow."""
        step = _flow(high, low, close, volume)
        flows, traded = self.flows.update(step), self.traded.update(volume + 0.0 * step)
        return 0.0 if traded == 0.0 else 100.0 * flows / traded / 100.0


@compiled
def mfi(high: Column, low: Column, close: Column, volume: Column, period: int) -> Column:
    """Money flow index, 0 to 100: an RSI of turnover; 50 where none counts.

    Formula: 100 P / (P + N), P the sum of t volume over `period` bars with t > t', N with t < t',
        t = (high + low + close) / 3
    Source: G. Quong and A. Soudack, Volume-Weighted RSI: Money Flow, Stocks & Commodities, 1989
    """
    typical = (high + low + close) / 3.0
    steps, turnover = changes(typical + 0.0 * volume, 1), typical * volume
    up, down = np.full(len(close), np.nan), np.full(len(close), np.nan)
    for i in range(len(close)):
        if not isnan(steps[i]):
            up[i] = turnover[i] if steps[i] > 0.0 else 0.0
            down[i] = turnover[i] if steps[i] < 0.0 else 0.0
    rises, falls = rolling_sum(up, period), rolling_sum(down, period)
    return shares(rises, rises + falls, 50.0)


class Mfi(Twin):
    """The twin of `mfi`."""

    __slots__ = ("falls", "rises", "step")

    def __init__(self, period: int) -> None:
        self.step, self.rises, self.falls = Change(1), SumWindow(period), SumWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.step, self.rises, self.falls):
            twin.reset()

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take one bar and return the index."""
        typical = (high + low + close) / 3.0
        step, turnover = self.step.update(typical + 0.0 * volume), typical * volume
        if isnan(step):
            self.rises.reset()
            self.falls.reset()
            return NAN
        rises = self.rises.update(turnover if step > 0.0 else 0.0)
        falls = self.falls.update(turnover if step < 0.0 else 0.0)
        whole = rises + falls
        return 50.0 if whole == 0.0 else 100.0 * rises / whole


@compiled
def efi(close: Column, volume: Column, period: int) -> Column:
    """Elder's force index.

    Formula: EMA((close - close') volume, period)
    Source: A. Elder, Trading for a Living, 1993
    """
    return ema(changes(close + 0.0 * volume, 1) * volume, period)


class Efi(Twin):
    """The twin of `efi`."""

    __slots__ = ("average", "step")

    def __init__(self, period: int) -> None:
        self.step, self.average = Change(1), Ema(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.step.reset()
        self.average.reset()

    def update(self, close: float, volume: float) -> float:
        """Take one bar and return the force."""
        return self.average.update(self.step.update(close + 0.0 * volume) * volume)


@compiled
def pvt(close: Column, volume: Column) -> Column:
    """Price volume trend.

    Formula: running sum of volume (close / close' - 1), from the second bar on
    Source: S. B. Achelis, Technical Analysis from A to Z, 2000
    """
    steps = changes(close + 0.0 * volume, 1)
    return running_total(shares(steps, close - steps, np.nan) / 100.0 * volume)


class Pvt(Twin):
    """The twin of `pvt`."""

    __slots__ = ("step", "total")

    def __init__(self) -> None:
        self.step, self.total = Change(1), RunningTotal()

    def reset(self) -> None:
        """Forget every bar."""
        self.step.reset()
        self.total.reset()

    def update(self, close: float, volume: float) -> float:
        """Take one bar and return the trend."""
        step = self.step.update(close + 0.0 * volume)
        whole = close - step
        return self.total.update(NAN if whole == 0.0 else 100.0 * step / whole / 100.0 * volume)
