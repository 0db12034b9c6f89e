"""Orders that rest, and what a bar fills of them: the walk of `turn_walk.py` over whole numbers in arrays, compiled.

The functions take the same arrays throughout: `s` state, `p` settings, `orders` int64[places, 8], `fills` and `trades`
the tables; see resting_slots.py. One position, paid in full. What a fill leads to is the caller's to say. A short
position that comes to its liquidation is more than is known here: STATUS is UNKNOWN then.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import resting_slots as r
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_up, up
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]


@compiled
def place(
    s: Array, p: Array, orders: Array, at: Int, sign: Int, lots: Int, price: Int, stop: Int, reduces: Int, bar: Int
) -> None:
    """Ask for an order; one that stays as it is keeps its age, one that is too small or too large is not made."""
    order = orders[at]
    known = price if price >= 0 else stop
    before = order[r.O_LIVE]
    order[r.O_LIVE] = 0
    if lots > p[r.LOTS_SAFE]:
        s[r.STATUS] = k.OVERFLOW
        return
    small = reduces == 0 and known >= 0 and lots * known * p[r.UNITS] < p[r.NOTIONAL_MIN]
    if lots < p[r.LOTS_MIN] or lots > p[r.LOTS_MOST] or small:
        s[r.SKIPPED] += 1
        return
    stays = before and order[r.O_PRICE] == price and order[r.O_STOP] == stop and lots <= order[r.O_LOTS]
    order[r.O_LIVE], order[r.O_SIGN], order[r.O_LOTS], order[r.O_PRICE], order[r.O_STOP] = 1, sign, lots, price, stop
    order[r.O_REDUCES] = reduces
    if not stays:
        order[r.O_SINCE] = bar
    # Of two at the same price the one that was told first goes first, and whoever is told again stands behind.
    order[r.O_TURN] = s[r.TURN]
    s[r.TURN] += 1


@compiled
def looked_over(s: Array, p: Array, orders: Array) -> None:
    """Note between which prices nothing rests, where the position is liquidated, and what waits for the next open."""
    below, above, waits = -1, r.BEYOND, 0
    for at in range(len(orders)):
        order = orders[at]
        if order[r.O_LIVE] == 0:
            continue
        sign = order[r.O_SIGN]
        if order[r.O_STOP] >= 0:
            if sign > 0:
                above = min(above, order[r.O_STOP])
            else:
                below = max(below, order[r.O_STOP])
        elif order[r.O_PRICE] < 0:
            waits = 1
        elif sign > 0:
            below = max(below, order[r.O_PRICE] - p[r.REACH])
        else:
            above = min(above, order[r.O_PRICE] + p[r.REACH])
    s[r.DOWN], s[r.UP], s[r.AT_MARKET] = below, min(above, s[r.LIQUID]), waits


@compiled
def first_way(s: Array, orders: Array) -> Int:
    """Return where the bar goes first: to the worse side of what is held; of nothing, towards what may open."""
    if s[r.HELD] != 0:
        return -1 if s[r.HELD] > 0 else 1
    way = 1
    none = True
    for at in range(len(orders)):
        if orders[at, r.O_LIVE] and orders[at, r.O_REDUCES] == 0:
            none = False
            if orders[at, r.O_SIGN] > 0:
                way = -1
    return -1 if none else way


@compiled
def next_met(p: Array, orders: Array, way: Int, end: Int, older_than: Int) -> Int:
    """Return the order that is met first on the way to `end`, -1 for none; of equals a stop, then what was told first.

    older_than   only orders that were asked for before this bar, or -1
    """
    found, best, is_limit, turn = -1, r.BEYOND, 1, 0
    for at in range(len(orders)):
        order = orders[at]
        if order[r.O_LIVE] == 0 or order[r.O_SINCE] == older_than:
            continue
        level, limit = order[r.O_STOP], 0
        if level >= 0:
            if order[r.O_SIGN] != way or (end - level) * way < 0:
                continue
        else:
            level, limit = order[r.O_PRICE], 1
            if level < 0 or order[r.O_SIGN] == way or (end - level) * way < p[r.REACH]:
                continue
        far = level * way
        if far < best or (far == best and (limit < is_limit or (limit == is_limit and order[r.O_TURN] < turn))):
            found, best, is_limit, turn = at, far, limit, order[r.O_TURN]
    return found


@compiled
def slipped(p: Array, price: Int, sign: Int) -> Int:
    """Return the price of an order that takes: worse, in whole ticks rounded up."""
    if p[r.SLIP] == k.SLIP_NONE:
        return price
    worse = up(price * p[r.SLIP_PPM], k.MILLION) + p[r.SLIP_TICKS]
    if p[r.SLIP] == k.SLIP_SPREAD:
        worse = up(worse, 2)
    return price + worse if sign > 0 else max(price - worse, 1)


@compiled
def reason_of(order: Array) -> Int:
    """Return why an order fills."""
    if order[r.O_REDUCES] == 0:
        return k.R_SIGNAL
    if order[r.O_STOP] >= 0:
        return k.R_STOP
    return k.R_TARGET if order[r.O_PRICE] >= 0 else k.R_LEAVE


@compiled
def booked(
    s: Array, p: Array, fills: Array, trades: Array, order: Array, lots: Int, price: Int, maker: Int, bar: Int
) -> None:
    """Book a fill of signed lots that opens, adds to, or only reduces the position."""
    size, reason = abs(lots), reason_of(order)
    value = size * price * p[r.UNITS]
    fee = ppm_up(value, p[r.MAKER_PPM] if maker else p[r.TAKER_PPM])
    if s[r.HELD] == 0:
        s[r.SIDE], s[r.OPENED], s[r.FIRST], s[r.WORST], s[r.BEST] = (1 if lots > 0 else -1), bar, price, price, price
        s[r.T_LOTS] = s[r.T_IN] = s[r.T_OUT] = s[r.T_FEES] = 0
    seen(s, price)
    row = fills[s[r.FILLS]]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6] = bar, lots, price, fee, reason, s[r.TRADES], maker
    s[r.FILLS] += 1
    s[r.CASH] -= lots * price * p[r.UNITS] + fee
    s[r.T_FEES] += fee
    if lots * s[r.SIDE] > 0:
        s[r.T_LOTS] += size
        s[r.T_IN] += value
    else:
        s[r.T_OUT] += value
    s[r.HELD] += lots
    if max(abs(s[r.CASH]), s[r.T_IN], s[r.T_OUT]) > k.BIG // 2 or abs(s[r.HELD]) > p[r.LOTS_SAFE]:
        s[r.STATUS] = k.OVERFLOW
    s[r.LIQUID] = r.BEYOND
    if s[r.HELD] < 0:
        average = s[r.T_IN] // (s[r.T_LOTS] * p[r.UNITS])
        s[r.LIQUID] = average * 2 * k.MILLION // (k.MILLION + p[r.MAINTENANCE_PPM])
        if s[r.LIQUID] <= s[r.HIGH]:
            s[r.STATUS] = r.UNKNOWN
    elif s[r.HELD] == 0:
        written(s, trades, bar, price, reason)
        s[r.TRADES] += 1


@compiled
def seen(s: Array, price: Int) -> None:
    """Take a price into the best and the worst of the trade."""
    if s[r.SIDE] > 0:
        s[r.WORST], s[r.BEST] = min(s[r.WORST], price), max(s[r.BEST], price)
    else:
        s[r.WORST], s[r.BEST] = max(s[r.WORST], price), min(s[r.BEST], price)


@compiled
def reduced(
    s: Array, p: Array, orders: Array, fills: Array, trades: Array, at: Int, price: Int, maker: Int, bar: Int
) -> Int:
    """Fill of an order what makes the position smaller; return its signed lots, 0 where there is nothing to reduce."""
    order = orders[at]
    sign = order[r.O_SIGN]
    held = abs(s[r.HELD]) if s[r.HELD] * sign < 0 else 0
    if held == 0:
        order[r.O_LIVE] = 0
        s[r.SKIPPED] += 1
        return 0
    lots = min(order[r.O_LOTS], held)
    order[r.O_LOTS] -= lots
    turns_round = order[r.O_REDUCES] == 0 and order[r.O_LOTS] > 0
    if not turns_round and (order[r.O_LOTS] == 0 or lots == held):
        order[r.O_LIVE] = 0
    booked(s, p, fills, trades, order, sign * lots, price, maker, bar)
    return sign * lots


@compiled
def added(
    s: Array, p: Array, orders: Array, fills: Array, trades: Array, at: Int, price: Int, maker: Int, bar: Int
) -> Int:
    """Fill an order whole that opens a position or adds to it; return its signed lots, 0 where it cannot be paid."""
    order = orders[at]
    order[r.O_LIVE] = 0
    lots, each = order[r.O_LOTS], price * p[r.UNITS]
    room = s[r.CASH] + (s[r.HELD] - abs(s[r.HELD])) * each
    fee_ppm = p[r.MAKER_PPM] if maker else p[r.TAKER_PPM]
    if lots * each + ppm_up(lots * each, fee_ppm) > room:
        s[r.SKIPPED] += 1
        return 0
    booked(s, p, fills, trades, order, order[r.O_SIGN] * lots, price, maker, bar)
    return order[r.O_SIGN] * lots


@compiled
def written(s: Array, trades: Array, bar: Int, price: Int, reason: Int) -> None:
    """Write the open trade into its row."""
    row, side = trades[s[r.TRADES]], s[r.SIDE]
    row[0], row[1], row[2], row[3], row[4], row[5] = s[r.OPENED], bar, side, s[r.T_LOTS], s[r.T_IN], s[r.T_OUT]
    row[6], row[7], row[8] = s[r.T_FEES], 0, side * (s[r.T_OUT] - s[r.T_IN]) - s[r.T_FEES]
    row[9], row[10], row[11], row[12] = k.R_SIGNAL, reason, s[r.WORST], s[r.BEST]
    row[13], row[14], row[15] = s[r.FIRST], price, -1
