"""Every order that a run made, as columns: what it asked for, what became of it, and which fills were its. Pure.

Prices are ticks and quantities lots of the order's own market, as in `result.py`; instants milliseconds since 1970.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.candles import Ints

ORDER_COLUMNS: Final = (
    "made_ms", "ended_ms", "market", "sign", "lots", "limit", "trigger", "last", "trail", "moves", "reduces", "reason",
    "filled", "outcome", "name", "words",
)  # fmt: skip
ORDER_WIDTH: Final = len(ORDER_COLUMNS)


class Outcome(IntEnum):
    """What became of an order."""

    OPEN = 0
    """It stood when the run ended."""
    FILLED = 1
    CUT = 2
    """Filled as far as the account could pay, or as far as anything was held."""
    CANCELED = 3
    REPLACED = 4
    EXPIRED = 5
    DENIED = 6
    """The risk gate did not let it through."""
    TOO_SMALL = 7
    TOO_LARGE = 8
    UNPAID = 9
    """The account could not pay for the least of it."""
    NOTHING_HELD = 10
    NO_PLACE = 11
    """As many positions were open as may be."""
    NO_PRICE = 12
    """No bar of its instrument had closed yet."""


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """One row each, in the order in which they were made; int64[q].

    made_ms, ended_ms   when it was decided, and when it ended; -1 where it stood in the end. What happened inside a bar
                        has the time of its opening, or of the opening of its piece; what happened at a close that one
    market              place among the symbols of the run
    sign                1 buys, -1 sells
    lots                asked for; 0: all that is held; -1: it was stopped before it had a size
    limit, trigger      ticks, as it was made; 0 for none
    last                ticks, the price at which it stood last, where it has one
    trail               ticks that a trigger follows behind the best price; 0 for none
    moves               how often its price moved while it stood
    reduces             1: it could open nothing
    reason              see `result.Reason`; of a stop that moved, the last one
    filled              lots
    outcome             see Outcome
    name                row in `names`, what the strategy called it; -1: nothing
    words               row in `told`, what stopped or ended it in words; -1: nothing
    fill_order          int64[k], the row in here that each fill of the result belongs to
    """

    made_ms: Ints
    ended_ms: Ints
    market: Ints
    sign: Ints
    lots: Ints
    limit: Ints
    trigger: Ints
    last: Ints
    trail: Ints
    moves: Ints
    reduces: Ints
    reason: Ints
    filled: Ints
    outcome: Ints
    name: Ints
    words: Ints
    fill_order: Ints
    names: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, rows: NDArray[np.int64], fill_order: Ints, names: tuple[str, ...] = (), told: tuple[str, ...] = ()
    ) -> "Orders":
        """Return orders of int64[q, 16], in the order of ORDER_COLUMNS."""
        columns = {name: rows[:, place] for place, name in enumerate(ORDER_COLUMNS)}
        return cls(**columns, fill_order=fill_order, names=names, told=told)

    def __len__(self) -> int:
        return len(self.sign)

    def name_of(self, row: int) -> str:
        """Return what the strategy called an order."""
        place = int(self.name[row])
        return self.names[place] if place >= 0 else ""

    def words_of(self, row: int) -> str:
        """Return what stopped or ended an order, in words."""
        place = int(self.words[row])
        return self.told[place] if place >= 0 else ""
