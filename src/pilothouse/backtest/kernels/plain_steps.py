"""What happens in a bar by the rules of `plain.py`, step by step: shared by the loops that know those rules alone.

How many lots are entered and at which price, where the levels stand then, and how and why a position ends.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_up, up
from pilothouse.backtest.kernels.orders import lots_by
from pilothouse.strategies.indicators.compiling import inlined

Array = NDArray[np.int64]


@inlined
def side_wished(flag: Int) -> Int:
    """Return 1 or -1 where a flag opens a side, else 0: what is to be left at once is not opened."""
    enters = 1 if flag & k.LONG else -1 if flag & k.SHORT else 0
    if (enters > 0 and flag & k.LEAVE_LONG) or (enters < 0 and flag & k.LEAVE_SHORT):
        return 0
    return enters


@inlined
def lots_entered(
    p: Array, kinds: Array, trades: Array, done: Int, enters: Int, close: Int, worth: Int, opened: Int, cash: Int,
    taker_ppm: Int,
) -> tuple[Int, Int]:  # fmt: skip
    """Return how many lots are entered and at which price: 0 where it is left, -1 where it cannot be counted.

    close, worth   price and account when it was wished
    """
    lots = lots_by(p, trades, done, p[k.SIZE], away_of(kinds, k.D_STOP, close), close, worth)
    wanted, least = min(lots, p[k.LOTS_MOST]), p[k.NOTIONAL_MIN]
    price = max(opened + enters * worse_by(p, opened), 1)
    if not (wanted >= p[k.LOTS_MIN] and (least == 0 or wanted >= up(least, close * p[k.UNITS]))):
        return 0, price
    most = affordable_lots(p, wanted, price, cash, taker_ppm)
    if most > 0 and most < wanted and (most < p[k.LOTS_MIN] or most * price * p[k.UNITS] < least):
        return 0, price
    return most, price


@inlined
def levels_of(p: Array, kinds: Array, side: Int, price: Int, stop_away: Int) -> tuple[Int, Int, Int]:
    """Return where a position entered at `price` is stopped, takes its profit and is liquidated; trails come on top."""
    times, keep_ppm = p[k.LEVERAGE], p[k.MAINTENANCE_PPM]
    stop, take = (0, k.BIG) if side > 0 else (k.BIG, 0)
    if stop_away > 0:
        stop = max(price - side * stop_away, 0)
    take_away = away_of(kinds, k.D_TARGET, price) if p[k.TARGETS] > 0 else 0
    if take_away > 0:
        take = max(price + side * take_away, 0)
    if side > 0 and times == 1:
        liquid = 0
    elif side > 0:
        liquid = up(price * (times - 1) * k.MILLION, times * (k.MILLION - keep_ppm))
    else:
        liquid = price * (times + 1) * k.MILLION // (times * (k.MILLION + keep_ppm))
    return stop, take, liquid


@inlined
def way_out(
    p: Array, step: Int, flag: Int, opened: Int, high: Int, low: Int, side: Int, entry: Int, stop: Int, liquid: Int,
    take: Int,
) -> tuple[Int, Int, Int]:  # fmt: skip
    """Return at which price, why and whether as a maker a position ends in a step of a bar; a price of 0: it does not.

    step   0 what the open has passed, 1 the wish, 2 the path inside
    """
    if step == 1:
        against = flag & k.SHORT if side > 0 else flag & k.LONG
        leaves = flag & k.LEAVE_LONG if side > 0 else flag & k.LEAVE_SHORT
        if against or leaves:
            return opened, k.R_FLIP if against != 0 and p[k.FLIPS] != 0 else k.R_LEAVE, 0
        return 0, 0, 0
    times = p[k.LEVERAGE]
    near, far = (opened, opened) if step == 0 else (low, high) if side > 0 else (high, low)
    is_liquid, is_stopped = (liquid - near) * side >= 0, (stop - near) * side >= 0
    # At the open liquidation comes first; inside, the nearer of the two.
    if is_liquid and (step == 0 or not is_stopped or (liquid - stop) * side >= 0):
        if side > 0:
            broke = max(up(entry * (times - 1), times), 1)
            return max(min(liquid, opened), broke, 1), k.R_LIQUIDATION, 0
        broke = entry * (times + 1) // times
        return max(min(max(liquid, opened), broke), 1), k.R_LIQUIDATION, 0
    if is_stopped:
        price = min(stop, opened) if side > 0 else max(stop, opened)
        return opened if step == 0 else price, k.R_STOP, 0
    if p[k.TARGETS] > 0 and take > 0 and take < k.BIG and (far - take) * side >= p[k.REACH]:
        return take, k.R_TARGET, 1
    return 0, 0, 0


@inlined
def paid_out(
    p: Array, side: Int, lots: Int, price: Int, why: Int, maker: Int, maker_ppm: Int, taker_ppm: Int
) -> tuple[Int, Int, Int]:
    """Return price, value and fee of what ends a position: slippage is in the price."""
    if maker == 0 and why != k.R_LIQUIDATION:
        worse = worse_by(p, price)
        price = max(price - worse, 1) if side > 0 else price + worse
    value = lots * price * p[k.UNITS]
    fee = ppm_up(value, maker_ppm if maker else taker_ppm)
    if why == k.R_LIQUIDATION:
        fee += ppm_up(value, p[k.LIQUIDATION_PPM])
    return price, value, fee


@inlined
def away_of(kinds: Array, slot: Int, entry: Int) -> Int:
    """Return a distance in ticks, 0 for none."""
    ticks = kinds[slot, k.D_TICKS]
    return ticks if ticks > 0 else up(entry * kinds[slot, k.D_PPM], k.MILLION)


@inlined
def worse_by(p: Array, price: Int) -> Int:
    """Return how many ticks an order that takes loses at this price."""
    if p[k.SLIP] == k.SLIP_NONE:
        return 0
    worse = up(price * p[k.SLIP_PPM], k.MILLION) + p[k.SLIP_TICKS]
    return worse if p[k.SLIP] == k.SLIP_FIXED else up(worse, 2)


@inlined
def affordable_lots(p: Array, lots: Int, price: Int, cash: Int, taker_ppm: Int) -> Int:
    """Return the most of `lots` that cash carries with its fee, -1 where that cannot be counted."""
    each, times = price * p[k.UNITS], p[k.LEVERAGE]
    if cash > p[k.WORTH_SAFE]:
        return -1
    room = times * cash
    if room <= 0:
        return 0
    if lots > p[k.LOTS_SAFE]:
        lots = min(lots, room // each)
    value = lots * each
    # Nearly always all of it fits, and that is known without a division.
    if value <= room and ppm_up(value, taker_ppm) <= (room - value if times == 1 else (room - value) // times):
        return lots
    most = min(lots, room // each)
    cost = ppm_up(each, taker_ppm) + up(each, times)
    while most > 0:
        short = ppm_up(most * each, taker_ppm) - (room - most * each) // times
        if short <= 0:
            break
        most -= max((short - 1) // cost, 1)
    return max(most, 0)
