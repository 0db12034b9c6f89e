"""Prices of one venue for whoever watches: symbols to follow in, quotes out, the latest kept, stamped by our clock."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from pilothouse.core.quote import Quote
from pilothouse.venues.held_streams import MarketSpeech, MarketStream, Patience, Streams

_POLLED_EACH: Final = 20


class PriceFeeds:
    """The prices that are followed at one endpoint; safe for many threads. Its streams end with `streams`."""

    def __init__(
        self,
        streams: Streams,
        patience: Patience,
        *,
        speech: Callable[[], MarketSpeech | None],
        ask: Callable[[Sequence[str]], Sequence[Quote]],
        in_our_time: Callable[[datetime], datetime],
        followed: Collection[str] = (),
    ) -> None:
        """Open nothing before somebody watches.

        speech       returns how the venue tells prices, a new one for each connection; None: it is asked
        ask          asks for present prices, stamped by the venue's clock; blocks, may raise Unavailable
        in_our_time  turns the venue's time into ours: how old a quote is is told by our clock alone
        followed     the symbols that are followed from the beginning
        """
        self._streams = streams
        self._patience = patience
        self._speech = speech
        self._ask = ask
        self._in_our_time = in_our_time
        self._lock = threading.Lock()
        self._watchers: tuple[Callable[[Sequence[Quote]], None], ...] = ()
        self._feeds: list[Callable[[], None]] = []
        self._followed = set(followed)
        self._fed: set[str] = set()
        self._latest: dict[str, Quote] = {}

    def latest(self, symbol: str) -> Quote | None:
        """Return the last quote that was heard or asked for."""
        return self._latest.get(symbol)

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask for the present prices of `symbols`; none named: of what is followed. Raises Unavailable."""
        quotes = self._ours(self._ask(sorted(symbols or self._followed)))
        self._latest |= {quote.symbol: quote for quote in quotes}
        return quotes

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes of what is followed to `sink` as they change; return what stops it. `sink` must not block."""
        with self._lock:
            self._watchers = (*self._watchers, sink)
            followed = set(self._followed)
        self.follow(followed)

        def stop() -> None:
            with self._lock:
                self._watchers = tuple(other for other in self._watchers if other is not sink)
                feeds = [] if self._watchers else self._feeds
                if not self._watchers:
                    self._feeds, self._fed = [], set()
            for each in feeds:
                each()

        return stop

    def follow(self, symbols: Collection[str]) -> None:
        """Follow the prices of these symbols too, as soon as somebody watches; does not wait."""
        with self._lock:
            self._followed |= set(symbols)
            fresh = sorted(self._followed - self._fed) if self._watchers else []
            self._fed |= set(fresh)
            while fresh:
                speech = self._speech()
                each = speech.each if speech is not None else _POLLED_EACH
                stream = MarketStream(fresh[:each], speech, self._ask, self._keep_and_tell, self._patience)
                self._feeds.append(self._streams.start(stream.run()))
                fresh = fresh[each:]

    def _ours(self, quotes: Sequence[Quote]) -> list[Quote]:
        return [replace(quote, at=self._in_our_time(quote.at)) for quote in quotes]

    def _keep_and_tell(self, told: Sequence[Quote]) -> None:
        quotes = self._ours(told)
        for quote in quotes:
            self._latest[quote.symbol] = quote
        for watcher in self._watchers:
            watcher(quotes)
