"""Prices of one venue for whoever watches: symbols to follow in, quotes out, the latest kept, stamped by our clock."""

import asyncio
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from pilothouse.core.errors import Unavailable
from pilothouse.core.quote import Quote
from pilothouse.kit import exact_json
from pilothouse.venues.held_streams import HeldOpen, Patience, Streams, pause_for

_POLLED_EACH: Final = 20
_log = structlog.get_logger("pilothouse.venues.price_feeds")


class MarketSpeech(Protocol):
    """How a venue tells prices of some instruments. `understood` must not block.

    each   how many instruments one connection follows
    """

    each: int

    def open(self, symbols: Sequence[str]) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the addresses to open, and what to say at each first."""
        ...

    def put(self, quotes: Sequence[Quote]) -> None:
        """Begin with quotes that were asked for."""
        ...

    def understood(self, message: Any) -> Sequence[Quote]:
        """Return the quotes that a message completes. Raises StreamEnded for a refusal."""
        ...


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
        return [self._by_our_clock(quote) for quote in quotes]

    def _by_our_clock(self, quote: Quote) -> Quote:
        apart = (quote.book_at, quote.mark_at, quote.last_at)
        book_at, mark_at, last_at = (at and self._in_our_time(at) for at in apart)
        return replace(quote, at=self._in_our_time(quote.at), book_at=book_at, mark_at=mark_at, last_at=last_at)

    def _keep_and_tell(self, told: Sequence[Quote]) -> None:
        quotes = self._ours(told)
        for quote in quotes:
            self._latest[quote.symbol] = quote
        for watcher in self._watchers:
            watcher(quotes)


class MarketStream(HeldOpen):
    """The prices of some instruments, heard by a stream or, without one, by asking."""

    def __init__(
        self,
        symbols: Sequence[str],
        speech: MarketSpeech | None,
        ask: Callable[[Sequence[str]], Sequence[Quote]],
        sink: Callable[[Sequence[Quote]], None],
        patience: Patience,
    ) -> None:
        """Tell `sink` each quote as it changes, on the streams' thread; it must not block.

        ask   asks for the present prices; blocks, may raise Unavailable
        """
        super().__init__(f"prices of {symbols[0]} and {len(symbols) - 1} more", patience)
        self._symbols = symbols
        self._speech = speech
        self._ask = ask
        self._sink = sink

    async def run(self) -> None:
        """Hold it open until cancelled."""
        await self.hold(self._once)

    async def _once(self) -> None:
        if self._speech is None:
            while True:
                self._hand_on(await asyncio.to_thread(self._ask, self._symbols))
                await pause_for(self.patience.price_poll_s)
        await self._begin(self._speech)
        async with asyncio.TaskGroup() as tasks:
            for url, first in self._speech.open(self._symbols):
                tasks.create_task(self._follow(self._speech, url, first))

    async def _begin(self, speech: MarketSpeech) -> None:
        """Tell the present prices: a quiet instrument may tell none for long. What comes tells them anyway."""
        try:
            begun = await asyncio.to_thread(self._ask, self._symbols)
        except Unavailable as unavailable:
            _log.warning("quotes_not_read", stream=self.name, why=str(unavailable))
            return
        speech.put(begun)
        self._hand_on(begun)

    async def _follow(self, speech: MarketSpeech, url: str, first: Sequence[str]) -> None:
        async with self.connection(url) as socket:
            for each in first:
                await socket.send(each)
            while True:
                async with asyncio.timeout(self.patience.market_silent_s):
                    raw = await socket.recv()
                self._hand_on(speech.understood(exact_json.loads(raw)))

    def _hand_on(self, quotes: Sequence[Quote]) -> None:
        if quotes:
            self.failures = 0
            self._sink(quotes)
