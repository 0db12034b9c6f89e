"""Follow funding rates: each is fetched shortly after it was due, and what failed again later.

Perpetuals are funded at whole hours, some every hour and some every eight; so each whole hour is asked about. Runs
between other things, as candles do (`candle_follow.py`), and starts where it stopped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import PilothouseError
from pilothouse.kit.retry import pause_after
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_records import Follow
from pilothouse.marketdata.funding_backfill import FundingShelf, RatesFetched, fetch_rates, unasked
from pilothouse.marketdata.funding_columns import HOUR_MS, usual_hours
from pilothouse.marketdata.spans import Span
from pilothouse.venues.port import Venue

AFTER_DUE: Final = timedelta(seconds=30)
"""How long after a whole hour the venue is asked: it may need a moment to have settled."""

QUESTIONS_MOST: Final = 20
_FIRST_PAUSE_S: Final = 15.0
_LONGEST_PAUSE_S: Final = 300.0
_LOOKED_AT: Final = 10


@dataclass(frozen=True, slots=True)
class RatesTurn:
    """What asking for followed rates brought.

    fetched   None: nobody answered
    error     empty where it was answered
    more      whether there is more that was not answered yet
    """

    follow: Follow
    fetched: RatesFetched | None
    error: str
    more: bool


def turn_of_funding(
    shelf: FundingShelf, venue_of: Callable[[str], Venue], *, questions_most: int = QUESTIONS_MOST
) -> Iterator[RatesTurn]:
    """Ask for what is due, at most so many questions, fairly; yield what each brought.

    venue_of   opens a venue by its key; what it raises of ours counts as a failure of that series
    """
    now = shelf.clock.now()
    due = [each for each in shelf.database.read(candle_records.follows_of_funding) if each.next_at <= now]
    asked = 0
    while due and asked < questions_most:
        again: list[Follow] = []
        for each in due[: questions_most - asked]:
            found = _one(shelf, venue_of, each)
            asked += 1
            yield found
            if found.more:
                again.append(each)
        due = again


def _one(shelf: FundingShelf, venue_of: Callable[[str], Venue], follow: Follow) -> RatesTurn:
    """Ask for the earliest of what is left of one series, and say when to ask next."""
    fetched: RatesFetched | None = None
    now = shelf.clock.now()
    before = _left(shelf, follow, now)
    try:
        for span in before:
            fetched = fetch_rates(shelf, venue_of(follow.series.venue), follow.series, span)
            if fetched.settled:
                break
        left = _left(shelf, follow, now)
    except PilothouseError as failed:
        return _failed(shelf, follow, fetched, str(failed))
    if left and left != before:
        return RatesTurn(follow, fetched, "", more=True)
    # What is left now may still come. A rate that should be there already is asked for again before the next hour.
    if left and _is_due(shelf, follow, now):
        return _failed(shelf, follow, fetched, "the venue has not told the newest rate yet")
    _next(shelf, follow, next_hour(now), 0, None)
    return RatesTurn(follow, fetched, "", more=False)


def next_hour(now: datetime) -> datetime:
    """Return when to ask next, if everything up to `now` is there."""
    hour = millis(now - AFTER_DUE) // HOUR_MS * HOUR_MS + HOUR_MS
    return from_micros(hour * 1_000) + AFTER_DUE


def _is_due(shelf: FundingShelf, follow: Follow, now: datetime) -> bool:
    """Say whether the newest rates are so old that by what was usual another one has been due since."""
    newest = shelf.files.read_all(follow.series).at_ms[-_LOOKED_AT:]
    if len(newest) < 2:
        return False
    since = millis(now - AFTER_DUE) - int(newest[-1])
    usual = int(usual_hours(newest)[-1]) * HOUR_MS
    return usual <= since < usual + HOUR_MS // 2


def _failed(shelf: FundingShelf, follow: Follow, fetched: RatesFetched | None, error: str) -> RatesTurn:
    failures = follow.failures + 1
    pause = pause_after(failures, first=_FIRST_PAUSE_S, longest=_LONGEST_PAUSE_S)
    _next(shelf, follow, shelf.clock.now() + timedelta(seconds=pause), failures, error)
    return RatesTurn(follow, fetched, error, more=False)


def _left(shelf: FundingShelf, follow: Follow, now: datetime) -> list[Span]:
    """Return what was not answered yet, up to now."""
    window = (follow.since_ms, max(follow.since_ms, millis(now - AFTER_DUE)))
    return shelf.database.read(lambda tx: unasked(tx, follow.series, window))


def _next(shelf: FundingShelf, follow: Follow, at: datetime, failures: int, error: str | None) -> None:
    shelf.database.write(
        lambda tx: candle_records.ask_next(tx, follow.series, at=at, failures=failures, error=error), name="funding"
    )
