"""One instrument, bar by bar: columns of whole numbers in; trades, fills and equity out, exact to the unit.

Within a bar the order of things is fixed, and where a bar does not tell it, it is the worse one for the holder:

1. Funding and interest that are due at the open, on what is held; a new day's fee tier.
2. At the open: liquidation, what still is to be left (time is up, a rest that found no volume), a stop or a target that
   the open has passed, then the wishes of the bar that decided, and entries.
3. Funding within the bar. Then an entry that waits inside; then stop or liquidation, whichever is nearer; then targets,
   unless the position was entered or added to inside this very bar.
4. At the close: wishes, where orders fill at the close; the best price since entry, which trailing stops follow.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_down
from pilothouse.backtest.kernels.gate import looked_back
from pilothouse.backtest.kernels.orders import (
    all_must_go,
    decide,
    enter_at_open,
    enter_inside,
    leave_at_market,
    take_targets,
)
from pilothouse.backtest.kernels.positions import bankrupt, charged, leave, levels, slipped, written
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]
Flags = NDArray[np.uint8]

_FILLS_PER_BAR = 40


@compiled
def run_bars(
    opens: Array, highs: Array, lows: Array, closes: Array, flags: Flags, rows: Array, p: Array, kinds: Array,
    tiers: Array, shares: Array, equity: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Trade `flags` over the bars; fill `equity`; return trades int64[m, 16], fills int64[k, 7] and the last state.

    opens ... closes  int64[n], ticks
    flags             uint8[n], what is to be carried out at each bar, already moved to that bar
    rows              int64[r, n], further columns; which is which stands in `p`
    p, kinds          see slots.py
    tiers             int64[t, 3], volume in units, maker and taker ppm; the first from volume 0 on
    shares            int64[targets + 1], ppm of the position at each target, and their sum
    equity            int64[n], is written

    State[STATUS] is OVERFLOW where an amount came near to what 64 bits hold: the run ended there.
    """
    count = len(opens)
    s = np.zeros(k.STATE, np.int64)
    s[k.CASH] = p[k.CAPITAL]
    s[k.MAKER_PPM], s[k.TAKER_PPM] = tiers[0, 1], tiers[0, 2]
    s[k.DAY_AT] = s[k.FRESH] = s[k.NO_TAKE] = -1
    s[k.HIGH] = s[k.MIDNIGHT] = s[k.LOOKED_EQUITY] = p[k.CAPITAL]
    s[k.MIDNIGHT_DAY] = s[k.LOST_DAY] = s[k.LOST_AT] = -1
    days = np.zeros(30, np.int64)
    fills = np.empty((1024, k.FILL_WIDTH), np.int64)
    trades = np.empty((512, k.TRADE_WIDTH), np.int64)
    bar = 0
    while bar < count and s[k.STATUS] == 0:
        if p[k.QUIET]:
            bar = quiet(s, p, kinds, rows, highs, lows, closes, flags, equity, bar)
            if bar >= count:
                break
        if s[k.FILLS] + _FILLS_PER_BAR > len(fills):
            fills = grown(fills)
        if s[k.TRADES] + _FILLS_PER_BAR > len(trades):
            trades = grown(trades)
        one_bar(s, p, kinds, rows, shares, tiers, days, fills, trades, equity, opens, highs, lows, closes, flags, bar)
        bar += 1
    closed = s[k.TRADES]
    if s[k.POS] != 0 and count > 0:
        # What is still open is a row too, as if it were left at the last close for nothing.
        s[k.T_OUT] += abs(s[k.POS]) * closes[count - 1] * p[k.UNITS]
        written(s, trades, count - 1, closes[count - 1], k.R_OPEN)
        closed += 1
    return trades[:closed], fills[: s[k.FILLS]], s


@compiled
def grown(table: Array) -> Array:
    """Return a table of twice the length with the same rows."""
    found = np.empty((2 * len(table), table.shape[1]), np.int64)
    found[: len(table)] = table
    return found


@compiled
def quiet(
    s: Array, p: Array, kinds: Array, rows: Array, highs: Array, lows: Array, closes: Array, flags: Flags,
    equity: Array, bar: Int,
) -> Int:  # fmt: skip
    """Pass over the bars in which nothing is decided and no level is met; return the first where something may be."""
    if s[k.E_SIDE] != 0 or s[k.LEAVE] != 0:
        return bar
    count = len(closes)
    cash, pos = s[k.CASH], s[k.POS]
    if pos == 0:
        while bar < count and flags[bar] == 0:
            equity[bar] = cash
            bar += 1
        return bar
    first = bar
    until = min(count, s[k.TIME_AT])
    each = pos * p[k.UNITS]
    mask = k.EVENT | k.RESIZE | (k.SHORT | k.LEAVE_LONG if pos > 0 else k.LONG | k.LEAVE_SHORT)
    if p[k.PYRAMIDING] > 0:
        mask |= k.LONG | k.SHORT
    trails = s[k.TRAIL_D] > 0 or s[k.EVEN_D] > 0
    best, worst = s[k.BEST], s[k.WORST]
    if pos > 0:
        below, above = max(s[k.STOP], s[k.LIQUID]), s[k.TAKE]
        while bar < until and flags[bar] & mask == 0:
            high, low = highs[bar], lows[bar]
            if low <= below or high >= above:
                break
            worst = min(worst, low)
            equity[bar] = cash + each * closes[bar]
            bar += 1
            if high > best:
                best = high
                if trails:
                    s[k.BEST] = best
                    levels(s, p, kinds, rows)
                    below = max(s[k.STOP], s[k.LIQUID])
    else:
        below, above = s[k.TAKE], min(s[k.STOP], s[k.LIQUID])
        while bar < until and flags[bar] & mask == 0:
            high, low = highs[bar], lows[bar]
            if high >= above or low <= below:
                break
            worst = max(worst, high)
            equity[bar] = cash + each * closes[bar]
            bar += 1
            if low < best:
                best = low
                if trails:
                    s[k.BEST] = best
                    levels(s, p, kinds, rows)
                    above = min(s[k.STOP], s[k.LIQUID])
    s[k.BEST], s[k.WORST] = best, worst
    s[k.EXPOSED] += bar - first
    return bar


@compiled
def one_bar(
    s: Array, p: Array, kinds: Array, rows: Array, shares: Array, tiers: Array, days: Array, fills: Array,
    trades: Array, equity: Array, opens: Array, highs: Array, lows: Array, closes: Array, flags: Flags, bar: Int,
) -> None:  # fmt: skip
    """Carry out one bar, in the order that the module tells."""
    flag, opened, high, low = flags[bar], opens[bar], highs[bar], lows[bar]
    s[k.BUDGET] = ppm_down(rows[p[k.ROW_VOLUME], bar], p[k.VOLUME_PPM]) if p[k.VOLUME_PPM] > 0 else k.BIG
    if flag & k.EVENT:
        due_at_open(s, p, kinds, rows, tiers, days, opened, bar)
    at_open(s, p, kinds, rows, shares, fills, trades, opened, bar)
    if flag & k.WISHES and p[k.AT_CLOSE] == 0:
        if p[k.ROW_BAR] < 0:
            carried_out(s, p, kinds, rows, fills, trades, equity, closes, flag, bar, bar - p[k.SHIFT], opened)
        else:
            several(s, p, kinds, rows, fills, trades, equity, closes, bar, opened)
    enter_at_open(s, p, kinds, rows, fills, bar, opened)
    if flag & k.EVENT and p[k.ROW_FUNDING] >= 0 and s[k.POS] != 0:
        ppb = rows[p[k.ROW_FUNDING], bar]
        if ppb != 0:
            charged(s, p, kinds, rows, abs(s[k.POS]) * opened * p[k.UNITS], s[k.SIDE] * ppb)
    came = enter_inside(s, p, kinds, rows, fills, bar, opened, high, low)
    inside(s, p, kinds, rows, shares, fills, trades, came, high, low, bar)
    if p[k.AT_CLOSE]:
        at_close(s, p, kinds, rows, fills, trades, equity, closes, flag, bar)
    if s[k.POS] != 0:
        if s[k.FRESH] != bar:
            if s[k.POS] > 0:
                s[k.BEST], s[k.WORST] = max(s[k.BEST], high), min(s[k.WORST], low)
            else:
                s[k.BEST], s[k.WORST] = min(s[k.BEST], low), max(s[k.WORST], high)
        levels(s, p, kinds, rows)
        s[k.EXPOSED] += 1
    equity[bar] = s[k.CASH] + s[k.POS] * closes[bar] * p[k.UNITS]
    if s[k.E_SIDE] != 0 and s[k.E_LIMIT] + s[k.E_TRIGGER] > 0 and bar >= s[k.E_UNTIL]:
        s[k.E_SIDE] = 0


@compiled
def carried_out(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, trades: Array, equity: Array, closes: Array,
    flag: Int, bar: Int, decided: Int, opened: Int,
) -> None:  # fmt: skip
    """Carry out at the open of `bar` what was decided at the close of `decided`; entries are the caller's."""
    if p[k.GATED]:
        looked_back(s, p, rows, equity, decided)
    decide(s, p, kinds, rows, trades, flag, bar, decided, closes[decided], equity[decided])
    if s[k.POS] != 0 and s[k.LEAVE] != 0:
        leave_at_market(s, p, kinds, rows, fills, trades, bar, opened)


@compiled
def several(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, trades: Array, equity: Array, closes: Array,
    bar: Int, opened: Int,
) -> None:  # fmt: skip
    """Carry out the decisions that arrive at the open of a piece, one after the other: a gap lets several arrive."""
    at, end = rows[p[k.ROW_DUE], bar], rows[p[k.ROW_BAR], rows.shape[1] - 1]
    while at <= end and rows[p[k.ROW_ARRIVES], at] == bar:
        flag = rows[p[k.ROW_WISH], at]
        if flag != 0:
            decided = rows[p[k.ROW_LAST], at]
            carried_out(s, p, kinds, rows, fills, trades, equity, closes, flag, bar, decided, opened)
            enter_at_open(s, p, kinds, rows, fills, bar, opened)
        at += 1


@compiled
def due_at_open(
    s: Array, p: Array, kinds: Array, rows: Array, tiers: Array, days: Array, opened: Int, bar: Int
) -> None:
    """Charge funding and interest that are due at the open, and find the fees of a new day."""
    if len(tiers) > 1:
        day = rows[p[k.ROW_DAY], bar]
        if day != s[k.DAY_AT]:
            new_day(s, tiers, days, day)
    if s[k.POS] == 0:
        return
    value = abs(s[k.POS]) * opened * p[k.UNITS]
    if p[k.ROW_FUNDING_OPEN] >= 0 and rows[p[k.ROW_FUNDING_OPEN], bar] != 0:
        charged(s, p, kinds, rows, value, s[k.SIDE] * rows[p[k.ROW_FUNDING_OPEN], bar])
    if p[k.ROW_BORROW] >= 0 and rows[p[k.ROW_BORROW], bar] > 0:
        # Who is short owes what he sold; who is long owes what he had not.
        owed = value if s[k.SIDE] < 0 else -s[k.CASH]
        if owed > 0:
            charged(s, p, kinds, rows, owed, rows[p[k.ROW_BORROW], bar])


@compiled
def new_day(s: Array, tiers: Array, days: Array, day: Int) -> None:
    """Find the fees of a day by what was traded in the 30 days before it."""
    last = s[k.DAY_AT]
    if last >= 0:
        days[last % 30] = s[k.DAY_VALUE]
        for between in range(last + 1, min(day, last + 31)):
            days[between % 30] = 0
    s[k.DAY_AT], s[k.DAY_VALUE] = day, 0
    # The place of this day still holds the day 30 days ago, which counts; it is overwritten when this day has ended.
    traded = days.sum()
    for row in range(len(tiers)):
        if traded >= tiers[row, 0]:
            s[k.MAKER_PPM], s[k.TAKER_PPM] = tiers[row, 1], tiers[row, 2]


@compiled
def at_open(
    s: Array, p: Array, kinds: Array, rows: Array, shares: Array, fills: Array, trades: Array, opened: Int, bar: Int
) -> None:
    """Close what the open itself closes: liquidation, what is to be left, a stop or target that it has passed."""
    if s[k.POS] == 0:
        s[k.LEAVE] = 0
        return
    side = s[k.SIDE]
    if (s[k.LIQUID] - opened) * side >= 0:
        liquidated(s, p, kinds, rows, fills, trades, opened, bar)
        return
    if s[k.LEAVE] == 0 and p[k.AT_CLOSE] == 0 and bar >= s[k.TIME_AT]:
        all_must_go(s, k.R_TIME)
    if s[k.LEAVE] == 0 and (s[k.STOP] - opened) * side >= 0:
        all_must_go(s, s[k.STOP_WHY])
    if s[k.LEAVE] != 0:
        leave_at_market(s, p, kinds, rows, fills, trades, bar, opened)
    if s[k.POS] != 0:
        take_targets(s, p, kinds, rows, shares, fills, trades, bar, opened, p[k.REACH])


@compiled
def liquidated(s: Array, p: Array, kinds: Array, rows: Array, fills: Array, trades: Array, came: Int, bar: Int) -> None:
    """Close by force, where the level is met or the price already is behind it; nobody loses more than all he had."""
    broke = bankrupt(s, p)
    long = s[k.SIDE] > 0
    price = max(min(s[k.LIQUID], came), broke) if long else min(max(s[k.LIQUID], came), broke)
    leave(s, p, kinds, rows, fills, trades, bar, abs(s[k.POS]), max(price, 1), k.R_LIQUIDATION, k.NO)


@compiled
def inside(
    s: Array, p: Array, kinds: Array, rows: Array, shares: Array, fills: Array, trades: Array, came: Int, high: Int,
    low: Int, bar: Int,
) -> None:  # fmt: skip
    """Close what the bar's path closes from `came` on: first to the worse side, then to the better one."""
    if s[k.POS] == 0:
        return
    side = s[k.SIDE]
    worse, better = (low, high) if side > 0 else (high, low)
    liquid, stop = (s[k.LIQUID] - worse) * side >= 0, (s[k.STOP] - worse) * side >= 0
    if liquid and (not stop or (s[k.LIQUID] - s[k.STOP]) * side >= 0):
        liquidated(s, p, kinds, rows, fills, trades, came, bar)
        return
    if stop and s[k.LEAVE] == 0:
        price = min(s[k.STOP], came) if side > 0 else max(s[k.STOP], came)
        lots = min(abs(s[k.POS]), s[k.BUDGET])
        why = s[k.STOP_WHY]
        all_must_go(s, why)  # what finds no volume now goes at the next open
        if lots > 0:
            price = slipped(p, rows, bar, price, -side, lots)
            leave(s, p, kinds, rows, fills, trades, bar, lots, price, why, k.NO)
        if s[k.POS] != 0 and (s[k.LIQUID] - worse) * side >= 0:
            liquidated(s, p, kinds, rows, fills, trades, came, bar)
        return
    if s[k.NO_TAKE] != bar:
        take_targets(s, p, kinds, rows, shares, fills, trades, bar, better, p[k.REACH])


@compiled
def at_close(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, trades: Array, equity: Array, closes: Array,
    flag: Int, bar: Int,
) -> None:  # fmt: skip
    """Carry out wishes at the close, where the run fills there."""
    close = closes[bar]
    if s[k.POS] != 0 and s[k.LEAVE] == 0 and bar >= s[k.TIME_AT]:
        all_must_go(s, k.R_TIME)
    if flag & k.WISHES:
        decided = bar - p[k.SHIFT]
        if p[k.ROW_BAR] >= 0:
            decided = rows[p[k.ROW_LAST], rows[p[k.ROW_DUE], bar]]
        now = s[k.CASH] + s[k.POS] * close * p[k.UNITS]
        worth = now if decided == bar else equity[decided]
        if p[k.GATED]:
            looked_back(s, p, rows, equity, decided)
        decide(s, p, kinds, rows, trades, flag, bar, decided, closes[decided], worth)
    if s[k.POS] != 0 and s[k.LEAVE] != 0:
        leave_at_market(s, p, kinds, rows, fills, trades, bar, close)
    if s[k.E_SIDE] != 0 and s[k.E_LIMIT] + s[k.E_TRIGGER] == 0 and s[k.POS] * s[k.E_SIDE] >= 0:
        opens = s[k.POS] == 0
        enter_at_open(s, p, kinds, rows, fills, bar, close)
        if opens:
            s[k.FRESH] = bar
