"""Where an adapter is tried: one venue, opened, with a market that a card moves and a truth that a card asks.

The truth never comes from the adapter: it is what the venue itself has in its books, and what reached it on the wire.
Time stands between two calls of `advance`, so that nothing moves that a card does not move.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from pilothouse.core.clock import Clock
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.venues.port import (
    Accepted,
    AccountEvent,
    FindOutcome,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    StreamState,
    Venue,
    VenueAccount,
    VenueStatus,
)

BTC, SOL = "BTCUSDT", "SOLUSDT"
START = {BTC: "65000", "ETHUSDT": "3200", SOL: "150"}
DEPOSIT = 5_000_000
"""What a trader's account begins with; the largest order of the cards costs a third of it without leverage."""

_ids = count(1)


@dataclass(frozen=True, slots=True)
class There:
    """One order as the venue itself has it."""

    client_order_id: str
    symbol: str
    status: str
    quantity: Decimal
    filled: Decimal


class Stand(ABC):
    """An adapter and the venue behind it. `close()` it.

    owes   whether a position is a debt at a price, with leverage; else it is coins that are held and paid for
    """

    name: str
    owes: bool = True
    venue: Venue
    clock: Clock

    @abstractmethod
    def open(self, deposit: int) -> VenueAccount:
        """Open another account, with so many whole units of the settlement currency."""

    @abstractmethod
    def put(self, symbol: str, price: str) -> None:
        """Put a market at a price; orders meet it there."""

    @abstractmethod
    def advance(self, span: timedelta) -> None:
        """Let time pass, for the venue and for the adapter."""

    @abstractmethod
    def fault(self, kind: str, call: str = "place", *, times: int = 1, **more: Any) -> None:
        """Let something go wrong with the next `times` calls: place, batch, cancel, amend, find or read.

        kind   as the simulated exchange names it: `lost` (done, not answered), `reset` (not done, not answered)
        """

    @abstractmethod
    def clear(self) -> None:
        """Let nothing go wrong any more, and every clock be right."""

    @abstractmethod
    def orders_there(self, account: VenueAccount) -> list[There]:
        """Return every order the venue ever took from an account."""

    @abstractmethod
    def fills_there(self, account: VenueAccount) -> dict[str, Decimal]:
        """Return the quantity of every fill of an account, by the venue's id of it."""

    @abstractmethod
    def wallet_there(self, account: VenueAccount) -> Decimal:
        """Return what an account has, as the venue keeps it."""

    @abstractmethod
    def held_there(self, account: VenueAccount) -> dict[str, Decimal]:
        """Return the positions of an account that are not flat, signed."""

    def open_there(self, account: VenueAccount) -> dict[str, Decimal]:
        """Return what the orders of an account bought and did not sell again, signed.

        Where coins are held it is not what is held: some were there before, and commission took of them.
        """
        return self.held_there(account)

    def as_told(self, terms: OrderTerms) -> OrderTerms:
        """Return terms as the venue can tell them again."""
        return terms

    @abstractmethod
    def asked_to_place(self, account: VenueAccount) -> int:
        """Return how many requests to place an order of an account have reached the venue."""

    @abstractmethod
    def rules_there(self, symbol: str) -> Instrument:
        """Return an instrument as the venue has it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    # ── Only where there is a wire ────────────────────────────────────────────────────────────────

    def requests_there(self) -> int:
        """Return how many requests of the adapter have reached the venue."""
        raise NotImplementedError

    def methods_since(self, request: int) -> set[str]:
        """Return the HTTP methods of the signed requests after a number of them."""
        raise NotImplementedError

    def skew(self, ahead: timedelta) -> None:
        """Let the adapter's clock be wrong."""
        raise NotImplementedError

    def on_stream(self, kind: str, *, times: int = -1, event: str = "") -> None:
        """Let something go wrong with frames of user streams: drop, duplicate or reorder."""
        raise NotImplementedError

    def cut(self, account: VenueAccount) -> None:
        """Cut the connection on which an account is heard."""
        raise NotImplementedError

    def expire_key(self, account: VenueAccount) -> None:
        """End the key by which an account is heard."""
        raise NotImplementedError

    def impatient(self) -> Venue:
        """Return the same adapter again, which waits for nothing longer than a blink. The caller closes it."""
        raise NotImplementedError

    def streams_opened(self, account: VenueAccount) -> int:
        """Return how often the stream of an account was opened."""
        raise NotImplementedError

    def hedge(self, account: VenueAccount) -> None:
        """Let an account keep long and short apart."""
        raise NotImplementedError

    def change_rules(self, symbol: str, quantity_max: Decimal) -> None:
        """Let the venue change an instrument."""
        raise NotImplementedError

    def stranger(self) -> VenueAccount:
        """Return an account whose credential the venue does not take."""
        raise NotImplementedError

    def may_withdraw(self) -> VenueAccount:
        """Return an account whose credential may withdraw."""
        raise NotImplementedError

    # ── For every one ─────────────────────────────────────────────────────────────────────────────

    def pause(self) -> timedelta:
        """Return how long to wait before a card, so that no budget is spent."""
        return timedelta(seconds=121)

    def reset(self) -> None:
        """Begin a card: nothing goes wrong, no budget is spent, and prices are where they start."""
        self.clear()
        self.advance(self.pause())
        for symbol, price in START.items():
            self.put(symbol, price)

    def trader(self, deposit: int = DEPOSIT) -> "Trader":
        """Return who trades, on an account of its own."""
        return Trader(self, self.open(deposit))

    def quote(self, symbol: str = BTC) -> Quote:
        """Return the present price."""
        (quote,) = self.venue.quotes([symbol])
        return quote


class Trader:
    """An account at a stand, and orders in one line."""

    def __init__(self, stand: Stand, account: VenueAccount) -> None:
        self.stand = stand
        self.account = account

    def request(
        self,
        side: Side,
        quantity: str,
        kind: OrderType = OrderType.MARKET,
        *,
        symbol: str = BTC,
        price: str | Decimal | None = None,
        stop: str | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        reduce_only: bool = False,
        close: bool = False,
        id_: str = "",
        at: datetime | None = None,
    ) -> OrderRequest:
        """Return an order with an id of its own."""
        terms = OrderTerms(
            symbol,
            side,
            kind,
            Decimal(quantity),
            None if price is None else Decimal(price),
            None if stop is None else Decimal(stop),
            tif,
            reduce_only,
        )
        client_id = id_ or f"card{next(_ids)}"
        return OrderRequest(client_id, terms, at or self.stand.clock.now(), close)

    def send(self, *requests: OrderRequest, venue: Venue | None = None) -> list[PlaceOutcome]:
        """Place orders, by another adapter than the stand's if one is named; one outcome each."""
        return (venue or self.stand.venue).place(self.account, requests)

    def place(self, request: OrderRequest) -> PlaceOutcome:
        """Place one order."""
        return self.send(request)[0]

    def placed(self, request: OrderRequest) -> OrderRequest:
        """Place one order that the venue takes, and return it."""
        outcome = self.place(request)
        assert isinstance(outcome, Accepted), outcome
        return request

    def buy(self, quantity: str, *, symbol: str = BTC) -> OrderRequest:
        """Buy at the market."""
        return self.placed(self.request(Side.BUY, quantity, symbol=symbol))

    def rest(self, side: Side = Side.BUY, quantity: str = "0.010", price: str = "64000") -> OrderRequest:
        """Let a limit order stand."""
        return self.placed(self.request(side, quantity, OrderType.LIMIT, price=price))

    def too_large(self, tif: TimeInForce = TimeInForce.GTC) -> OrderRequest:
        """Return a limit order for more than there is at its price; some of it is there."""
        return self.request(Side.BUY, "9000", OrderType.LIMIT, symbol=SOL, price=self.stand.quote(SOL).ask, tif=tif)

    def find(self, request: OrderRequest) -> FindOutcome:
        """Ask for an order by its id."""
        return self.stand.venue.find(self.account, request.terms.symbol, request.client_order_id)

    def report(self, request: OrderRequest) -> OrderReport:
        """Return an order that is there, as the adapter tells it when asked."""
        found = self.find(request)
        assert isinstance(found, Accepted), found
        return found.report

    def status(self, request: OrderRequest) -> VenueStatus:
        """Return where an order is."""
        return self.report(request).status

    def cancel(self, request: OrderRequest) -> Any:
        """Cancel an order."""
        return self.stand.venue.cancel(self.account, request.terms.symbol, request.client_order_id)

    def position(self, symbol: str = BTC) -> Decimal:
        """Return what was bought and not sold, signed; what the adapter tells must be what the venue has."""
        told = {each.symbol: each.quantity for each in self.stand.venue.positions(self.account)}
        assert told == self.stand.held_there(self.account)
        return self.stand.open_there(self.account).get(symbol, Decimal(0))

    def there(self, request: OrderRequest) -> list[There]:
        """Return every order of that id which the venue has ever taken."""
        orders = self.stand.orders_there(self.account)
        return [each for each in orders if each.client_order_id == request.client_order_id]

    def fills(self, symbol: str = BTC, after: str | None = None) -> list[Fill]:
        """Return the fills of an instrument as the adapter tells them."""
        return self.stand.venue.fills_after(self.account, symbol, after)

    @contextmanager
    def listening(self, venue: Venue | None = None) -> Iterator["Heard"]:
        """Listen to the account from now on; begins when everything is heard."""
        heard = Heard()
        stop = (venue or self.stand.venue).listen(self.account, heard.take)
        try:
            heard.until(lambda: StreamState.LIVE in heard.states)
            yield heard
        finally:
            stop()


class Heard:
    """What a listener was told, in order."""

    def __init__(self) -> None:
        self.events: list[AccountEvent] = []
        self._changed = threading.Condition()

    def take(self, event: AccountEvent) -> None:
        """Take in one event."""
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def until(self, check: Callable[[], bool], within: float = 90.0) -> None:
        """Wait until it is so; it must become so."""
        deadline = time.monotonic() + within
        with self._changed:
            while not check():
                left = deadline - time.monotonic()
                assert left > 0, f"was not told within {within} s; last: {self.events[-20:]}"
                self._changed.wait(left)

    @property
    def states(self) -> list[StreamState]:
        """Return how well the account was heard, each change."""
        return [event.stream for event in self.events if event.stream is not None]

    def reports(self, client_order_id: str) -> list[OrderReport]:
        """Return what was told of an order."""
        found = [event.report for event in self.events if event.report is not None]
        return [report for report in found if report.client_order_id == client_order_id]

    def fills(self, *, after: int = 0) -> list[Fill]:
        """Return every fill that was told, as often as it was told; behind so many events."""
        return [fill for event in self.events[after:] if event.report is not None for fill in event.report.fills]

    def tells(self, request: OrderRequest, status: VenueStatus) -> Callable[[], bool]:
        """Return what says whether an order was told to be there."""
        return lambda: any(report.status is status for report in self.reports(request.client_order_id))

    def tells_fills(self, quantity: Decimal) -> Callable[[], bool]:
        """Return what says whether so much was told to have filled, each fill counted once."""
        return lambda: sum({f.venue_trade_id: f.quantity for f in self.fills()}.values(), Decimal(0)) >= quantity
