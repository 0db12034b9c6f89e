"""The real prices of a paper venue: what their source tells goes in, in order; what it does not tell is asked for.

Every quote is handed on with the instant at which it was certainly so. Questions are few: orders share an answer, and
the same instrument is asked for again only after a pause.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import structlog

from pilothouse.core.candle import Candle
from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import Broken, Refused, Unavailable, Unknown
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.venues.card import Card

BOOK_ASKS_EVERY_S: Final = 0.5
"""For orders, one instrument is asked for so often at most, in seconds."""

LACKING_ASKS_EVERY_S: Final = 2.0
"""For what stands and waits, everything that lacks is asked for so often at most, in seconds."""

_log = structlog.get_logger("pilothouse.venues.paper")

Seen = tuple[Quote, int]
"""A quote, and the microsecond at which it was certainly so."""


class PriceSource(Protocol):
    """The public part of a venue, as in port.Venue."""

    @property
    def card(self) -> Card:
        """Return what the venue can do."""
        ...

    def instruments(self) -> Sequence[Instrument]:
        """Return everything that can be traded there."""
        ...

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes of what is followed to `sink`; return what stops it."""
        ...

    def follow(self, symbols: Collection[str]) -> None:
        """Follow the prices of these symbols too."""
        ...

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask for present prices."""
        ...

    def timeframes(self) -> tuple[str, ...]:
        """Return how long candles may be."""
        ...

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Return candles."""
        ...

    def tells_funding(self) -> bool:
        """Say whether past funding rates can be asked for."""
        ...

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Return funding rates."""
        ...

    def close(self) -> None:
        """End what is open."""
        ...


class PaperPrices:
    """Hears one source and asks it; safe for many threads. `listen()` once; `close()` it."""

    def __init__(
        self, source: PriceSource, clock: Clock, meet: Callable[[Sequence[Seen]], None], *, threaded: bool
    ) -> None:
        """Hear nothing yet.

        meet       lets quotes meet the orders; may raise Unknown, Unavailable or Broken
        threaded   hand on what is heard, and ask for what lacks, on threads of its own; without it, on the caller's
        """
        self._source = source
        self._clock = clock
        self._meet = meet
        self._threaded = threaded
        self._heard: list[Seen] = []
        self._rung = threading.Condition()
        self._closing = False
        self._worker: threading.Thread | None = None
        self._asker: threading.Thread | None = None
        self._asks_at = clock.monotonic()
        self._asking = threading.Lock()
        self._asked_at: dict[str, float] = {}
        self._unwatch: Callable[[], None] = _nothing

    def listen(self) -> None:
        """Hear what the source tells from now on."""
        self._unwatch = self._source.watch(self._hear if self._threaded else self._hear_now)

    def close(self) -> None:
        """Stop listening, and wait for what is under way; the source is not closed."""
        self._unwatch()
        with self._rung:
            self._closing = True
            self._rung.notify_all()
        for thread in (self._worker, self._asker):
            if thread is not None and thread is not threading.current_thread():
                thread.join()

    # ── Asking ────────────────────────────────────────────────────────────────────────────────────

    def ask(self, symbols: Collection[str]) -> list[Quote]:
        """Ask the source; what it answers is certainly so since the question. Raises Unavailable."""
        asked_at = self._clock.now()
        told = self._source.quotes(sorted(symbols))
        quotes = [
            replace(quote, at=max(quote.at, asked_at), book_at=None, mark_at=None, last_at=None) for quote in told
        ]
        self._meet([(quote, micros(asked_at)) for quote in quotes])
        return quotes

    def ask_for_orders(self, unready: Callable[[], set[str]]) -> None:
        """Ask once for what orders need: waits for the answer, or for that of a question that is under way.

        unready   says which markets are not known well enough
        """
        if not unready():
            return
        with self._asking:  # who waited for the question of another may find it answered
            instant = self._clock.monotonic()
            due = {
                symbol
                for symbol in unready()
                if symbol not in self._asked_at or instant - self._asked_at[symbol] >= BOOK_ASKS_EVERY_S
            }
            if due:
                self._ask_or_say_why(due)
                self._asked_at |= dict.fromkeys(due, self._clock.monotonic())

    def ask_for_what_lacks(self, lacking: Collection[str]) -> None:
        """Ask for prices that something has waited for, now and then, until they are told; does not wait."""
        instant = self._clock.monotonic()
        if not lacking or instant < self._asks_at or (self._asker is not None and self._asker.is_alive()):
            return
        self._asks_at = instant + LACKING_ASKS_EVERY_S
        if not self._threaded:
            self._ask_or_say_why(lacking)
            return
        self._asker = threading.Thread(
            target=self._ask_or_say_why, args=(lacking,), name="pilothouse-paper-asks", daemon=True
        )
        self._asker.start()

    def _ask_or_say_why(self, symbols: Collection[str]) -> None:
        try:
            self.ask(symbols)
        except (Unavailable, Refused, Unknown, Broken) as error:
            _log.warning("best_prices_lack", source=self._source.card.venue, symbols=sorted(symbols), why=str(error))

    # ── Hearing ───────────────────────────────────────────────────────────────────────────────────

    def _hear(self, quotes: Sequence[Quote]) -> None:
        """Queue what the source tells; on its thread, so without waiting."""
        now = micros(self._clock.now())
        with self._rung:
            self._heard += [(quote, min(micros(quote.at), now)) for quote in quotes]
            if not self._closing and (self._worker is None or not self._worker.is_alive()):
                # Also after one that died of what it met: deaf for ever would be worse.
                self._worker = threading.Thread(target=self._work, name="pilothouse-paper-prices", daemon=True)
                self._worker.start()
            self._rung.notify()

    def _hear_now(self, quotes: Sequence[Quote]) -> None:
        now = micros(self._clock.now())
        self._meet([(quote, min(micros(quote.at), now)) for quote in quotes])

    def _work(self) -> None:
        """Let quotes meet the orders, in the order in which they came, until closed."""
        while True:
            with self._rung:
                while not self._heard and not self._closing:
                    self._rung.wait()
                if self._closing:
                    return
                batch, self._heard = self._heard, []
            try:
                self._meet(batch)
            except (Unknown, Unavailable, Broken) as error:
                _log.warning("quotes_not_taken_in", source=self._source.card.venue, why=str(error))


def _nothing() -> None:
    """Stop nothing."""
