"""A small result that was reckoned by hand, for tests of what is made of results."""

from decimal import Decimal

import numpy as np

from pilothouse.backtest.result import FillTable, Reason, Result, Scale, Trades
from pilothouse.core.candles import Candles

HOUR = 3_600_000
START = 1_704_063_600_000  # 2023-12-31 23:00 UTC
CLOSES = (10_000, 10_100, 10_200, 10_050, 9_900, 10_000)


def candles() -> Candles:
    """Return six hours round the turn of a year, in cents."""
    close = np.array(CLOSES, np.int64)
    first = np.concatenate((close[:1], close[:-1]))
    return Candles(
        "BTCUSDT", HOUR, START + np.arange(6, dtype=np.int64) * HOUR, first, np.maximum(first, close) + 10,
        np.minimum(first, close) - 10, close, np.full(6, 1_000, np.int64), 2, 3,
    )  # fmt: skip


def result(tags: tuple[str, ...] = ("=HYPERLINK()",)) -> Result:
    """Return a long trade of two bars that won 2.00 less fees, and a short one that is still open."""
    # opened, closed, side, lots, opened value, closed value, fees, funding, pnl, in, out, worst, best, first, last, tag
    into, out, still = Reason.SIGNAL, Reason.TARGET, Reason.OPEN
    long = [0, 2, 1, 1_000, 10_000_000, 10_200_000, 8_080, -100, 191_820, into, out, 9_990, 10_210, 10_000, 10_200, 0]
    short = [4, 5, -1, 500, 5_025_000, 5_000_000, 2_010, 0, 22_990, into, still, 10_060, 9_890, 10_050, 10_000, -1]
    rows = np.array([long, short], np.int64)
    gained = np.array([0, 100_000, 191_820, 191_820, 240_000, 214_810], np.int64)
    equity = 1_000_000_000 + gained
    fills = FillTable.of(np.zeros((0, 7), np.int64))
    scale = Scale(Decimal("0.01"), Decimal("0.001"), Decimal("0.00001"))
    return Result(
        scale, 1_000_000_000, candles().opened_ms, HOUR, Trades.of(rows), fills, equity, 0, 4, costless=False, tags=tags
    )
