"""The same as `bars.py` for the rules that most runs have, several times as fast: everything is held in registers.

One position at a time at the market at the next open, flips and exits by signal, a size of any kind; stop, trailing
stop and one target at distances that do not change; fees without tiers, slippage of a fixed share; isolated margin.
`simulate` takes this loop where a plan asks for no more, and the tests hold it to the general one to the last unit.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_up
from pilothouse.backtest.kernels.plain_steps import away_of, levels_of, lots_entered, paid_out, side_wished, way_out
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]
Flags = NDArray[np.uint8]

TRADES, FILLS, SKIPPED, EXPOSED, STATUS = range(5)

_AT_ONCE = 64


def is_plain(p: Array, kinds: Array, tiers: Array, shares: Array, flags: Flags) -> bool:
    """Say whether a plan asks for no more than this loop can."""
    rows = (k.ROW_LIMIT, k.ROW_TRIGGER, k.ROW_WEIGHT, k.ROW_SIZE, k.ROW_TAG, k.ROW_VOLUME)
    due = (k.ROW_FUNDING_OPEN, k.ROW_FUNDING, k.ROW_BORROW, k.ROW_DAY, k.ROW_BAR)
    return bool(
        not any(p[slot] for slot in (k.GATED, k.AT_CLOSE, k.VOLUME_PPM, k.CROSS, k.PYRAMIDING, k.COOLDOWN, k.BARS_MOST))
        and p[k.SLIP] in {k.SLIP_NONE, k.SLIP_FIXED, k.SLIP_SPREAD}
        and (p[k.TARGETS] == 0 or (p[k.TARGETS] == 1 and shares[1] == k.MILLION))  # a part would leave the rest open
        and all(p[slot] < 0 for slot in (*rows, *due))
        and (kinds[:, k.D_ROW] < 0).all()
        and not kinds[[k.D_AFTER, k.D_EVEN], : k.D_ROW].any()
        and len(tiers) == 1
        and (len(flags) == 0 or int(flags.max()) < k.RESIZE)  # nothing to be resized, nothing that is due
    )


@compiled
def write_fill(
    fills: Array, row: Int, bar: Int, lots: Int, price: Int, fee: Int, why: Int, trade: Int, maker: Int
) -> None:
    """Write one row of the fills."""
    fills[row, 0], fills[row, 1], fills[row, 2], fills[row, 3] = bar, lots, price, fee
    fills[row, 4], fills[row, 5], fills[row, 6] = why, trade, maker


@compiled
def write_trade(
    trades: Array, row: Int, opened: Int, closed: Int, side: Int, lots: Int, units: Int, fees: Int, why_in: Int,
    why: Int, worst: Int, best: Int, entry: Int, price: Int,
) -> None:  # fmt: skip
    """Write one row of the trades."""
    spent, value = lots * entry * units, lots * price * units
    trades[row, 0], trades[row, 1], trades[row, 2], trades[row, 3] = opened, closed, side, lots
    trades[row, 4], trades[row, 5], trades[row, 6], trades[row, 7] = spent, value, fees, 0
    trades[row, 8], trades[row, 9], trades[row, 10] = side * (value - spent) - fees, why_in, why
    trades[row, 11], trades[row, 12], trades[row, 13] = worst, best, entry
    trades[row, 14], trades[row, 15] = price, -1


@compiled
def plain_bars(
    opens: Array, highs: Array, lows: Array, closes: Array, flags: Flags, p: Array, kinds: Array, tiers: Array,
    equity: Array, trades: Array, fills: Array, counts: Array,
) -> None:  # fmt: skip
    """Trade `flags`; fill `equity`, `trades`, `fills` (two for each trade) and `counts`.

    trades, fills   int64[m, 16] and int64[2m, 7], with room for as many trades as there are flags
    """
    count, units = len(closes), p[k.UNITS]
    maker_ppm, taker_ppm, shift = tiers[0, 1], tiers[0, 2], p[k.SHIFT]
    keeps, trails = len(fills) > 0, kinds[k.D_TRAIL, k.D_PPM] + kinds[k.D_TRAIL, k.D_TICKS] > 0
    cash = p[k.CAPITAL]
    side, lots, entry, opened_at, fees, why_in, best, worst = 0, 0, 0, 0, 0, 0, 0, 0
    stop, liquid, take, stop_away, trail_away = 0, 0, 0, 0, 0
    done, filled, skipped, exposed = 0, 0, 0, 0
    words = flags[: count // 8 * 8].view(np.uint64)
    bar = 0
    while bar < count:
        # ── bars in which nothing can happen ──
        if side == 0:
            while bar < count and flags[np.uint64(bar)] == 0:
                equity[np.uint64(bar)] = cash
                bar += 1
        elif not trails:
            mask = (k.SHORT | k.LEAVE_LONG) if side > 0 else (k.LONG | k.LEAVE_SHORT)
            told = bar
            # To the next wish against it, eight flags at once.
            while told < count and told & 7 != 0 and flags[np.uint64(told)] & mask == 0:
                told += 1
            if told & 7 == 0:
                wide = np.uint64(mask) * np.uint64(0x0101010101010101)
                while told + 8 <= count and words[np.uint64(told >> 3)] & wide == 0:
                    told += 8
            while told < count and flags[np.uint64(told)] & mask == 0:
                told += 1
            first, each = bar, side * lots * units
            # Whether a level is met shows in the highest and lowest price of many bars, without a branch for each.
            while bar < told:
                end = min(bar + _AT_ONCE, told)
                high, low = highs[np.uint64(bar)], lows[np.uint64(bar)]
                for j in range(bar, end):
                    at = np.uint64(j)
                    high, low = max(high, highs[at]), min(low, lows[at])
                    equity[at] = cash + each * closes[at]
                if side > 0:
                    if low <= max(stop, liquid) or high >= take:
                        break
                    best, worst = max(best, high), min(worst, low)
                else:
                    if high >= min(stop, liquid) or low <= take:
                        break
                    best, worst = min(best, low), max(worst, high)
                bar = end
            while bar < told:
                at = np.uint64(bar)
                high, low = highs[at], lows[at]
                if side > 0:
                    if (low <= max(stop, liquid)) | (high >= take):
                        break
                    best, worst = max(best, high), min(worst, low)
                else:
                    if (high >= min(stop, liquid)) | (low <= take):
                        break
                    best, worst = min(best, low), max(worst, high)
                equity[at] = cash + each * closes[at]
                bar += 1
            exposed += bar - first
        elif side > 0:
            # No branch but the way out: new highs are as good as random, and a wrong guess costs more than the sum.
            first, each, away = bar, lots * units, trail_away if trails else k.BIG
            below = max(stop, liquid)
            while bar < count and flags[np.uint64(bar)] & (k.SHORT | k.LEAVE_LONG) == 0:
                at = np.uint64(bar)
                high, low = highs[at], lows[at]
                if (low <= below) | (high >= take):
                    break
                best, worst = max(best, high), min(worst, low)
                below = max(below, best - away)
                equity[at] = cash + each * closes[at]
                bar += 1
            exposed += bar - first
            stop = max(stop, best - away)
        else:
            first, each, away = bar, lots * units, trail_away if trails else k.BIG
            above = min(stop, liquid)
            while bar < count and flags[np.uint64(bar)] & (k.LONG | k.LEAVE_SHORT) == 0:
                at = np.uint64(bar)
                high, low = highs[at], lows[at]
                if (high >= above) | (low <= take):
                    break
                best, worst = min(best, low), max(worst, high)
                above = min(above, best + away)
                equity[at] = cash - each * closes[at]
                bar += 1
            exposed += bar - first
            stop = min(stop, best + away)
        if bar >= count:
            break
        # ── a bar in full: 0 what the open has passed, 1 the wish, 2 the path inside ──
        flag, opened, high, low = flags[bar], opens[bar], highs[bar], lows[bar]
        flipped, stays_out = False, False
        for step in range(3):
            price, why, maker = 0, 0, 0
            if side != 0:
                price, why, maker = way_out(p, step, flag, opened, high, low, side, entry, stop, liquid, take)
                flipped, stays_out = flipped | (why == k.R_FLIP), stays_out | (why == k.R_LEAVE)
                if why == k.R_STOP and trails:
                    trail = best - side * trail_away
                    if stop_away == 0 or (trail - (entry - side * stop_away)) * side > 0:
                        why = k.R_TRAIL
            if price > 0:
                price, value, fee = paid_out(p, side, lots, price, why, maker, maker_ppm, taker_ppm)
                cash += side * value - fee
                fees += fee
                if keeps:
                    write_fill(fills, filled, bar, -side * lots, price, fee, why, done, maker)
                    filled += 1
                worst = min(worst, price) if side > 0 else max(worst, price)
                best = max(best, price) if side > 0 else min(best, price)
                write_trade(
                    trades, done, opened_at, bar, side, lots, units, fees, why_in, why, worst, best, entry, price
                )
                done += 1
                side = lots = 0
                if abs(cash) > k.BIG // 2:
                    counts[STATUS] = k.OVERFLOW
            enters = 0
            if step == 1 and side == 0 and not stays_out:
                enters = side_wished(flag)
            if enters != 0:
                most, price = lots_entered(
                    p, kinds, trades, done, enters, closes[bar - shift], equity[bar - shift], opened, cash, taker_ppm
                )
                if most < 0:
                    counts[STATUS] = k.OVERFLOW
                elif most == 0:
                    skipped += 1
                else:
                    side, lots, entry, opened_at = enters, most, price, bar
                    value = lots * price * units
                    fees = ppm_up(value, taker_ppm)
                    cash -= side * value + fees
                    why_in = k.R_FLIP if flipped else k.R_SIGNAL
                    if keeps:
                        write_fill(fills, filled, bar, side * lots, price, fees, why_in, done, 0)
                        filled += 1
                    best = worst = price
                    stop_away, trail_away = away_of(kinds, k.D_STOP, price), away_of(kinds, k.D_TRAIL, price)
                    stop, take, liquid = levels_of(p, kinds, side, price, stop_away)
                    if trails:
                        level = price - side * trail_away
                        stop = max(stop, level) if side > 0 else min(stop, level)
                    if lots > p[k.LOTS_SAFE]:
                        counts[STATUS] = k.OVERFLOW
        if counts[STATUS] != 0:
            return
        if side > 0:
            best, worst = max(best, high), min(worst, low)
            if trails:
                stop = max(stop, best - trail_away)
        elif side < 0:
            best, worst = min(best, low), max(worst, high)
            if trails:
                stop = min(stop, best + trail_away)
        exposed += 1 if side != 0 else 0
        equity[bar] = cash + side * lots * closes[bar] * units
        bar += 1
    if side != 0:
        write_trade(
            trades, done, opened_at, count - 1, side, lots, units, fees, why_in, k.R_OPEN, worst, best, entry,
            closes[count - 1],
        )  # fmt: skip
        done += 1
    counts[TRADES], counts[FILLS], counts[SKIPPED], counts[EXPOSED] = done, filled, skipped, exposed
