"""Where each number stands in the arrays of orders that rest: settings, state, orders, levels."""

from typing import Final

# Settings: int64, written once by ladders.py.
(
    UNITS, CAPITAL, MAKER_PPM, TAKER_PPM, SLIP, SLIP_PPM, SLIP_TICKS, REACH, LOTS_MIN, LOTS_MOST, NOTIONAL_MIN,
    LOTS_SAFE, MAINTENANCE_PPM, KIND, PLACES, FLOOR, CEILING, BASE, BOTH_SIDES, TAKE_1, SHARE_1, TAKE_2, SHARE_2,
    TAKE_3, STOP_PPM, COOLDOWN, SETTINGS,
) = range(27)  # fmt: skip

GRID, AVERAGING = range(2)

# State.
(
    CASH, HELD, TRADES, FILLS, SKIPPED, EXPOSED, STATUS, TURN, DOWN, UP, AT_MARKET, LIQUID, OPENED, SIDE, FIRST, WORST,
    BEST, T_LOTS, T_IN, T_OUT, T_FEES, ENDED, BOUGHT, COST, REACHED, ENTRY, WAIT, HIGH, BEGUN, STATE,
) = range(30)  # fmt: skip

# Columns of an order: the place of its key in the table is its row.
O_LIVE, O_SIGN, O_LOTS, O_PRICE, O_STOP, O_SINCE, O_TURN, O_REDUCES, ORDER = range(9)

# Columns of a level of a grid: where it opens, how much, where it closes; what it opened and closed in this round; 1 if
# it buys first, -1 if it sells first.
L_PRICE, L_LOTS, L_TAKE, L_OPENED, L_CLOSED, L_SIGN, LEVEL = range(7)

# Columns of a safety order: its price in ppm of the entry's, its amount in units.
S_PPM, S_UNITS = range(2)

NO_PRICE: Final = -1
"""Instead of a limit or a trigger: there is none."""

UNKNOWN: Final = 2
"""In STATUS: something happened that this loop does not carry out."""

BEYOND: Final = 1 << 61
"""Above every price."""
