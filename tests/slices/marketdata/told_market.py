"""A market whose candles are written down, and a venue that tells them as venues do: page by page, and not always."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import cast

from pilothouse.core.candle import Candle
from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import Unavailable
from pilothouse.marketdata.candle_backfill import Fetched, Shelf, fetch, unasked
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.spans import Span, without
from pilothouse.marketdata.timeframes import timeframe
from pilothouse.venues.port import Venue

D = Decimal


def told_candle(opened_ms: int, price: int, *, length: str = "1m", closed: bool = True) -> Candle:
    """Return a candle around a price, with another volume and digits for each."""
    opened = D(price) / 100
    return Candle(
        from_micros(opened_ms * 1_000),
        opened,
        opened + 1,
        opened - 1,
        opened + D("0.5"),
        D(price) / 1000,
        closed=closed,
    )


def minutes(first_ms: int, numbers: Iterable[int]) -> dict[int, Candle]:
    """Return a minute for each number, counted from the first."""
    return {
        first_ms + each * 60_000: told_candle(first_ms + each * 60_000, 10_000 + each * 7 % 991) for each in numbers
    }


@dataclass
class ToldMarket:
    """A venue as far as candles go.

    page        how many candles one answer has at most
    backwards   answers with the latest of what was asked for, not the earliest
    dies_after  so many more answers, then none
    """

    candles_by_opening: dict[int, Candle]
    now: datetime
    page: int = 10
    backwards: bool = False
    dies_after: int | None = None
    frames: tuple[str, ...] = ("1m", "1h")
    asked: list[Span] = field(default_factory=list)

    def timeframes(self) -> tuple[str, ...]:
        """Return what it has."""
        return self.frames

    def candles(self, symbol: str, timeframe_: str, start: datetime, end: datetime) -> list[Candle]:
        """Tell a page of what opens from `start` to `end`."""
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Unavailable("the line is down")
            self.dies_after -= 1
        self.asked.append((millis(start), millis(end)))
        of = timeframe(timeframe_)
        found = [
            replace(each, closed=of.after(at) <= millis(self.now))
            for at, each in sorted(self.candles_by_opening.items())
            if millis(start) <= at <= millis(end) and at <= millis(self.now)
        ]
        return found[-self.page :] if self.backwards else found[: self.page]

    @property
    def venue(self) -> Venue:
        """Return it as the port knows venues."""
        return cast("Venue", self)


def download(
    shelf: Shelf, market: ToldMarket, series: Series, window: Span, *, again: bool = False, take_new: bool = False
) -> list[Fetched]:
    """Ask for all of `window`, each part until it is settled or may still come."""
    spans = [window] if again else shelf.database.read(lambda tx: unasked(tx, series, window))
    found = []
    while spans:
        one = fetch(shelf, market.venue, series, spans[0], take_new=take_new)
        found.append(one)
        spans = without(spans, one.settled or [spans[0]])  # what may still come is left to the next download
    return found
