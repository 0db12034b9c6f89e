"""Funding rates for the doors: what somebody typed goes in; what is to be asked, was fetched or is kept comes out.

The sibling of `candle_desk.py`: the same doors, for the rates that perpetuals have paid.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from pilothouse.core.clock import iso, iso_of_millis, millis
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.settings import Settings
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_series import FUNDING, Series, funding_of
from pilothouse.marketdata.funding_backfill import FundingShelf, fetch_rates, unasked
from pilothouse.marketdata.funding_files import FundingFiles
from pilothouse.marketdata.spans import Span, length
from pilothouse.venues.keys import VenueKey
from pilothouse.wiring.candle_desk import FOLDER, Opened

_HOUR_MS = 3_600_000


class NoFunding(NotFound):
    """The venue tells no funding rates."""

    code = "no_funding"


def rate_files(settings: Settings) -> FundingFiles:
    """Return where this house keeps funding rates: beside candles."""
    return FundingFiles(Path(settings.data) / FOLDER)


def shelf_of_funding(house: Opened) -> FundingShelf:
    """Return what funding rates are kept with."""
    return FundingShelf(house.database, rate_files(house.settings), house.clock, house.process)


def kept_funding(venue: str, symbol: str) -> Series:
    """Return a series as it is kept; nobody is asked. Raises Invalid."""
    return funding_of(str(VenueKey.parse(venue)), symbol)


def sourced(house: Opened, venue: str, symbol: str) -> Series:
    """Return whose rates are meant. Raises Invalid, VenueUnknown, SymbolUnknown, NoFunding or Unavailable."""
    key = str(VenueKey.parse(venue))
    if not house.public(key).tells_funding():
        raise NoFunding(
            f"{key} has no history of funding to ask for: spot pays none, and of others it is not asked for here; "
            "a backtest takes it from a file (--funding FILE)"
        )
    return funding_of(key, house.public.symbol(key, symbol))


def plan(
    house: Opened, venue: str, symbol: str, start: datetime, until: datetime | None, *, again: bool
) -> dict[str, Any]:
    """Return what is to be asked of a venue: spans that are not settled yet, and how many hours they are.

    again   also what was asked before. Raises as `sourced` does.
    """
    series = sourced(house, venue, symbol)
    now = millis(house.clock.now())
    ends = min(millis(until), now) if until is not None else now
    window = (millis(start), max(millis(start), ends))
    spans = [window] if again else house.database.read(lambda tx: unasked(tx, series, window))
    return {
        **_named(series),
        "wanted": FUNDING,
        "window": list(window),
        "spans": [list(span) for span in spans if span[0] < span[1]],
        "hours": length([window]) // _HOUR_MS,
        "unasked": length(spans) // _HOUR_MS,
    }


def fetch_once(house: Opened, series: Series, span: Span, *, take_new: bool) -> dict[str, Any]:
    """Ask the venue one question and keep what it answers. Raises Invalid for a span that is none, NoFunding."""
    if span[0] >= span[1]:
        raise Invalid([Problem("start_ms", f"{span[0]} to {span[1]}", "two instants, in order")])
    found = fetch_rates(shelf_of_funding(house), house.public(series.venue), series, span, take_new=take_new)
    return {
        "settled": [list(one) for one in found.settled],
        "rates": found.rates,
        "fresh": found.fresh,
        "missing": len(found.gaps),
        "conflicts": found.conflicts,
    }


def follow(house: Opened, venue: str, symbol: str, since: datetime | None) -> dict[str, Any]:
    """Fetch rates as they are settled, from `since` on (None: from now on). Raises as `sourced` does."""
    series = sourced(house, venue, symbol)
    now = house.clock.now()
    since_ms = millis(since or now) // _HOUR_MS * _HOUR_MS

    def work(tx: Tx) -> None:
        candle_records.follow(tx, series, since_ms=since_ms, now=now)

    house.database.write(work, name="follow")
    return {**_named(series), "wanted": FUNDING, "followed": True, "since": iso_of_millis(since_ms)}


def unfollow(house: Opened, venue: str, symbol: str) -> dict[str, Any]:
    """Fetch them no more; what is kept stays. Raises NotFound if they were not followed."""
    series = kept_funding(venue, symbol)
    if not house.database.write(lambda tx: candle_records.unfollow(tx, series), name="unfollow"):
        raise NotFound(f"{series} is not followed; `pilothouse data list` names what is")
    return {**_named(series), "followed": False}


def overview(
    database: Database, settings: Settings, *, venue: str | None = None, symbol: str | None = None
) -> list[dict[str, Any]]:
    """Return what rates are kept and followed: one row for each perpetual, in order. Raises CandlesDamaged."""

    def look(tx: Tx) -> list[tuple[Series, Any, list[Span], list[Any], int]]:
        followed = {each.series: each for each in candle_records.follows_of_funding(tx)}
        every = sorted({*candle_records.every_funding(tx), *followed})
        chosen = [one for one in every if venue in {None, one.venue} and symbol in {None, one.symbol}]
        return [
            (
                one, followed.get(one), candle_records.covered(tx, one), candle_records.gaps(tx, one),
                candle_records.count_conflicts(tx, one),
            )
            for one in chosen
        ]  # fmt: skip

    found = database.read(look)
    if not found:
        return []
    files = rate_files(settings)
    return [
        {
            **_named(series),
            "start": iso_of_millis(covered[0][0]) if covered else None,
            "until": iso_of_millis(covered[-1][1]) if covered else None,
            "rates": len(files.read_all(series)),
            "covered": [{"start": iso_of_millis(start), "until": iso_of_millis(until)} for start, until in covered],
            "gaps": [
                {
                    "start": iso_of_millis(gap.start_ms),
                    "until": iso_of_millis(gap.until_ms),
                    "asked_at": iso(gap.asked_at),
                }
                for gap in gaps
            ],
            "conflicts": conflicts,
            "followed": follow_ is not None,
            "error": follow_.error if follow_ is not None else None,
        }
        for series, follow_, covered, gaps, conflicts in found
    ]


def _named(series: Series) -> dict[str, Any]:
    return {"venue": series.venue, "symbol": series.symbol, "timeframe": series.timeframe}
