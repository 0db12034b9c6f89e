"""Read candles: a series and a span of time go in; columns come out, and with them the name of every gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pilothouse.core.clock import iso_of_millis
from pilothouse.core.errors import NotFound
from pilothouse.kit.db import Database, Tx
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_columns import Bars, bars_of, holes, joined, resampled
from pilothouse.marketdata.candle_files import CandleFiles
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.spans import Span, length, merged, within, without
from pilothouse.marketdata.timeframes import Timeframe, finest_dividing


class CandlesMissing(NotFound):
    """Nobody ever asked a venue for these candles."""

    code = "candles_missing"


class Why(StrEnum):
    """Why candles are missing.

    NOT_ASKED      nobody has asked the venue for them yet
    VENUE_HAS_NONE the venue was asked and had none
    LOST           the venue told them, and they are not in the files any more
    """

    NOT_ASKED = "not_asked"
    VENUE_HAS_NONE = "venue_has_none"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Missing:
    """A stretch without candles, from the opening of the first that is missing to the end of the last."""

    start_ms: int
    until_ms: int
    why: Why

    def told(self) -> dict[str, str]:
        """Return it as plain data: instants in ISO 8601, and the reason."""
        return {"start": iso_of_millis(self.start_ms), "until": iso_of_millis(self.until_ms), "why": self.why}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Candles of one series, as columns, and what is not among them.

    series    as it was asked for
    source    the timeframe of the candles that are kept; another than the series' own where they were put together
    missing   which candles of `source` are missing, the earliest first
    """

    series: Series
    source: str
    start_ms: int
    until_ms: int
    bars: Bars
    missing: tuple[Missing, ...]

    @property
    def resampled(self) -> bool:
        """Say whether the candles were put together from shorter ones."""
        return self.source != self.series.timeframe

    def fingerprint(self) -> str:
        """Return the SHA-256 over the columns: the same candles have the same, wherever they were downloaded."""
        return self.bars.fingerprint()


def load(database: Database, files: CandleFiles, series: Series, start_ms: int, until_ms: int) -> Columns:
    """Return the candles that open from `start_ms` and close by `until_ms`; milliseconds since 1970.

    What is not kept as such is put together from the shortest kept candles that divide it, if there are. A longer
    candle is left out where any candle that it should hold was not asked for or is lost; where the venue itself has
    none, it is made of the others. Raises CandlesMissing, CandlesDamaged, CandlesTooFine.
    """
    source, covered, gaps = database.read(lambda tx: _source(tx, series))
    short, long = source.each, series.each
    # Only whole candles of the series; and of its source, those that they are made of.
    start, until = long.ceil(start_ms), long.floor(until_ms)
    until = max(start, until)
    bars = files.read(source, start, until)
    missing = tuple(missing_of(bars, short, (start, until), covered, gaps))
    if source != series:
        unsure = merged((each.start_ms, each.until_ms) for each in missing if each.why is not Why.VENUE_HAS_NONE)
        bars = _put_together(bars, long, (start, until), unsure)
    return Columns(series, source.timeframe, start, until, bars, missing)


def _source(tx: Tx, series: Series) -> tuple[Series, list[Span], list[Span]]:
    """Return which candles to read, and for which time they were asked for and where there are none."""
    covered = candle_records.covered(tx, series)
    found = series
    if not covered:
        known = tuple(
            each.timeframe
            for each in candle_records.every_series(tx)
            if (each.venue, each.symbol) == (series.venue, series.symbol)
        )
        finest = finest_dividing(known, series.each)
        if finest is None:
            raise CandlesMissing(
                f"no candles of {series} are kept, nor shorter ones: pilothouse data download "
                f"{series.venue} {series.symbol} --timeframe {series.timeframe} --from DATE"
            )
        found = Series(series.venue, series.symbol, finest.text)
        covered = candle_records.covered(tx, found)
    return found, covered, [(gap.start_ms, gap.until_ms) for gap in candle_records.gaps(tx, found)]


def missing_of(bars: Bars, of: Timeframe, window: Span, covered: Sequence[Span], gaps: Sequence[Span]) -> list[Missing]:
    """Return which candles of `window` (two openings) are not among `bars`, and why."""
    absent = holes(bars.opened_ms, of, *window) if window[0] < window[1] else []
    asked = [part for hole in absent for part in within(covered, hole)]
    none = [part for span in asked for part in within(gaps, span)]
    found = [Missing(*span, Why.NOT_ASKED) for span in without(absent, covered)]
    found += [Missing(*span, Why.VENUE_HAS_NONE) for span in none]
    found += [Missing(*span, Why.LOST) for span in without(asked, none)]
    return sorted(found, key=lambda each: each.start_ms)


def _put_together(bars: Bars, long: Timeframe, window: Span, unsure: Sequence[Span]) -> Bars:
    """Return longer candles of those stretches of which nothing is unsure."""
    touched = merged((long.floor(start), long.ceil(until)) for start, until in unsure)
    sound = without([window], touched)
    return joined([resampled(bars, long, start, until) for start, until in sound]) if length(sound) else bars_of([])
