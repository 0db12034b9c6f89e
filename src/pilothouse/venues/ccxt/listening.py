"""Who hears what of an exchange: accounts and prices, kept open, with what was missed told after each reconnect."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pilothouse.core.clock import Clock
from pilothouse.core.errors import NotFound
from pilothouse.core.quote import Quote
from pilothouse.venues.ccxt.exchange import Keys, Session
from pilothouse.venues.ccxt.orders import Orders
from pilothouse.venues.ccxt.rest import Rest
from pilothouse.venues.held_streams import AccountStream, Patience, Streams
from pilothouse.venues.port import AccountEvent, VenueAccount
from pilothouse.venues.price_feeds import PriceFeeds
from pilothouse.venues.standing_orders import StandingOrders

_SLACK: Final = timedelta(seconds=10)


class Listening:
    """The listeners of one endpoint; safe for many threads. `close()` it.

    orders   what was told of orders
    prices   who watches prices
    """

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
        self._streams = Streams("ccxt-streams")
        self.orders = StandingOrders()
        self.prices = PriceFeeds(
            self._streams,
            patience,
            speech=lambda: self._quirks.market_speech(rest.endpoint, rest),
            ask=self._quotes_there,
            in_our_time=rest.in_our_time,
        )

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
                self.orders.note(account.id, event.report)
            sink(event)

        speech = self._quirks.account_speech(ask, account.id, self._rest.endpoint)
        stream = AccountStream(
            account.id, speech, lambda when: self._missed(account, when), note_and_tell, self._clock, self._patience
        )
        return self._streams.start(stream.run())

    def _missed(self, account: VenueAccount, when: datetime) -> list[AccountEvent]:
        """Return what happened since an instant. Raises Unavailable.

        Orders that stand are told as they stand; orders that filled, or stood here and stand no more, are asked for
        one by one.
        """
        keys, since = self._keys_of(account), when - _SLACK
        standing = self._rest.read(self._quirks.open_orders, account.id, keys)
        held = self._rest.read(self._quirks.positions, account.id, keys)
        symbols = self.orders.symbols(account.id) | {report.terms.symbol for report in standing}
        if self._quirks.kind != "spot":  # what is held there may have been held for ever
            symbols |= {position.symbol for position in held}
        asked = self.orders.of(account.id)
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
        events += self.orders.found_out(account, asked, self._orders.find)
        funding = self._rest.read(lambda session: self._quirks.funding_since(session, since), account.id, keys)
        return events + [AccountEvent(account.id, funding=each) for each in funding]

    def _fills(self, account: VenueAccount, keys: Keys, symbol: str, since: datetime) -> Sequence[Any]:
        try:
            return self._rest.read(lambda session: self._quirks.fills_since(session, symbol, since), account.id, keys)
        except NotFound:  # it is not traded any more
            return ()

    def _quotes_there(self, symbols: Sequence[str]) -> list[Quote]:
        """Ask for prices, stamped by the exchange's clock. Raises Unavailable."""
        venue = self._rest.endpoint.venue
        return self._rest.read(lambda session: self._quirks.quotes(session, symbols, venue))
