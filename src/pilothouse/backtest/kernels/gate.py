"""The part of the risk gate that a compiled run asks by itself, in whole numbers; `core/limits.py` lists it.

Asked before an entry exists, with the position as it is then, and equity, mark and time as they were at the close that
decided. What is denied is written into eight rows, from ROW_DENIED on, at the bar: signed lots, position counted, bar
that decided, equity, equity at midnight, highest equity, losses in a row, time of the last loss (-1: none). The house's
own gate then says it in words, and has to agree.
"""

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.counting import Int, ppm_down
from pilothouse.strategies.indicators.compiling import compiled

Array = NDArray[np.int64]

_PER_PPM = 200_000_000
_WHOLE = 200_000_000_000_000


@compiled
def share_down(amount: Int, above: Int, below: Int) -> Int:
    """Return `amount` x `above` / `below`, rounded down, exactly; none below zero, `below` and result under 2^61."""
    whole = amount // below
    rest = amount - whole * below
    found, left = 0, 0
    for bit in range(60, -1, -1):
        found, left = 2 * found, 2 * left
        if (above >> bit) & 1:
            left += rest
        while left >= below:
            left -= below
            found += 1
    return whole * above + found


@compiled
def share_up(amount: Int, above: Int, below: Int) -> Int:
    """Return `amount` x `above` / `below`, rounded up, exactly; `above` up to `below`, else as in `share_down`."""
    return amount - share_down(amount, below - above, below)


@compiled
def closed_for(s: Array, p: Array, rows: Array, bar: Int, lots: Int, price: Int, fee: Int) -> None:
    """Remember whether closing `lots` at `price` lost, after its fee; what brought nothing before it is neither."""
    value = lots * price * p[k.UNITS]
    if lots == s[k.T_LOTS]:
        least = most = s[k.T_IN]
    else:
        least = share_down(s[k.T_IN], lots, s[k.T_LOTS])
        most = s[k.T_IN] - share_down(s[k.T_IN], s[k.T_LOTS] - lots, s[k.T_LOTS])
    if least == most == value:
        return
    at = rows[p[k.ROW_AT], bar]
    if (value - fee < most) if s[k.SIDE] > 0 else (least < value + fee):
        day = at // k.DAY_MS
        s[k.LOST_RUN] = s[k.LOST_RUN] + 1 if s[k.LOST_DAY] == day else 1
        s[k.LOST_DAY], s[k.LOST_AT] = day, at
    else:
        s[k.LOST_RUN] = 0


@compiled
def looked_back(s: Array, p: Array, rows: Array, equity: Array, decided: Int) -> None:
    """Take the equity of the bars before `decided` into the highest one and into that of the last midnight."""
    while s[k.LOOKED] < decided:
        bar = s[k.LOOKED]
        at, now = rows[p[k.ROW_AT], bar], equity[bar]
        # Several trades may close in the millisecond of midnight: the last of them tells what the account was worth.
        if at // k.DAY_MS > s[k.MIDNIGHT_DAY] or at % k.DAY_MS == 0:
            s[k.MIDNIGHT_DAY] = at // k.DAY_MS
            s[k.MIDNIGHT] = now if at % k.DAY_MS == 0 else s[k.LOOKED_EQUITY]
        s[k.HIGH] = max(s[k.HIGH], now)
        s[k.LOOKED_EQUITY] = now
        s[k.LOOKED] = bar + 1


@compiled
def has_lost(before: Int, now: Int, ppm: Int) -> bool:
    """Say whether at least `ppm` of `before` is gone, as the gate says it: percent to twelve digits, halves to even."""
    if ppm == 0 or before <= 0 or now >= before:
        return False
    return bool(before - now >= share_up(before, ppm * _PER_PPM - 1, _WHOLE))


@compiled
def is_denied(
    s: Array, p: Array, rows: Array, bar: Int, decided: Int, lots: Int, held: Int, price: Int, equity: Int
) -> bool:
    """Say whether the gate denies an entry of signed `lots` beside `held`, and write down what it was asked with."""
    at = rows[p[k.ROW_AT], decided]
    day = at // k.DAY_MS
    midnight = s[k.MIDNIGHT]
    if at % k.DAY_MS == 0:
        midnight = equity
    elif day > s[k.MIDNIGHT_DAY]:
        midnight = s[k.LOOKED_EQUITY]
    high = max(s[k.HIGH], equity)
    losses = s[k.LOST_RUN] if s[k.LOST_DAY] == day else 0
    size, each = abs(lots), price * p[k.UNITS]
    limit = rows[p[k.ROW_LIMIT], decided] if p[k.ROW_LIMIT] >= 0 else 0
    trigger = rows[p[k.ROW_TRIGGER], decided] if p[k.ROW_TRIGGER] >= 0 else 0
    after = size + abs(held)
    over = size > p[k.G_LOTS] or size > p[k.G_ORDER] // (max(price, limit, trigger) * p[k.UNITS])
    over = over or after > p[k.G_WORTH] // each
    times = p[k.G_TIMES_PPM]
    if times > 0:
        worth = max(equity, 0)
        room = k.BIG if worth // k.MILLION > k.BIG // times - 1 else ppm_down(worth, times)
        over = over or after > room // each
    over = over or has_lost(midnight, equity, p[k.G_DAY_PPM]) or has_lost(high, equity, p[k.G_HIGH_PPM])
    over = over or losses >= p[k.G_LOSSES]
    over = over or (s[k.LOST_AT] >= 0 and max(at - s[k.LOST_AT], 0) < p[k.G_PAUSE_MS])
    if over:
        row = p[k.ROW_DENIED]
        rows[row, bar], rows[row + 1, bar], rows[row + 2, bar], rows[row + 3, bar] = lots, held, decided, equity
        rows[row + 4, bar], rows[row + 5, bar] = midnight, high
        rows[row + 6, bar], rows[row + 7, bar] = losses, s[k.LOST_AT]
    return over
