"""Are the kept candles sound? A series goes in; everything that a strategy should not learn by accident comes out.

Nothing is repaired: an impossible bar that the venue told is kept as it was told, and named.
"""

from dataclasses import dataclass

import numpy as np

from pilothouse.kit.db import Database, Tx
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_columns import Bars, bars_of
from pilothouse.marketdata.candle_files import CandleFiles
from pilothouse.marketdata.candle_records import KeptConflict
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.candles import Missing, Why, missing_of
from pilothouse.marketdata.parquet_files import CandlesDamaged
from pilothouse.marketdata.spans import Span


@dataclass(frozen=True, slots=True)
class Checked:
    """What is kept of one series and what is wrong with it.

    covered       for which time the venue was asked
    missing       candles of that time that are not there; lost ones are a fault, the venue's own gaps are not
    duplicates, out_of_order, off_grid, impossible   openings: twice, before their forerunner, where no candle opens;
                  and bars with a high below or a low above another price, a price not above zero, a volume below it
    outside       openings of candles outside of what is covered; harmless, asked for again by the next download
    conflicts     what the venue told twice, differently
    damaged       what cannot be read; empty where all can
    """

    series: Series
    covered: tuple[Span, ...]
    bars: Bars
    missing: tuple[Missing, ...]
    duplicates: tuple[int, ...]
    out_of_order: tuple[int, ...]
    off_grid: tuple[int, ...]
    impossible: tuple[int, ...]
    outside: tuple[int, ...]
    conflicts: tuple[KeptConflict, ...]
    damaged: str

    @property
    def is_sound(self) -> bool:
        """Say whether a strategy may rely on them; what the venue never had is no fault."""
        lost = any(each.why is Why.LOST for each in self.missing)
        return not (
            lost or self.duplicates or self.out_of_order or self.off_grid or self.impossible or self.damaged
        )  # fmt: skip


def check(database: Database, files: CandleFiles, series: Series) -> Checked:
    """Read everything that is kept of a series and say what is wrong."""

    def look(tx: Tx) -> tuple[list[Span], list[Span], list[KeptConflict]]:
        gaps = [(gap.start_ms, gap.until_ms) for gap in candle_records.gaps(tx, series)]
        return candle_records.covered(tx, series), gaps, candle_records.conflicts(tx, series)

    covered, gaps, conflicts = database.read(look)
    damaged = ""
    try:
        bars = files.read_all(series)
    except CandlesDamaged as error:
        bars, damaged = bars_of([]), str(error)
    missing = [
        each
        for start, until in covered
        for each in missing_of(_ordered(bars).between(start, until), series.each, (start, until), covered, gaps)
    ]
    faults = faults_of(bars, series)
    return Checked(
        series=series,
        covered=tuple(covered),
        bars=bars,
        missing=() if damaged else tuple(missing),
        outside=_outside(bars, covered),
        conflicts=tuple(conflicts),
        damaged=damaged,
        **faults,
    )


def faults_of(bars: Bars, series: Series) -> dict[str, tuple[int, ...]]:
    """Return the openings of what is twice there, out of order, off the grid and impossible."""
    opened, each = bars.opened_ms, series.each
    steps = np.diff(opened)
    if each.span_ms:
        off = opened[(opened - each.shift_ms) % each.span_ms != 0].tolist()
    else:
        off = [at for at in opened.tolist() if not each.opens_at(at)]
    highest = np.maximum.reduce([bars.open, bars.low, bars.close])
    lowest = np.minimum.reduce([bars.open, bars.high, bars.close])
    wrong = (bars.high < highest) | (bars.low > lowest) | (bars.low <= 0) | (bars.volume < 0)
    return {
        "duplicates": tuple(opened[1:][steps == 0].tolist()),
        "out_of_order": tuple(opened[1:][steps < 0].tolist()),
        "off_grid": tuple(off),
        "impossible": tuple(opened[wrong].tolist()),
    }


def _ordered(bars: Bars) -> Bars:
    """Return the candles in order, whatever is wrong with them."""
    return bars.where(np.argsort(bars.opened_ms, kind="stable")) if len(bars) else bars


def _outside(bars: Bars, covered: list[Span]) -> tuple[int, ...]:
    outside = np.ones(len(bars), dtype=bool)
    for start, until in covered:
        outside &= ~((bars.opened_ms >= start) & (bars.opened_ms < until))
    return tuple(bars.opened_ms[outside].tolist())
