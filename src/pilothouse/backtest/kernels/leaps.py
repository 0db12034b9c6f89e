"""The same as `plain.py` for a trial, of which only numbers are told: from wish to wish, and no bar is written.

Between two wishes a position moves with the close alone. Whether it meets a level shows in the highest and lowest
price of those bars, and how deep the account falls in their highest and lowest close, unless there is a new high among
them: then they are looked at one by one. What happens in a bar stands in `plain_steps.py`, as for the loop that writes
everything; the tests hold the two to each other, to the unit.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_up
from pilothouse.backtest.kernels.plain import EXPOSED, SKIPPED, STATUS, TRADES
from pilothouse.backtest.kernels.plain_steps import away_of, levels_of, lots_entered, paid_out, side_wished, way_out
from pilothouse.strategies.indicators.compiling import compiled, inlined

Array = NDArray[np.int64]
Flags = NDArray[np.uint8]

LOWEST, HIGHEST = range(2)
LAST: Final = STATUS + 1
"""In the counts: what the account is worth behind the last bar, units."""

_AT_ONCE: Final = 64


@compiled
def may_leap(p: Array, kinds: Array) -> bool:
    """Say whether a plain plan can be walked so: nothing trails, and a size looks back one bar at most."""
    if kinds[k.D_TRAIL, k.D_PPM] + kinds[k.D_TRAIL, k.D_TICKS] > 0 or p[k.SIZE_BY] == k.SIZE_KELLY:
        return False
    return bool(p[k.SHIFT] == 1 or p[k.SIZE_BY] == k.SIZE_LOTS or p[k.SIZE_BY] == k.SIZE_QUOTE)


@inlined
def noted(worth: Int, top: Int, low: Int, deepest: float, unit: float) -> tuple[Int, Int, float]:
    """Return the high, the lowest since and the deepest fall, after one more worth; see `statistics.deepest_fall`."""
    if worth > top:
        if low < top:
            deepest = max(deepest, (top * unit - low * unit) / (top * unit))
        return worth, worth, deepest
    return top, min(low, worth), deepest


@inlined
def met_at(highs: Array, lows: Array, first: Int, until: Int, below: Int, above: Int) -> Int:
    """Return the first bar that comes down to `below` or up to `above`, `until` if none does."""
    bar = first
    while bar < until:
        end = min(bar + _AT_ONCE, until)
        high, low = highs[np.uint64(bar)], lows[np.uint64(bar)]
        for j in range(bar + 1, end):
            high, low = max(high, highs[np.uint64(j)]), min(low, lows[np.uint64(j)])
        if low <= below or high >= above:
            while lows[np.uint64(bar)] > below and highs[np.uint64(bar)] < above:
                bar += 1
            return bar
        bar = end
    return until


@inlined
def next_of(flags: Flags, at: Int, mask: Int) -> Int:
    """Return the place of the first wish from `at` on that has one of these flags, their number if none has."""
    while at < len(flags) and flags[np.uint64(at)] & mask == 0:
        at += 1
    return at


@inlined
def fallen(
    closes: Array, first: Int, until: Int, cash: Int, each: Int, top: Int, low: Int, deepest: float, unit: float
) -> tuple[Int, Int, float]:
    """Return what `noted` does after some bars of one position, `each` units for a tick."""
    highest = lowest = closes[np.uint64(first)]
    for bar in range(first + 1, until):
        close = closes[np.uint64(bar)]
        highest, lowest = max(highest, close), min(lowest, close)
    best, worst = (highest, lowest) if each > 0 else (lowest, highest)
    if cash + each * best <= top:
        return top, min(low, cash + each * worst), deepest
    for bar in range(first, until):
        top, low, deepest = noted(cash + each * closes[np.uint64(bar)], top, low, deepest, unit)
    return top, low, deepest


@compiled
def leap(
    opens: Array, highs: Array, lows: Array, closes: Array, bounds: Array, wished: Array, flags: Flags, p: Array,
    kinds: Array, tiers: Array, unit: float, places: Array, worth: Array, results: Array, paid: Array, counts: Array,
) -> float:  # fmt: skip
    """Trade the wishes; fill `worth`, `results`, `paid` and `counts`; return the deepest drawdown, a share.

    bounds          int64[2], the lowest low and the highest high of all bars
    wished, flags   int64[m] rising, uint8[m]: the bars that are told something, and what
    results, paid   int64[k], with room for a trade for each wish: what it changed the account by, and its fees

    The other arguments are those of `telling.trial_of`, and the plan is one that `may_leap`.
    """
    count, units, some = len(closes), p[k.UNITS], len(wished)
    maker_ppm, taker_ppm, shift = tiers[0, 1], tiers[0, 2], p[k.SHIFT]
    cash = p[k.CAPITAL]
    top = low = cash
    deepest = 0.0
    side, lots, each, entry, fees, stop, liquid, take = 0, 0, 0, 0, 0, 0, 0, 0
    done, skipped, exposed, row, at, bar = 0, 0, 0, 0, 0, 0
    ahead_flat = ahead_long = ahead_short = 0
    while row < len(places) and places[row] == 0:
        worth[row] = cash
        row += 1
    while bar < count:
        # ── to the next wish that concerns it, or to the first bar that meets a level ──
        while at < some and wished[np.uint64(at)] < bar:
            at += 1
        # Each of the three only ever goes forward: a level may be met long before the next wish that concerns it.
        if side == 0:
            ahead = ahead_flat = next_of(flags, max(ahead_flat, at), k.LONG | k.SHORT)
        elif side > 0:
            ahead = ahead_long = next_of(flags, max(ahead_long, at), k.SHORT | k.LEAVE_LONG)
        else:
            ahead = ahead_short = next_of(flags, max(ahead_short, at), k.LONG | k.LEAVE_SHORT)
        until = wished[np.uint64(ahead)] if ahead < some else count
        if side != 0:
            below, above = (max(stop, liquid), take) if side > 0 else (take, min(stop, liquid))
            if below >= bounds[LOWEST] or above <= bounds[HIGHEST]:
                until = met_at(highs, lows, bar, until, below, above)
            if until > bar:
                top, low, deepest = fallen(closes, bar, until, cash, each, top, low, deepest, unit)
                exposed += until - bar
        elif until > bar:
            top, low, deepest = noted(cash, top, low, deepest, unit)
        while row < len(places) and places[np.uint64(row)] <= until:
            worth[row] = cash + each * closes[np.uint64(places[row] - 1)]
            row += 1
        bar = until
        if bar >= count:
            break
        while at < some and wished[np.uint64(at)] < bar:
            at += 1
        # ── a bar in full: 0 what the open has passed, 1 the wish, 2 the path inside ──
        flag = flags[np.uint64(at)] if at < some and wished[np.uint64(at)] == bar else np.uint8(0)
        opened, high, down = opens[np.uint64(bar)], highs[np.uint64(bar)], lows[np.uint64(bar)]
        before = cash + each * closes[np.uint64(bar - 1)] if bar > 0 else cash
        stays_out = False
        for step in range(3):
            if side != 0:
                price, why, maker = way_out(p, step, flag, opened, high, down, side, entry, stop, liquid, take)
                if price > 0:
                    price, value, fee = paid_out(p, side, lots, price, why, maker, maker_ppm, taker_ppm)
                    cash += side * value - fee
                    fees += fee
                    results[np.uint64(done)] = side * (value - lots * entry * units) - fees
                    paid[np.uint64(done)] = fees
                    done += 1
                    side = lots = each = 0
                    stays_out = stays_out | (why == k.R_LEAVE)
                    if abs(cash) > k.BIG // 2:
                        counts[STATUS] = k.OVERFLOW
            enters = side_wished(flag) if step == 1 and side == 0 and not stays_out else 0
            if enters != 0:
                most, price = lots_entered(
                    p, kinds, kinds, done, enters, closes[bar - shift], before, opened, cash, taker_ppm
                )
                if most < 0:
                    counts[STATUS] = k.OVERFLOW
                elif most == 0:
                    skipped += 1
                else:
                    side, lots, entry = enters, most, price
                    each = side * lots * units
                    value = lots * price * units
                    fees = ppm_up(value, taker_ppm)
                    cash -= side * value + fees
                    stop, take, liquid = levels_of(p, kinds, side, price, away_of(kinds, k.D_STOP, price))
                    if lots > p[k.LOTS_SAFE]:
                        counts[STATUS] = k.OVERFLOW
        if counts[STATUS] != 0:
            return 0.0
        exposed += 1 if side != 0 else 0
        now = cash + each * closes[np.uint64(bar)]
        top, low, deepest = noted(now, top, low, deepest, unit)
        bar += 1
        while row < len(places) and places[np.uint64(row)] <= bar:
            worth[row] = now
            row += 1
    if side != 0:
        results[done] = side * (lots * closes[count - 1] * units - lots * entry * units) - fees
        paid[done] = fees
        done += 1
    if low < top:
        deepest = max(deepest, (top * unit - low * unit) / (top * unit))
    counts[TRADES], counts[SKIPPED], counts[EXPOSED] = done, skipped, exposed
    counts[LAST] = cash + each * closes[count - 1]
    return deepest
