"""One instrument, bar by bar: prices and decisions go in; fills, trades and equity come out, exact to the unit.

What happens in a bar, in this order, always to the trader's disadvantage where a bar does not say:

    1. funding that fell due when the bar opened
    2. at the open, what was decided `delay` + 1 bars before: exits first, then entries, with slippage, as a taker
    3. a resting limit order is filled at its price if the bar traded beyond it, as a maker
    4. the stop, which is the closest of stop-loss, break-even and trail as they stood at the open, or the price of
       liquidation: at its price, at the open if that lies beyond it; then, if it was not hit, targets in order,
       each at its own price. A position that a limit order opened in this bar cannot reach a target in it
    5. the best price since entry moves on
    6. at the close, equity is taken; with `at_close` what was decided at this very bar is carried out there

`backtest/reference.py` says the same slowly, in decimals, and was written apart from this.
"""

from typing import Any, NamedTuple

import numpy as np

from pilothouse.backtest.kernels.exact import BILLION, distance, part, share_down, share_up
from pilothouse.strategies.indicators.compiling import compiled

LONG, SHORT, LEAVE_LONG, LEAVE_SHORT = 1, 2, 4, 8

SIGNAL, STOP, TARGET, TRAIL, BREAK_EVEN, TIME, LIQUIDATION, FLIP, END = range(9)
REASONS = ("signal", "stop", "target", "trail", "break_even", "time", "liquidation", "flip", "open")

BY_LOTS, BY_UNITS, BY_EQUITY, BY_RISK, BY_VOLATILITY, BY_KELLY = range(6)
NO_MARGIN, CROSS, ISOLATED = range(3)


class Rulebook(NamedTuple):
    """Everything of a run that is one number. Distances: ppm of the entry price, or, below zero, a column tells them.

    *_ppb are parts per 10^9, *_ppm per 10^6; 0 switches a rule off
    """

    at_close: int
    delay: int
    cash: int
    maker_ppb: int
    taker_ppb: int
    slip_ppm: int
    spread_ticks: int
    volume_slip_ppm: int
    impact_ppm: int
    volume_share_ppm: int
    size_by: int
    size_value: int
    size_lookback: int
    lot_multiple: int
    lots_min: int
    notional_min: int
    leverage: int
    margin: int
    maintenance_ppm: int
    liquidation_ppb: int
    borrow_ppb: int
    stop_ppm: int
    trail_ppm: int
    trail_after_ppm: int
    break_even_ppm: int
    bars_most: int
    pyramiding: int
    cooldown: int
    flips: int
    sides: int
    limit_bars: int
    warm_up: int


@compiled
def _slipped(price: Any, buys: Any, lots: Any, volume: Any, r: Any) -> Any:
    """Return the price of a taker: worse by spread, a share of the price and what it takes of the volume."""
    ticks = r.spread_ticks
    ppm = r.slip_ppm
    if r.volume_slip_ppm or r.impact_ppm:
        if volume > 0:
            taken = min(lots / volume, 1.0)
            ppm += int(np.ceil(r.volume_slip_ppm * taken + r.impact_ppm * np.sqrt(taken)))
        else:
            ppm += r.volume_slip_ppm + r.impact_ppm
    if ppm:
        ticks += (price * ppm + 999_999) // 1_000_000
    if buys:
        return price + ticks
    return max(price - ticks, 1)


@compiled
def _wanted(i: Any, price: Any, equity: Any, stop: Any, c: Any, kelly: Any, weight: Any, r: Any) -> Any:
    """Return how many lots an entry decided at bar i should have, before what money and volume allow."""
    if equity <= 0 or price <= 0:
        return 0
    if r.size_by == 0:
        lots = r.size_value
    elif r.size_by == 1:
        lots = r.size_value // price
    elif r.size_by == 2:
        lots = share_down(equity, r.size_value) // price
    elif r.size_by == 3:
        lots = share_down(equity, r.size_value) // stop if stop > 0 else 0
    elif r.size_by == 4:
        first = i - r.size_lookback
        if first < 0:
            return 0
        total = 0.0
        squares = 0.0
        for k in range(first + 1, i + 1):
            step = c[k] / c[k - 1] - 1.0
            total += step
            squares += step * step
        count = r.size_lookback
        variance = (squares - total * total / count) / (count - 1)
        if variance <= 0.0:
            return 0
        # size_value is the wanted deviation of one bar, in parts per 10^9 of equity.
        lots = int(np.floor(equity * (r.size_value / BILLION) / np.sqrt(variance) / price))
    else:
        lots = share_down(equity, min(kelly, r.size_value)) // price
    if weight < BILLION:
        lots = share_down(lots, weight)
    return lots


@compiled
def _kelly(wins: Any, losses: Any, won: Any, lost: Any) -> Any:
    """Return the Kelly fraction of past trades in parts per 10^9; 0 where they do not tell one."""
    count = wins + losses
    if count == 0 or wins == 0:
        return 0
    rate = wins / count
    if losses == 0 or lost == 0:
        return BILLION
    payoff = (won / wins) / (lost / losses)
    found = rate - (1.0 - rate) / payoff
    return int(np.floor(found * BILLION)) if found > 0.0 else 0


@compiled
def run_bars(
    o: Any, h: Any, l: Any, c: Any, v: Any,  # noqa: E741 - open, high, low, close and volume are called so everywhere
    action: Any, limit: Any, stop_at: Any, take_at: Any, trail_at: Any, weight: Any,
    target_ppm: Any, target_share: Any, funding_bar: Any, funding_ppb: Any,
    r: Any, fills: Any, trades: Any, equity: Any,
) -> Any:  # fmt: skip
    """Trade the decisions of one instrument; returns (fills, trades, bars with a position, ended in ruin).

    o, h, l, c    int64[n], ticks; v int64[n], lots
    action        int8[n], bits LONG, SHORT, LEAVE_LONG, LEAVE_SHORT
    limit         int64[n], ticks, 0 at the market; or empty
    stop_at, take_at, trail_at   int64[n], ticks from the entry, 0 none; or empty: the rulebook's
    weight        int64[n], parts per 10^9 of the size; or empty
    target_ppm, target_share     int64[k], ppm of the entry price and parts per 10^9 of the first size
    funding_bar, funding_ppb     int64[m], the bar in which it fell due and the rate, rising
    fills         int64[f, 6] out: bar, signed lots, price, fee, reason, resting
    trades        int64[t, 11] out: entry bar, exit bar, signed lots, cost, proceeds, fees, funding, reason, worst and
                  best ticks against the entry, decided at
    equity        int64[n] out, units, at each close
    """
    n = len(c)
    has_limit, has_stop, has_take = len(limit) > 0, len(stop_at) > 0, len(take_at) > 0
    has_trail, has_weight, targets = len(trail_at) > 0, len(weight) > 0, len(target_ppm)
    guarded = (
        has_stop or has_take or has_trail or targets > 0 or r.stop_ppm != 0 or r.trail_ppm != 0
        or r.break_even_ppm != 0 or r.margin != 0
    )  # fmt: skip
    cash = r.cash
    lots = 0  # signed
    cost = 0  # units paid for what is held, always above zero
    entry_fees = 0
    held_funding = 0
    entry_bar = 0
    entry_price = 0
    first_lots = 0
    decided_at = 0
    adds = 0
    best = 0
    worst_seen = 0
    best_seen = 0
    stop_ticks = 0
    trail_ticks = 0
    take_ticks = 0
    next_target = 0
    moved = False
    last_exit = -(1 << 40)
    leaving = False
    leave_reason = 0
    opening = 0  # signed lots still to be opened at the market
    opening_from = 0
    resting = 0  # signed lots of a limit order
    resting_price = 0
    resting_from = 0
    resting_until = 0
    next_funding = 0
    wins = 0
    losses = 0
    won = 0
    lost = 0
    count_fills = 0
    count_trades = 0
    exposed = 0
    ruined = False

    for i in range(n):
        # 1. Funding.
        while next_funding < len(funding_bar) and funding_bar[next_funding] <= i:
            if funding_bar[next_funding] == i and lots != 0:
                rate = funding_ppb[next_funding]
                value = abs(lots) * o[i]
                pays = (lots > 0) == (rate > 0)
                amount = -share_up(value, abs(rate)) if pays else share_down(value, abs(rate))
                cash += amount
                held_funding += amount
            next_funding += 1
        if r.borrow_ppb and lots < 0:
            amount = -share_up(-lots * o[i], r.borrow_ppb)
            cash += amount
            held_funding += amount

        for phase in range(2):
            # What was decided earlier, at the open; or what is decided now, at the close.
            if phase == 0:
                j = i - 1 - r.delay
                price = o[i]
                if r.at_close:
                    j = -1
            else:
                if not r.at_close:
                    break
                j = i
                price = c[i]
            act = 0
            if j >= r.warm_up:
                act = action[j]
            if phase == 0 and lots != 0 and r.bars_most and i - entry_bar >= r.bars_most and not leaving:
                leaving = True
                leave_reason = 5
            if act or leaving or opening:
                if act:
                    wants_long = (act & 1) != 0 and (r.sides & 1) != 0
                    wants_short = (act & 2) != 0 and (r.sides & 2) != 0
                    if lots > 0 and ((act & 4) or (act & 2)):
                        leaving = True
                        leave_reason = 7 if (act & 2) and r.flips and wants_short else 0
                    elif lots < 0 and ((act & 8) or (act & 1)):
                        leaving = True
                        leave_reason = 7 if (act & 1) and r.flips and wants_long else 0
                    side = 0
                    if wants_long and not wants_short:
                        side = 1
                    elif wants_short and not wants_long:
                        side = -1
                    if side != 0:
                        other = lots * side < 0 and (not r.flips or r.cooldown > 0)
                        enough = lots * side > 0 and (adds >= r.pyramiding or leaving)
                        if other or enough or (lots == 0 and i - last_exit <= r.cooldown):
                            side = 0
                    if side != 0 or (act & 12):
                        opening = 0
                        resting = 0
                    if side != 0:
                        at_decision = equity[j] if phase == 0 else cash + lots * c[i]
                        asked = c[j]
                        if has_limit and limit[j] > 0:
                            asked = limit[j]
                        risked = 0
                        if r.size_by == 3:
                            if has_stop and stop_at[j] > 0:
                                risked = stop_at[j]
                            elif r.stop_ppm > 0:
                                risked = distance(asked, r.stop_ppm)
                        share = weight[j] if has_weight else BILLION
                        fraction = _kelly(wins, losses, won, lost) if r.size_by == 5 else 0
                        size = _wanted(j, asked, at_decision, risked, c, fraction, share, r)
                        # Money allows no more than equity times leverage, with what is held on the same side.
                        if r.leverage > 0:
                            affords = at_decision * r.leverage // asked
                            if lots * side > 0:
                                affords -= abs(lots)
                            size = min(size, affords)
                        size -= size % r.lot_multiple
                        if size >= r.lots_min and size > 0 and size * asked >= r.notional_min:
                            if has_limit and limit[j] > 0:
                                resting = side * size
                                resting_price = limit[j]
                                resting_from = j
                                resting_until = i + r.limit_bars
                            else:
                                opening = side * size
                                opening_from = j
                room = 1 << 60
                if r.volume_share_ppm:
                    room = v[i] * r.volume_share_ppm // 1_000_000
                    room -= room % r.lot_multiple
                if leaving and lots != 0 and room > 0:
                    quantity = min(abs(lots), room)
                    sells = lots > 0
                    paid = _slipped(price, not sells, quantity, v[i], r)
                    value = quantity * paid
                    fee = share_up(value, r.taker_ppb)
                    basis = part(cost, quantity, abs(lots))
                    fee_part = part(entry_fees, quantity, abs(lots))
                    if held_funding >= 0:
                        funding_part = part(held_funding, quantity, abs(lots))
                    else:
                        funding_part = -part(-held_funding, quantity, abs(lots))
                    gained = (value - basis if sells else basis - value) - fee - fee_part + funding_part
                    cash += (value if sells else -value) - fee
                    fills[count_fills, 0] = i
                    fills[count_fills, 1] = -quantity if sells else quantity
                    fills[count_fills, 2] = paid
                    fills[count_fills, 3] = fee
                    fills[count_fills, 4] = leave_reason
                    fills[count_fills, 5] = 0
                    count_fills += 1
                    trades[count_trades, 0] = entry_bar
                    trades[count_trades, 1] = i
                    trades[count_trades, 2] = quantity if sells else -quantity
                    trades[count_trades, 3] = basis
                    trades[count_trades, 4] = value
                    trades[count_trades, 5] = fee + fee_part
                    trades[count_trades, 6] = funding_part
                    trades[count_trades, 7] = leave_reason
                    trades[count_trades, 8] = worst_seen
                    trades[count_trades, 9] = best_seen
                    trades[count_trades, 10] = decided_at
                    count_trades += 1
                    if gained > 0:
                        wins += 1
                        won += gained
                    elif gained < 0:
                        losses += 1
                        lost -= gained
                    cost -= basis
                    entry_fees -= fee_part
                    held_funding -= funding_part
                    room -= quantity
                    lots += -quantity if sells else quantity
                    if lots == 0:
                        leaving = False
                        last_exit = i
                        adds = 0
                elif leaving and lots == 0:
                    leaving = False
                if opening != 0 and room > 0 and not leaving and (lots == 0 or lots * opening > 0):
                    quantity = min(abs(opening), room)
                    buys = opening > 0
                    paid = _slipped(price, buys, quantity, v[i], r)
                    value = quantity * paid
                    fee = share_up(value, r.taker_ppb)
                    cash += (-value if buys else value) - fee
                    fills[count_fills, 0] = i
                    fills[count_fills, 1] = quantity if buys else -quantity
                    fills[count_fills, 2] = paid
                    fills[count_fills, 3] = fee
                    fills[count_fills, 4] = 0
                    fills[count_fills, 5] = 0
                    count_fills += 1
                    j = opening_from
                    if lots == 0:
                        entry_bar = i
                        entry_price = paid
                        first_lots = quantity
                        decided_at = j
                        best = paid
                        worst_seen = 0
                        best_seen = 0
                        next_target = 0
                        moved = False
                        stop_ticks = stop_at[j] if has_stop else 0
                        if stop_ticks == 0 and r.stop_ppm > 0:
                            stop_ticks = distance(paid, r.stop_ppm)
                        trail_ticks = trail_at[j] if has_trail else 0
                        if trail_ticks == 0 and r.trail_ppm > 0:
                            trail_ticks = distance(paid, r.trail_ppm)
                        take_ticks = take_at[j] if has_take else 0
                    elif opening_from != decided_at:
                        adds += 1
                        first_lots += quantity
                        decided_at = j
                    else:
                        first_lots += quantity
                    cost += value
                    entry_fees += fee
                    lots += quantity if buys else -quantity
                    opening -= quantity if buys else -quantity
            if phase == 1:
                break

            # 3. A resting limit order.
            fresh = False
            if resting != 0:
                if i >= resting_until or (lots != 0 and lots * resting < 0):
                    resting = 0
                elif (resting > 0 and l[i] < resting_price) or (resting < 0 and h[i] > resting_price):
                    quantity = abs(resting)
                    buys = resting > 0
                    value = quantity * resting_price
                    fee = share_up(value, r.maker_ppb)
                    cash += (-value if buys else value) - fee
                    fills[count_fills, 0] = i
                    fills[count_fills, 1] = resting
                    fills[count_fills, 2] = resting_price
                    fills[count_fills, 3] = fee
                    fills[count_fills, 4] = 0
                    fills[count_fills, 5] = 1
                    count_fills += 1
                    j = resting_from
                    fresh = True
                    if lots == 0:
                        entry_bar = i
                        entry_price = resting_price
                        first_lots = quantity
                        best = resting_price
                        worst_seen = 0
                        best_seen = 0
                        next_target = 0
                        moved = False
                        stop_ticks = stop_at[j] if has_stop else 0
                        if stop_ticks == 0 and r.stop_ppm > 0:
                            stop_ticks = distance(resting_price, r.stop_ppm)
                        trail_ticks = trail_at[j] if has_trail else 0
                        if trail_ticks == 0 and r.trail_ppm > 0:
                            trail_ticks = distance(resting_price, r.trail_ppm)
                        take_ticks = take_at[j] if has_take else 0
                    else:
                        adds += 1
                        first_lots += quantity
                    decided_at = j
                    cost += value
                    entry_fees += fee
                    lots += resting
                    resting = 0

            # 4. Stops, liquidation and targets.
            if lots != 0:
                exposed += 1
                if guarded:
                    sign = 1 if lots > 0 else -1
                    level = 0  # the closest stop, 0 none
                    why = 1
                    if stop_ticks > 0:
                        level = max(entry_price - sign * stop_ticks, 1)
                    if moved and (level == 0 or (entry_price - level) * sign > 0):
                        level = entry_price
                        why = 4
                    if trail_ticks > 0:
                        begun = True
                        if r.trail_after_ppm:
                            begun = (best - entry_price) * sign >= distance(entry_price, r.trail_after_ppm)
                        if begun:
                            follows = max(best - sign * trail_ticks, 1)
                            if level == 0 or (follows - level) * sign > 0:
                                level = follows
                                why = 3
                    if r.margin != 0:
                        # Where equity (of the account, or of the margin set aside) meets maintenance.
                        held = abs(lots)
                        kept = 1_000_000 - sign * r.maintenance_ppm
                        owed = -sign * cash if r.margin == 1 else cost - sign * (cost // r.leverage)
                        if owed > 0:
                            # p <= owed / (held * kept) for a long, p >= for a short; rounded towards the price.
                            whole, rest = owed // held, owed % held
                            wide = whole * 1_000_000 + rest * 1_000_000 // held
                            ends = (wide + kept - 1) // kept if sign > 0 else wide // kept
                            if ends > 0 and (level == 0 or (ends - level) * sign >= 0):
                                level = ends
                                why = 6
                    hit = level > 0 and ((sign > 0 and l[i] <= level) or (sign < 0 and h[i] >= level))
                    if hit:
                        at = level
                        if not fresh and ((sign > 0 and o[i] < level) or (sign < 0 and o[i] > level)):
                            at = o[i]
                    while True:
                        # Once for the stop, or once for each target that was reached.
                        if hit:
                            quantity = abs(lots)
                            reason = why
                        else:
                            if fresh:
                                break
                            reason = 2
                            if take_ticks > 0:
                                at = entry_price + sign * take_ticks
                                quantity = abs(lots)
                            elif next_target < targets:
                                at = entry_price + sign * distance(entry_price, target_ppm[next_target])
                                quantity = share_down(first_lots, target_share[next_target])
                                quantity -= quantity % r.lot_multiple
                                if next_target == targets - 1 and target_share[next_target] >= BILLION:
                                    quantity = abs(lots)
                                quantity = min(quantity, abs(lots))
                            else:
                                break
                            if at < 1 or (sign > 0 and h[i] < at) or (sign < 0 and l[i] > at):
                                break
                            if quantity == 0:
                                next_target += 1
                                continue
                        paid = _slipped(at, sign < 0, quantity, v[i], r)
                        value = quantity * paid
                        fee = share_up(value, r.liquidation_ppb if reason == 6 else r.taker_ppb)
                        basis = part(cost, quantity, abs(lots))
                        fee_part = part(entry_fees, quantity, abs(lots))
                        if held_funding >= 0:
                            funding_part = part(held_funding, quantity, abs(lots))
                        else:
                            funding_part = -part(-held_funding, quantity, abs(lots))
                        gained = sign * (value - basis) - fee - fee_part + funding_part
                        cash += sign * value - fee
                        # What the bar showed against and for the position before it left.
                        if hit:
                            worst_seen = max(worst_seen, sign * (entry_price - at))
                        else:
                            best_seen = max(best_seen, sign * (at - entry_price))
                        fills[count_fills, 0] = i
                        fills[count_fills, 1] = -sign * quantity
                        fills[count_fills, 2] = paid
                        fills[count_fills, 3] = fee
                        fills[count_fills, 4] = reason
                        fills[count_fills, 5] = 0
                        count_fills += 1
                        trades[count_trades, 0] = entry_bar
                        trades[count_trades, 1] = i
                        trades[count_trades, 2] = sign * quantity
                        trades[count_trades, 3] = basis
                        trades[count_trades, 4] = value
                        trades[count_trades, 5] = fee + fee_part
                        trades[count_trades, 6] = funding_part
                        trades[count_trades, 7] = reason
                        trades[count_trades, 8] = worst_seen
                        trades[count_trades, 9] = best_seen
                        trades[count_trades, 10] = decided_at
                        count_trades += 1
                        if gained > 0:
                            wins += 1
                            won += gained
                        elif gained < 0:
                            losses += 1
                            lost -= gained
                        cost -= basis
                        entry_fees -= fee_part
                        held_funding -= funding_part
                        lots -= sign * quantity
                        if reason == 2:
                            next_target += 1
                        if lots == 0:
                            last_exit = i
                            adds = 0
                            leaving = False
                            opening = 0
                            break
                        if hit:
                            break

                # 5. The best price since entry.
                if lots > 0:
                    top = max(c[i], entry_price) if fresh else h[i]
                    best = max(best, top)
                    worst_seen = max(worst_seen, entry_price - l[i])
                    best_seen = max(best_seen, top - entry_price)
                elif lots < 0:
                    low = min(c[i], entry_price) if fresh else l[i]
                    best = min(best, low)
                    worst_seen = max(worst_seen, h[i] - entry_price)
                    best_seen = max(best_seen, entry_price - low)
                if r.break_even_ppm and lots != 0 and not moved:
                    moved = abs(best - entry_price) >= distance(entry_price, r.break_even_ppm)

        equity[i] = cash + lots * c[i]
        if equity[i] <= 0 and not ruined:
            ruined = True

    if lots != 0:
        trades[count_trades, 0] = entry_bar
        trades[count_trades, 1] = n - 1
        trades[count_trades, 2] = lots
        trades[count_trades, 3] = cost
        trades[count_trades, 4] = abs(lots) * c[n - 1]
        trades[count_trades, 5] = entry_fees
        trades[count_trades, 6] = held_funding
        trades[count_trades, 7] = 8
        trades[count_trades, 8] = worst_seen
        trades[count_trades, 9] = best_seen
        trades[count_trades, 10] = decided_at
        count_trades += 1
    return count_fills, count_trades, exposed, ruined
