"""Moving averages of one column: where the price was lately.

For all of them: `values` is float64[n], oldest first; `period` counts bars; the answer is float64[n] and NaN during the
warm-up. A twin takes one value and answers the average at that bar.
"""

from math import exp, isnan

import numpy as np

from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin
from pilothouse.strategies.indicators.windows import (
    Held,
    SumWindow,
    WeightedWindow,
    rolling_sum,
    rolling_weighted,
)


@compiled
def sma(values: Column, period: int) -> Column:
    """Simple moving average.

    Formula: mean of the last `period` values
    Source: J. J. Murphy, Technical Analysis of the Financial Markets, 1999, chapter 9
    """
    out = rolling_sum(values, period)
    for i in range(len(out)):
        out[i] /= period
    return out


class Sma(SumWindow):
    """The twin of `sma`."""

    __slots__ = ()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        # The sum stands here once more, because a call inside the call would take as long as the rest.
        head = self.head + value
        if head != head:  # noqa: PLR0124 - only NaN differs from itself, and asking isnan takes longer than the sum
            self.reset()
            return NAN
        ring, period = self.ring, self.period
        ring.append(value)
        at = len(ring)
        if at < period:
            self.head = head
            return (self.tail[at] + head) / period
        self.turn()
        return head / period


@compiled
def smoothed(values: Column, period: int, alpha: float) -> Column:
    """Exponential smoothing that begins with the mean of the first `period` values.

    Formula: s = s' + alpha (x - s'), where s' is the bar before; the first s is the mean of `period` values
    Source: R. G. Brown, Statistical Forecasting for Inventory Control, 1959; begun as TA-Lib begins
    """
    if period < 1:
        raise ValueError("period: 1 or more")
    out = np.full(len(values), np.nan)
    seen, level = 0, 0.0
    for i in range(len(values)):
        value = values[i]
        if isnan(value):
            seen, level = 0, 0.0
            continue
        if seen < period:
            seen += 1
            level += value
            if seen < period:
                continue
            level /= period
        else:
            level += alpha * (value - level)
        out[i] = level
    return out


class Smoothed(Twin):
    """The twin of `smoothed`."""

    __slots__ = ("alpha", "level", "period", "seen")

    def __init__(self, period: int, alpha: float) -> None:
        self.period, self.alpha = period, alpha
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.seen, self.level = 0, 0.0

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        if self.seen == self.period:
            level = self.level
            level += self.alpha * (value - level)
            if level == level:  # noqa: PLR0124 - only NaN differs from itself; isnan takes longer than the average
                self.level = level
            else:
                self.reset()
            return level
        if isnan(value):
            self.reset()
            return NAN
        self.seen += 1
        self.level += value
        if self.seen < self.period:
            return NAN
        self.level /= self.period
        return self.level


@compiled
def ema(values: Column, period: int) -> Column:
    """Exponential moving average.

    Formula: s = s' + 2 / (period + 1) (x - s'), begun with the mean of the first `period` values
    Source: P. N. Haurlan, Measuring Trend Values, 1968; begun as TA-Lib begins
    """
    return smoothed(values, period, 2.0 / (period + 1.0))


class Ema(Smoothed):
    """The twin of `ema`."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 2.0 / (period + 1.0))


@compiled
def rma(values: Column, period: int) -> Column:
    """Wilder's smoothed average.

    Formula: s = s' + (x - s') / period, begun with the mean of the first `period` values
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978
    """
    return smoothed(values, period, 1.0 / period)


class Rma(Smoothed):
    """The twin of `rma`."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 1.0 / period)


@compiled
def wma(values: Column, period: int) -> Column:
    """Linearly weighted moving average.

    Formula: (1 x_oldest + 2 x_next + ... + period x_newest) / (period (period + 1) / 2)
    Source: J. J. Murphy, Technical Analysis of the Financial Markets, 1999, chapter 9
    """
    return rolling_weighted(values, period) / (period * (period + 1) / 2.0)


class Wma(WeightedWindow):
    """The twin of `wma`."""

    __slots__ = ()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        return super().update(value) / (self.period * (self.period + 1) / 2.0)


@compiled
def trima(values: Column, period: int) -> Column:
    """Triangular moving average: the middle of the window counts most.

    Formula: SMA of SMA; lengths (period + 1) / 2 twice if `period` is odd, else period / 2 and period / 2 + 1
    Source: TA-Lib, TA_TRIMA
    """
    return sma(sma(values, (period + 1) // 2), period // 2 + 1)


class Trima(Twin):
    """The twin of `trima`."""

    __slots__ = ("inner", "outer")

    def __init__(self, period: int) -> None:
        self.inner, self.outer = Sma((period + 1) // 2), Sma(period // 2 + 1)

    def reset(self) -> None:
        """Forget every bar."""
        self.inner.reset()
        self.outer.reset()

    def update(self, value: float) -> float:
        """Take one value and return the average."""
        return self.outer.update(self.inner.update(value))


@compiled
def vwma(values: Column, volume: Column, period: int) -> Column:
    """Volume-weighted moving average.

    Formula: sum(x volume) / sum(volume) over `period` bars; NaN where nothing was traded in all of them
    Source: TradingView, Pine Script reference, ta.vwma
    """
    traded, paid = rolling_sum(volume + 0.0 * values, period), rolling_sum(values * volume, period)
    out = np.full(len(values), np.nan)
    for i in range(len(values)):
        if traded[i] > 0.0:
            out[i] = paid[i] / traded[i]
    return out


class Vwma(Twin):
    """The twin of `vwma`."""

    __slots__ = ("paid", "traded")

    def __init__(self, period: int) -> None:
        self.traded, self.paid = SumWindow(period), SumWindow(period)

    def reset(self) -> None:
        """Forget every bar."""
        self.traded.reset()
        self.paid.reset()

    def update(self, value: float, volume: float) -> float:
        """Take one value with its volume and return the average."""
        traded, paid = self.traded.update(volume + 0.0 * value), self.paid.update(value * volume)
        return paid / traded if traded > 0.0 else NAN


@compiled
def alma_weights(period: int, offset: float, sigma: float) -> Column:
    """Return the bell of `alma`, oldest bar first: float64[period], sum 1."""
    weights = np.empty(period)
    middle, width = offset * (period - 1), period / sigma
    total = 0.0
    for k in range(period):
        apart = (k - middle) / width
        weights[k] = exp(-0.5 * apart * apart)
        total += weights[k]
    for k in range(period):
        weights[k] /= total
    return weights


@compiled
def weighted_window(values: Column, weights: Column) -> Column:
    """Sum of the last values times `weights` (oldest first); NaN before there are as many, and none is NaN."""
    out = np.full(len(values), np.nan)
    period, seen = len(weights), 0
    for i in range(len(values)):
        seen = 0 if isnan(values[i]) else seen + 1
        if seen < period:
            continue
        total = 0.0
        for k in range(period):
            total += weights[k] * values[i - period + 1 + k]
        out[i] = total
    return out


class FixedWeights(Twin):
    """The twin of `weighted_window`."""

    __slots__ = ("held", "weights")

    def __init__(self, weights: Column) -> None:
        self.weights: list[float] = weights.tolist()
        self.held = Held(len(weights))

    def reset(self) -> None:
        """Forget every bar."""
        self.held.reset()

    def update(self, value: float) -> float:
        """Take one value and return the weighted sum."""
        if not self.held.update(value):
            return NAN
        total = 0.0
        for weight, held in zip(self.weights, self.held.values, strict=True):
            total += weight * held
        return total


@compiled
def alma(values: Column, period: int, offset: float, sigma: float) -> Column:
    """Arnaud Legoux moving average: a bell over the window, nearer to its newest end.

    Formula: sum(w_k x_k) / sum(w_k), w_k = exp(-(k - offset (period - 1))^2 / (2 (period / sigma)^2)), k = 0 oldest
    Source: A. Legoux and D. Kouzis-Loukas, 2009
    """
    if period < 1 or sigma <= 0.0:
        raise ValueError("period: 1 or more; sigma: above 0")
    return weighted_window(values, alma_weights(period, offset, sigma))


class Alma(FixedWeights):
    """The twin of `alma`."""

    __slots__ = ()

    def __init__(self, period: int, offset: float, sigma: float) -> None:
        super().__init__(alma_weights(period, offset, sigma))
