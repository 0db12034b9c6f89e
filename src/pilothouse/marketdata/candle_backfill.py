"""Fetch candles: a venue and a span of time go in; one question is asked, and what came of it is kept and noted.

Whoever wants more asks again for what is not settled yet. It may die anywhere in between: files are replaced whole and
only then noted, so the worst is one question asked twice. Nothing that was not told is ever filled in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.candle import Candle
from pilothouse.core.clock import Clock, from_micros, millis
from pilothouse.core.errors import Unavailable
from pilothouse.kit.db import Database, Tx
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_columns import Bars, bars_of, holes
from pilothouse.marketdata.candle_files import CandleFiles, without_doubles
from pilothouse.marketdata.candle_series import Conflict, Series
from pilothouse.marketdata.series_writer import writing
from pilothouse.marketdata.spans import Span, merged, without
from pilothouse.venues.port import Venue

PATIENCE: Final = timedelta(minutes=5)
"""A candle that closed less than this ago and is not told may still come: it is no gap yet."""

_GONE_MOST: Final = 100


class CandlesOffGrid(Unavailable):
    """The venue's candles open at other instants than ours: they cannot be kept as this timeframe."""

    code = "candles_off_grid"


class CandlesVanished(Unavailable):
    """The venue tells none of many candles that it told before: rather a fault of the venue than a changed past."""

    code = "candles_vanished"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where candles are kept, and who writes: `owner` names this process."""

    database: Database
    files: CandleFiles
    clock: Clock
    owner: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a venue answered to one question.

    bars      closed candles, oldest first
    settled   for which time it has answered; what is left of the question is to be asked again
    empty     where, in that time, it has no candle
    doubles   candles that it told twice in one answer, differently
    """

    bars: Bars
    settled: tuple[Span, ...]
    empty: tuple[Span, ...]
    doubles: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one question.

    settled     for which time the venue has answered; none: ask again later
    candles     how many it told; fresh: how many of them were new
    empty       where it has none
    conflicts   how many it told differently than before
    """

    settled: tuple[Span, ...]
    candles: int
    fresh: int
    empty: tuple[Span, ...]
    conflicts: int


def unasked(tx: Tx, series: Series, window: Span) -> list[Span]:
    """Return for which part of `window` the venue has not answered yet, the earliest first."""
    return without([window], candle_records.covered(tx, series))


def window_of(series: Series, start_ms: int, until_ms: int, now_ms: int) -> Span:
    """Return the whole candles between two instants that have closed by now."""
    each = series.each
    first = each.ceil(start_ms)
    return first, max(first, each.floor(min(until_ms, now_ms)))


def fetch(shelf: Shelf, venue: Venue, series: Series, span: Span, *, take_new: bool = False) -> Fetched:
    """Ask the venue once for candles that open in `span` (two openings), and keep what it answers.

    take_new   where it tells a candle differently than it is kept, take the new one; the old one stands in the records

    Raises NotFound (no such symbol or timeframe there), Unavailable, CandlesTooFine, CandlesDamaged; nothing is noted
    then.
    """
    return keep(shelf, series, ask(shelf, venue, series, span), take_new=take_new)


def ask(shelf: Shelf, venue: Venue, series: Series, span: Span) -> Answer:
    """Ask the venue once, and read what its answer settles; nothing is kept. Raises as `fetch` does."""
    start, until = span
    # The candle before comes along, where it is kept: it costs nothing and tells if the venue has changed its mind.
    before = series.each.floor(start - 1)
    known = any(a <= before < b for a, b in shelf.database.read(lambda tx: candle_records.covered(tx, series)))
    told = _told(venue, series, before if known else start, until)
    if known and all(millis(each.opened_at) < start for each in told):
        # Nothing but that one: an answer may be full with it. That there is nothing more must be asked for itself.
        told += _told(venue, series, start, until)
    return read(series, told, span, _now(shelf))


def _told(venue: Venue, series: Series, start: int, until: int) -> list[Candle]:
    """Return what the venue answers to the question, and nothing beside it."""
    told = venue.candles(series.symbol, series.timeframe, _instant(start), _instant(until - 1))
    return [each for each in told if start <= millis(each.opened_at) < until]


def read(series: Series, told: Sequence[Candle], span: Span, now_ms: int) -> Answer:
    """Return what candles settle that were told for `span`. Pure.

    Between the first and the last candle of an answer nothing is left out: what is missing there, the venue has not.
    Before and behind them it may only have stopped telling; that is asked again, until the answer is nothing.
    """
    each = series.each
    off = next((one for one in told if not each.opens_at(millis(one.opened_at))), None)
    if off is not None:
        raise CandlesOffGrid(
            f"a candle of {series} opens at {off.opened_at:%Y-%m-%d %H:%M:%S}, where none should; "
            "fetch a shorter timeframe, longer ones are made of it"
        )
    start, until = span
    opening = [millis(one.opened_at) for one in told if not one.closed]
    until = min([until, *opening])
    bars, doubles = without_doubles(bars_of([one for one in told if one.closed and millis(one.opened_at) < until]))
    inside = bars.between(start, until)
    settled = (int(inside.opened_ms[0]), each.after(int(inside.opened_ms[-1]))) if len(inside) else None
    if settled is None and start < until:
        old = each.floor(now_ms - PATIENCE // timedelta(milliseconds=1))
        settled = (start, max(start, min(until, old)))
    empty = holes(inside.opened_ms, each, *settled) if settled is not None else []
    return Answer(bars, tuple(merged([settled] if settled else [])), tuple(empty), doubles)


def keep(shelf: Shelf, series: Series, answer: Answer, *, take_new: bool = False) -> Fetched:
    """Put an answer into the files, then note it. Raises CandlesTaken, CandlesDamaged."""
    with writing(shelf.database, shelf.clock, series, shelf.owner, name="candles") as mine:
        gone = _gone(shelf, series, answer)
        found = shelf.files.merge(series, answer.bars, take_new=take_new, may_write=mine.may_write)
        conflicts = [*answer.doubles, *found.conflicts]

        def note(tx: Tx) -> int:
            now = shelf.clock.now()
            mine.must_hold(tx, now)
            settled, empty = answer.settled, answer.empty
            noted = candle_records.record(
                tx, series, settled=settled, empty=without(empty, gone[1]), found=conflicts, now=now, taken=take_new
            )
            return noted + candle_records.record(tx, series, settled=(), empty=(), found=gone[0], now=now)

        noted = shelf.database.write(note, name="candles")
    return Fetched(answer.settled, len(answer.bars), found.fresh, answer.empty, noted)


def _gone(shelf: Shelf, series: Series, answer: Answer) -> tuple[list[Conflict], list[Span]]:
    """Return candles that are kept and that the venue tells no more, and where they open. They stay."""
    found, spans = [], []
    for start, until in answer.empty:
        there = shelf.files.read(series, start, until)
        if len(there) > _GONE_MOST:
            raise CandlesVanished(
                f"{series}: {len(there)} candles that it told before are said not to exist; not believed"
            )
        for candle in there.candles():
            opened = millis(candle.opened_at)
            found.append(Conflict(opened, candle, None))
            spans.append((opened, series.each.after(opened)))
    return found, spans


def _now(shelf: Shelf) -> int:
    return millis(shelf.clock.now())


def _instant(at_ms: int) -> datetime:
    return from_micros(at_ms * 1_000)
