"""Momentum of one column or of candles: how far and how fast the price went.

Columns are float64[n], oldest first; parameters named `period`, `fast`, `slow`, `signal` count bars; the answer is NaN
during the warm-up. A twin takes one bar and answers what the column would say there.
"""

from math import isnan

import numpy as np

from pilothouse.strategies.indicators.averages import Ema, Rma, Sma, Wma, ema, rma, sma, wma
from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.lagless import Change, Earlier, changes, earlier
from pilothouse.strategies.indicators.twin import NAN, Twin
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
def shares(part: Column, whole: Column, otherwise: float) -> Column:
    """Return 100 part / whole for each bar, or `otherwise` where the whole is zero."""
    out = np.empty(len(part))
    for i in range(len(part)):
        out[i] = otherwise if whole[i] == 0.0 else 100.0 * part[i] / whole[i]
    return out


@compiled
def rsi(values: Column, period: int) -> Column:
    """Relative strength index, 0 to 100; 50 where nothing moved.

    Formula: 100 U / (U + D), U and D Wilder's averages (RMA) of the rises and of the falls
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    steps = changes(values, 1)
    up, down = rma(np.maximum(steps, 0.0), period), rma(np.maximum(-steps, 0.0), period)
    return shares(up, up + down, 50.0)


class Rsi(Twin):
    """The twin of `rsi`."""

    __slots__ = ("before", "down", "up")

    def __init__(self, period: int) -> None:
        self.up, self.down, self.before = Rma(period), Rma(period), NAN

    def reset(self) -> None:
        """Forget every bar."""
        self.up.reset()
        self.down.reset()
        self.before = NAN

    def update(self, value: float) -> float:
        """Take one value and return the index."""
        step = value - self.before
        self.before = value
        up = self.up.update(step if step > 0.0 else step * 0.0)  # NaN stays NaN
        down = self.down.update(-step if step < 0.0 else step * 0.0)
        whole = up + down
        return 50.0 if whole == 0.0 else 100.0 * up / whole


@compiled
def momentum(values: Column, period: int) -> Column:
    """Momentum: by how much the price changed.

    Formula: x - x_period_ago
    Source: J. J. Murphy, Technical Analysis of the Financial Markets, 1999, chapter 10
    """
    return changes(values, period)


class Momentum(Change):
    """The twin of `momentum`."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period)


@compiled
def roc(values: Column, period: int) -> Column:
    """Rate of change in percent; NaN where the old value is zero.

    Formula: 100 (x / x_period_ago - 1)
    Source: J. J. Murphy, Technical Analysis of the Financial Markets, 1999, chapter 10
    """
    before = earlier(values, period)
    return shares(values - before, before, np.nan)


class Roc(Twin):
    """The twin of `roc`."""

    __slots__ = ("lag",)

    def __init__(self, period: int) -> None:
        self.lag = Earlier(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.lag.reset()

    def update(self, value: float) -> float:
        """Take one value and return the rate."""
        before = self.lag.update(value)
        return NAN if before == 0.0 else 100.0 * (value - before) / before


@compiled
def cmo(values: Column, period: int) -> Column:
    """Chande's momentum oscillator, -100 to 100; 0 where nothing moved.

    Formula: 100 (sum of rises - sum of falls) / (sum of both) over `period` changes
    Source: T. S. Chande and S. Kroll, The New Technical Trader, 1994 (TA-Lib's CMO smooths as the RSI does instead)
    """
    steps = changes(values, 1)
    up, down = rolling_sum(np.maximum(steps, 0.0), period), rolling_sum(np.maximum(-steps, 0.0), period)
    return shares(up - down, up + down, 0.0)


class Cmo(Twin):
    """The twin of `cmo`."""

    __slots__ = ("down", "step", "up")

    def __init__(self, period: int) -> None:
        self.step, self.up, self.down = Change(1), SumWindow(period), SumWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.step.reset()
        self.up.reset()
        self.down.reset()

    def update(self, value: float) -> float:
        """Take one value and return the oscillator."""
        step = self.step.update(value)
        up = self.up.update(step if step > 0.0 else step * 0.0)
        down = self.down.update(-step if step < 0.0 else step * 0.0)
        whole = up + down
        return 0.0 if whole == 0.0 else 100.0 * (up - down) / whole


@compiled
def raw_stochastic(high: Column, low: Column, close: Column, period: int) -> Column:
    """Where the close stands in the range of the last `period` bars, 0 to 100; 50 where there is no range."""
    spoiled = 0.0 * (high + low + close)  # NaN in one column is NaN in all
    most, least = rolling_highest(high + spoiled, period), rolling_lowest(low + spoiled, period)
    return shares(close - least, most - least, 50.0)


class RawStochastic(Twin):
    """The twin of `raw_stochastic`."""

    __slots__ = ("least", "most")

    def __init__(self, period: int) -> None:
        self.most, self.least = HighestWindow(period), LowestWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.most.reset()
        self.least.reset()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the place."""
        spoiled = 0.0 * (high + low + close)
        most, least = self.most.update(high + spoiled), self.least.update(low + spoiled)
        whole = most - least
        return 50.0 if whole == 0.0 else 100.0 * (close - least) / whole


@compiled
def stochastic(
    high: Column, low: Column, close: Column, period: int, smooth: int, signal: int
) -> tuple[Column, Column]:
    """Slow stochastic: where the close stands in its range, smoothed, and the average of that; 0 to 100.

    Formula: k = SMA(100 (close - lowest low) / (highest high - lowest low), smooth); d = SMA(k, signal)
    Source: G. C. Lane, Lane's Stochastics, Stocks & Commodities, 1984
    """
    k = sma(raw_stochastic(high, low, close, period), smooth)
    return k, sma(k, signal)


class Stochastic(Twin):
    """The twin of `stochastic`."""

    __slots__ = ("d", "k", "raw")

    def __init__(self, period: int, smooth: int, signal: int) -> None:
        self.raw, self.k, self.d = RawStochastic(period), Sma(smooth), Sma(signal)

    def reset(self) -> None:
        """Forget every bar."""
        self.raw.reset()
        self.k.reset()
        self.d.reset()

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Take one bar and return k and d."""
        k = self.k.update(self.raw.update(high, low, close))
        return k, self.d.update(k)


@compiled
def stoch_rsi(values: Column, period: int, window: int, smooth: int, signal: int) -> tuple[Column, Column]:
    """Stochastic of the RSI: where the RSI stands in its own range; 0 to 100.

    Formula: r = RSI(x, period); k = SMA(100 (r - lowest r) / (highest r - lowest r) over `window`, smooth);
        d = SMA(k, signal)
    Source: T. S. Chande and S. Kroll, The New Technical Trader, 1994
    """
    strength = rsi(values, period)
    k = sma(raw_stochastic(strength, strength, strength, window), smooth)
    return k, sma(k, signal)


class StochRsi(Twin):
    """The twin of `stoch_rsi`."""

    __slots__ = ("place", "rsi")

    def __init__(self, period: int, window: int, smooth: int, signal: int) -> None:
        self.rsi, self.place = Rsi(period), Stochastic(window, smooth, signal)

    def reset(self) -> None:
        """Forget every bar."""
        self.rsi.reset()
        self.place.reset()

    def update(self, value: float) -> tuple[float, float]:
        """Take one value and return k and d."""
        strength = self.rsi.update(value)
        return self.place.update(strength, strength, strength)


@compiled
def williams_r(high: Column, low: Column, close: Column, period: int) -> Column:
    """Williams %R, -100 to 0; -50 where there is no range.

    Formula: -100 (highest high - close) / (highest high - lowest low)
    Source: L. Williams, How I Made One Million Dollars Last Year Trading Commodities, 1973
    """
    return raw_stochastic(high, low, close, period) - 100.0


class WilliamsR(RawStochastic):
    """The twin of `williams_r`."""

    __slots__ = ()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the oscillator."""
        return super().update(high, low, close) - 100.0


@compiled
def cci(high: Column, low: Column, close: Column, period: int) -> Column:
    """Commodity channel index; 0 where nothing moved.

    Formula: (t - SMA(t)) / (0.015 mean(|t - SMA(t)|)), t = (high + low + close) / 3
    Source: D. Lambert, Commodity Channel Index, Commodities, 1980
    """
    typical = (high + low + close) / 3.0
    middle = sma(typical, period)
    out = np.full(len(close), np.nan)
    for i in range(len(close)):
        if not isnan(middle[i]):
            out[i] = cci_at(typical[i - period + 1 : i + 1], middle[i])
    return out


def _cci_at(window: Column | list[float], middle: float) -> float:
    apart = 0.0
    for value in window:
        apart += abs(value - middle)
    return 0.0 if apart == 0.0 else (window[-1] - middle) * len(window) / (0.015 * apart)


cci_at = compiled(_cci_at)


class Cci(Twin):
    """The twin of `cci`."""

    __slots__ = ("held", "middle")

    def __init__(self, period: int) -> None:
        self.middle, self.held = Sma(period), Held(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.middle.reset()
        self.held.reset()

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar and return the index."""
        typical = (high + low + close) / 3.0
        middle = self.middle.update(typical)
        return _cci_at(self.held.values, middle) if self.held.update(typical) else NAN


@compiled
def coppock(values: Column, slow: int, fast: int, period: int) -> Column:
    """Coppock curve: long momentum, smoothed.

    Formula: WMA(ROC(x, slow) + ROC(x, fast), period)
    Source: E. S. C. Coppock, Realistic Stock Market Forecasting, 1962
    """
    return wma(roc(values, slow) + roc(values, fast), period)


class Coppock(Twin):
    """The twin of `coppock`."""

    __slots__ = ("average", "quick", "slowly")

    def __init__(self, slow: int, fast: int, period: int) -> None:
        self.slowly, self.quick, self.average = Roc(slow), Roc(fast), Wma(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.slowly.reset()
        self.quick.reset()
        self.average.reset()

    def update(self, value: float) -> float:
        """Take one value and return the curve."""
        return self.average.update(self.slowly.update(value) + self.quick.update(value))


@compiled
def tsi(values: Column, slow: int, fast: int, signal: int) -> tuple[Column, Column]:
    """True strength index, -100 to 100, and its average; 0 where nothing moved.

    Formula: 100 EMA(EMA(m, slow), fast) / EMA(EMA(|m|, slow), fast), m = x - x'; signal EMA(tsi, signal)
    Source: W. Blau, Momentum, Direction and Divergence, 1995
    """
    steps = changes(values, 1)
    index = shares(ema(ema(steps, slow), fast), ema(ema(np.abs(steps), slow), fast), 0.0)
    return index, ema(index, signal)


class Tsi(Twin):
    """The twin of `tsi`."""

    __slots__ = ("average", "net", "net_slow", "step", "whole", "whole_slow")

    def __init__(self, slow: int, fast: int, signal: int) -> None:
        self.step, self.average = Change(1), Ema(signal)
        self.net_slow, self.net, self.whole_slow, self.whole = Ema(slow), Ema(fast), Ema(slow), Ema(fast)

    def reset(self) -> None:
        """Forget every bar."""
        for twin in (self.step, self.average, self.net_slow, self.net, self.whole_slow, self.whole):
            twin.reset()

    def update(self, value: float) -> tuple[float, float]:
        """Take one value and return index and signal."""
        step = self.step.update(value)
        net = self.net.update(self.net_slow.update(step))
        whole = self.whole.update(self.whole_slow.update(abs(step)))
        index = 0.0 if whole == 0.0 else 100.0 * net / whole
        return index, self.average.update(index)
