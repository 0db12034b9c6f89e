"""The latest quotes of every venue, in memory; safe to use from several threads. Nothing here is stored."""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pilothouse.core.errors import Unavailable
from pilothouse.core.quote import Quote


class QuoteMissing(Unavailable):
    """Nobody has said yet what this is worth; soon somebody may."""

    code = "quote_missing"

    def __init__(self, venue: str, symbol: str) -> None:
        """Keep which quote is missing."""
        super().__init__(f"there is no price of {symbol[:40]} at {venue} yet")
        self.venue, self.symbol = venue, symbol


def _nobody(_venue: str, _symbol: str) -> None:
    """Tell nobody."""


class QuoteBoard:
    """The newest quote of each instrument. How old it may be is the risk gate's matter (`core.risk`).

    missed   called with (venue, symbol) when a quote is asked for that nobody has told; must not wait
    """

    def __init__(self) -> None:
        """Begin without quotes."""
        self._quotes: dict[tuple[str, str], Quote] = {}
        self._lock = threading.Lock()
        self._expected: dict[tuple[str, str], list[Callable[[], None]]] = {}
        self.missed: Callable[[str, str], None] = _nobody

    def put(self, venue: str, quotes: Iterable[Quote]) -> None:
        """Take in quotes. One that is older than what is shown is dropped: feeds may overtake each other."""
        told: list[Callable[[], None]] = []
        with self._lock:
            for quote in quotes:
                shown = self._quotes.get((venue, quote.symbol))
                if shown is None or quote.at >= shown.at:
                    self._quotes[venue, quote.symbol] = quote
                if self._expected:
                    told += self._expected.pop((venue, quote.symbol), ())
        for tell in told:
            tell()

    def expect(self, venue: str, symbol: str, tell: Callable[[], None]) -> None:
        """Call `tell` once there is a quote, on the thread that brings it; at once if there is one."""
        with self._lock:
            if (venue, symbol) not in self._quotes:
                self._expected.setdefault((venue, symbol), []).append(tell)
                return
        tell()

    def get(self, venue: str, symbol: str) -> Quote:
        """Return the newest quote, however old. Raises QuoteMissing."""
        quote = self._quotes.get((venue, symbol))
        if quote is None:
            self.missed(venue, symbol)
            raise QuoteMissing(venue, symbol)
        return quote

    def all(self, venue: str) -> dict[str, Quote]:
        """Return the newest quotes of one venue, by symbol."""
        with self._lock:
            return {symbol: quote for (of_venue, symbol), quote in sorted(self._quotes.items()) if of_venue == venue}

    def age(self, venue: str, symbol: str, now: datetime) -> timedelta:
        """Return how long ago the source said the newest quote. Raises QuoteMissing."""
        return now - self.get(venue, symbol).at

    def forget(self, venue: str) -> None:
        """Drop all quotes of a venue: its feed is gone, or its market began anew."""
        with self._lock:
            self._quotes = {key: quote for key, quote in self._quotes.items() if key[0] != venue}
