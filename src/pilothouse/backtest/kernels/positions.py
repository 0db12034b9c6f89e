"""One position: it is entered, left, paid for and closed. State and settings go in; both and the tables change.

The functions take the same arrays throughout: `s` state, `p` settings, `rows` int64[r, n] whatever is told per bar,
`kinds` int64[12, 3] distances, `shares` int64[k] of the targets in ppm, `fills` and `trades` the tables. Levels that do
not exist stand where no price comes: for a long position stop and liquidation at 0 and target at BIG, for a short one
the other way round.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppb_up, ppm_of, ppm_up, root_up, up
from pilothouse.backtest.kernels.gate import closed_for
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]


@compiled
def distance(kinds: Array, rows: Array, slot: Int, bar: Int, entry: Int) -> Int:
    """Return a distance in ticks as it was decided at `bar`, 0 for none; shares of the price are rounded up."""
    row = kinds[slot, k.D_ROW]
    if row >= 0 and rows[row, bar] > 0:
        return rows[row, bar]
    if kinds[slot, k.D_TICKS] > 0:
        return kinds[slot, k.D_TICKS]
    return up(entry * kinds[slot, k.D_PPM], k.MILLION)


@compiled
def last_piece(p: Array, rows: Array, bar: Int, more: Int) -> Int:
    """Return the last piece of the bar that comes `more` bars behind that of piece `bar`; a bar is one, or several."""
    if p[k.ROW_BAR] < 0:
        return bar + more
    last = rows.shape[1] - 1
    at, end = rows[p[k.ROW_BAR], min(bar, last)] + more, rows[p[k.ROW_BAR], last]
    return rows[p[k.ROW_LAST], at] if at <= end else k.BIG


@compiled
def time_is_up(p: Array, rows: Array, bar: Int) -> Int:
    """Return the piece in which a position that is opened in piece `bar` has been held as long as it may be."""
    if p[k.BARS_MOST] == 0:
        return k.BIG
    if p[k.ROW_BAR] < 0 or p[k.AT_CLOSE]:
        return last_piece(p, rows, bar, p[k.BARS_MOST] + p[k.LATENCY])
    # It is decided at the close of its last bar, and arrives as late as any other order.
    at, end = rows[p[k.ROW_BAR], bar] + p[k.BARS_MOST] - 1, rows[p[k.ROW_BAR], rows.shape[1] - 1]
    return rows[p[k.ROW_ARRIVES], at] if at <= end else k.BIG


@compiled
def slipped(p: Array, rows: Array, bar: Int, price: Int, side: Int, lots: Int) -> Int:
    """Return the price at which an order that takes is filled: worse than `price`, in whole ticks rounded up."""
    model = p[k.SLIP]
    if model == k.SLIP_NONE:
        return price
    if model == k.SLIP_FIXED:
        worse = up(price * p[k.SLIP_PPM], k.MILLION) + p[k.SLIP_TICKS]
    elif model == k.SLIP_SPREAD:
        worse = up(up(price * p[k.SLIP_PPM], k.MILLION) + p[k.SLIP_TICKS], 2)
    else:
        part = ppm_of(lots, rows[p[k.ROW_VOLUME], bar])
        grown = up(part * part, k.MILLION) if model == k.SLIP_VOLUME else root_up(part * k.MILLION)
        worse = up(price * up(p[k.SLIP_PPM] * grown, k.MILLION), k.MILLION)
    return price + worse if side > 0 else max(price - worse, 1)


@compiled
def booked(s: Array, p: Array, fills: Array, bar: Int, lots: Int, price: Int, reason: Int, maker: Int) -> Int:
    """Book a fill of signed `lots`; return its fee. The caller changes the position."""
    size = abs(lots)
    value = size * price * p[k.UNITS]
    fee = ppm_up(value, s[k.MAKER_PPM] if maker else s[k.TAKER_PPM])
    if reason == k.R_LIQUIDATION:
        fee += ppm_up(value, p[k.LIQUIDATION_PPM])
    else:
        s[k.BUDGET] -= size
    s[k.CASH] -= lots * price * p[k.UNITS] + fee
    s[k.DAY_VALUE] += value
    row = s[k.FILLS]
    fills[row, 0], fills[row, 1], fills[row, 2], fills[row, 3] = bar, lots, price, fee
    fills[row, 4], fills[row, 5], fills[row, 6] = reason, s[k.TRADES], maker
    s[k.FILLS] = row + 1
    if abs(s[k.CASH]) > k.BIG // 2 or size > p[k.LOTS_SAFE]:
        s[k.STATUS] = k.OVERFLOW
    return fee


@compiled
def levels(s: Array, p: Array, kinds: Array, rows: Array) -> None:
    """Set where the open position is stopped, liquidated and takes its next profit."""
    side, average, best = s[k.SIDE], s[k.AVERAGE], s[k.BEST]
    none = 0 if side > 0 else k.BIG
    stop, why = none, k.R_STOP
    if s[k.STOP_D] > 0:
        stop = average - side * s[k.STOP_D]
    if s[k.TRAIL_D] > 0 and (best - average) * side >= s[k.AFTER_D]:
        level = best - side * s[k.TRAIL_D]
        if (level - stop) * side > 0:
            stop, why = level, k.R_TRAIL
    if s[k.EVEN_D] > 0 and (best - average) * side >= s[k.EVEN_D] and (average - stop) * side > 0:
        stop, why = average, k.R_EVEN
    s[k.STOP], s[k.STOP_WHY] = max(stop, 0), why
    s[k.LIQUID] = liquidation(s, p)
    s[k.TAKE] = k.BIG if side > 0 else 0
    at = s[k.TARGET_AT]
    if at < p[k.TARGETS]:
        away = distance(kinds, rows, k.D_TARGET + at, s[k.DECIDED], s[k.T_FIRST])
        if away > 0:
            s[k.TAKE] = max(average + side * away, 0)


@compiled
def liquidation(s: Array, p: Array) -> Int:
    """Return the first price at which the position is worth less than it must be, 0 or BIG where there is none."""
    side, keep = s[k.SIDE], k.MILLION - s[k.SIDE] * p[k.MAINTENANCE_PPM]
    if p[k.CROSS] == k.SHARED:
        return 0 if side > 0 else k.BIG
    if p[k.CROSS]:
        worth = abs(s[k.POS]) * p[k.UNITS]
        # Long: cash is below zero by what was borrowed; short: it holds what was sold.
        owed = -s[k.CASH] if side > 0 else s[k.CASH]
        if owed <= 0:
            return 0
        whole = owed // worth
        rest = (owed - whole * worth) * k.MILLION
        if side > 0:
            return up(whole * k.MILLION + up(rest, worth), keep)
        return (whole * k.MILLION + rest // worth) // keep
    times = p[k.LEVERAGE]
    if side > 0:
        return up(s[k.AVERAGE] * (times - 1) * k.MILLION, times * keep)
    return s[k.AVERAGE] * (times + 1) * k.MILLION // (times * keep)


@compiled
def bankrupt(s: Array, p: Array) -> Int:
    """Return the price at which nothing is left of what stood behind the position: worse is the venue's loss."""
    side = s[k.SIDE]
    if p[k.CROSS]:
        worth = abs(s[k.POS]) * p[k.UNITS]
        return max(up(-s[k.CASH], worth), 1) if side > 0 else max(s[k.CASH] // worth, 1)
    times = p[k.LEVERAGE]
    return max(up(s[k.AVERAGE] * (times - 1), times), 1) if side > 0 else s[k.AVERAGE] * (times + 1) // times


@compiled
def enter(
    s: Array,
    p: Array,
    kinds: Array,
    rows: Array,
    fills: Array,
    bar: Int,
    lots: Int,
    price: Int,
    maker: Int,
    inside: Int,
) -> None:
    """Open a position, or add to it, with `lots` of the waiting entry at `price`."""
    side = s[k.E_SIDE]
    opens = s[k.POS] == 0
    fee = booked(s, p, fills, bar, side * lots, price, s[k.E_REASON], maker)
    if opens:
        s[k.SIDE], s[k.OPENED], s[k.T_FIRST], s[k.T_REASON] = side, bar, price, s[k.E_REASON]
        s[k.T_LOTS] = s[k.T_IN] = s[k.T_OUT] = s[k.T_FEES] = s[k.T_FUNDING] = 0
        s[k.BEST] = s[k.WORST] = price
        s[k.ADDS] = s[k.TARGET_AT] = 0
        decided = s[k.E_BAR]
        s[k.DECIDED] = decided
        s[k.T_TAG] = rows[p[k.ROW_TAG], decided] if p[k.ROW_TAG] >= 0 else -1
        s[k.STOP_D] = distance(kinds, rows, k.D_STOP, decided, price)
        s[k.TRAIL_D] = distance(kinds, rows, k.D_TRAIL, decided, price)
        s[k.AFTER_D] = distance(kinds, rows, k.D_AFTER, decided, price)
        s[k.EVEN_D] = distance(kinds, rows, k.D_EVEN, decided, price)
        s[k.TIME_AT] = time_is_up(p, rows, bar)
        s[k.FRESH] = bar if inside else -1
        s[k.LEAVE] = 0
        s[k.TARGET_LEFT] = -1
    else:
        s[k.BEST] = max(s[k.BEST], price) if side > 0 else min(s[k.BEST], price)
        s[k.WORST] = min(s[k.WORST], price) if side > 0 else max(s[k.WORST], price)
    s[k.NO_TAKE] = bar if inside else s[k.NO_TAKE]
    s[k.POS] += side * lots
    s[k.T_LOTS] += lots
    s[k.T_IN] += lots * price * p[k.UNITS]
    s[k.T_FEES] += fee
    s[k.AVERAGE] = s[k.T_IN] // (s[k.T_LOTS] * p[k.UNITS])
    s[k.E_LOTS] -= lots
    if s[k.E_LOTS] == 0:
        s[k.E_SIDE] = 0
    if abs(s[k.POS]) > p[k.LOTS_SAFE] or s[k.T_LOTS] > p[k.LOTS_SAFE]:
        s[k.STATUS] = k.OVERFLOW
    levels(s, p, kinds, rows)


@compiled
def leave(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, trades: Array, bar: Int, lots: Int, price: Int,
    reason: Int, maker: Int,
) -> None:  # fmt: skip
    """Close `lots` of the position at `price`; when nothing is left, the trade is written."""
    side = s[k.SIDE]
    fee = booked(s, p, fills, bar, -side * lots, price, reason, maker)
    s[k.T_FEES] += fee
    if p[k.GATED]:
        closed_for(s, p, rows, bar, lots, price, fee)
    s[k.POS] -= side * lots
    s[k.T_OUT] += lots * price * p[k.UNITS]
    s[k.BEST] = max(s[k.BEST], price) if side > 0 else min(s[k.BEST], price)
    s[k.WORST] = min(s[k.WORST], price) if side > 0 else max(s[k.WORST], price)
    if s[k.POS] != 0:
        levels(s, p, kinds, rows)
        return
    written(s, trades, bar, price, reason)
    s[k.TRADES] += 1
    s[k.LEAVE] = s[k.SIDE] = 0
    s[k.COOL_UNTIL] = last_piece(p, rows, bar, p[k.COOLDOWN]) + 1 if p[k.COOLDOWN] > 0 else bar
    if s[k.E_SIDE] == side:
        s[k.E_SIDE] = 0


@compiled
def written(s: Array, trades: Array, bar: Int, price: Int, reason: Int) -> None:
    """Write the trade into its row."""
    row = trades[s[k.TRADES]]
    row[0], row[1], row[2], row[3] = s[k.OPENED], bar, s[k.SIDE], s[k.T_LOTS]
    row[4], row[5], row[6], row[7] = s[k.T_IN], s[k.T_OUT], s[k.T_FEES], s[k.T_FUNDING]
    row[8] = s[k.SIDE] * (s[k.T_OUT] - s[k.T_IN]) - s[k.T_FEES] + s[k.T_FUNDING]
    row[9], row[10], row[11], row[12] = s[k.T_REASON], reason, s[k.WORST], s[k.BEST]
    row[13], row[14], row[15] = s[k.T_FIRST], price, s[k.T_TAG]


@compiled
def charged(s: Array, p: Array, kinds: Array, rows: Array, value: Int, ppb: Int) -> None:
    """Take `ppb` of `value` from the open position, or give it where ppb is below zero; rounded against the holder."""
    due = ppb_up(value, ppb)
    s[k.CASH] -= due
    s[k.T_FUNDING] -= due
    levels(s, p, kinds, rows)
