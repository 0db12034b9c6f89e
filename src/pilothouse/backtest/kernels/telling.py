"""A whole trial in one call: wishes, candles and a plan go in; trades, equity and what is reckoned from it come out.

Columns of wishes become flags in one pass, which is what `orders_wanted.flags_of` says in whole arrays. One call,
because threads that let go of the interpreter and take it again for each step wait for one another.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int
from pilothouse.backtest.kernels.plain import STATUS, plain_bars
from pilothouse.backtest.kernels.statistics import deepest_fall
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]
Flags = NDArray[np.uint8]

BOTH_WAYS, LONG_ALONE, SHORT_ALONE = range(3)


@compiled
def told_flags(
    long: Flags, short: Flags, leave_long: Flags, leave_short: Flags, side: Int, first: Int, shift: Int, flags: Flags
) -> Int:
    """Write what each bar is told to do; return in how many bars something is.

    long ... leave_short   uint8[n], 1 or 0, what is wished at the close of each bar
    first                  the first bar whose wishes count
    shift                  bars between a wish and the bar that is told of it
    """
    count = len(flags)
    begins = min(first + shift, count)
    flags[:begins] = 0
    some = 0
    for bar in range(max(count - shift - first, 0)):
        at = np.uint64(bar) + np.uint64(first)
        wants, sells = long[at], short[at]
        alone = np.uint8(1) - (wants & sells)  # both sides at once contradict each other and are no wish
        wants, sells = wants & alone, sells & alone
        leaves_long, leaves_short = leave_long[at], leave_short[at]
        if side == LONG_ALONE:
            leaves_long, sells = leaves_long | sells, np.uint8(0)
        elif side == SHORT_ALONE:
            leaves_short, wants = leaves_short | wants, np.uint8(0)
        flag = (
            wants * np.uint8(k.LONG)
            + sells * np.uint8(k.SHORT)
            + leaves_long * np.uint8(k.LEAVE_LONG)
            + leaves_short * np.uint8(k.LEAVE_SHORT)
        )
        flags[at + np.uint64(shift)] = flag
        some += flag != 0
    return some


@compiled
def trial_of(
    opens: Array, highs: Array, lows: Array, closes: Array, long: Flags, short: Flags, leave_long: Flags,
    leave_short: Flags, side: Int, first: Int, p: Array, kinds: Array, tiers: Array, unit: float, places: Array,
    flags: Flags, equity: Array, trades: Array, fills: Array, counts: Array, worth: Array,
) -> float:  # fmt: skip
    """Trade the wishes; fill `flags`, `equity`, `trades`, `counts` and `worth`; return the deepest drawdown, a share.

    unit     what a unit is worth, quote currency
    places   int64[m], rows of the curve, whose first is the capital before the first bar
    worth    int64[m], what the account was worth there

    The other arguments are those of `told_flags` and `plain_bars`. Where an amount does not fit, only `counts` says so.
    """
    told_flags(long, short, leave_long, leave_short, side, first, p[k.SHIFT], flags)
    plain_bars(opens, highs, lows, closes, flags, p, kinds, tiers, equity, trades, fills, counts)
    if counts[STATUS] != 0:
        return 0.0
    for row in range(len(places)):
        place = places[row]
        worth[row] = equity[place - 1] if place > 0 else p[k.CAPITAL]
    return deepest_fall(equity, p[k.CAPITAL], unit)
