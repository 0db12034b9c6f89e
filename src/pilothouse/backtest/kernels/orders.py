"""What a bar's wishes become: sizes, exits and entries that wait, and what of them fills at an open or inside a bar.

The arrays are those of `positions.py`.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_down, ppm_exact, ppm_up, up
from pilothouse.backtest.kernels.gate import is_denied
from pilothouse.backtest.kernels.positions import distance, enter, last_piece, leave, slipped
from pilothouse.strategies.indicators.compiling import compiled, inlined

Array = NDArray[np.int64]


@compiled
def kelly(p: Array, trades: Array, count: Int) -> Int:
    """Return the share of equity, ppm, that the last trades speak for: between a hundredth of the cap and the cap.

    Until ten trades are known it is a tenth of the cap. W (wins - losses) / (n wins), W of n trades having won.
    """
    cap = p[k.SIZE]
    first = max(count - p[k.LOOKBACK], 0)
    seen = count - first
    if seen < 10:
        return cap // 10
    won, lost, wins = 0, 0, 0
    for row in range(first, count):
        pnl = trades[row, k.TRADE_PNL]
        if pnl > 0:
            won += pnl
            wins += 1
        else:
            lost -= pnl
    if won <= lost:
        return cap // 100
    edge = k.MILLION if lost == 0 else ppm_exact(won - lost, won)
    return min(max(wins * edge // seen, cap // 100), cap)


@compiled
def wanted(
    s: Array, p: Array, kinds: Array, rows: Array, trades: Array, bar: Int, price: Int, equity: Int
) -> Int:  # fmt: skip
    """Return how many lots a wish of `bar` is for, at `price` and with `equity` as they were then; 0 for none."""
    share = rows[p[k.ROW_SIZE], bar] if p[k.ROW_SIZE] >= 0 else p[k.SIZE]
    away = distance(kinds, rows, k.D_STOP, bar, price) if p[k.SIZE_BY] == k.SIZE_RISK else 0
    lots = lots_by(p, trades, s[k.TRADES], share, away, price, equity)
    if p[k.ROW_WEIGHT] >= 0:
        lots = ppm_down(lots, rows[p[k.ROW_WEIGHT], bar])
    return min(lots, p[k.LOTS_MOST])


@inlined
def lots_by(p: Array, trades: Array, count: Int, share: Int, away: Int, price: Int, equity: Int) -> Int:
    """Return how many lots the size of a plan comes to, before any weight and limit.

    share   of equity in ppm, where the size is a share
    away    distance of the stop in ticks, where the size is a risk
    """
    by, each = p[k.SIZE_BY], price * p[k.UNITS]
    if by == k.SIZE_LOTS:
        return p[k.SIZE]
    if by == k.SIZE_QUOTE:
        return p[k.SIZE] // each
    if equity <= 0:
        return 0
    if by == k.SIZE_PPM:
        return ppm_down(equity, share) // each
    if by == k.SIZE_RISK:
        return ppm_down(equity, p[k.SIZE]) // (away * p[k.UNITS]) if away > 0 else 0
    return ppm_down(equity, kelly(p, trades, count)) // each


@compiled
def affordable(s: Array, p: Array, lots: Int, price: Int) -> Int:
    """Return the most of `lots` that equity carries at `price` with its fee, beside what is held.

    What other positions of the account are worth, and how much they hold, stands in OTHERS and OTHERS_GROSS.
    """
    each = price * p[k.UNITS]
    times = p[k.LEVERAGE]
    worth = s[k.CASH] + s[k.POS] * each + s[k.OTHERS]
    if worth > p[k.WORTH_SAFE]:
        s[k.STATUS] = k.OVERFLOW
        return 0
    if worth <= 0:
        return 0
    room = times * worth - abs(s[k.POS]) * each - s[k.OTHERS_GROSS]
    if room <= 0:
        return 0
    lots = min(lots, room // each)
    # Both are rounded up, so that no step goes further than is needed.
    cost = ppm_up(each, s[k.TAKER_PPM]) + up(each, times)
    while lots > 0:
        short = ppm_up(lots * each, s[k.TAKER_PPM]) - (room - lots * each) // times
        if short <= 0:
            break
        lots -= max((short - 1) // cost, 1)
    return max(lots, 0)


@compiled
def take_entry(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, bar: Int, price: Int, maker: Int, inside: Int
) -> None:
    """Fill the waiting entry at `price`, as much of it as volume and equity allow."""
    side = s[k.E_SIDE]
    lots = min(s[k.E_LOTS], s[k.BUDGET])
    if lots <= 0:
        return
    if not maker:
        price = slipped(p, rows, bar, price, side, lots)
        if s[k.E_LIMIT] > 0 and (price - s[k.E_LIMIT]) * side > 0:
            price = s[k.E_LIMIT]
    most = affordable(s, p, lots, price)
    if most < lots and (most < p[k.LOTS_MIN] or most * price * p[k.UNITS] < p[k.NOTIONAL_MIN]):
        s[k.SKIPPED] += 1
        s[k.E_SIDE] = 0
        return
    if most < lots:
        s[k.E_LOTS] = most
    enter(s, p, kinds, rows, fills, bar, most, price, maker, inside)


@compiled
def leave_at_market(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, trades: Array, bar: Int, price: Int
) -> None:
    """Close what is to be left, as much as volume allows; the rest waits for the next open."""
    lots = min(abs(s[k.POS]), s[k.LEAVE_LOTS], s[k.BUDGET])
    if lots <= 0:
        return
    reason = s[k.LEAVE]
    s[k.LEAVE_LOTS] -= lots
    price = slipped(p, rows, bar, price, -s[k.SIDE], lots)
    if s[k.LEAVE_LOTS] == 0:
        s[k.LEAVE] = 0
    leave(s, p, kinds, rows, fills, trades, bar, lots, price, reason, k.NO)


@compiled
def all_must_go(s: Array, reason: Int) -> None:
    """Leave everything at the market, now and at the next opens."""
    s[k.LEAVE], s[k.LEAVE_LOTS] = reason, k.BIG


@compiled
def take_targets(
    s: Array, p: Array, kinds: Array, rows: Array, shares: Array, fills: Array, trades: Array, bar: Int, furthest: Int,
    reach: Int,
) -> None:  # fmt: skip
    """Close at each target, at its own price, that lies on the way to `furthest`."""
    side = s[k.SIDE]
    while s[k.POS] != 0 and s[k.TARGET_AT] < p[k.TARGETS] and (furthest - s[k.TAKE]) * side >= reach:
        at = s[k.TARGET_AT]
        if s[k.TAKE] <= 0 or s[k.TAKE] >= k.BIG:
            return
        held = abs(s[k.POS])
        if s[k.TARGET_LEFT] < 0:
            takes_all = at == p[k.TARGETS] - 1 and shares[p[k.TARGETS]] == k.MILLION
            s[k.TARGET_LEFT] = held if takes_all else max(ppm_down(s[k.T_LOTS], shares[at]), 1)
        lots = min(held, s[k.TARGET_LEFT], s[k.BUDGET])
        if lots <= 0:
            return
        price = s[k.TAKE]
        s[k.TARGET_LEFT] -= lots
        if s[k.TARGET_LEFT] == 0:
            s[k.TARGET_AT] = at + 1
            s[k.TARGET_LEFT] = -1
        leave(s, p, kinds, rows, fills, trades, bar, lots, price, k.R_TARGET, k.YES)


@compiled
def decide(
    s: Array, p: Array, kinds: Array, rows: Array, trades: Array, flag: Int, bar: Int, decided: Int, price: Int,
    equity: Int,
) -> None:  # fmt: skip
    """Turn the wishes of bar `decided`, to be carried out at `bar`, into what waits to be left and entered."""
    held = s[k.SIDE] if s[k.POS] != 0 else 0
    enters = 1 if flag & k.LONG else -1 if flag & k.SHORT else 0
    leaves_long, leaves_short = flag & k.LEAVE_LONG, flag & k.LEAVE_SHORT
    flips = held * enters < 0
    if flips or (held > 0 and leaves_long) or (held < 0 and leaves_short):
        all_must_go(s, k.R_FLIP if flips and p[k.FLIPS] else k.R_LEAVE)
        s[k.E_SIDE] = 0
        if not flips or not p[k.FLIPS] or p[k.COOLDOWN] > 0:
            return
    if (s[k.E_SIDE] > 0 and leaves_long) or (s[k.E_SIDE] < 0 and leaves_short):
        s[k.E_SIDE] = 0  # whoever leaves a side wants no waiting entry to it any more
    if enters == 0 or (enters > 0 and leaves_long) or (enters < 0 and leaves_short):
        return
    if bar < s[k.COOL_UNTIL] or (held == enters and not flag & k.RESIZE and s[k.ADDS] >= p[k.PYRAMIDING]):
        return
    lots = wanted(s, p, kinds, rows, trades, decided, price, equity)
    if held == enters and flag & k.RESIZE:
        lots -= abs(s[k.POS])
        if lots < 0:
            s[k.LEAVE], s[k.LEAVE_LOTS] = k.R_LEAVE, -lots
        if lots <= 0:
            s[k.E_SIDE] = 0
            return
    if lots < p[k.LOTS_MIN] or lots < up(p[k.NOTIONAL_MIN], price * p[k.UNITS]):
        s[k.SKIPPED] += 1
        s[k.E_SIDE] = 0
        return
    if p[k.GATED] and is_denied(
        s, p, rows, decided, decided, enters * lots, s[k.POS] if held == enters else 0, price, equity
    ):
        s[k.DENIED] += 1
        s[k.E_SIDE] = 0
        return
    if held == enters:
        s[k.ADDS] += 1
    s[k.E_SIDE], s[k.E_LOTS], s[k.E_BAR] = enters, lots, decided
    s[k.E_REASON] = k.R_FLIP if flips else k.R_SIGNAL
    s[k.E_LIMIT] = rows[p[k.ROW_LIMIT], decided] if p[k.ROW_LIMIT] >= 0 else 0
    s[k.E_TRIGGER] = rows[p[k.ROW_TRIGGER], decided] if p[k.ROW_TRIGGER] >= 0 else 0
    s[k.E_FROM] = bar + p[k.AT_CLOSE]
    s[k.E_UNTIL] = last_piece(p, rows, s[k.E_FROM], p[k.REST] - 1)


@compiled
def enter_at_open(s: Array, p: Array, kinds: Array, rows: Array, fills: Array, bar: Int, price: Int) -> None:
    """Fill the waiting entry at an open, if it is at the market, or the price is already there."""
    side = s[k.E_SIDE]
    if side == 0 or s[k.POS] * side < 0:
        return
    if s[k.E_LIMIT] == 0 and s[k.E_TRIGGER] == 0:
        take_entry(s, p, kinds, rows, fills, bar, price, k.NO, k.NO)
        return
    if bar < s[k.E_FROM]:
        return
    if s[k.E_TRIGGER] > 0:
        if (price - s[k.E_TRIGGER]) * side < 0:
            return
        # The price opened beyond the trigger: from here on it is a market or a limit order that arrives now.
        s[k.E_TRIGGER] = 0
        if s[k.E_LIMIT] == 0 or (s[k.E_LIMIT] - price) * side >= 0:
            take_entry(s, p, kinds, rows, fills, bar, price, k.NO, k.NO)
        return
    if (s[k.E_LIMIT] - price) * side < 0:
        return
    if bar == s[k.E_FROM]:
        take_entry(s, p, kinds, rows, fills, bar, price, k.NO, k.NO)
    elif (s[k.E_LIMIT] - price) * side >= p[k.REACH]:
        # It rested while the price came: it is filled at its own price, not at a better one.
        take_entry(s, p, kinds, rows, fills, bar, s[k.E_LIMIT], k.YES, k.NO)


@compiled
def enter_inside(
    s: Array, p: Array, kinds: Array, rows: Array, fills: Array, bar: Int, opened: Int, high: Int, low: Int
) -> Int:
    """Fill the waiting entry inside a bar, if the price comes to its trigger or limit; return where the price is then.

    A fill that touches its limit after the open lies there; without one the price is still at the open.
    """
    side = s[k.E_SIDE]
    if side == 0 or bar < s[k.E_FROM] or s[k.POS] * side < 0:
        return opened
    near, far = (low, high) if side > 0 else (high, low)
    came, had = opened, s[k.FILLS]
    if s[k.E_TRIGGER] > 0:
        if (far - s[k.E_TRIGGER]) * side < 0:
            return opened
        came = s[k.E_TRIGGER]
        s[k.E_TRIGGER] = 0
        # Where the limit lies behind the trigger, the price would have to come back, and may have been there before.
        if s[k.E_LIMIT] == 0 or (s[k.E_LIMIT] - came) * side >= 0:
            take_entry(s, p, kinds, rows, fills, bar, came, k.NO, k.YES)
    elif s[k.E_LIMIT] > 0 and (s[k.E_LIMIT] - near) * side >= p[k.REACH]:
        came = s[k.E_LIMIT]
        take_entry(s, p, kinds, rows, fills, bar, came, k.YES, k.YES)
    return came if s[k.FILLS] > had else opened
