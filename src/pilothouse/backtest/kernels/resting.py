"""Orders that rest, and what a bar fills of them: the walk of `turns.py` over whole numbers in arrays, compiled.

The functions take the same arrays throughout: `s` state, `p` settings, `orders` int64[places, 7], `fills` and `trades`
the tables; see resting_slots.py. Long positions only, paid in full. What a fill leads to is the caller's to say.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import resting_slots as r
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_up, up
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]


@compiled
def place(s: Array, p: Array, orders: Array, at: Int, buys: Int, lots: Int, price: Int, stop: Int, bar: Int) -> None:
    """Ask for an order; one that stays as it is keeps its age, one that is too small or too large is not made."""
    order = orders[at]
    known = price if price >= 0 else stop
    before = order[r.O_LIVE]
    order[r.O_LIVE] = 0
    if lots > p[r.LOTS_SAFE]:
        s[r.STATUS] = k.OVERFLOW
        return
    small = buys and known >= 0 and lots * known * p[r.UNITS] < p[r.NOTIONAL_MIN]
    if lots < p[r.LOTS_MIN] or lots > p[r.LOTS_MOST] or small:
        s[r.SKIPPED] += 1
        return
    stays = before and order[r.O_PRICE] == price and order[r.O_STOP] == stop and lots <= order[r.O_LOTS]
    order[r.O_LIVE], order[r.O_BUYS], order[r.O_LOTS], order[r.O_PRICE], order[r.O_STOP] = 1, buys, lots, price, stop
    if not stays:
        order[r.O_SINCE] = bar
    # Of two at the same price the one that was told first goes first, and whoever is told again stands behind.
    order[r.O_TURN] = s[r.TURN]
    s[r.TURN] += 1


@compiled
def looked_over(s: Array, p: Array, orders: Array) -> None:
    """Note between which prices nothing rests, and whether something waits for the next open."""
    below, above, waits = -1, r.BEYOND, 0
    for at in range(len(orders)):
        order = orders[at]
        if order[r.O_LIVE] == 0:
            continue
        if order[r.O_STOP] >= 0:
            if order[r.O_BUYS]:
                above = min(above, order[r.O_STOP])
            else:
                below = max(below, order[r.O_STOP])
        elif order[r.O_PRICE] < 0:
            waits = 1
        elif order[r.O_BUYS]:
            below = max(below, order[r.O_PRICE] - p[r.REACH])
        else:
            above = min(above, order[r.O_PRICE] + p[r.REACH])
    s[r.DOWN], s[r.UP], s[r.AT_MARKET] = below, above, waits


@compiled
def next_down(p: Array, orders: Array, low: Int) -> Int:
    """Return the order that is met first on the way down to the low, -1 for none; of equals a stop, then the older."""
    found, best, sells, turn = -1, -1, 0, 0
    for at in range(len(orders)):
        order = orders[at]
        if order[r.O_LIVE] == 0:
            continue
        if order[r.O_BUYS]:
            level = order[r.O_PRICE]
            if order[r.O_STOP] >= 0 or level < 0 or level - p[r.REACH] < low:
                continue
        else:
            level = order[r.O_STOP]
            if level < 0 or level < low:
                continue
        is_sale = 1 - order[r.O_BUYS]
        if level > best or (level == best and (is_sale > sells or (is_sale == sells and order[r.O_TURN] < turn))):
            found, best, sells, turn = at, level, is_sale, order[r.O_TURN]
    return found


@compiled
def next_up(p: Array, orders: Array, high: Int, bar: Int) -> Int:
    """Return the order that is met first on the way up to the high, of those that are older than the bar."""
    found, best, turn = -1, r.BEYOND, 0
    for at in range(len(orders)):
        order = orders[at]
        if order[r.O_LIVE] == 0 or order[r.O_SINCE] == bar:
            continue
        if order[r.O_BUYS]:
            level = order[r.O_STOP]
            if level < 0 or level > high:
                continue
        else:
            level = order[r.O_PRICE]
            if order[r.O_STOP] >= 0 or level < 0 or level + p[r.REACH] > high:
                continue
        if level < best or (level == best and order[r.O_TURN] < turn):
            found, best, turn = at, level, order[r.O_TURN]
    return found


@compiled
def slipped(p: Array, price: Int, buys: Int) -> Int:
    """Return the price of an order that takes: worse, in whole ticks rounded up."""
    if p[r.SLIP] == k.SLIP_NONE:
        return price
    worse = up(price * p[r.SLIP_PPM], k.MILLION) + p[r.SLIP_TICKS]
    if p[r.SLIP] == k.SLIP_SPREAD:
        worse = up(worse, 2)
    return price + worse if buys else max(price - worse, 1)


@compiled
def reason_of(order: Array) -> Int:
    """Return why an order fills."""
    if order[r.O_BUYS]:
        return k.R_SIGNAL
    if order[r.O_STOP] >= 0:
        return k.R_STOP
    return k.R_TARGET if order[r.O_PRICE] >= 0 else k.R_LEAVE


@compiled
def filled(
    s: Array, p: Array, orders: Array, fills: Array, trades: Array, at: Int, price: Int, maker: Int, bar: Int
) -> Int:
    """Fill an order whole and book it; return its lots, 0 where it cannot be paid or nothing is left to sell."""
    order = orders[at]
    order[r.O_LIVE] = 0
    buys = order[r.O_BUYS]
    lots = order[r.O_LOTS] if buys else min(order[r.O_LOTS], s[r.HELD])
    value = lots * price * p[r.UNITS]
    fee = ppm_up(value, p[r.MAKER_PPM] if maker else p[r.TAKER_PPM])
    if lots == 0 or (buys and value + fee > s[r.CASH]):
        s[r.SKIPPED] += 1
        return 0
    signed = lots if buys else -lots
    s[r.CASH] -= signed * price * p[r.UNITS] + fee
    s[r.HELD] += signed
    if not s[r.IS_OPEN]:
        s[r.IS_OPEN], s[r.OPENED], s[r.FIRST], s[r.WORST], s[r.BEST] = 1, bar, price, price, price
        s[r.T_LOTS] = s[r.T_IN] = s[r.T_OUT] = s[r.T_FEES] = 0
    s[r.WORST], s[r.BEST] = min(s[r.WORST], price), max(s[r.BEST], price)
    s[r.T_FEES] += fee
    if buys:
        s[r.T_LOTS] += lots
        s[r.T_IN] += value
    else:
        s[r.T_OUT] += value
    reason, row = reason_of(order), fills[s[r.FILLS]]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6] = bar, signed, price, fee, reason, s[r.TRADES], maker
    s[r.FILLS] += 1
    if max(s[r.CASH], s[r.T_IN], s[r.T_OUT]) > k.BIG // 2 or s[r.HELD] > p[r.LOTS_SAFE]:
        s[r.STATUS] = k.OVERFLOW
    if s[r.HELD] == 0:
        written(s, trades, bar, price, reason)
        s[r.TRADES] += 1
        s[r.IS_OPEN] = 0
    return lots


@compiled
def written(s: Array, trades: Array, bar: Int, price: Int, reason: Int) -> None:
    """Write the open trade into its row."""
    row = trades[s[r.TRADES]]
    row[0], row[1], row[2], row[3], row[4], row[5] = s[r.OPENED], bar, 1, s[r.T_LOTS], s[r.T_IN], s[r.T_OUT]
    row[6], row[7], row[8] = s[r.T_FEES], 0, s[r.T_OUT] - s[r.T_IN] - s[r.T_FEES]
    row[9], row[10], row[11], row[12] = k.R_SIGNAL, reason, s[r.WORST], s[r.BEST]
    row[13], row[14], row[15] = s[r.FIRST], price, -1
