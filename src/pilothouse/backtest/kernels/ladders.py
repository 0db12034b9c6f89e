"""Grids and averaging entries over bars: columns of whole numbers in; trades, fills and equity out, exact to the unit.

What the strategies `grid` and `dca` decide turn by turn, compiled; a bar is walked as in `turn_walk.py`: orders at the
market at the open, then out to the worse side, where also what is asked for on the way fills, then back to the better.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import resting_slots as r
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.bars import grown
from pilothouse.backtest.kernels.counting import Int, product, up
from pilothouse.backtest.kernels.resting import (
    added,
    first_way,
    looked_over,
    next_met,
    place,
    reduced,
    seen,
    slipped,
    written,
)
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]
Flags = NDArray[np.uint8]


@compiled
def run_ladder(
    opens: Array, highs: Array, lows: Array, closes: Array, ends: Flags, p: Array, table: Array, equity: Array
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Fill `equity`; return trades int64[m, 16], fills int64[k, 7] and the last state.

    opens ... closes  int64[n], ticks, of bars or of their pieces
    ends              uint8[n], 1 where a bar ends: there the strategy has its turn
    p                 see resting_slots.py
    table             int64[levels, 6] of a grid, int64[safeties, 2] of averaging; a grid's is written to
    equity            int64[n], units, is written

    State[STATUS] is OVERFLOW where an amount came near to what 64 bits hold, UNKNOWN where something came up that is
    not carried out here: the run ended there.
    """
    s = np.zeros(r.STATE, np.int64)
    s[r.CASH], s[r.DOWN], s[r.UP], s[r.LIQUID] = p[r.CAPITAL], -1, r.BEYOND, r.BEYOND
    orders = np.zeros((p[r.PLACES], r.ORDER), np.int64)
    fills = np.empty((1024, k.FILL_WIDTH), np.int64)
    trades = np.empty((512, k.TRADE_WIDTH), np.int64)
    # In one bar an order is met at most once on each way, and may close before it opens.
    room = 4 * len(orders) + 4
    count, bar = len(opens), 0
    while True:
        bar = quiet(s, p, highs, lows, closes, equity, bar)
        if bar >= count or s[r.STATUS] != 0:
            break
        held_before = s[r.TRADES] if s[r.HELD] != 0 else -1
        high, low = highs[bar], lows[bar]
        if s[r.AT_MARKET] or low <= s[r.DOWN] or high >= s[r.UP]:
            while s[r.FILLS] + room > len(fills):
                fills = grown(fills)
            while s[r.TRADES] + room > len(trades):
                trades = grown(trades)
            inside(s, p, orders, table, fills, trades, opens[bar], high, low, bar)
        if s[r.HELD] != 0 and s[r.TRADES] == held_before:
            seen(s, low)
            seen(s, high)
        close = closes[bar]
        if ends[bar] == 0:
            pass
        elif p[r.KIND] == r.GRID:
            grid_bar(s, p, orders, table, close, bar)
        else:
            averaging_bar(s, p, orders, close, bar)
        equity[bar] = s[r.CASH] + s[r.HELD] * close * p[r.UNITS]
        s[r.EXPOSED] += s[r.HELD] != 0
        bar += 1
    closed = s[r.TRADES]
    if s[r.HELD] != 0 and s[r.STATUS] == 0:
        # What is still open is a row too, as if it were left at the last close for nothing.
        s[r.T_OUT] += abs(s[r.HELD]) * closes[count - 1] * p[r.UNITS]
        written(s, trades, count - 1, closes[count - 1], k.R_OPEN)
        closed += 1
    return trades[:closed], fills[: s[r.FILLS]], s


@compiled
def quiet(s: Array, p: Array, highs: Array, lows: Array, closes: Array, equity: Array, bar: Int) -> Int:
    """Pass over the bars in which no order is met and nothing is decided; return the first where something may be."""
    if s[r.BEGUN] == 0 or s[r.AT_MARKET] or (p[r.KIND] == r.AVERAGING and s[r.HELD] == 0):
        return bar
    first, count = bar, len(closes)
    cash, each, below, above = s[r.CASH], s[r.HELD] * p[r.UNITS], s[r.DOWN], s[r.UP]
    lowest: Int = r.BEYOND
    highest: Int = 0
    floor, ceiling = p[r.FLOOR], p[r.CEILING]
    if s[r.ENDED]:
        floor, ceiling = 0, r.BEYOND
    while bar < count:
        low, high, close = lows[bar], highs[bar], closes[bar]
        if low <= below or high >= above or close < floor or close > ceiling:
            break
        lowest, highest = min(lowest, low), max(highest, high)
        equity[bar] = cash + each * close
        bar += 1
    if each != 0 and bar > first:
        seen(s, lowest)
        seen(s, highest)
        s[r.EXPOSED] += bar - first
    return bar


@compiled
def inside(
    s: Array, p: Array, orders: Array, table: Array, fills: Array, trades: Array, opened: Int, high: Int, low: Int,
    bar: Int,
) -> None:  # fmt: skip
    """Fill what the bar reaches: at the market first, then out to the worse side, then back with what is older."""
    s[r.HIGH] = high
    if high >= s[r.LIQUID]:
        s[r.STATUS] = r.UNKNOWN
        return
    if s[r.AT_MARKET]:
        for at in range(len(orders)):
            order = orders[at]
            if order[r.O_LIVE] and order[r.O_PRICE] < 0 and order[r.O_STOP] < 0:
                met(s, p, orders, table, fills, trades, at, opened, 0, bar)
    way = first_way(s, orders)
    for back in range(2):
        end: Int = high if way > 0 else low
        where: Int = opened
        while s[r.STATUS] == 0:
            at = next_met(p, orders, way, end, bar if back else -1)
            if at < 0:
                break
            stop = orders[at, r.O_STOP]
            level = stop if stop >= 0 else orders[at, r.O_PRICE]
            start: Int = opened if back else where
            where = max(level, start) if way > 0 else min(level, start)
            met(s, p, orders, table, fills, trades, at, where, stop < 0, bar)
        way = -way
    looked_over(s, p, orders)


@compiled
def met(
    s: Array, p: Array, orders: Array, table: Array, fills: Array, trades: Array, at: Int, price: Int, maker: Int,
    bar: Int,
) -> None:  # fmt: skip
    """Fill an order: what it closes first, then what it opens; and do what the strategy does after each."""
    sign, turn = orders[at, r.O_SIGN], orders[at, r.O_TURN]
    if not maker:
        price = slipped(p, price, sign)
    if orders[at, r.O_REDUCES] or s[r.HELD] * sign < 0:
        lots = reduced(s, p, orders, fills, trades, at, price, maker, bar)
        heard(s, p, orders, table, at, lots, price, bar)
        if orders[at, r.O_LIVE] == 0 or orders[at, r.O_TURN] != turn or orders[at, r.O_REDUCES] or s[r.HELD] != 0:
            return
    lots = added(s, p, orders, fills, trades, at, price, maker, bar)
    heard(s, p, orders, table, at, lots, price, bar)


@compiled
def heard(s: Array, p: Array, orders: Array, table: Array, at: Int, lots: Int, price: Int, bar: Int) -> None:
    """Do what the strategy does after a fill of signed lots."""
    if lots == 0:
        return
    if p[r.KIND] == r.GRID:
        grid_filled(s, p, orders, table, at, abs(lots), bar)
    else:
        averaging_filled(s, p, orders, table, at, abs(lots), price, bar)


# Grid: level i opens at place i and closes at place n + i; the stop stands at place 2 n.


@compiled
def grid_bar(s: Array, p: Array, orders: Array, table: Array, close: Int, bar: Int) -> None:
    """Lay out the grid at the first close; end it where a later one lies beyond the stop."""
    levels = len(table)
    if s[r.BEGUN] == 0:
        s[r.BEGUN] = 1
        for at in range(levels):
            level = table[at]
            # The base order is the last level; at first it opens at the market.
            price = r.NO_PRICE if p[r.BASE] and at == levels - 1 else level[r.L_PRICE]
            place(s, p, orders, at, level[r.L_SIGN], level[r.L_LOTS], price, r.NO_PRICE, 0, bar)
        looked_over(s, p, orders)
    elif s[r.ENDED] == 0 and (close < p[r.FLOOR] or close > p[r.CEILING]):
        s[r.ENDED] = 1
        orders[:, r.O_LIVE] = 0
        if s[r.HELD] != 0:
            sign = -1 if s[r.HELD] > 0 else 1
            place(s, p, orders, 2 * levels, sign, abs(s[r.HELD]), r.NO_PRICE, r.NO_PRICE, 1, bar)
        looked_over(s, p, orders)


@compiled
def grid_filled(s: Array, p: Array, orders: Array, table: Array, at: Int, lots: Int, bar: Int) -> None:
    """Close what a level opened; open it again when it is closed."""
    levels = len(table)
    if s[r.ENDED] or at >= 2 * levels:
        return
    level = table[at % levels]
    sign = level[r.L_SIGN]
    if at < levels:
        level[r.L_OPENED] += lots
        reduces = 1 - p[r.BOTH_SIDES]
        place(s, p, orders, levels + at, -sign, level[r.L_OPENED], level[r.L_TAKE], r.NO_PRICE, reduces, bar)
        return
    level[r.L_CLOSED] += lots
    if level[r.L_CLOSED] < level[r.L_OPENED]:
        return
    level[r.L_OPENED] = level[r.L_CLOSED] = 0
    place(s, p, orders, at - levels, sign, level[r.L_LOTS], level[r.L_PRICE], r.NO_PRICE, 0, bar)


# Averaging: the base order stands at place 0, safety orders behind it, then the stop and three targets.


@compiled
def averaging_bar(s: Array, p: Array, orders: Array, close: Int, bar: Int) -> None:
    """Ask for the base order at the last price while nothing is held, once what was to be waited for has passed."""
    s[r.BEGUN] = 1
    if s[r.HELD] != 0:
        return
    if s[r.WAIT] > 0:
        s[r.WAIT] -= 1
        return
    s[r.ENTRY] = close
    place(s, p, orders, 0, 1, p[r.BASE] // (close * p[r.UNITS]), close, r.NO_PRICE, 0, bar)
    looked_over(s, p, orders)


@compiled
def averaging_filled(
    s: Array, p: Array, orders: Array, table: Array, at: Int, lots: Int, price: Int, bar: Int
) -> None:  # fmt: skip
    """Place safety orders below a base order, move the exits with the average, begin anew when all is sold."""
    stop = len(table) + 1
    if orders[at, r.O_SIGN] > 0:
        if s[r.BOUGHT] == 0:
            for number in range(len(table)):
                ppm, units = table[number, r.S_PPM], table[number, r.S_UNITS]
                each = s[r.ENTRY] * ppm * p[r.UNITS]
                whole = units // each
                if whole > 1 << 40:
                    s[r.STATUS] = k.OVERFLOW
                    return
                more, _ = product(units - whole * each, k.MILLION, each)
                below = s[r.ENTRY] * ppm // k.MILLION
                place(s, p, orders, number + 1, 1, whole * k.MILLION + more, below, r.NO_PRICE, 0, bar)
        s[r.BOUGHT] += lots
        s[r.COST] += lots * price * p[r.UNITS]
        averaging_exits(s, p, orders, stop, bar)
        return
    if s[r.HELD] == 0:
        orders[:, r.O_LIVE] = 0
        s[r.BOUGHT] = s[r.COST] = s[r.REACHED] = 0
        s[r.WAIT] = p[r.COOLDOWN]
        return
    if at > stop:
        if s[r.REACHED] == 0:
            orders[:stop, r.O_LIVE] = 0
        s[r.REACHED] = max(s[r.REACHED], at - stop)
    averaging_exits(s, p, orders, stop, bar)


@compiled
def averaging_exits(s: Array, p: Array, orders: Array, stop: Int, bar: Int) -> None:
    """Ask for the stop and the targets that are due, from the average price of all that was bought in this cycle."""
    reached = s[r.REACHED]
    if reached or p[r.STOP_PPM] > 0:
        ppm = k.MILLION - p[r.STOP_PPM] if reached == 0 else k.MILLION + (p[r.TAKE_1] if reached > 1 else 0)
        place(s, p, orders, stop, -1, s[r.HELD], r.NO_PRICE, average_times(s, p, ppm, 0), 1, bar)
    left = s[r.HELD] * k.MILLION
    for target in range(1, 4):
        if target <= reached and target != 3:
            continue
        ppm = p[r.TAKE_3]
        taken = left
        if target != 3:
            ppm = p[r.TAKE_1] if target == 1 else p[r.TAKE_2]
            taken = min(s[r.BOUGHT] * (p[r.SHARE_1] if target == 1 else p[r.SHARE_2]), left)
        left -= taken
        if taken > 0:
            price = average_times(s, p, k.MILLION + ppm, 1)
            place(s, p, orders, stop + target, -1, taken // k.MILLION, price, r.NO_PRICE, 1, bar)


@compiled
def average_times(s: Array, p: Array, ppm: Int, upward: Int) -> Int:
    """Return so many millionths of the average price in ticks, rounded down or up."""
    lots = s[r.BOUGHT] * p[r.UNITS]
    whole = s[r.COST] // lots
    more, rest = product(s[r.COST] - whole * lots, ppm, lots)
    parts = whole * ppm + more
    return up(parts + (rest > 0), k.MILLION) if upward else parts // k.MILLION
