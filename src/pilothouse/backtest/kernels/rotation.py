"""The same as `portfolio.py` for the accounts that most rotations have, several times as fast.

Long only, without leverage, so that nothing but a wish ends a position: bought and sold at the market at the next open,
one quantity, quote amount or share of equity each; fees without tiers, slippage of a fixed share; every instrument has
every bar. `simulate_many` takes this loop where a plan asks for no more, and the tests hold it to the general one to
the last unit. What comes near to the bounds of 64 bits is left to the general loop too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.columns import CLOSE, FLAGS, HIGH, LOW, OPEN, RANK, byte_at, float_at, whole_at
from pilothouse.backtest.kernels.counting import Int, ppm_down, ppm_up, up
from pilothouse.backtest.kernels.plain_steps import affordable_lots, worse_by
from pilothouse.backtest.kernels.shared import FILL_LEG, TRADE_LEG
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]

TRADES, FILLS, SKIPPED, CROWDED, EXPOSED, COUNTS = range(6)
H_LOTS, H_PRICE, H_OPENED, H_FEES, H_WORST, H_BEST, H_FILL, HELD = range(8)


def is_rotation(p: Sequence[Array], kinds: Sequence[Array], tiers: Sequence[Array]) -> bool:
    """Say whether the plans of all legs ask for no more than this loop can; that none goes short is asked elsewhere."""
    one, rows = p[0], range(k.ROW_LIMIT, k.SETTINGS)
    none = (k.GATED, k.AT_CLOSE, k.VOLUME_PPM, k.PYRAMIDING, k.COOLDOWN, k.BARS_MOST, k.TARGETS)
    return bool(
        not any(one[slot] for slot in none)
        and one[k.LEVERAGE] == 1
        and one[k.SIZE_BY] in {k.SIZE_LOTS, k.SIZE_QUOTE, k.SIZE_PPM}
        and all(each[k.SLIP] in {k.SLIP_NONE, k.SLIP_FIXED, k.SLIP_SPREAD} for each in p)
        and all((each[rows.start :] < 0).all() for each in p)
        and all((each[:, k.D_ROW] < 0).all() and not each[:, : k.D_ROW].any() for each in kinds)
        and all(len(each) == 1 for each in tiers)
    )


@compiled
def rotate(
    count: Int, table: Array, p: Array, tiers: Array, places: Int, equity: Array, room: Int, counts: Array
) -> tuple[Array, Array]:
    """Trade the wishes of all legs; fill `equity` and `counts`; return trades int64[m, 17] and fills int64[k, 8].

    count   bars, of the calendar and of each leg
    room    at least how many wishes to open there are
    counts  int64[5]; TRADES is -1 where the general loop has to count: the rest then means nothing

    The other arguments are those of `run_portfolio`; here bars are those of the calendar, and fills know their trade.
    """
    legs, cash = len(p), p[0, k.CAPITAL]
    trades, fills = np.empty((room, k.TRADE_WIDTH + 1), np.int64), np.empty((2 * room, k.FILL_WIDTH + 1), np.int64)
    wanted = np.zeros(legs, np.int64)
    held, active, chosen = np.zeros((legs, HELD), np.int64), np.zeros(legs, np.int64), np.zeros(legs, np.int64)
    done, filled, skipped, seen, exposed, used = 0, 0, 0, 0, 0, 0
    safe = min(p[0, k.WORTH_SAFE], k.BIG // 8)
    wishing = k.LONG | k.LEAVE_LONG
    # What every bar asks for lies side by side.
    flags, units = table[:, FLAGS].copy(), p[:, k.UNITS].copy()
    highs, lows, closes = table[:, HIGH].copy(), table[:, LOW].copy(), table[:, CLOSE].copy()
    for now in range(count):
        kept = 0
        for place in range(used):
            leg = active[place]
            flag = byte_at(flags[leg], now) & wishing
            if flag & k.LEAVE_LONG == 0:
                seen += flag & k.LONG
                active[kept] = leg
                kept += 1
                continue
            price = whole_at(table[leg, OPEN], now)
            price = max(price - worse_by(p[leg], price), 1)
            of = held[leg]
            cash += left(of, p[leg], tiers[leg, 0, 2], leg, now, price, fills, filled, trades, done)
            filled += 1
            done += 1
        used = kept
        if used < places:
            found = 0
            for leg in range(legs):
                flag = byte_at(flags[np.uint64(leg)], now) & wishing
                if flag == k.LONG and held[leg, H_LOTS] == 0:
                    found = ranked(chosen, found, leg, table, now - p[leg, k.SHIFT])
            granted = 0
            for which in range(found):
                if used + granted >= places:
                    break
                leg = chosen[which]
                seen += 1
                # Who wants enough has a place now, even if the cash then does not reach for it.
                lots = wanted_lots(p[leg], leg, now, table, equity)
                if lots == 0:
                    skipped += 1
                    continue
                wanted[granted], chosen[granted] = lots, leg
                granted += 1
            for which in range(granted):
                leg = chosen[which]
                spent = bought(held[leg], p[leg], tiers[leg, 0, 2], leg, now, wanted[which], cash, table, fills, filled)
                if spent < 0:
                    counts[TRADES] = -1
                    return trades, fills
                if spent == 0:
                    skipped += 1
                    continue
                cash -= spent
                filled += 1
                at = used
                while at > 0 and active[at - 1] > leg:
                    active[at] = active[at - 1]
                    at -= 1
                active[at] = leg
                used += 1
        worth = cash
        for place in range(used):
            at_leg = np.uint64(active[np.uint64(place)])  # no place is below zero, and nothing looks whether one is
            held[at_leg, H_BEST] = max(held[at_leg, H_BEST], whole_at(highs[at_leg], now))
            held[at_leg, H_WORST] = min(held[at_leg, H_WORST], whole_at(lows[at_leg], now))
            worth += held[at_leg, H_LOTS] * whole_at(closes[at_leg], now) * units[at_leg]
        exposed += used > 0
        equity[now] = worth
        if worth > safe:
            counts[TRADES] = -1
            return trades, fills
    for place in range(used):
        leg = active[place]
        price = whole_at(table[leg, CLOSE], count - 1)
        valued(held[leg], p[leg], leg, count - 1, price, k.R_OPEN, trades, done, fills)
        done += 1
    counts[TRADES], counts[FILLS], counts[SKIPPED], counts[EXPOSED], counts[CROWDED] = (
        done,
        filled,
        skipped,
        exposed,
        seen,
    )
    return trades[:done], fills[:filled]


@compiled
def left(
    of: Array, p: Array, taker_ppm: Int, leg: Int, now: Int, price: Int, fills: Array, filled: Int, trades: Array,
    done: Int,
) -> Int:  # fmt: skip
    """Sell what is held; return what comes in."""
    value = of[H_LOTS] * price * p[k.UNITS]
    fee = ppm_up(value, taker_ppm)
    row = fills[filled]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6] = now, -of[H_LOTS], price, fee, k.R_LEAVE, done, 0
    row[FILL_LEG] = leg
    of[H_FEES] += fee
    of[H_BEST], of[H_WORST] = max(of[H_BEST], price), min(of[H_WORST], price)
    valued(of, p, leg, now, price, k.R_LEAVE, trades, done, fills)
    of[H_LOTS] = 0
    return value - fee


@compiled
def valued(
    of: Array, p: Array, leg: Int, now: Int, price: Int, reason: Int, trades: Array, done: Int, fills: Array
) -> None:
    """Write the trade into its row, and into the fill that opened it which one it is."""
    spent, value = of[H_LOTS] * of[H_PRICE] * p[k.UNITS], of[H_LOTS] * price * p[k.UNITS]
    row = trades[done]
    row[0], row[1], row[2], row[3] = of[H_OPENED], now, 1, of[H_LOTS]
    row[4], row[5], row[6], row[7] = spent, value, of[H_FEES], 0
    row[8], row[9], row[10] = value - spent - of[H_FEES], k.R_SIGNAL, reason
    row[11], row[12], row[13], row[14], row[15] = of[H_WORST], of[H_BEST], of[H_PRICE], price, -1
    row[TRADE_LEG] = leg
    fills[of[H_FILL], 5] = done


@compiled
def wanted_lots(p: Array, leg: Int, now: Int, table: Array, equity: Array) -> Int:
    """Return how many lots a wish is for, 0 where they are too few."""
    known = now - p[k.SHIFT]
    each = whole_at(table[leg, CLOSE], known) * p[k.UNITS]
    if p[k.SIZE_BY] == k.SIZE_LOTS:
        wanted = p[k.SIZE]
    elif p[k.SIZE_BY] == k.SIZE_QUOTE:
        wanted = p[k.SIZE] // each
    else:
        wanted = ppm_down(max(equity[known], 0), p[k.SIZE]) // each
    wanted = min(wanted, p[k.LOTS_MOST])
    if wanted < p[k.LOTS_MIN] or wanted < up(p[k.NOTIONAL_MIN], each):
        return 0
    return wanted


@compiled
def bought(
    of: Array, p: Array, taker_ppm: Int, leg: Int, now: Int, wanted: Int, cash: Int, table: Array, fills: Array,
    filled: Int,
) -> Int:  # fmt: skip
    """Buy; return what goes out, 0 where nothing could be bought, -1 where that cannot be counted here."""
    units = p[k.UNITS]
    price = whole_at(table[leg, OPEN], now)
    price += worse_by(p, price)
    if wanted > p[k.LOTS_SAFE]:
        return -1
    lots = affordable_lots(p, wanted, price, cash, taker_ppm)
    if lots < 0:
        return -1
    if lots < wanted and (lots < p[k.LOTS_MIN] or lots * price * units < p[k.NOTIONAL_MIN]):
        return 0
    fee = ppm_up(lots * price * units, taker_ppm)
    of[H_LOTS], of[H_PRICE], of[H_OPENED], of[H_FEES], of[H_FILL] = lots, price, now, fee, filled
    of[H_WORST] = of[H_BEST] = price
    row = fills[filled]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6] = now, lots, price, fee, k.R_SIGNAL, -1, 0
    row[FILL_LEG] = leg
    return lots * price * units + fee


@compiled
def ranked(chosen: Array, count: Int, leg: Int, table: Array, at: Int) -> Int:
    """Put a leg among those before it, behind all that rank as high; return how many there are."""
    place = count
    if table[leg, RANK] != 0:
        mine = rank_of(leg, table, at)
        while place > 0 and rank_of(chosen[place - 1], table, at) < mine:
            chosen[place] = chosen[place - 1]
            place -= 1
    chosen[place] = leg
    return count + 1


@compiled
def rank_of(leg: Int, table: Array, at: Int) -> float:
    """Return how a leg ranks; what has no rank goes last."""
    found: float = float_at(table[leg, RANK], at)
    return -np.inf if np.isnan(found) else found


@compiled
def openings(flags: NDArray[np.uint8]) -> Int:
    """Return how many wishes to be long there are."""
    found = 0
    for flag in flags:
        found += flag & (k.LONG | k.LEAVE_LONG) == k.LONG
    return found
