"""Bars in which nothing happened, counted together when the run has ended: what they were worth, what trades saw. Pure.

For runs in which nobody looks at the equity of earlier bars while they go on. Money stays whole numbers: what does not
fit 64 bits is found before it is multiplied.
"""

from operator import add, mul
from typing import Final

import numpy as np

from pilothouse.backtest.result import TRADE_COLUMNS
from pilothouse.backtest.turn_orders import Open
from pilothouse.core.candles import Candles, Ints

_SIDE, _WORST, _BEST = (TRADE_COLUMNS.index(name) for name in ("side", "worst", "best"))
_MOST: Final = 2**63 - 1


class Stretches:
    """The bars of one instrument so far, in order: stretches in which cash and position stayed the same."""

    def __init__(self, candles: Candles) -> None:
        """Begin before the first bar."""
        self._candles = candles
        self._bars: list[int] = []
        self._cash: list[int] = []
        self._each: list[int] = []
        self._trades: list[Open] = []
        self._edges: list[int] = []

    def add(self, bars: int, cash: int, each: int) -> None:
        """Take the next bars; the equity of each is `cash`, and `each` for every tick of its close, units."""
        self._bars.append(bars)
        self._cash.append(cash)
        self._each.append(each)

    def hold(self, trade: Open, start: int, until: int) -> None:
        """Let a trade have lived through the bars from `start` up to `until`."""
        self._trades.append(trade)
        self._edges += (start, until)

    def equity(self) -> Ints:
        """Return equity at the close of each bar, int64[n], units. Raises OverflowError."""
        bars = np.array(self._bars, np.int64)
        closes = self._candles.close[: int(bars.sum())]
        if _largest(self._cash) + _largest(self._each) * int(closes.max(initial=0)) > _MOST:
            return np.array(list(self._exactly()), np.int64)
        found: Ints = np.repeat(np.array(self._each, np.int64), bars)
        found *= closes
        found += np.repeat(np.array(self._cash, np.int64), bars)
        return found

    def _exactly(self) -> "map[int]":
        """Yield the same one by one, however large."""
        of = [np.repeat(np.array(column, object), self._bars).tolist() for column in (self._cash, self._each)]
        return map(add, of[0], map(mul, of[1], self._candles.close.tolist()))

    def see(self, trades: Ints) -> None:
        """Take what trades lived through into their worst and best prices; `trades` as `TRADE_COLUMNS` are."""
        if not self._trades:
            return
        number = np.fromiter((trade.number for trade in self._trades), np.int64, len(self._trades))
        edges = np.array(self._edges, np.int64)
        high = np.maximum.reduceat(np.append(self._candles.high, 0), edges)[::2]
        low = np.minimum.reduceat(np.append(self._candles.low, 0), edges)[::2]
        long = trades[number, _SIDE] > 0
        best, worst = trades[:, _BEST].copy(), trades[:, _WORST].copy()
        for of, up, down in ((long, best, worst), (~long, worst, best)):
            np.maximum.at(up, number[of], high[of])
            np.minimum.at(down, number[of], low[of])
        trades[:, _BEST], trades[:, _WORST] = best, worst


def _largest(numbers: list[int]) -> int:
    return max(max(numbers, default=0), -min(numbers, default=0))
