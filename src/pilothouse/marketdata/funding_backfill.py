"""Fetch funding rates: a venue and a span of time go in; one question is asked, and what came of it is kept and noted.

As candles are fetched (`candle_backfill.py`): whoever wants more asks again for what is not settled yet, files are
replaced whole and only then noted, and nothing that was not told is ever filled in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pilothouse.core.clock import Clock, from_micros, millis
from pilothouse.core.errors import Unavailable
from pilothouse.core.funding_rate import FundingRate
from pilothouse.kit.db import Database, Tx
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_series import RateConflict, Series
from pilothouse.marketdata.funding_columns import Rates, gaps_of, rates_of
from pilothouse.marketdata.funding_files import FundingFiles
from pilothouse.marketdata.series_writer import writing
from pilothouse.marketdata.spans import Span, merged, within, without
from pilothouse.venues.port import Venue

PATIENCE_MS: Final = 10 * 60_000
"""A rate that was due less than this ago and is not told may still come: its time is not settled yet.

Such time is settled in steps of as much: else each question would settle the moment that the one before it took.
"""

_GONE_MOST: Final = 20


class RatesVanished(Unavailable):
    """The venue tells none of many rates that it told before: rather a fault of the venue than a changed past."""

    code = "rates_vanished"


@dataclass(frozen=True, slots=True)
class FundingShelf:
    """Where funding rates are kept, and who writes: `owner` names this process."""

    database: Database
    files: FundingFiles
    clock: Clock
    owner: str


@dataclass(frozen=True, slots=True)
class RatesAnswer:
    """What a venue answered to one question.

    rates     oldest first
    settled   for which time it has answered; what is left of the question is to be asked again
    doubles   rates that it told twice in one answer, differently
    """

    rates: Rates
    settled: tuple[Span, ...]
    doubles: tuple[RateConflict, ...]


@dataclass(frozen=True, slots=True)
class RatesFetched:
    """What became of one question.

    settled     for which time the venue has answered; none: ask again later
    rates       how many it told; fresh: how many of them were new
    gaps        stretches without a rate where one should be, in the time that was settled
    conflicts   how many it told differently than before
    """

    settled: tuple[Span, ...]
    rates: int
    fresh: int
    gaps: tuple[Span, ...]
    conflicts: int


def unasked(tx: Tx, series: Series, window: Span) -> list[Span]:
    """Return for which part of `window` the venue has not answered yet, the earliest first."""
    return without([window], candle_records.covered(tx, series))


def fetch_rates(
    shelf: FundingShelf, venue: Venue, series: Series, span: Span, *, take_new: bool = False
) -> RatesFetched:
    """Ask the venue once for rates from the first instant of `span` on and before the second; keep what it answers.

    take_new   where it tells a rate differently than it is kept, take the new one; the old one stands in the records
    Raises NotFound (no such symbol, no funding there), Unavailable, CandlesTooFine, CandlesDamaged; nothing is noted.
    """
    start, until = span
    # The rate right before comes along, where it is kept: an answer that begins with it leaves nothing out behind it.
    first = start - len(shelf.files.read(series, start - 1, start))
    told = _told(venue, series, (first, until))
    if first < start and all(millis(each.at) < start for each in told):
        # Nothing but that one: an answer may be full with it. That there is nothing more must be asked for itself.
        first, told = start, _told(venue, series, span)
    answer = read_rates(told, (first, until), millis(shelf.clock.now()))
    return keep_rates(shelf, series, answer, take_new=take_new)


def _told(venue: Venue, series: Series, span: Span) -> list[FundingRate]:
    return venue.funding_rates(series.symbol, from_micros(span[0] * 1_000), from_micros((span[1] - 1) * 1_000))


def read_rates(told: Sequence[FundingRate], span: Span, now_ms: int) -> RatesAnswer:
    """Return what rates settle that were told for `span`. Pure.

    Between the first and the last rate of an answer nothing is left out. Before and behind them the venue may only have
    stopped telling; that is asked again, until the answer is nothing.
    """
    start, until = span
    inside = [each for each in told if start <= millis(each.at) < until]
    rates = rates_of(inside)
    kept = {int(at): rates.decimal(place) for place, at in enumerate(rates.at_ms)}
    doubles = tuple(
        RateConflict(millis(each.at), kept[millis(each.at)], each.rate)
        for each in inside
        if kept[millis(each.at)] != each.rate
    )
    if len(rates):
        settled = (int(rates.at_ms[0]), int(rates.at_ms[-1]) + 1)
    else:
        settled = (start, min(until, now_ms // PATIENCE_MS * PATIENCE_MS - PATIENCE_MS))
    return RatesAnswer(rates, tuple(merged([settled])), doubles)


def keep_rates(shelf: FundingShelf, series: Series, answer: RatesAnswer, *, take_new: bool = False) -> RatesFetched:
    """Put an answer into the files, then note it. Raises CandlesTaken, CandlesDamaged, RatesVanished."""
    with writing(shelf.database, shelf.clock, series, shelf.owner, name="funding") as mine:
        gone = _gone(shelf, series, answer)
        found = shelf.files.merge(series, answer.rates, take_new=take_new, may_write=mine.may_write)
        there = shelf.files.read_all(series)
        conflicts = [*answer.doubles, *found.conflicts]

        def note(tx: Tx) -> tuple[int, list[Span]]:
            now = shelf.clock.now()
            mine.must_hold(tx, now)
            gaps = _gaps_now(tx, series, there, answer.settled)
            noted = candle_records.record_rates(
                tx, series, settled=answer.settled, gaps_now=gaps, found=conflicts, now=now, taken=take_new
            )
            noted += candle_records.record_rates(tx, series, settled=(), gaps_now=gaps, found=gone, now=now)
            return noted, gaps

        noted, gaps = shelf.database.write(note, name="funding")
    touched = [each for each in gaps if within([each], answer.settled[0])] if answer.settled else []
    return RatesFetched(answer.settled, len(answer.rates), found.fresh, tuple(touched), noted)


def _gaps_now(tx: Tx, series: Series, there: Rates, settled: Sequence[Span]) -> list[Span]:
    """Return the gaps that the venue has itself: those of what it answered just now, and those that were known.

    What is missing elsewhere was told once and is lost from the files: no answer has made it a gap.
    """
    covered = merged([*candle_records.covered(tx, series), *settled])
    known = [(gap.start_ms, gap.until_ms) for gap in candle_records.gaps(tx, series)]
    said = merged([*known, *settled])
    return [each for each in gaps_of(there.at_ms, covered) if any(within(said, each))]


def _gone(shelf: FundingShelf, series: Series, answer: RatesAnswer) -> list[RateConflict]:
    """Return rates that are kept and that the venue tells no more. They stay."""
    told = set(answer.rates.at_ms.tolist())
    found = []
    for start, until in answer.settled:
        kept = shelf.files.read(series, start, until)
        found += [
            RateConflict(at, kept.decimal(place), None)
            for place, at in enumerate(kept.at_ms.tolist())
            if at not in told
        ]
    if len(found) > _GONE_MOST:
        raise RatesVanished(f"{series}: {len(found)} rates that it told before are said not to exist; not believed")
    return found
