"""A whole trial in one call: wishes, candles and a plan go in; the numbers that a search tells come out.

Columns of wishes become the bars that are told something in one pass, which is what `orders_wanted.flags_of` says in
whole arrays. One call, because threads that let go of the interpreter and take it again for each step wait for one
another.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.bars import run_bars
from pilothouse.backtest.kernels.counting import Int
from pilothouse.backtest.kernels.figures import figures_of
from pilothouse.backtest.kernels.leaps import LAST, leap, may_leap
from pilothouse.backtest.kernels.plain import EXPOSED, SKIPPED, STATUS, TRADES, plain_bars
from pilothouse.backtest.kernels.statistics import deepest_fall
from pilothouse.strategies.indicators.compiling import compiled, inlined

Array = NDArray[np.int64]
Flags = NDArray[np.uint8]
Floats = NDArray[np.float64]

BOTH_WAYS, LONG_ALONE, SHORT_ALONE = range(3)


@inlined
def flag_of(wants: Int, sells: Int, leaves_long: Int, leaves_short: Int, side: Int) -> Int:
    """Return what a bar is told, of wishes that are 1 or 0."""
    alone = 1 - (wants & sells)  # both sides at once contradict each other and are no wish
    wants, sells = wants & alone, sells & alone
    if side == LONG_ALONE:
        leaves_long, sells = leaves_long | sells, 0
    elif side == SHORT_ALONE:
        leaves_short, wants = leaves_short | wants, 0
    return wants * k.LONG + sells * k.SHORT + leaves_long * k.LEAVE_LONG + leaves_short * k.LEAVE_SHORT


@compiled
def wishes_of(
    long: Flags, short: Flags, leave_long: Flags, leave_short: Flags, side: Int, first: Int, shift: Int, wished: Array,
    flags: Flags,
) -> Int:  # fmt: skip
    """Write which bars are told something, rising, and what; return how many.

    long ... leave_short   uint8[n], 1 or 0, what is wished at the close of each bar
    first                  the first bar whose wishes count
    shift                  bars between a wish and the bar that is told of it
    wished, flags          int64[n], uint8[n], written from their beginning on
    """
    until, some, bar = max(len(long) - shift, 0), 0, first
    wide = until // 8 * 8
    longs, shorts = long[:wide].view(np.uint64), short[:wide].view(np.uint64)
    leave_longs, leave_shorts = leave_long[:wide].view(np.uint64), leave_short[:wide].view(np.uint64)
    while bar < until:
        end = until
        if bar < wide:
            # Eight bars at once, of which most wish nothing.
            word = np.uint64(bar >> 3)
            end = (bar >> 3 << 3) + 8
            if longs[word] | shorts[word] | leave_longs[word] | leave_shorts[word] == 0:
                bar = end
                continue
        for each in range(bar, end):
            at = np.uint64(each)
            flag = flag_of(
                np.int64(long[at]), np.int64(short[at]), np.int64(leave_long[at]), np.int64(leave_short[at]), side
            )
            wished[np.uint64(some)], flags[np.uint64(some)] = each + shift, flag
            some += flag != 0
        bar = end
    return some


@compiled
def trial_of(
    opens: Array, highs: Array, lows: Array, closes: Array, bounds: Array, long: Flags, short: Flags, leave_long: Flags,
    leave_short: Flags, side: Int, first: Int, p: Array, kinds: Array, tiers: Array, unit: float, years: float,
    per_year: float, places: Array, wished: Array, flags: Flags, equity: Array, trades: Array, fills: Array,
    worth: Array, results: Array, paid: Array, money: Floats, away: Floats, counts: Array, returns: Floats,
    found: Floats,
) -> None:  # fmt: skip
    """Trade the wishes; fill `counts`, `returns` and `found`, see `figures.figures_of`; the rest is room for the work.

    unit     what a unit is worth, quote currency
    places   int64[k + 1], rows of the curve, whose first is the capital before the first bar, between which `returns`,
             float64[k], are told; k is not below zero

    The other arguments are those of `wishes_of`, `leap` and `plain_bars`. Where an amount does not fit, only `counts`
    says so.
    """
    some = wishes_of(long, short, leave_long, leave_short, side, first, p[k.SHIFT], wished, flags)
    if may_leap(p, kinds):
        deepest = leap(
            opens, highs, lows, closes, bounds, wished[:some], flags[:some], p, kinds, tiers, unit, places, worth,
            results, paid, counts,
        )  # fmt: skip
    else:
        told = np.zeros(len(closes), np.uint8)
        for place in range(some):
            told[wished[place]] = flags[place]
        plain_bars(opens, highs, lows, closes, told, p, kinds, tiers, equity, trades, fills, counts)
        deepest = taken_out(equity, trades, p[k.CAPITAL], unit, places, worth, results, paid, counts)
    if counts[STATUS] != 0:
        return
    done, exposed = counts[TRADES], counts[EXPOSED] / max(len(closes), 1)
    figures_of(
        p[k.CAPITAL], counts[LAST], unit, years, per_year, worth, results[:done], paid[:done], deepest, exposed,
        returns, money, away, found,
    )  # fmt: skip


@compiled
def general_trial_of(
    opens: Array, highs: Array, lows: Array, closes: Array, events: Flags, rows: Array, shares: Array, long: Flags,
    short: Flags, leave_long: Flags, leave_short: Flags, side: Int, first: Int, p: Array, kinds: Array, tiers: Array,
    unit: float, years: float, per_year: float, places: Array, wished: Array, flags: Flags, equity: Array,
    worth: Array, results: Array, paid: Array, money: Floats, away: Floats, counts: Array, returns: Floats,
    found: Floats,
) -> None:  # fmt: skip
    """Do what `trial_of` does, by all the rules of `run_bars`, which are handed over as there.

    events   uint8[n], what the bars are told besides the wishes
    """
    some = wishes_of(long, short, leave_long, leave_short, side, first, p[k.SHIFT], wished, flags)
    told = events.copy()
    for place in range(some):
        told[wished[place]] |= flags[place]
    trades, _, state = run_bars(opens, highs, lows, closes, told, rows, p, kinds, tiers, shares, equity)
    counts[STATUS], counts[SKIPPED], counts[EXPOSED] = state[k.STATUS], state[k.SKIPPED], state[k.EXPOSED]
    counts[TRADES] = done = len(trades)
    if counts[STATUS] != 0:
        return
    if done > len(results):  # some bars brought two of them
        results, paid, money, away = np.empty(done, np.int64), np.empty(done, np.int64), np.empty(done), np.empty(done)
    deepest = taken_out(equity, trades, p[k.CAPITAL], unit, places, worth, results, paid, counts)
    figures_of(
        p[k.CAPITAL], counts[LAST], unit, years, per_year, worth, results[:done], paid[:done], deepest,
        counts[EXPOSED] / max(len(closes), 1), returns, money, away, found,
    )  # fmt: skip


@compiled
def taken_out(
    equity: Array, trades: Array, capital: Int, unit: float, places: Array, worth: Array, results: Array, paid: Array,
    counts: Array,
) -> float:  # fmt: skip
    """Take from what `plain_bars` wrote what `leap` writes; return the deepest drawdown, a share."""
    if counts[STATUS] != 0:
        return 0.0
    for row in range(len(places)):
        place = places[row]
        worth[row] = equity[place - 1] if place > 0 else capital
    for row in range(counts[TRADES]):
        results[row], paid[row] = trades[row, k.TRADE_PNL], trades[row, k.TRADE_FEES]
    counts[LAST] = equity[len(equity) - 1]
    return deepest_fall(equity, capital, unit)
