"""A venue that tells written-down funding rates as venues do: page by page, oldest first, and not always."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import cast

from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import Unavailable
from pilothouse.core.funding_rate import FundingRate
from pilothouse.kit.db import Database
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.funding_backfill import FundingShelf, RatesFetched, fetch_rates, unasked
from pilothouse.marketdata.spans import Span, without
from pilothouse.venues.port import Venue

HOUR_MS = 3_600_000


def every(hours: int, first_ms: int, count: int) -> dict[int, Decimal]:
    """Return so many rates by their instants, each another one, some below zero."""
    return {first_ms + each * hours * HOUR_MS: Decimal(each * 37 % 101 - 20).scaleb(-6) for each in range(count)}


@dataclass
class ToldFunding:
    """A venue as far as funding goes.

    page        how many rates one answer has at most
    dies_after  so many more answers, then none
    """

    by_time: dict[int, Decimal]
    now: datetime
    page: int = 10
    dies_after: int | None = None
    asked: list[Span] = field(default_factory=list)

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Tell a page of what was due from `start` to `end`."""
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Unavailable("the line is down")
            self.dies_after -= 1
        self.asked.append((millis(start), millis(end)))
        found = [
            FundingRate(from_micros(at * 1_000), rate)
            for at, rate in sorted(self.by_time.items())
            if millis(start) <= at <= min(millis(end), millis(self.now))
        ]
        return found[: self.page]

    @property
    def venue(self) -> Venue:
        """Return it as the port knows venues."""
        return cast("Venue", self)


def download(
    shelf: FundingShelf, told: ToldFunding, series: Series, window: Span, *, again: bool = False, take_new: bool = False
) -> list[RatesFetched]:
    """Ask for all of `window`, each part until it is settled or may still come."""
    spans = [window] if again else asked_for(shelf.database, series, window)
    found = []
    while spans:
        one = fetch_rates(shelf, told.venue, series, spans[0], take_new=take_new)
        found.append(one)
        spans = without(spans, one.settled or [spans[0]])
    return found


def asked_for(database: Database, series: Series, window: Span) -> list[Span]:
    """Return for which part of `window` nobody has asked yet."""
    return database.read(lambda tx: unasked(tx, series, window))
