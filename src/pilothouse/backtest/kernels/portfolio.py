"""Many instruments on one account, bar by bar: columns and wishes go in; trades, fills and equity come out, exact.

A calendar holds every opening of every instrument. Where one has no bar nothing happens to it: no fill, no decision; it
is valued at its last close. Within a bar the order is the one of `bars.py`, each step for all legs before the next:

1. A new day's fee tiers; funding due at the open; interest on what is borrowed. With margin that all share: is the
   account worth what its positions must be worth, at the opens?
2. What the opens close, leg by leg in order of name. Then wishes: first whatever leaves, so that places and capital are
   free; then entries, the best ranked first, as long as there are places. Then entries at the opens, in that order.
3. Funding within the bar; entries that wait inside, whoever wished first going first; the shared margin on the way to
   the worst price of all at once; stops and targets, leg by leg.
4. At the close: wishes, where orders fill there; the best prices since entry; what everything is worth.

Legs to which nothing can happen in a bar are passed over in step 1 to 3.

Bars of one instrument may open while one of another is under way. Nobody knows yet how that one goes on, so 1 and 2 of
a bar come when it opens and 3 and 4 when it is over; what is under way meanwhile is valued at its open. Where bars open
and end together, as most do, that is one after the other.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import shared as h
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.bars import at_open, grown, inside
from pilothouse.backtest.kernels.columns import CLOSE, HIGH, LOW, OPEN, OPENED, whole_at
from pilothouse.backtest.kernels.counting import Int, ppm_down
from pilothouse.backtest.kernels.orders import all_must_go, enter_at_open, enter_inside
from pilothouse.backtest.kernels.placing import turned_away, wished
from pilothouse.backtest.kernels.positions import levels, written
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]

_FILLS_PER_LEG = 40
ABSENT = 2
"""In CALM: there is no bar at all."""


@compiled
def run_portfolio(
    calendar: Array, ends: Array, day_of: Array, due: Array, owed_row: Int, ev_now: Array, ev_leg: Array,
    ev_at: Array, table: Array, where: Array, p: Array, kinds: Array, shares: Array, tiers: Array, places: Int,
    equity: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Trade the wishes of all legs; fill `equity`; return trades int64[m, 17], fills int64[k, 8] and the account.

    calendar, ends    int64[t], when each bar opens, and when it is over, never falling
    day_of            int64[t], days since 1970 where there are tiers, else empty
    due, owed_row     int64[r, t], interest in ppb; the row of what cash lacks, or -1
    ev_now to ev_at   int64[e], bars with a wish: of the calendar, leg, of the leg; in this order
    table, where, p, kinds, shares   see shared.py; WHERE is changed
    tiers             int64[l, n, 3], volume in units, maker and taker ppm; the first from volume 0 on
    places            how many legs may be open or wait to be
    equity            int64[t], is written

    Bars of trades and fills are those of their legs. The last columns say which leg; the trade of a fill is not said.
    """
    legs, count = len(p), len(calendar)
    s, a = np.zeros((legs, k.STATE), np.int64), np.zeros(h.ACCOUNT, np.int64)
    for leg in range(legs):
        s[leg, k.FRESH] = s[leg, k.NO_TAKE] = -1
        s[leg, k.MAKER_PPM], s[leg, k.TAKER_PPM] = tiers[leg, 0, 1], tiers[leg, 0, 2]
    a[h.A_CASH], a[h.A_DAY] = p[0, k.CAPITAL], -1
    days = np.zeros(30, np.int64)
    budgets, budget_at = np.full(legs, k.BIG), np.full(legs, -1)
    active, queue = np.zeros(legs, np.int64), np.zeros(legs, np.int64)
    chosen, came_from = np.zeros(legs, np.int64), np.zeros(legs, np.int64)
    fills = np.empty((4_096, k.FILL_WIDTH + 1), np.int64)
    trades = np.empty((2_048, k.TRADE_WIDTH + 1), np.int64)
    shared = p[0, k.CROSS] == k.SHARED
    at_close = p[0, k.AT_CLOSE] != 0
    overlap = False
    for now in range(1, count):
        overlap = overlap or ends[now - 1] > calendar[now]
    first = until = k.NO
    over = since = before = k.NO
    busy = False
    for now in range(count + 1):
        while over < now and (now == count or ends[over] <= calendar[now]):
            while before < len(ev_now) and ev_now[before] == over:
                before += 1
            room = _FILLS_PER_LEG * (a[h.A_ACTIVE] + before - since + 1)
            fills, trades = with_room(fills, a[h.A_FILLS] + room), with_room(trades, a[h.A_TRADES] + room)
            if overlap:
                returned_to(active, a[h.A_ACTIVE], ev_leg, since, before, where, over)
                busy = True
            if busy or shared:
                inside_bar(s, p, kinds, shares, a, active, queue, table, where, budgets, fills, trades)
                if at_close:
                    close_bar(
                        s, p, kinds, a, active, queue, chosen, came_from, table, where, budgets, fills, trades, ev_leg,
                        ev_at, since, before, places, equity,
                    )  # fmt: skip
            elif at_close:
                a[h.A_CROWDED] += turned_away(s, table, ev_leg, ev_at, since, before)
            equity[over] = ended(s, p, kinds, a, active, queue, table, where)
            since = before
            over += 1
        if a[h.A_STATUS] != 0 or abs(a[h.A_CASH]) > k.BIG // 4:
            a[h.A_STATUS] = k.OVERFLOW
            break
        if now == count:
            break
        while until < len(ev_now) and ev_now[until] == now:
            until += 1
        room = _FILLS_PER_LEG * (a[h.A_ACTIVE] + until - first + 1)
        fills, trades = with_room(fills, a[h.A_FILLS] + room), with_room(trades, a[h.A_TRADES] + room)
        if len(day_of) > 0 and day_of[now] != a[h.A_DAY]:
            h.new_day(s, a, tiers, days, day_of[now])
        busy = begun(s, p, a, active, table, where, budgets, budget_at, calendar, now)
        for place in range(first, until):
            busy = busy or s[ev_leg[place], k.POS] != 0 or a[h.A_ACTIVE] < places
            where[ev_leg[place], h.CALM] = 0
            budgeted(ev_leg[place], ev_at[place], p, table, where, budgets, budget_at, now)
        if busy:
            for place in range(a[h.A_ACTIVE]):
                leg = active[place]
                if where[leg, h.CALM] == 0 and s[leg, k.POS] != 0:
                    price = whole_at(table[leg, OPEN], where[leg, h.AT])
                    h.funded(leg, k.ROW_FUNDING_OPEN, price, s, p, kinds, a, table, where, budgets, fills, trades)
        if len(due) > 0 and a[h.A_ACTIVE] > 0:
            h.interest(s, p, kinds, a, active, table, where, budgets, due, owed_row, fills, trades, now)
        if busy or shared:
            open_bar(
                s, p, kinds, shares, a, active, queue, chosen, came_from, table, where, budgets, fills, trades, ev_leg,
                ev_at, first, until, places, equity,
            )  # fmt: skip
        elif not at_close:
            a[h.A_CROWDED] += turned_away(s, table, ev_leg, ev_at, first, until)
        first = until
        if overlap:
            left(active, a[h.A_ACTIVE], where, now)
    for leg in range(legs):
        if s[leg, k.POS] != 0 and a[h.A_STATUS] == 0:
            # What is still open is a row too, as if it were left at the last close for nothing.
            if a[h.A_TRADES] >= len(trades):
                trades = grown(trades)
            last = where[leg, h.AT]
            price = whole_at(table[leg, CLOSE], last)
            s[leg, k.T_OUT] += abs(s[leg, k.POS]) * price * p[leg, k.UNITS]
            s[leg, k.TRADES] = a[h.A_TRADES]
            written(s[leg], trades, last, price, k.R_OPEN)
            trades[a[h.A_TRADES], h.TRADE_LEG] = leg
            a[h.A_TRADES] += 1
    return trades[: a[h.A_TRADES]], fills[: a[h.A_FILLS]], a


@compiled
def with_room(rows: Array, needed: Int) -> Array:
    """Return rows with room for so many."""
    while needed > len(rows):
        rows = grown(rows)
    return rows


@compiled
def begun(
    s: Array, p: Array, a: Array, active: Array, table: Array, where: Array, budgets: Array, budget_at: Array,
    calendar: Array, now: Int,
) -> bool:  # fmt: skip
    """Bring every leg that matters to its bar, if it has one now; say whether anything can happen to one."""
    busy = False
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        at = where[leg, h.AT] + 1
        if at >= where[leg, h.COUNT] or whole_at(table[leg, OPENED], at) != calendar[now]:
            where[leg, h.HERE], where[leg, h.CALM] = 0, ABSENT
            continue
        where[leg, h.AT], where[leg, h.HERE], where[leg, h.UNDER_WAY] = at, 1, 1
        if is_calm(leg, at, s, p, table, where):
            where[leg, h.CALM] = 1
        else:
            where[leg, h.CALM] = 0
            budgeted(leg, at, p, table, where, budgets, budget_at, now)
            busy = True
    return busy


@compiled
def left(active: Array, count: Int, where: Array, now: Int) -> None:
    """Keep where the legs of a step are, while others open and close."""
    for place in range(count):
        leg = active[place]
        if where[leg, h.HERE]:
            where[leg, h.SINCE], where[leg, h.QUIET] = now, where[leg, h.CALM]


@compiled
def returned_to(active: Array, count: Int, ev_leg: Array, first: Int, until: Int, where: Array, over: Int) -> None:
    """Come back to the legs of a step, which is over now; all others have no part in that."""
    for place in range(count):
        leg = active[place]
        is_here = where[leg, h.UNDER_WAY] != 0 and where[leg, h.SINCE] == over
        where[leg, h.HERE], where[leg, h.CALM] = (1, where[leg, h.QUIET]) if is_here else (0, ABSENT)
    for place in range(first, until):
        where[ev_leg[place], h.CALM] = 0


@compiled
def is_calm(leg: Int, at: Int, s: Array, p: Array, table: Array, where: Array) -> bool:
    """Say whether a position comes through a bar without a fill and without a payment, if there is no wish."""
    of = s[leg]
    if of[k.POS] == 0 or of[k.E_SIDE] != 0 or of[k.LEAVE] != 0 or at >= of[k.TIME_AT]:
        return False
    low, high = whole_at(table[leg, LOW], at), whole_at(table[leg, HIGH], at)
    if of[k.POS] > 0:
        met = low <= max(of[k.STOP], of[k.LIQUID]) or high >= of[k.TAKE]
    else:
        met = high >= min(of[k.STOP], of[k.LIQUID]) or low <= of[k.TAKE]
    if met:
        return False
    if p[leg, k.ROW_FUNDING_OPEN] >= 0:
        rows = h.rows_of(leg, table, where)
        if rows[p[leg, k.ROW_FUNDING_OPEN], at] != 0 or rows[p[leg, k.ROW_FUNDING], at] != 0:
            return False
    return True


@compiled
def budgeted(
    leg: Int, at: Int, p: Array, table: Array, where: Array, budgets: Array, budget_at: Array, now: Int
) -> None:
    """Set how much of an instrument may be filled in its bar, once for both of its legs."""
    of = where[leg, h.INSTRUMENT]
    if p[leg, k.VOLUME_PPM] > 0 and budget_at[of] != now:
        budget_at[of] = now
        budgets[of] = ppm_down(h.rows_of(leg, table, where)[p[leg, k.ROW_VOLUME], at], p[leg, k.VOLUME_PPM])


@compiled
def open_bar(
    s: Array, p: Array, kinds: Array, shares: Array, a: Array, active: Array, queue: Array, chosen: Array,
    came_from: Array, table: Array, where: Array, budgets: Array, fills: Array, trades: Array, ev_leg: Array,
    ev_at: Array, first: Int, until: Int, places: Int, equity: Array,
) -> None:  # fmt: skip
    """Carry out what the opens of a bar bring."""
    shared, held = p[0, k.CROSS] == k.SHARED, 0
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        held += s[leg, k.POS] != 0
    if shared and held > 0:
        h.called(s, p, kinds, a, active, table, where, budgets, fills, trades, k.NO)
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        if where[leg, h.CALM] == 0:
            at = where[leg, h.AT]
            rows = h.rows_of(leg, table, where)
            h.lent(leg, s, a, where, budgets)
            at_open(s[leg], p[leg], kinds[leg], rows, shares[leg], fills, trades, whole_at(table[leg, OPEN], at), at)
            h.returned(leg, s, a, where, budgets, fills, trades)
    if p[0, k.AT_CLOSE] == 0 and until > first:
        wished(
            s, p, kinds, a, active, queue, chosen, came_from, table, where, budgets, fills, trades, ev_leg, ev_at,
            first, until, places, equity, k.NO,
        )  # fmt: skip
    entered(s, p, kinds, a, active, queue, table, where, budgets, fills, trades, k.NO)


@compiled
def inside_bar(
    s: Array, p: Array, kinds: Array, shares: Array, a: Array, active: Array, queue: Array, table: Array,
    where: Array, budgets: Array, fills: Array, trades: Array,
) -> None:  # fmt: skip
    """Carry out what lies inside a bar."""
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        if where[leg, h.CALM] == 0:
            where[leg, h.CAME] = opened = whole_at(table[leg, OPEN], where[leg, h.AT])
            if s[leg, k.POS] != 0:
                h.funded(leg, k.ROW_FUNDING, opened, s, p, kinds, a, table, where, budgets, fills, trades)
    for place in range(a[h.A_QUEUED]):
        leg = queue[place]
        if where[leg, h.CALM] == 0 and s[leg, k.E_SIDE] != 0:
            at = where[leg, h.AT]
            low, high = whole_at(table[leg, LOW], at), whole_at(table[leg, HIGH], at)
            rows = h.rows_of(leg, table, where)
            h.lent(leg, s, a, where, budgets)
            h.others(leg, s, p, a, active, table, where, k.NO)
            where[leg, h.CAME] = enter_inside(
                s[leg], p[leg], kinds[leg], rows, fills, at, where[leg, h.CAME], high, low
            )
            h.returned(leg, s, a, where, budgets, fills, trades)
    if p[0, k.CROSS] == k.SHARED:
        h.called(s, p, kinds, a, active, table, where, budgets, fills, trades, k.YES)
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        if where[leg, h.CALM] == 0 and s[leg, k.POS] != 0:
            at = where[leg, h.AT]
            low, high = whole_at(table[leg, LOW], at), whole_at(table[leg, HIGH], at)
            rows = h.rows_of(leg, table, where)
            h.lent(leg, s, a, where, budgets)
            inside(s[leg], p[leg], kinds[leg], rows, shares[leg], fills, trades, where[leg, h.CAME], high, low, at)
            h.returned(leg, s, a, where, budgets, fills, trades)


@compiled
def close_bar(
    s: Array, p: Array, kinds: Array, a: Array, active: Array, queue: Array, chosen: Array, came_from: Array,
    table: Array, where: Array, budgets: Array, fills: Array, trades: Array, ev_leg: Array, ev_at: Array, first: Int,
    until: Int, places: Int, equity: Array,
) -> None:  # fmt: skip
    """Carry out wishes at the closes, where the run fills there."""
    for place in range(a[h.A_ACTIVE]):
        of = s[active[place]]
        at = where[active[place], h.AT]
        if where[active[place], h.CALM] == 0 and of[k.POS] != 0 and of[k.LEAVE] == 0 and at >= of[k.TIME_AT]:
            all_must_go(of, k.R_TIME)
    wished(
        s, p, kinds, a, active, queue, chosen, came_from, table, where, budgets, fills, trades, ev_leg, ev_at, first,
        until, places, equity, k.YES,
    )  # fmt: skip
    entered(s, p, kinds, a, active, queue, table, where, budgets, fills, trades, k.YES)


@compiled
def entered(
    s: Array, p: Array, kinds: Array, a: Array, active: Array, queue: Array, table: Array, where: Array,
    budgets: Array, fills: Array, trades: Array, at_close: Int,
) -> None:  # fmt: skip
    """Fill entries at the opens, or those at the market at the closes, whoever wished first going first."""
    for place in range(a[h.A_QUEUED]):
        leg = queue[place]
        of, at = s[leg], where[leg, h.AT]
        if where[leg, h.CALM] != 0 or of[k.E_SIDE] == 0:
            continue
        if at_close and (of[k.E_LIMIT] + of[k.E_TRIGGER] > 0 or of[k.POS] * of[k.E_SIDE] < 0):
            continue
        was = of[k.POS]
        rows = h.rows_of(leg, table, where)
        h.lent(leg, s, a, where, budgets)
        h.others(leg, s, p, a, active, table, where, at_close)
        enter_at_open(of, p[leg], kinds[leg], rows, fills, at, h.mark(leg, table, where, at_close))
        h.returned(leg, s, a, where, budgets, fills, trades)
        if at_close and was == 0:
            of[k.FRESH] = at


@compiled
def ended(s: Array, p: Array, kinds: Array, a: Array, active: Array, queue: Array, table: Array, where: Array) -> Int:
    """End a bar: the best prices since entry, entries that waited too long; return what everything is worth."""
    worth, kept, held = a[h.A_CASH], 0, False
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        of, at = s[leg], where[leg, h.AT]
        if where[leg, h.CALM] != ABSENT:
            if of[k.POS] != 0:
                seen(leg, at, s, p, kinds, table, where)
            # An entry waits for its time, and not for an instrument that has no further bar: it would keep its place.
            waited = of[k.E_LIMIT] + of[k.E_TRIGGER] > 0 and at >= of[k.E_UNTIL]
            if waited or at + 1 >= where[leg, h.COUNT]:
                of[k.E_SIDE] = 0
        if of[k.POS] != 0:
            held = True
            worth += of[k.POS] * h.mark(leg, table, where, k.YES) * p[leg, k.UNITS]
        if where[leg, h.HERE] or (of[k.POS] == 0 and of[k.E_SIDE] == 0):
            where[leg, h.UNDER_WAY] = 0
        if of[k.POS] != 0 or of[k.E_SIDE] != 0:
            active[kept] = leg
            kept += 1
    a[h.A_ACTIVE] = kept
    a[h.A_EXPOSED] += held
    waits = 0
    for place in range(a[h.A_QUEUED]):
        if s[queue[place], k.E_SIDE] != 0:
            queue[waits] = queue[place]
            waits += 1
    a[h.A_QUEUED] = waits
    return worth


@compiled
def seen(leg: Int, at: Int, s: Array, p: Array, kinds: Array, table: Array, where: Array) -> None:
    """Keep the best and the worst price of a bar, and move the levels that follow them."""
    of = s[leg]
    low, high = whole_at(table[leg, LOW], at), whole_at(table[leg, HIGH], at)
    before = of[k.BEST]
    if of[k.FRESH] != at:
        if of[k.POS] > 0:
            of[k.BEST], of[k.WORST] = max(before, high), min(of[k.WORST], low)
        else:
            of[k.BEST], of[k.WORST] = min(before, low), max(of[k.WORST], high)
    if where[leg, h.CALM] == 0 or (of[k.BEST] != before and of[k.TRAIL_D] + of[k.EVEN_D] > 0):
        levels(of, p[leg], kinds[leg], h.rows_of(leg, table, where))
