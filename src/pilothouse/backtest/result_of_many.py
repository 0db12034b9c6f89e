"""What came out of a backtest over several instruments on one account: a result that knows which trade is whose. Pure.

Everything that a result of one instrument tells is told here too, over the calendar of all. A tick and a lot are not
worth the same in each instrument; a unit of money is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pilothouse.backtest.result import Result, Scale
from pilothouse.core.candles import Candles, Floats, Ints

_BEGINS: Final = 1_000.0
_DIGITS: Final = 4


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio(Result):
    """One run over several instruments; bars are those of the calendar, which holds every opening of all of them.

    symbols       in order of name
    scales        what ticks and lots of each are worth; `scale` has the unit that all share
    trade_market  int64[m], which of the symbols a trade is in
    fill_market   int64[k], which of them a fill is in
    crowded       how many entries were wanted and not made, because no place was left
    """

    symbols: tuple[str, ...] = ()
    scales: tuple[Scale, ...] = ()
    trade_market: Ints = field(default_factory=_none)
    fill_market: Ints = field(default_factory=_none)
    crowded: int = 0

    def symbol_of(self, trade: int, alone: str) -> str:
        """Return the symbol of a trade."""
        return self.symbols[int(self.trade_market[trade])]

    def scale_of(self, trade: int) -> Scale:
        """Return what ticks and lots of a trade are worth."""
        return self.scales[int(self.trade_market[trade])]

    def digest(self) -> str:
        """Return the SHA-256 over everything that came out: the same spec has the same, byte for byte."""
        told = f"{Result.digest(self)} {self.symbols} {self.scales} {self.crowded}"
        digest = hashlib.sha256(told.encode())
        for column in (self.trade_market, self.fill_market):
            digest.update(np.ascontiguousarray(column, dtype="<i8").data)
        return digest.hexdigest()


def held_alike(bars: Sequence[Candles], calendar: Ints) -> Candles:
    """Return what holding several instruments at equal weights was worth, as candles over the calendar of all.

    It begins with 1,000, a part for each instrument; the part of one that is not listed yet lies in cash, and one that
    has no bar is worth its last close. Between two closes it is not known: high and low are those of the two.
    """
    worth = np.zeros(len(calendar))
    for each in bars:
        at = np.searchsorted(each.opened_ms, calendar, side="right") - 1
        close: Floats = each.price("close") / float(each.price("open")[0])
        worth += np.where(at >= 0, close[np.maximum(at, 0)], 1.0)
    last = np.maximum(np.rint(worth / len(bars) * _BEGINS * 10**_DIGITS), 1).astype(np.int64)
    first = np.concatenate((np.array([int(_BEGINS) * 10**_DIGITS]), last[:-1]))
    none = np.zeros(len(calendar), np.int64)
    return Candles(
        f"{len(bars)} instruments", bars[0].span_ms, calendar, first, np.maximum(first, last), np.minimum(first, last),
        last, none, _DIGITS, 0,
    )  # fmt: skip
