"""Signals become flags: what each bar is told to do, moved to the bar at which it is carried out."""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.strategies.indicators.compiling import compiled

Flags = NDArray[np.uint8]
Truths = NDArray[np.bool_]


@compiled
def write_flags(
    long: Truths,
    short: Truths,
    leave_long: Truths,
    leave_short: Truths,
    target: NDArray[np.float64],
    flags: Flags,
    warm_up: int,
    shift: int,
    side: int,
) -> None:
    """Write what each bar is told to do, `shift` bars after it was wished; columns may be empty.

    Both sides at once contradict each other and are no wish. A side that is not traded only closes the other.
    """
    for bar in range(warm_up, len(flags) - shift):
        flag = 0
        if len(target) > 0:
            if target[bar] > 0.0:
                flag = k.LONG | k.RESIZE
            elif target[bar] < 0.0:
                flag = k.SHORT | k.RESIZE
            elif target[bar] == 0.0:
                flag = k.LEAVE_LONG | k.LEAVE_SHORT
        else:
            if len(long) > 0 and long[bar]:
                flag |= k.LONG
            if len(short) > 0 and short[bar]:
                flag |= k.SHORT
            if flag == k.LONG | k.SHORT:
                flag = 0
            if len(leave_long) > 0 and leave_long[bar]:
                flag |= k.LEAVE_LONG
            if len(leave_short) > 0 and leave_short[bar]:
                flag |= k.LEAVE_SHORT
        if flag:
            if side > 0 and flag & k.SHORT:
                flag = flag & ~(k.SHORT | k.RESIZE) | k.LEAVE_LONG
            elif side < 0 and flag & k.LONG:
                flag = flag & ~(k.LONG | k.RESIZE) | k.LEAVE_SHORT
            flags[bar + shift] = flag
