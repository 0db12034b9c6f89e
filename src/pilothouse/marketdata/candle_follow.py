"""Follow candles: each is fetched shortly after it closed, and what failed again later.

Runs between other things, so one turn asks few questions. It starts where it stopped: a house that was away for a day
fetches that day first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import PilothouseError
from pilothouse.kit.retry import pause_after
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_backfill import Fetched, Shelf, fetch, unasked, window_of
from pilothouse.marketdata.candle_records import Follow
from pilothouse.venues.port import Venue

AFTER_CLOSE: Final = timedelta(seconds=2)
"""How long after a candle has closed the venue is asked for it: it may need a moment to have counted."""

QUESTIONS_MOST: Final = 20
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What asking for a followed series brought.

    fetched   None: nothing was left to ask, or nobody answered
    error     empty where it was answered
    more      whether more has closed that was not answered yet
    """

    follow: Follow
    fetched: Fetched | None
    error: str
    more: bool


def turn(shelf: Shelf, venue_of: Callable[[str], Venue], *, questions_most: int = QUESTIONS_MOST) -> Iterator[Turn]:
    """Ask for what is due, at most so many questions, fairly; yield what each brought.

    venue_of   opens a venue by its key; what it raises of ours counts as a failure of that series
    """
    now = shelf.clock.now()
    due = [each for each in shelf.database.read(candle_records.follows) if each.next_at <= now]
    asked = 0
    while due and asked < questions_most:
        again: list[Follow] = []
        for each in due[: questions_most - asked]:
            found = _one(shelf, venue_of, each)
            asked += found.fetched is not None or bool(found.error)
            yield found
            if found.more:
                again.append(each)
        due = again


def _one(shelf: Shelf, venue_of: Callable[[str], Venue], follow: Follow) -> Turn:
    """Ask for the earliest of what is left of one series, and say when to ask next."""
    series = follow.series
    fetched: Fetched | None = None
    try:
        for span in _left(shelf, follow):
            fetched = fetch(shelf, venue_of(series.venue), series, span)
            if fetched.settled:
                break
        left = _left(shelf, follow)
    except PilothouseError as failed:
        return _failed(shelf, follow, fetched, str(failed))
    if left and fetched is not None and not fetched.settled:
        return _failed(shelf, follow, fetched, "the venue has not told the newest candle yet")
    if not left:
        _next(shelf, follow, next_close(follow, shelf.clock.now()), 0, None)
    return Turn(follow, fetched, "", more=bool(left))


def _failed(shelf: Shelf, follow: Follow, fetched: Fetched | None, error: str) -> Turn:
    failures = follow.failures + 1
    pause = pause_after(failures, first=_FIRST_PAUSE_S, longest=_LONGEST_PAUSE_S)
    _next(shelf, follow, shelf.clock.now() + timedelta(seconds=pause), failures, error)
    return Turn(follow, fetched, error, more=False)


def next_close(follow: Follow, now: datetime) -> datetime:
    """Return when to ask next, if everything up to `now` is there."""
    each = follow.series.each
    closes = each.after(each.floor(millis(now - AFTER_CLOSE)))
    return from_micros(closes * 1_000) + AFTER_CLOSE


def _left(shelf: Shelf, follow: Follow) -> Sequence[tuple[int, int]]:
    """Return what has closed and was not answered yet."""
    now_ms = millis(shelf.clock.now() - AFTER_CLOSE)
    window = window_of(follow.series, follow.since_ms, now_ms, now_ms)
    return shelf.database.read(lambda tx: unasked(tx, follow.series, window))


def _next(shelf: Shelf, follow: Follow, at: datetime, failures: int, error: str | None) -> None:
    shelf.database.write(
        lambda tx: candle_records.ask_next(tx, follow.series, at=at, failures=failures, error=error), name="candles"
    )
