"""Read funding rates: a series and a span of time go in; rates come out, and with them every stretch without.

`check` reads all that is kept of a series and says what is wrong; nothing is repaired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pilothouse.kit.db import Database, Tx
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_records import KeptConflict
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.candles import Missing, Why
from pilothouse.marketdata.funding_columns import Rates, gaps_of, rates_of
from pilothouse.marketdata.funding_files import FundingFiles
from pilothouse.marketdata.parquet_files import CandlesDamaged
from pilothouse.marketdata.spans import Span, merged, within, without


@dataclass(frozen=True, slots=True)
class KeptRates:
    """Funding rates of one series in a span of time, and what is not among them, the earliest first."""

    series: Series
    start_ms: int
    until_ms: int
    rates: Rates
    missing: tuple[Missing, ...]

    @property
    def unasked(self) -> list[Span]:
        """Return the stretches for which nobody has asked the venue, in milliseconds, the end outside."""
        return [(each.start_ms, each.until_ms) for each in self.missing if each.why is Why.NOT_ASKED]


@dataclass(frozen=True, slots=True)
class CheckedRates:
    """What is kept of one series and what is wrong with it.

    covered        for which time the venue was asked
    missing        stretches of that time without a rate where one should be; lost ones are a fault
    out_of_order   instants that do not come behind the one before
    outside        rates outside of what is covered; harmless, asked for again by the next download
    conflicts      what the venue told twice, differently
    damaged        what cannot be read; empty where all can
    """

    series: Series
    covered: tuple[Span, ...]
    rates: Rates
    missing: tuple[Missing, ...]
    out_of_order: tuple[int, ...]
    outside: tuple[int, ...]
    conflicts: tuple[KeptConflict, ...]
    damaged: str

    @property
    def is_sound(self) -> bool:
        """Say whether a backtest may rely on them; what the venue never had is no fault."""
        return not (any(each.why is Why.LOST for each in self.missing) or self.out_of_order or self.damaged)


def load_rates(database: Database, files: FundingFiles, series: Series, start_ms: int, until_ms: int) -> KeptRates:
    """Return the rates from `start_ms` on and before `until_ms`; none where nobody asked. Raises CandlesDamaged."""
    covered, known = database.read(lambda tx: _noted(tx, series))
    every = files.read_all(series) if covered else rates_of([])
    window = (start_ms, max(start_ms, until_ms))
    missing = _missing(every, covered, known, window)
    return KeptRates(series, *window, every.between(*window), tuple(missing))


def check_rates(database: Database, files: FundingFiles, series: Series) -> CheckedRates:
    """Read everything that is kept of a series and say what is wrong."""

    def look(tx: Tx) -> tuple[list[Span], list[Span], list[KeptConflict]]:
        return *_noted(tx, series), candle_records.conflicts(tx, series)

    covered, known, conflicts = database.read(look)
    rates, damaged = rates_of([]), ""
    try:
        rates = files.read_all(series)
    except CandlesDamaged as error:
        damaged = str(error)
    steps = np.diff(rates.at_ms)
    outside = [at for at in rates.at_ms.tolist() if not any(start <= at < until for start, until in covered)]
    asked = [each for span in covered for each in _missing(rates, covered, known, span)]
    return CheckedRates(
        series=series,
        covered=tuple(covered),
        rates=rates,
        missing=() if damaged else tuple(asked),
        out_of_order=tuple(rates.at_ms[1:][steps <= 0].tolist()),
        outside=tuple(outside),
        conflicts=tuple(conflicts),
        damaged=damaged,
    )


def _noted(tx: Tx, series: Series) -> tuple[list[Span], list[Span]]:
    gaps = [(gap.start_ms, gap.until_ms) for gap in candle_records.gaps(tx, series)]
    return candle_records.covered(tx, series), gaps


def _missing(rates: Rates, covered: Sequence[Span], known: Sequence[Span], window: Span) -> list[Missing]:
    """Return which stretches of `window` have no rate where one should be, and why."""
    absent = [part for gap in gaps_of(rates.at_ms, covered) for part in within([gap], window)]
    none = merged(part for gap in absent for part in within(known, gap))
    found = [Missing(*span, Why.NOT_ASKED) for span in without([window], covered)]
    found += [Missing(*span, Why.VENUE_HAS_NONE) for span in none]
    found += [Missing(*span, Why.LOST) for span in without(absent, none)]
    return sorted(found, key=lambda each: each.start_ms)
