"""Columns of wishes become flags, in one pass: what `orders_wanted.flags_of` says in whole arrays, for many runs."""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int
from pilothouse.strategies.indicators.compiling import compiled

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
