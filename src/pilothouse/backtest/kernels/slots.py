"""Where each number stands in the arrays that the loops are handed: settings, state, rows, distances, flags."""

from typing import Final

import numpy as np

NO: Final = np.int64(0)
YES: Final = np.int64(1)
"""For arguments: a plain 0 and a plain 1 would be compiled twice, each with all that is called from there."""

MILLION: Final = 1_000_000
BILLION: Final = 1_000_000_000
BIG: Final = 1 << 61
"""Beyond every price, quantity and amount."""
DAY_MS: Final = 86_400_000

# What a bar is told to do, in `flags`.
LONG: Final = 1
SHORT: Final = 2
LEAVE_LONG: Final = 4
LEAVE_SHORT: Final = 8
RESIZE: Final = 16
EVENT: Final = 32
"""A new day for the tiers, funding or interest: not a wish, but the bar is not quiet."""
WISHES: Final = LONG | SHORT | LEAVE_LONG | LEAVE_SHORT | RESIZE

# Settings: int64, written once by plan.py.
(
    UNITS, CAPITAL, SHIFT, AT_CLOSE, LATENCY, REST, REACH, VOLUME_PPM, LEVERAGE, CROSS, MAINTENANCE_PPM,
    LIQUIDATION_PPM, SLIP, SLIP_PPM, SLIP_TICKS, SIZE_BY, SIZE, LOOKBACK, PYRAMIDING, COOLDOWN, FLIPS, BARS_MOST,
    TARGETS, LOTS_MIN, LOTS_MOST, NOTIONAL_MIN, LOTS_SAFE, WORTH_SAFE, QUIET,
    GATED, G_LOTS, G_ORDER, G_WORTH, G_TIMES_PPM, G_DAY_PPM, G_HIGH_PPM, G_LOSSES, G_PAUSE_MS,
    ROW_LIMIT, ROW_TRIGGER, ROW_WEIGHT, ROW_SIZE, ROW_TAG, ROW_VOLUME, ROW_FUNDING_OPEN, ROW_FUNDING, ROW_BORROW,
    ROW_DAY, ROW_AT, ROW_DENIED, ROW_BAR, ROW_DUE, ROW_LAST, ROW_ARRIVES, ROW_WISH, SETTINGS,
) = range(56)  # fmt: skip

SHARED: Final = 2
"""In CROSS: several positions stand for one another, and what they are worth together is judged in portfolio.py."""

# Slippage.
SLIP_NONE, SLIP_FIXED, SLIP_SPREAD, SLIP_VOLUME, SLIP_IMPACT = range(5)

# Sizes.
SIZE_LOTS, SIZE_QUOTE, SIZE_PPM, SIZE_RISK, SIZE_KELLY = range(5)

# Distances: int64[12, 3], each (ppm of the entry price, ticks, row or -1).
D_STOP, D_TRAIL, D_AFTER, D_EVEN, D_TARGET = range(5)
D_PPM, D_TICKS, D_ROW = range(3)

# State.
(
    CASH, POS, SIDE, AVERAGE, FILLS, TRADES, SKIPPED, EXPOSED, STATUS, BUDGET, MAKER_PPM, TAKER_PPM, DAY_AT, DAY_VALUE,
    OPENED, T_LOTS, T_IN, T_OUT, T_FEES, T_FUNDING, T_REASON, T_FIRST, T_TAG, BEST, WORST, FRESH, NO_TAKE, ADDS,
    STOP_D, TRAIL_D, AFTER_D, EVEN_D, TARGET_AT, TARGET_LEFT, TIME_AT, COOL_UNTIL,
    STOP, STOP_WHY, LIQUID, TAKE, LEAVE, LEAVE_LOTS,
    E_SIDE, E_LOTS, E_LIMIT, E_TRIGGER, E_FROM, E_UNTIL, E_BAR, E_REASON, DECIDED,
    OTHERS, OTHERS_GROSS,
    HIGH, MIDNIGHT, MIDNIGHT_DAY, LOOKED, LOOKED_EQUITY, LOST_RUN, LOST_DAY, LOST_AT, DENIED, STATE,
) = range(63)  # fmt: skip

# Columns of a trade and of a fill; `result.TRADE_COLUMNS` and `result.FILL_COLUMNS` name them.
TRADE_WIDTH: Final = 16
TRADE_FEES: Final = 6
TRADE_PNL: Final = 8
FILL_WIDTH: Final = 7

# Reasons; `result.Reason` names them.
R_SIGNAL, R_FLIP, R_LEAVE, R_STOP, R_TRAIL, R_EVEN, R_TARGET, R_TIME, R_LIQUIDATION, R_OPEN = range(1, 11)

OVERFLOW: Final = 1
