"""Candles for the doors: what somebody typed goes in; what is to be asked, was fetched or is kept comes out.

The command line and the API speak through the same functions, so a download is the same through either.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pilothouse.core.clock import Clock, iso, iso_of_millis, millis
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.settings import Settings
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_backfill import Shelf, fetch, unasked, window_of
from pilothouse.marketdata.candle_files import CandleFiles
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.spans import Span
from pilothouse.marketdata.timeframes import finest_dividing, timeframe
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring.public_venues import PublicVenues

FOLDER = "candles"


class Opened(Protocol):
    """What candles need of a house, whether all of it is open or only this."""

    @property
    def settings(self) -> Settings:
        """Where the data lies."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def process(self) -> str:
        """Who writes."""
        ...

    @property
    def database(self) -> Database:
        """Where it is noted."""
        ...

    @property
    def public(self) -> PublicVenues:
        """Whom to ask."""
        ...


class TimeframeMissing(NotFound):
    """The venue has no candles of this length, and none of which they could be made."""

    code = "timeframe_missing"


def files_of(settings: Settings) -> CandleFiles:
    """Return where this house keeps candles."""
    return CandleFiles(Path(settings.data) / FOLDER)


def shelf_of(house: Opened) -> Shelf:
    """Return what candles are kept with."""
    return Shelf(house.database, files_of(house.settings), house.clock, house.process)


def kept_series(venue: str, symbol: str, length_text: str) -> Series:
    """Return a series as it is kept; nobody is asked. Raises Invalid."""
    return Series(str(VenueKey.parse(venue)), symbol, timeframe(length_text).text)


def sourced(house: Opened, venue: str, symbol: str, wanted: str) -> Series:
    """Return which candles to fetch for what is wanted: those themselves, or the finest of which they can be made.

    Raises Invalid, VenueUnknown, SymbolUnknown, TimeframeMissing or Unavailable.
    """
    key, of = str(VenueKey.parse(venue)), timeframe(wanted)
    known = house.public(key).timeframes()
    finest = of if wanted in known else finest_dividing(known, of)
    if finest is None:
        has = ", ".join(known) or "none"
        raise TimeframeMissing(f"{key} has no candles of {wanted}, nor any of which they are made; it has {has}")
    return Series(key, house.public.symbol(key, symbol), finest.text)


def plan(
    house: Opened, venue: str, symbol: str, wanted: str, start: datetime, until: datetime | None, *, again: bool
) -> dict[str, Any]:
    """Return what is to be asked of a venue: the series to fetch, and the spans that are not settled yet.

    again   also what was asked before. Raises as `sourced` does.
    """
    series = sourced(house, venue, symbol, wanted)
    now = millis(house.clock.now())
    window = window_of(series, millis(start), millis(until) if until is not None else now, now)
    spans = [window] if again else house.database.read(lambda tx: unasked(tx, series, window))
    each = series.each
    return {
        **_named(series),
        "wanted": wanted,
        "window": list(window),
        "spans": [list(span) for span in spans if span[0] < span[1]],
        "candles": each.count(*window),
        "unasked": sum(each.count(*span) for span in spans),
    }


def fetch_once(house: Opened, series: Series, span: Span, *, take_new: bool) -> dict[str, Any]:
    """Ask the venue one question and keep what it answers. Raises Invalid for a span that is not on the grid."""
    each = series.each
    if not (span[0] < span[1] and each.opens_at(span[0]) and each.opens_at(span[1])):
        raise Invalid([Problem("start_ms", f"{span[0]} to {span[1]}", f"two openings of {series.timeframe}, in order")])
    found = fetch(shelf_of(house), house.public(series.venue), series, span, take_new=take_new)
    return {
        "settled": [list(one) for one in found.settled],
        "candles": found.candles,
        "fresh": found.fresh,
        "missing": sum(each.count(*one) for one in found.empty),
        "conflicts": found.conflicts,
    }


def follow(house: Opened, venue: str, symbol: str, wanted: str, since: datetime | None) -> dict[str, Any]:
    """Fetch candles as they close, from `since` on (None: from now on). Raises as `sourced` does."""
    series = sourced(house, venue, symbol, wanted)
    now = house.clock.now()
    since_ms = series.each.floor(millis(since or now))

    def work(tx: Tx) -> None:
        candle_records.follow(tx, series, since_ms=since_ms, now=now)

    house.database.write(work, name="follow")
    return {**_named(series), "wanted": wanted, "followed": True, "since": iso_of_millis(since_ms)}


def unfollow(house: Opened, venue: str, symbol: str, wanted: str) -> dict[str, Any]:
    """Fetch them no more. Raises NotFound if they were not followed."""
    series = kept_series(venue, symbol, wanted)
    if not house.database.write(lambda tx: candle_records.unfollow(tx, series), name="unfollow"):
        raise NotFound(f"{series} is not followed; `pilothouse data list` names what is")
    return {**_named(series), "followed": False}


def overview(database: Database, *, venue: str | None = None, symbol: str | None = None) -> list[dict[str, Any]]:
    """Return what is kept and what is followed: one row for each series, in order."""

    def look(tx: Tx) -> list[dict[str, Any]]:
        followed = {each.series: each for each in candle_records.follows(tx)}
        every = sorted({*candle_records.every_series(tx), *followed})
        chosen = [one for one in every if venue in {None, one.venue} and symbol in {None, one.symbol}]
        return [_row(tx, one, followed.get(one)) for one in chosen]

    return database.read(look)


def _row(tx: Tx, series: Series, follow_: candle_records.Follow | None) -> dict[str, Any]:
    covered = candle_records.covered(tx, series)
    gaps = candle_records.gaps(tx, series)
    each = series.each
    missing = sum(each.count(gap.start_ms, gap.until_ms) for gap in gaps)
    return {
        **_named(series),
        "start": iso_of_millis(covered[0][0]) if covered else None,
        "until": iso_of_millis(covered[-1][1]) if covered else None,
        "candles": sum(each.count(*span) for span in covered) - missing,
        "covered": [{"start": iso_of_millis(start), "until": iso_of_millis(until)} for start, until in covered],
        "gaps": [
            {
                "start": iso_of_millis(gap.start_ms),
                "until": iso_of_millis(gap.until_ms),
                "asked_at": iso(gap.asked_at),
            }
            for gap in gaps
        ],
        "missing": missing,
        "not_asked": _not_asked(series, covered),
        "conflicts": candle_records.count_conflicts(tx, series),
        "followed": follow_ is not None,
        "error": follow_.error if follow_ is not None else None,
    }


def _not_asked(series: Series, covered: list[Span]) -> int:
    """Return how many candles between the first and the last were never asked for."""
    if not covered:
        return 0
    whole = series.each.count(covered[0][0], covered[-1][1])
    return whole - sum(series.each.count(*span) for span in covered)


def _named(series: Series) -> dict[str, Any]:
    return {"venue": series.venue, "symbol": series.symbol, "timeframe": series.timeframe}
