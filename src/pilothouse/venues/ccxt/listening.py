"""Who hears what of an exchange: accounts and prices, kept open, with what was missed told after each reconnect."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from pilothouse.core.clock import Clock
from pilothouse.core.errors import NotFound
from pilothouse.core.quote import Quote
from pilothouse.venues.ccxt.exchange import Keys, Session
from pilothouse.venues.ccxt.orders import Orders
from pilothouse.venues.ccxt.rest import Rest
from pilothouse.venues.ccxt.stream import AccountStream, MarketStream, Patience, Streams
from pilothouse.venues.port import Absent, Accepted, AccountEvent, OrderReport, VenueAccount, VenueStatus

_SLACK: Final = timedelta(seconds=10)
_POLLED_EACH: Final = 20
_RESTS: Final = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})
_log = structlog.get_logger("pilothouse.venues.ccxt")


class Listening:
    """The listeners of one endpoint; safe for many threads. `close()` it."""

    def __init__(
        self, rest: Rest, keys_of: Callable[[VenueAccount], Keys], orders: Orders, clock: Clock, patience: Patience
    ) -> None:
        """Open nothing yet."""
        self._rest = rest
        self._quirks = rest.quirks
        self._keys_of = keys_of
        self._orders = orders
        self._clock = clock
        self._patience = patience
        self._streams = Streams()
        self._lock = threading.Lock()
        self._watchers: tuple[Callable[[Sequence[Quote]], None], ...] = ()
        self._feeds: list[Callable[[], None]] = []
        self._followed: set[str] = set()
        self._fed: set[str] = set()
        self._latest: dict[str, Quote] = {}
        self._touched: dict[str, set[str]] = {}
        self._standing: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        """End every stream."""
        self._streams.close()

    # ── Accounts ──────────────────────────────────────────────────────────────────────────────────

    def listen(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink`; return what stops it."""

        def ask(work: Callable[[Session], Any]) -> Any:
            return self._rest.read(work, account.id, self._keys_of(account))

        def note_and_tell(event: AccountEvent) -> None:
            if event.report is not None:
                self.note(account.id, event.report)
            sink(event)

        speech = self._quirks.account_speech(ask, account.id, self._rest.endpoint)
        stream = AccountStream(
            account.id, speech, lambda when: self._missed(account, when), note_and_tell, self._clock, self._patience
        )
        return self._streams.start(stream.run())

    def touched(self, account_id: str, symbols: Collection[str]) -> None:
        """Remember where something may happen."""
        self._touched.setdefault(account_id, set()).update(symbols)

    def note(self, account_id: str, report: OrderReport) -> None:
        """Remember where something happened, and which orders stand."""
        self.touched(account_id, [report.terms.symbol])
        standing = self._standing.setdefault(account_id, {})
        if report.status in _RESTS:
            standing[report.client_order_id] = report.terms.symbol
        else:
            standing.pop(report.client_order_id, None)

    def _missed(self, account: VenueAccount, when: datetime) -> list[AccountEvent]:
        """Return what happened since an instant. Raises Unavailable.

        Orders that stand are told as they stand; orders that filled, or stood here and stand no more, are asked for
        one by one.
        """
        keys, since = self._keys_of(account), when - _SLACK
        standing = self._rest.read(self._quirks.open_orders, account.id, keys)
        held = self._rest.read(self._quirks.positions, account.id, keys)
        symbols = set(self._touched.get(account.id, ())) | {report.terms.symbol for report in standing}
        if self._quirks.kind != "spot":  # what is held there may have been held for ever
            symbols |= {position.symbol for position in held}
        asked = dict(self._standing.get(account.id, {}))
        filled: set[str] = set()
        for symbol in sorted(symbols):
            for fill in self._fills(account, keys, symbol, since):
                if fill.client_order_id is not None:
                    asked[fill.client_order_id] = symbol
                    filled.add(fill.client_order_id)
        events = []
        for report in standing:
            if report.client_order_id not in filled:
                asked.pop(report.client_order_id, None)
                events.append(AccountEvent(account.id, report=report))
        events += self._found(account, asked)
        funding = self._rest.read(lambda session: self._quirks.funding_since(session, since), account.id, keys)
        return events + [AccountEvent(account.id, funding=each) for each in funding]

    def _fills(self, account: VenueAccount, keys: Keys, symbol: str, since: datetime) -> Sequence[Any]:
        try:
            return self._rest.read(lambda session: self._quirks.fills_since(session, symbol, since), account.id, keys)
        except NotFound:  # it is not traded any more
            return ()

    def _found(self, account: VenueAccount, asked: dict[str, str]) -> list[AccountEvent]:
        events = []
        for client_order_id, symbol in asked.items():
            found = self._orders.find(account, symbol, client_order_id)
            if isinstance(found, Accepted):
                events.append(AccountEvent(account.id, report=found.report))
            elif isinstance(found, Absent):
                self._standing.get(account.id, {}).pop(client_order_id, None)
            else:  # one order is no reason to be deaf to all others: it stays, and is asked for again
                _log.warning("order_not_found_out", client_order_id=client_order_id, why=found.reason)
        return events

    # ── Prices ────────────────────────────────────────────────────────────────────────────────────

    def latest(self, symbol: str) -> Quote | None:
        """Return the last quote that was heard or asked for."""
        return self._latest.get(symbol)

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask for the present prices of `symbols`; none named: of what is followed. Raises Unavailable."""
        quotes = self._in_our_time(self._quotes_there(sorted(symbols or self._followed)))
        self._latest |= {quote.symbol: quote for quote in quotes}
        return quotes

    def _quotes_there(self, symbols: Sequence[str]) -> list[Quote]:
        """Ask for prices, stamped by the exchange's clock. Raises Unavailable."""
        venue = self._rest.endpoint.venue
        return self._rest.read(lambda session: self._quirks.quotes(session, symbols, venue))

    def _in_our_time(self, quotes: Sequence[Quote]) -> list[Quote]:
        """Return quotes stamped by our clock: how old they are is told by it alone."""
        return [replace(quote, at=self._rest.in_our_time(quote.at)) for quote in quotes]

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes of what is followed to `sink` as they change; return what stops it."""
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
                speech = self._quirks.market_speech(self._rest.endpoint, self._rest)
                each = speech.each if speech is not None else _POLLED_EACH
                stream = MarketStream(fresh[:each], speech, self._quotes_there, self._keep_and_tell, self._patience)
                self._feeds.append(self._streams.start(stream.run()))
                fresh = fresh[each:]

    def _keep_and_tell(self, told: Sequence[Quote]) -> None:
        quotes = self._in_our_time(told)
        for quote in quotes:
            self._latest[quote.symbol] = quote
        for watcher in self._watchers:
            watcher(quotes)
