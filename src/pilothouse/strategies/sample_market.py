"""A market that comes with the product, to try strategies on: made, not fetched, and the same on every machine. Pure.

Trends, a stretch that stands still, jumps, bars without volume, a weekend that is missing. It is nobody's history: what
a strategy earns here says nothing.
"""

import random
from typing import Final

import numpy as np

from pilothouse.core.candles import Candles

SYMBOLS: Final = ("SAMPLEUSDT", "SECONDUSDT", "THIRDUSDT", "FOURTHUSDT")
BARS: Final = 3_000
SPAN_MS: Final = 900_000

_BEGINS_MS: Final = 1_767_571_200_000  # 2026-01-05, a Monday, 00:00 UTC
_MISSING: Final = range(400, 592)  # its first weekend
_STILL: Final = range(700, 740)


def sample_market() -> dict[str, Candles]:
    """Return the candles of four instruments by symbol, 3,000 quarters of an hour each, prices near 100.00."""
    return {symbol: _walk(symbol, number) for number, symbol in enumerate(SYMBOLS)}


def _walk(symbol: str, seed: int) -> Candles:
    chance = random.Random(seed)  # noqa: S311 - seeded on purpose: the same market everywhere
    close, drift, rows = 10_000 + 700 * seed, 0, []
    for bar in range(BARS):
        if bar % 60 == 0:
            drift = chance.randint(-11, 11)
        first = close if chance.random() < 0.9 else max(1_000, close + chance.randint(-30, 30))
        moved = 0 if bar in _STILL else first * (drift + chance.randint(-45, 45)) // 10_000
        close = max(1_000, first + moved)
        reach = 0 if bar in _STILL else 15
        high, low = max(first, close) + chance.randint(0, reach), min(first, close) - chance.randint(0, reach)
        volume = 0 if chance.random() < 0.03 else chance.randint(1, 500_000)
        rows.append((first, high, low, close, volume))
    first_, high_, low_, last, traded = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    number = np.arange(BARS, dtype=np.int64)
    opened = _BEGINS_MS + (number + (number >= _MISSING.start) * len(_MISSING)) * SPAN_MS
    return Candles(symbol, SPAN_MS, opened, first_, high_, low_, last, traded, price_digits=2, volume_digits=3)
