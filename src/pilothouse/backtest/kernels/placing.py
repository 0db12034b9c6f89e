"""Who gets a place: the wishes of one bar go in; what leaves has left, and who enters stands in the queue, in order.

The arrays are those of `portfolio.py` and `shared.py`.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import shared as h
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.columns import CLOSE, FLAGS, RANK, byte_at, float_at, whole_at
from pilothouse.backtest.kernels.counting import Int
from pilothouse.backtest.kernels.orders import decide, leave_at_market
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]

NEW, WAITED, HELD = range(3)


@compiled
def wished(
    s: Array, p: Array, kinds: Array, a: Array, active: Array, queue: Array, chosen: Array, came_from: Array,
    table: Array, where: Array, budgets: Array, fills: Array, trades: Array, ev_leg: Array, ev_at: Array, first: Int,
    until: Int, places: Int, equity: Array, at_close: Int,
) -> None:  # fmt: skip
    """Turn the wishes of a bar into what leaves now and what waits to be entered, as long as there are places."""
    worth = h.worth_now(s, p, a, active, table, where) if at_close else 0
    for place in range(first, until):
        leg = ev_leg[place]
        came_from[place - first] = HELD if s[leg, k.POS] != 0 else WAITED if s[leg, k.E_SIDE] != 0 else NEW
        if came_from[place - first] != NEW:
            decided(leg, ev_at[place], s, p, kinds, a, table, where, budgets, fills, trades, equity, worth)
    for place in range(a[h.A_ACTIVE]):
        leg = active[place]
        if where[leg, h.CALM] == 0 and s[leg, k.POS] != 0 and s[leg, k.LEAVE] != 0:
            rows = h.rows_of(leg, table, where)
            h.lent(leg, s, a, where, budgets)
            price = h.mark(leg, table, where, at_close)
            leave_at_market(s[leg], p[leg], kinds[leg], rows, fills, trades, where[leg, h.AT], price)
            h.returned(leg, s, a, where, budgets, fills, trades)
    used = 0
    for place in range(a[h.A_ACTIVE]):
        used += s[active[place], k.POS] != 0 or s[active[place], k.E_SIDE] != 0
    count = k.NO
    for place in range(first, until):
        leg, at = ev_leg[place], ev_at[place]
        of = s[leg]
        if came_from[place - first] == NEW:
            if not opens(byte_at(table[leg, FLAGS], at), at, of):
                continue
        elif of[k.E_SIDE] == 0 or of[k.E_BAR] != at - p[leg, k.SHIFT]:
            continue
        elif came_from[place - first] == HELD and of[k.POS] == 0:
            used -= 1
        else:
            came_from[place - first] = WAITED  # it has its place already
        count = ranked(chosen, count, place, ev_leg, ev_at, p, table)
    for which in range(count):
        place = chosen[which]
        leg = ev_leg[place]
        of, came = s[leg], came_from[place - first]
        if came != WAITED and used >= places:
            a[h.A_CROWDED] += 1
            of[k.E_SIDE] = 0
            continue
        if came == NEW:
            where[leg, h.AT], where[leg, h.HERE], where[leg, h.UNDER_WAY] = ev_at[place], 1, 1
            decided(leg, ev_at[place], s, p, kinds, a, table, where, budgets, fills, trades, equity, worth)
            if of[k.E_SIDE] == 0:
                continue
            a[h.A_ACTIVE] = placed(active, a[h.A_ACTIVE], leg)
        used += came != WAITED
        a[h.A_QUEUED] = last_in(queue, a[h.A_QUEUED], leg)


@compiled
def decided(
    leg: Int, at: Int, s: Array, p: Array, kinds: Array, a: Array, table: Array, where: Array, budgets: Array,
    fills: Array, trades: Array, equity: Array, worth: Int,
) -> None:  # fmt: skip
    """Turn the wish of one leg into what it leaves and what waits."""
    bar = at - p[leg, k.SHIFT]
    rows = h.rows_of(leg, table, where)
    known = worth if p[leg, k.SHIFT] == 0 else equity[h.calendar_bar(leg, bar, table)]
    h.lent(leg, s, a, where, budgets)
    flag, price = byte_at(table[leg, FLAGS], at), whole_at(table[leg, CLOSE], bar)
    decide(s[leg], p[leg], kinds[leg], rows, trades, flag, at, bar, price, known)
    h.returned(leg, s, a, where, budgets, fills, trades)


@compiled
def turned_away(s: Array, table: Array, ev_leg: Array, ev_at: Array, first: Int, until: Int) -> Int:
    """Return how many wishes to open find no place, where nothing is held that could make one."""
    count = 0
    for place in range(first, until):
        count += opens(byte_at(table[ev_leg[place], FLAGS], ev_at[place]), ev_at[place], s[ev_leg[place]])
    return count


@compiled
def opens(flag: Int, at: Int, of: Array) -> Int:
    """Return 1 where a wish opens a leg that is flat and has cooled down, else 0."""
    enters = (flag & k.LONG and not flag & k.LEAVE_LONG) or (flag & k.SHORT and not flag & k.LEAVE_SHORT)
    return 1 if enters and at >= of[k.COOL_UNTIL] else 0


@compiled
def ranked(chosen: Array, count: Int, place: Int, ev_leg: Array, ev_at: Array, p: Array, table: Array) -> Int:
    """Put a wish among those before it, behind all that rank as high; return how many there are."""
    mine = rank_of(ev_leg[place], ev_at[place], p, table)
    at = count
    while at > 0 and rank_of(ev_leg[chosen[at - 1]], ev_at[chosen[at - 1]], p, table) < mine:
        chosen[at] = chosen[at - 1]
        at -= 1
    chosen[at] = place
    return count + 1


@compiled
def rank_of(leg: Int, at: Int, p: Array, table: Array) -> float:
    """Return how a wish ranks: the larger goes first; what has no rank goes last."""
    if table[leg, RANK] == 0:
        return 0.0
    found: float = float_at(table[leg, RANK], at - p[leg, k.SHIFT])
    return -np.inf if np.isnan(found) else found


@compiled
def placed(active: Array, count: Int, leg: Int) -> Int:
    """Put a leg among the active ones, in order and once; return how many there are."""
    for place in range(count):
        if active[place] == leg:
            return count
    at = count
    while at > 0 and active[at - 1] > leg:
        active[at] = active[at - 1]
        at -= 1
    active[at] = leg
    return count + 1


@compiled
def last_in(queue: Array, count: Int, leg: Int) -> Int:
    """Put a leg behind all that wait, and nowhere else; return how many wait."""
    kept = 0
    for place in range(count):
        if queue[place] != leg:
            queue[kept] = queue[place]
            kept += 1
    queue[kept] = leg
    return kept + 1
