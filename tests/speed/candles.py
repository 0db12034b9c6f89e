"""How long it takes to get a year of minutes from the disk, beside a plain file of the same numbers."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_columns import Bars
from pilothouse.marketdata.candle_files import CandleFiles
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.candles import load
from pilothouse.migrations.migrate import migrate

MINUTES = 525_600
START_MS = 1_735_689_600_000  # 2025-01-01
SERIES = Series("aster", "BTCUSDT", "1m")


def year() -> Bars:
    """Return a seeded walk, a candle each minute of 2025."""
    draw = np.random.default_rng(7)
    opened = START_MS + np.arange(MINUTES, dtype=np.int64) * 60_000
    close = 650_000 + np.cumsum(draw.integers(-50, 51, MINUTES))
    first = np.concatenate(([650_000], close[:-1]))
    high = np.maximum(first, close) + draw.integers(0, 30, MINUTES)
    low = np.minimum(first, close) - draw.integers(0, 30, MINUTES)
    return Bars.of([opened, first, high, low, close, draw.integers(0, 10**7, MINUTES)], 1, 3)


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    bars, until = year(), START_MS + MINUTES * 60_000
    with tempfile.TemporaryDirectory(prefix="pilothouse-candles-") as name:
        place = Path(name)
        url = f"sqlite:///{place / 'house.db'}"
        migrate(url, backup_to=None, clock=SystemClock())
        database, files = Database(url, clock=SystemClock()), CandleFiles(place / "candles")
        try:
            files.merge(SERIES, bars)
            now = SystemClock().now()
            database.write(
                lambda tx: candle_records.record(tx, SERIES, settled=[(START_MS, until)], empty=[], found=[], now=now),
                name="bench",
            )
            plain = place / "plain.npy"
            np.save(plain, np.stack(bars.columns))
            floor = _milliseconds(lambda: np.load(plain))
            taken = _milliseconds(lambda: load(database, files, SERIES, START_MS, until))
            add("the floor: the same numbers as one plain numpy file, p50", floor, "ms", "")
            add("a year of minutes, from Parquet to columns with gaps, p50", taken, "ms", "aim 30")
            add("  its files", sum(each.stat().st_size for each in place.rglob("*.parquet")) / 1e6, "MB", "")
        finally:
            database.close()


def _milliseconds(work: Callable[[], object]) -> float:
    found = []
    for _ in range(15):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1_000)
    return statistics.median(found)
