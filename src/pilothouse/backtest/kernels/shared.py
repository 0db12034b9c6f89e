"""Many positions on one account: what it lends to one of them, what all are worth, and when it cannot keep them.

A *leg* is one instrument, or one side of it where both may be held. Each has a state of its own, as in `positions.py`;
cash, fills, trades and the volume of a bar are the account's and are lent to a leg while something happens to it.
`s` int64[l, STATE], `p` int64[l, SETTINGS], `kinds` int64[l, 12, 3] and `shares` int64[l, 10] are those of all legs;
`table` int64[l, COLUMNS] holds addresses, see `columns.py`.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.columns import CLOSE, HIGH, LOW, OPEN, PLACE, ROWS, rows_at, whole_at
from pilothouse.backtest.kernels.counting import Int, ppm_exact, ppm_up, up
from pilothouse.backtest.kernels.positions import charged, leave
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]

# The account: int64.
(A_CASH, A_FILLS, A_TRADES, A_SKIPPED, A_CROWDED, A_STATUS, A_VALUE, A_ACTIVE, A_QUEUED, A_EXPOSED, A_DAY, ACCOUNT) = (
    range(12)
)
FILL_LEG = k.FILL_WIDTH
TRADE_LEG = k.TRADE_WIDTH

# Where each leg is: int64[l, WHERE].
AT, HERE, COUNT, ROW_COUNT, INSTRUMENT, CAME, CALM, INTEREST, UNDER_WAY, SINCE, QUIET, WHERE = range(12)
"""AT: its last bar so far. HERE: whether that bar is one of the step that is walked. COUNT, ROW_COUNT: of its bars and
rows. CAME: the price where its path inside the bar begins. CALM: nothing can happen to it in this step. INTEREST: row
of what is borrowed, or -1. UNDER_WAY: its bar has opened and is not over. SINCE, QUIET: the step of that bar, and CALM
in it, while others open and close."""


@compiled
def rows_of(leg: Int, table: Array, where: Array) -> Array:
    """Return the further columns of a leg."""
    return rows_at(table[leg, ROWS], where[leg, ROW_COUNT], where[leg, COUNT])


@compiled
def calendar_bar(leg: Int, bar: Int, table: Array) -> Int:
    """Return where a bar of a leg stands in the calendar."""
    return bar if table[leg, PLACE] == 0 else whole_at(table[leg, PLACE], bar)


@compiled
def lent(leg: Int, s: Array, a: Array, where: Array, budgets: Array) -> None:
    """Hand the account to a leg."""
    of = s[leg]
    of[k.CASH], of[k.FILLS], of[k.TRADES] = a[A_CASH], a[A_FILLS], a[A_TRADES]
    of[k.SKIPPED], of[k.DAY_VALUE] = 0, 0
    of[k.BUDGET] = budgets[where[leg, INSTRUMENT]]


@compiled
def returned(leg: Int, s: Array, a: Array, where: Array, budgets: Array, fills: Array, trades: Array) -> None:
    """Take the account back from a leg, and write the leg beside what it has filled and closed."""
    of = s[leg]
    for row in range(a[A_FILLS], of[k.FILLS]):
        fills[row, FILL_LEG] = leg
    for row in range(a[A_TRADES], of[k.TRADES]):
        trades[row, TRADE_LEG] = leg
    a[A_CASH], a[A_FILLS], a[A_TRADES] = of[k.CASH], of[k.FILLS], of[k.TRADES]
    a[A_SKIPPED] += of[k.SKIPPED]
    a[A_VALUE] += of[k.DAY_VALUE]
    a[A_STATUS] |= of[k.STATUS]
    if budgets[where[leg, INSTRUMENT]] < k.BIG:
        budgets[where[leg, INSTRUMENT]] = of[k.BUDGET]


@compiled
def mark(leg: Int, table: Array, where: Array, at_close: Int) -> Int:
    """Return the last price of a leg that is known: the open of its bar, the close where that is over or ends now."""
    if where[leg, UNDER_WAY] and not (at_close and where[leg, HERE]):
        return whole_at(table[leg, OPEN], where[leg, AT])
    return whole_at(table[leg, CLOSE], where[leg, AT])


@compiled
def others(leg: Int, s: Array, p: Array, a: Array, active: Array, table: Array, where: Array, at_close: Int) -> None:
    """Tell a leg what all others are worth and how much they hold."""
    worth, gross = 0, 0
    for place in range(a[A_ACTIVE]):
        other = active[place]
        if other != leg and s[other, k.POS] != 0:
            value = s[other, k.POS] * mark(other, table, where, at_close) * p[other, k.UNITS]
            worth += value
            gross += abs(value)
    s[leg, k.OTHERS], s[leg, k.OTHERS_GROSS] = worth, gross


@compiled
def worth_now(s: Array, p: Array, a: Array, active: Array, table: Array, where: Array) -> Int:
    """Return what the account is worth at the closes of a step."""
    worth = a[A_CASH]
    for place in range(a[A_ACTIVE]):
        leg = active[place]
        if s[leg, k.POS] != 0:
            worth += s[leg, k.POS] * mark(leg, table, where, k.YES) * p[leg, k.UNITS]
    return worth


@compiled
def interest(
    s: Array, p: Array, kinds: Array, a: Array, active: Array, table: Array, where: Array, budgets: Array, due: Array,
    owed_row: Int, fills: Array, trades: Array, now: Int,
) -> None:  # fmt: skip
    """Charge who is short what he has borrowed, and those who are long, in order, the cash that is not there."""
    lacks = max(-a[A_CASH], 0)
    last = -1
    for place in range(a[A_ACTIVE]):
        if s[active[place], k.POS] > 0:
            last = active[place]
    for place in range(a[A_ACTIVE]):
        leg = active[place]
        if s[leg, k.POS] == 0:
            continue
        value = abs(s[leg, k.POS]) * mark(leg, table, where, k.NO) * p[leg, k.UNITS]
        row = where[leg, INTEREST]
        if s[leg, k.POS] > 0:
            value = lacks if leg == last else min(lacks, value)
            lacks -= value
            row = owed_row
        if row >= 0 and value > 0 and due[row, now] > 0:
            lent(leg, s, a, where, budgets)
            charged(s[leg], p[leg], kinds[leg], rows_of(leg, table, where), value, due[row, now])
            returned(leg, s, a, where, budgets, fills, trades)


@compiled
def free_of(leg: Int, price: Int, s: Array, p: Array) -> Int:
    """Return what a position is worth at a price, beyond what it must be worth."""
    value = s[leg, k.POS] * price * p[leg, k.UNITS]
    return value - ppm_up(abs(value), p[leg, k.MAINTENANCE_PPM])


@compiled
def worst_of(leg: Int, came: Int, s: Array, table: Array, where: Array) -> Int:
    """Return the worst price of a leg on the way through its bar from `came`; a stop ends the way."""
    if not where[leg, HERE]:
        return came
    if s[leg, k.POS] > 0:
        return min(came, max(whole_at(table[leg, LOW], where[leg, AT]), s[leg, k.STOP]))
    return max(came, min(whole_at(table[leg, HIGH], where[leg, AT]), s[leg, k.STOP]))


@compiled
def called(
    s: Array, p: Array, kinds: Array, a: Array, active: Array, table: Array, where: Array, budgets: Array,
    fills: Array, trades: Array, inside: Int,
) -> None:  # fmt: skip
    """Close everything by force if the account is not worth what its positions must be worth together.

    inside   0: judged at the opens; 1: on the way to the worst price of every position at once, from CAME on. Nobody
             knows whether they came together; that they did is the worse for the holder.
    """
    at_first, at_worst, held = a[A_CASH], a[A_CASH], 0
    for place in range(a[A_ACTIVE]):
        leg = active[place]
        if s[leg, k.POS] == 0:
            continue
        held += 1
        if not inside or where[leg, CALM] or not where[leg, HERE]:
            where[leg, CAME] = mark(leg, table, where, k.NO)
        came = where[leg, CAME]
        at_first += free_of(leg, came, s, p)
        if inside:
            at_worst += free_of(leg, worst_of(leg, came, s, table, where), s, p)
    if max(abs(at_first), abs(at_worst)) > k.BIG // 8:
        a[A_STATUS] = k.OVERFLOW
        return
    if held == 0 or (at_first > 0 and (not inside or at_worst > 0)):
        return
    share = 0
    if at_first > 0:
        share = k.MILLION if at_worst == 0 else min(ppm_exact(at_first, at_first - at_worst) + 1, k.MILLION)
    for place in range(a[A_ACTIVE]):
        leg = active[place]
        if s[leg, k.POS] != 0:
            came = where[leg, CAME]
            way = abs(came - worst_of(leg, came, s, table, where)) if inside else 0
            where[leg, CAME] = came - s[leg, k.SIDE] * up(way * share, k.MILLION)
    for place in range(a[A_ACTIVE]):
        # What has no bar now cannot be sold now: it goes when it has one.
        if s[active[place], k.POS] != 0 and where[active[place], HERE]:
            forced(active[place], s, p, kinds, a, active, table, where, budgets, fills, trades)


@compiled
def forced(
    leg: Int, s: Array, p: Array, kinds: Array, a: Array, active: Array, table: Array, where: Array, budgets: Array,
    fills: Array, trades: Array,
) -> None:  # fmt: skip
    """Close a position at its price in CAME, or at a better one where nothing would be left: nobody loses more."""
    rest = a[A_CASH]
    for place in range(a[A_ACTIVE]):
        other = active[place]
        if other != leg and s[other, k.POS] != 0:
            rest += s[other, k.POS] * where[other, CAME] * p[other, k.UNITS]
    price = where[leg, CAME]
    lots = abs(s[leg, k.POS])
    each = lots * p[leg, k.UNITS]
    if rest + s[leg, k.POS] * price * p[leg, k.UNITS] < 0:
        price = up(-rest, each) if s[leg, k.POS] > 0 else max(rest, 0) // each
    lent(leg, s, a, where, budgets)
    rows = rows_of(leg, table, where)
    leave(s[leg], p[leg], kinds[leg], rows, fills, trades, where[leg, AT], lots, max(price, 1), k.R_LIQUIDATION, k.NO)
    returned(leg, s, a, where, budgets, fills, trades)


@compiled
def new_day(s: Array, a: Array, tiers: Array, days: Array, day: Int) -> None:
    """Find each leg's fees of a day by what the whole account has traded in the 30 days before it."""
    last = a[A_DAY]
    if last >= 0:
        days[last % 30] = a[A_VALUE]
        for between in range(last + 1, min(day, last + 31)):
            days[between % 30] = 0
    a[A_DAY], a[A_VALUE] = day, 0
    # The place of this day still holds the day 30 days ago, which counts; it is overwritten when this day has ended.
    traded = days.sum()
    for leg in range(len(s)):
        for row in range(tiers.shape[1]):
            if traded >= tiers[leg, row, 0]:
                s[leg, k.MAKER_PPM], s[leg, k.TAKER_PPM] = tiers[leg, row, 1], tiers[leg, row, 2]


@compiled
def funded(
    leg: Int, slot: Int, price: Int, s: Array, p: Array, kinds: Array, a: Array, table: Array, where: Array,
    budgets: Array, fills: Array, trades: Array,
) -> None:  # fmt: skip
    """Charge a position the funding that is due at or in its bar, or pay it."""
    if p[leg, slot] < 0:
        return
    rows = rows_of(leg, table, where)
    ppb = rows[p[leg, slot], where[leg, AT]]
    if ppb != 0:
        lent(leg, s, a, where, budgets)
        value = abs(s[leg, k.POS]) * price * p[leg, k.UNITS]
        charged(s[leg], p[leg], kinds[leg], rows, value, s[leg, k.SIDE] * ppb)
        returned(leg, s, a, where, budgets, fills, trades)


@compiled
def matched(table: Array, fills: Array, trades: Array) -> None:
    """Say of each fill which trade it belongs to, and of both where their bars stand in the calendar."""
    legs, count = len(table), len(trades)
    first, behind, held = np.full(legs, -1), np.full(count, -1), np.zeros(legs, np.int64)
    for row in range(count - 1, -1, -1):
        leg = trades[row, TRADE_LEG]
        behind[row], first[leg] = first[leg], row
        trades[row, 0] = calendar_bar(leg, trades[row, 0], table)
        trades[row, 1] = calendar_bar(leg, trades[row, 1], table)
    for row in range(len(fills)):
        leg = fills[row, FILL_LEG]
        fills[row, 0] = calendar_bar(leg, fills[row, 0], table)
        fills[row, 5] = first[leg]
        held[leg] += fills[row, 1]
        if held[leg] == 0:
            first[leg] = behind[first[leg]]
