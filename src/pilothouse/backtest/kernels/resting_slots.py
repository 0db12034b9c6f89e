"""Where each number stands in the arrays of orders that rest: settings, state, orders, levels."""

from typing import Final

# Settings: int64, written once by ladders.py.
(
    UNITS, CAPITAL, MAKER_PPM, TAKER_PPM, SLIP, SLIP_PPM, SLIP_TICKS, REACH, LOTS_MIN, LOTS_MOST, NOTIONAL_MIN,
    LOTS_SAFE, KIND, PLACES, ROUNDS, FLOOR, BASE, TAKE_1, SHARE_1, TAKE_2, SHARE_2, TAKE_3, STOP_PPM, COOLDOWN,
    SETTINGS,
) = range(25)  # fmt: skip

GRID, AVERAGING = range(2)

# State.
(
    CASH, HELD, TRADES, FILLS, SKIPPED, EXPOSED, STATUS, TURN, DOWN, UP, AT_MARKET, IS_OPEN, OPENED, FIRST, WORST, BEST,
    T_LOTS, T_IN, T_OUT, T_FEES, ENDED, BOUGHT, COST, REACHED, ENTRY, WAIT, STATE,
) = range(27)  # fmt: skip

# Columns of an order: the place of its key in the table is its row.
O_LIVE, O_BUYS, O_LOTS, O_PRICE, O_STOP, O_SINCE, O_TURN, ORDER = range(8)

# Columns of a level of a grid: what it buys and where it sells; what it bought and sold in this round.
L_PRICE, L_LOTS, L_TAKE, L_BOUGHT, L_SOLD, LEVEL = range(6)

# Columns of a safety order: its price in ppm of the entry's, its amount in units.
S_PPM, S_UNITS = range(2)

NO_PRICE: Final = -1
"""Instead of a limit or a trigger: there is none."""

BEYOND: Final = 1 << 61
"""Above every price."""
