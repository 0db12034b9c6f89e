"""Sums, extremes and moments over the last bars, in a few steps for each bar however long the window is.

A running sum that adds the new and subtracts the old value keeps the rounding errors of every value that ever was in
it: after one bar with an enormous volume, a window of zeros would no longer sum to zero. So nothing is subtracted here.
The bars are cut into blocks as long as the window; a window is then the end of one block and the beginning of the next,
and both are known by adding alone. (The same cut gives running extremes: M. van Herk, 1992.)

Each function has a twin that does the same additions in the same order.
"""

from itertools import accumulate
from math import isnan

import numpy as np

from pilothouse.strategies.indicators.compiling import Column, compiled
from pilothouse.strategies.indicators.twin import NAN, Twin


@compiled
def rolling_sum(values: Column, period: int) -> Column:
    """Sum of the last `period` values; NaN before there are so many, and none is NaN."""
    if period < 1:
        raise ValueError("period: 1 or more")
    out = np.empty(len(values))  # each place is written once: a pass over them less
    tail = np.full(period, np.nan)  # tail[k]: sum of the block before, from its bar k to its end
    head, at = 0.0, 0
    for i in range(len(values)):
        value = values[i]
        if isnan(value):
            head, at = 0.0, 0
            tail[:] = np.nan
            out[i] = np.nan
            continue
        head += value
        at += 1
        if at < period:
            out[i] = tail[at] + head
            continue
        out[i] = head
        head, at = 0.0, 0
        total = 0.0
        for k in range(period - 1, 0, -1):
            total += values[i - period + 1 + k]
            tail[k] = total
    return out


class SumWindow(Twin):
    """The twin of `rolling_sum`."""

    __slots__ = ("head", "period", "ring", "tail")

    def __init__(self, period: int) -> None:
        self.period = period
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.head = 0.0
        self.ring: list[float] = []  # the block that is being filled
        self.tail = [NAN] * self.period

    def update(self, value: float) -> float:
        """Take one value and return the sum."""
        head = self.head + value
        if head != head:  # noqa: PLR0124 - only NaN differs from itself, and asking isnan takes longer than the sum
            self.reset()
            return NAN
        ring = self.ring
        ring.append(value)
        at = len(ring)
        if at < self.period:
            self.head = head
            return self.tail[at] + head
        self.turn()
        return head

    def turn(self) -> None:
        """Begin a new block: the one that is full becomes the older part of the next windows."""
        self.tail = tail = list(accumulate(reversed(self.ring)))
        tail.reverse()
        self.ring = []
        self.head = 0.0


@compiled
def rolling_weighted(values: Column, period: int) -> Column:
    """Sum of the last `period` values, the oldest taken once and the newest `period` times; NaN as in `rolling_sum`."""
    if period < 1:
        raise ValueError("period: 1 or more")
    out = np.full(len(values), np.nan)
    tail = np.full(period, np.nan)  # of the block before, from bar k: each value taken 1, 2, 3 ... times
    head, weighted, at = 0.0, 0.0, 0
    for i in range(len(values)):
        value = values[i]
        if isnan(value):
            head, weighted, at = 0.0, 0.0, 0
            tail[:] = np.nan
            continue
        head += value
        at += 1
        weighted += at * value
        if at < period:
            out[i] = tail[at] + (weighted + (period - at) * head)
            continue
        out[i] = weighted
        head, weighted, at = 0.0, 0.0, 0
        total, taken = 0.0, 0.0
        for k in range(period - 1, 0, -1):
            total += values[i - period + 1 + k]
            taken += total
            tail[k] = taken
    return out


class WeightedWindow(Twin):
    """The twin of `rolling_weighted`."""

    __slots__ = ("at", "head", "period", "ring", "tail", "weighted")

    def __init__(self, period: int) -> None:
        self.period = period
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.at, self.head, self.weighted = 0, 0.0, 0.0
        self.ring, self.tail = [0.0] * self.period, [NAN] * self.period

    def update(self, value: float) -> float:
        """Take one value and return the weighted sum."""
        head = self.head + value
        if isnan(head):
            self.reset()
            return NAN
        at = self.at
        self.ring[at] = value
        at += 1
        weighted = self.weighted + at * value
        if at < self.period:
            self.at = at
            self.head = head
            self.weighted = weighted
            return self.tail[at] + (weighted + (self.period - at) * head)
        self.at = 0
        self.head = self.weighted = 0.0
        total = taken = 0.0
        ring, tail = self.ring, self.tail
        for k in range(self.period - 1, 0, -1):
            total += ring[k]
            taken += total
            tail[k] = taken
        return weighted


@compiled
def rolling_highest(values: Column, period: int) -> Column:
    """Greatest of the last `period` values; NaN as in `rolling_sum`."""
    if period < 1:
        raise ValueError("period: 1 or more")
    out = np.full(len(values), np.nan)
    tail = np.full(period, np.nan)
    head, at = 0.0, 0
    for i in range(len(values)):
        value = values[i]
        if isnan(value):
            at = 0
            tail[:] = np.nan
            continue
        head = value if at == 0 or value > head else head
        at += 1
        if at < period:
            out[i] = max(tail[at], head)  # NaN while there is no block before
            continue
        out[i] = head
        at = 0
        most = value
        for k in range(period - 1, 0, -1):
            older = values[i - period + 1 + k]
            most = max(most, older)
            tail[k] = most
    return out


class HighestWindow(Twin):
    """The twin of `rolling_highest`."""

    __slots__ = ("at", "head", "period", "ring", "tail")

    def __init__(self, period: int) -> None:
        self.period = period
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.at, self.head = 0, 0.0
        self.ring, self.tail = [0.0] * self.period, [NAN] * self.period

    def update(self, value: float) -> float:
        """Take one value and return the greatest."""
        if isnan(value):
            self.reset()
            return NAN
        at = self.at
        head = value if at == 0 or value > self.head else self.head
        self.ring[at] = value
        at += 1
        if at < self.period:
            self.at = at
            self.head = head
            tail = self.tail[at]
            return max(tail, head)
        self.at = 0
        most = value
        for k in range(self.period - 1, 0, -1):
            older = self.ring[k]
            most = older if older > most else most  # noqa: FURB136 - a call of max costs more than the comparison
            self.tail[k] = most
        return head


@compiled
def rolling_lowest(values: Column, period: int) -> Column:
    """Least of the last `period` values; NaN as in `rolling_sum`."""
    return -rolling_highest(-values, period)


class LowestWindow(HighestWindow):
    """The twin of `rolling_lowest`."""

    __slots__ = ()

    def update(self, value: float) -> float:
        """Take one value and return the least."""
        return -super().update(-value)


@compiled
def rolling_moments(values: Column, period: int) -> tuple[Column, Column]:
    """Mean and sum of squared distances from it, over the last `period` values; NaN as in `rolling_sum`.

    The two parts of a window are joined as in T. Chan, G. Golub and R. LeVeque, Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances, 1979; nothing large is subtracted from anything large.
    """
    if period < 1:
        raise ValueError("period: 1 or more")
    means, squares = np.full(len(values), np.nan), np.full(len(values), np.nan)
    tail_mean, tail_square = np.full(period, np.nan), np.full(period, np.nan)
    mean, square, at = 0.0, 0.0, 0
    for i in range(len(values)):
        value = values[i]
        if isnan(value):
            mean, square, at = 0.0, 0.0, 0
            tail_mean[:] = np.nan
            continue
        at += 1
        apart = value - mean
        mean += apart / at
        square += apart * (value - mean)
        if at < period:
            older = period - at
            apart = mean - tail_mean[at]
            means[i] = (older * tail_mean[at] + at * mean) / period
            squares[i] = tail_square[at] + square + apart * apart * (older * at / period)
            continue
        means[i], squares[i] = mean, square
        mean, square, at = 0.0, 0.0, 0
        ahead, ahead_square = 0.0, 0.0
        for k in range(period - 1, 0, -1):
            older_value = values[i - period + 1 + k]
            apart = older_value - ahead
            ahead += apart / (period - k)
            ahead_square += apart * (older_value - ahead)
            tail_mean[k], tail_square[k] = ahead, ahead_square
    return means, squares


class MomentsWindow(Twin):
    """The twin of `rolling_moments`."""

    __slots__ = ("at", "mean", "period", "ring", "square", "tail_mean", "tail_square")

    def __init__(self, period: int) -> None:
        self.period = period
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.at, self.mean, self.square = 0, 0.0, 0.0
        self.ring, self.tail_mean, self.tail_square = [0.0] * self.period, [NAN] * self.period, [NAN] * self.period

    def update(self, value: float) -> tuple[float, float]:
        """Take one value and return mean and sum of squared distances."""
        if isnan(value):
            self.reset()
            return NAN, NAN
        period = self.period
        self.ring[self.at] = value
        self.at = at = self.at + 1
        apart = value - self.mean
        self.mean = mean = self.mean + apart / at
        self.square = square = self.square + apart * (value - mean)
        if at < period:
            older, tail_mean = period - at, self.tail_mean[at]
            apart = mean - tail_mean
            return (
                (older * tail_mean + at * mean) / period,
                self.tail_square[at] + square + apart * apart * (older * at / period),
            )
        self._turn()
        return mean, square

    def _turn(self) -> None:
        """Begin a new block: the one that is full becomes the older part of the next windows."""
        self.at, self.mean, self.square = 0, 0.0, 0.0
        ahead = ahead_square = 0.0
        for k in range(self.period - 1, 0, -1):
            value = self.ring[k]
            apart = value - ahead
            ahead += apart / (self.period - k)
            ahead_square += apart * (value - ahead)
            self.tail_mean[k], self.tail_square[k] = ahead, ahead_square


class Lag(Twin):
    """The value `period` bars ago; NaN before there is one."""

    __slots__ = ("at", "period", "ring")

    def __init__(self, period: int) -> None:
        self.period = period
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.at, self.ring = 0, [NAN] * self.period

    def update(self, value: float) -> float:
        """Take one value and return the one that was taken `period` updates before."""
        if not self.period:
            return value
        at = self.at
        before = self.ring[at]
        self.ring[at] = value
        at += 1
        self.at = at if at < self.period else 0
        return before


class Held(Twin):
    """The last `period` values, the oldest first: for what has to look at each of them anew."""

    __slots__ = ("period", "values")

    def __init__(self, period: int) -> None:
        self.period = period
        self.reset()

    def reset(self) -> None:
        """Forget every bar."""
        self.values: list[float] = []

    def update(self, value: float) -> bool:
        """Take one value, and tell whether there are `period` of them now and none is NaN."""
        values = self.values
        if isnan(value):
            self.values = []
            return False
        values.append(value)
        if len(values) > self.period:
            del values[0]
        return len(values) == self.period
