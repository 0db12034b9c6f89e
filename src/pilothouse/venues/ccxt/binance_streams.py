"""What Binance tells on its own: orders and fills of an account, prices of instruments; messages in, the port's out.

The streams are spoken here and not by ccxt's streaming classes: those keep no order between an account's events, tell
nothing of a gap, and know a conditional order and what it made as two orders that have nothing to do with each other.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, Protocol

from pilothouse.core.clock import Clock
from pilothouse.core.quote import Quote
from pilothouse.kit import exact_json
from pilothouse.venues.ccxt import binance_words as told
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.codes import Outcome
from pilothouse.venues.ccxt.exchange import Endpoint, Failed, NotDone, Session
from pilothouse.venues.ccxt.plain import Ask
from pilothouse.venues.held_streams import StreamEnded
from pilothouse.venues.port import AccountEvent, FundingPayment, OrderReport, VenueStatus

FUTURES: Final = "wss://fstream.binance.com"
FUTURES_DEMO: Final = "wss://fstream.binancefuture.com"
SPOT: Final = "wss://stream.binance.com:9443"
SPOT_DEMO: Final = "wss://demo-stream.binance.com"
SPOT_CALLS: Final = "wss://ws-api.binance.com"
SPOT_CALLS_DEMO: Final = "wss://demo-ws-api.binance.com"

_KEEP_S: Final = 1_500.0
_DAY_S: Final = 86_400.0
_TIME_IS_OFF: Final = "-1021"
_RECENT: Final = timedelta(hours=1)
_RESTS: Final = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})
_LATER: Final = frozenset({"TRIGGERED", "FINISHED"})
_OVER: Final = frozenset({"listenKeyExpired", "eventStreamTerminated", "serverShutdown"})


class Tells(Protocol):
    """What a futures stream asks of the rest."""

    def is_ours(self, session: Session, client_order_id: str) -> bool:
        """Say whether an order of this client id was sent by this process and never waited for a trigger."""
        ...

    def name_of_row(self, session: Session, row: words.Row) -> str:
        """Return the client id of an order whose row is there: that of what made it, if it was conditional."""
        ...

    def algo_of(self, session: Session, client_order_id: str) -> OrderReport | None:
        """Return a conditional order by its client id, as it was placed; None if there is none."""
        ...

    def learn_algo(self, session: Session, client_order_id: str, symbol: str, made: str) -> None:
        """Remember a conditional order, and the number of what it made; empty: nothing yet."""
        ...

    def funding_since(self, session: Session, since: datetime) -> Sequence[FundingPayment]:
        """Ask for the funding payments since an instant."""
        ...


class FuturesAccount:
    """The user stream of one account of USD-M futures."""

    keep_s = _KEEP_S

    def __init__(self, ask: Ask, account_id: str, endpoint: Endpoint, tells: Tells) -> None:
        """Ask with the account's keys by `ask`."""
        self._ask = ask
        self._id = account_id
        self._tells = tells
        self._base = endpoint.stream_base or (FUTURES_DEMO if endpoint.testnet else FUTURES)
        self._algos: dict[str, OrderReport] = {}

    def open(self) -> tuple[str, Sequence[str]]:
        """Open a listen key; the address has it."""
        answer = self._ask(lambda session: session.x.fapiPrivatePostListenKey())
        return f"{self._base}/private/ws?listenKey={words.text(words.row(answer), 'listenKey')}", ()

    def keep(self) -> None:
        """Extend the listen key, which lasts an hour."""

        def extended(session: Session) -> bool:
            try:
                session.x.fapiPrivatePutListenKey()
            except NotDone as not_done:
                if not_done.failed.outcome is not Outcome.REJECTED:
                    raise
                return False
            return True

        if not self._ask(extended):
            raise StreamEnded("the listen key is no more")

    def asks(self, message: Any) -> bool:
        """Say whether a message needs the exchange, or what is known of other orders, to be understood."""
        event = told.inner(message)
        return isinstance(event, dict) and event.get("e") in {"ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE"}

    def understood(self, message: Any) -> Sequence[AccountEvent]:
        """Return what a message tells."""
        event = told.inner(message)
        kind = event.get("e") if isinstance(event, dict) else None
        if kind == "ORDER_TRADE_UPDATE":
            return [AccountEvent(self._id, report=self._order(words.row(event.get("o"))))]
        if kind == "ALGO_UPDATE":
            report = self._algo(event, words.row(event.get("o")))
            return [] if report is None else [AccountEvent(self._id, report=report)]
        if kind == "ACCOUNT_UPDATE" and words.row(event.get("a")).get("m") == "FUNDING_FEE":
            # The stream tells the new balance and not which payment it was: that is asked for.
            funding = self._ask(lambda session: self._tells.funding_since(session, session.now() - _RECENT))
            return [AccountEvent(self._id, funding=each) for each in funding]
        if kind in _OVER:
            raise StreamEnded(f"the stream says {kind}")
        return []

    def _order(self, order: words.Row) -> OrderReport:
        fill = told.fill_of_event(order, spot=False)
        report = told.report_of(order, told.EVENT, fills=() if fill is None else [fill])
        algo = self._made_by(order, report)
        if algo is None:
            return report
        whole = told.triggered(algo, report)
        if whole.status not in _RESTS:
            self._algos.pop(whole.client_order_id, None)
        return whole

    def _made_by(self, order: words.Row, report: OrderReport) -> OrderReport | None:
        """Return the conditional order that made this one; None if none did."""
        row = {"symbol": order.get("s"), "orderId": order.get("i"), "clientOrderId": order.get("c"),
               "updateTime": order.get("T")}  # fmt: skip

        def asked(session: Session) -> OrderReport | None:
            known = session.names.of(self._id, report.venue_order_id)
            if known is None and self._tells.is_ours(session, report.client_order_id):
                session.names.learn(self._id, report.venue_order_id, report.client_order_id)
                return None
            name = known if known is not None else self._tells.name_of_row(session, row)
            return self._algos.get(name) or self._tells.algo_of(session, name)

        found: OrderReport | None = self._ask(asked)
        if found is not None:
            self._algos[found.client_order_id] = found
        return found

    def _algo(self, event: words.Row, algo: words.Row) -> OrderReport | None:
        """Return what is told of a conditional order; None from its trigger on: what it made tells the rest."""
        report = told.algo_report(algo, told.ALGO_EVENT, event)
        made = str(algo.get("ai") or "")
        name, symbol = report.client_order_id, report.terms.symbol
        self._ask(lambda session: self._tells.learn_algo(session, name, symbol, made))
        if report.status in _RESTS:
            self._algos[name] = report
        elif not made:
            self._algos.pop(name, None)
        return None if made or algo.get("X") in _LATER else report


class SpotAccount:
    """The user stream of one account of spot: subscribed to by a signed call over the socket."""

    keep_s = _DAY_S

    def __init__(self, ask: Ask, account_id: str, endpoint: Endpoint, receive_window_ms: int) -> None:
        """Sign with the account's keys, which `ask` lends."""
        self._ask = ask
        self._id = account_id
        self._window = receive_window_ms
        self._stale: Failed | None = None
        self._base = endpoint.stream_base or (SPOT_CALLS_DEMO if endpoint.testnet else SPOT_CALLS)

    def open(self) -> tuple[str, Sequence[str]]:
        """Return the address of calls, and the signed call."""
        call: str = self._ask(self._call)
        return f"{self._base}/ws-api/v3", [call]

    def _call(self, session: Session) -> str:
        if self._stale is not None:  # who asks reads the exchange's clock, and asks once more
            stale, self._stale = self._stale, None
            raise NotDone(stale)
        x = session.x
        params = {
            "apiKey": session.keys.get("apiKey"),
            "recvWindow": str(self._window),
            "timestamp": str(session.milliseconds()),
        }
        signed, secret = "&".join(f"{name}={params[name]}" for name in sorted(params)), session.keys.get("secret")
        if "PRIVATE KEY" in secret:
            params["signature"] = x.eddsa(x.encode(signed), secret, "ed25519")
        else:
            params["signature"] = x.hmac(x.encode(signed), x.encode(secret), hashlib.sha256)
        numbers = {name: int(params[name]) for name in ("recvWindow", "timestamp")}
        call = {"id": 1, "method": "userDataStream.subscribe.signature", "params": {**params, **numbers}}
        return exact_json.dumps(call)

    def keep(self) -> None:
        """Do nothing: what was subscribed to lasts as long as the connection."""

    def asks(self, message: Any) -> bool:
        """Say no: a message says all there is to know."""
        return False

    def understood(self, message: Any) -> Sequence[AccountEvent]:
        """Return what a message tells."""
        if isinstance(message, dict) and "status" in message and message.get("status") != 200:
            raise self._refused(message.get("error"))
        event = told.inner(message)
        kind = event.get("e") if isinstance(event, dict) else None
        if kind in _OVER:
            raise StreamEnded(f"the stream says {kind}")
        if kind != "executionReport":
            return []
        named = {**event, "c": event.get("C") or event.get("c")}  # a cancel has an id of its own; ours stands beside it
        fill = told.fill_of_event(named, spot=True)
        report = told.report_of(named, told.SPOT_EVENT, spot=True, fills=() if fill is None else [fill])
        return [AccountEvent(self._id, report=report)]

    def _refused(self, error: Any) -> StreamEnded:
        """Return the end of a subscription that was refused; one whose time was off is signed by a clock read anew."""
        why = f"the exchange refuses the subscription: {error}"
        if isinstance(error, dict) and str(error.get("code")) == _TIME_IS_OFF:
            self._stale = Failed(Outcome.STALE, _TIME_IS_OFF, why)
        return StreamEnded(why)


# ── Prices ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is known of one instrument so far."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    mark: Decimal | None = None
    last: Decimal | None = None
    at: datetime | None = None
    bid_quantity: Decimal | None = None
    ask_quantity: Decimal | None = None
    funding_rate: Decimal | None = None
    funding_at: datetime | None = None
    book_at: datetime | None = None
    mark_at: datetime | None = None
    last_at: datetime | None = None


class _Prices:
    """Puts quotes together: best prices, mark and last come in messages of their own."""

    each: int = 60
    has_mark: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._venue = endpoint.venue
        self._clock = clock
        self._parts: dict[str, _Parts] = {}

    def put(self, quotes: Sequence[Quote]) -> None:
        """Begin with quotes that were asked for."""
        for quote in quotes:
            self._parts[quote.symbol] = _Parts(
                quote.bid, quote.ask, quote.mark, quote.last, quote.at, quote.bid_quantity, quote.ask_quantity,
                quote.funding_rate, quote.funding_at, quote.book_at or quote.at, quote.mark_at or quote.at,
                quote.last_at or quote.at,
            )  # fmt: skip

    def understood(self, message: Any) -> Sequence[Quote]:
        """Return the quote of an instrument if a message completes it."""
        if isinstance(message, dict) and isinstance(message.get("error"), dict):
            raise StreamEnded(f"the exchange refuses the subscription: {message['error'].get('msg')}")
        event = told.inner(message)
        if not isinstance(event, dict) or not isinstance(event.get("s"), str):
            return ()
        kind, symbol = event.get("e"), event["s"]
        parts = self._parts.get(symbol, _Parts())
        at = words.instant(event, "T" if event.get("T") and kind == "bookTicker" else "E") if event.get("E") else None
        at = at if at is not None else self._clock.now()
        if kind == "bookTicker" or (kind is None and "b" in event and "a" in event):
            sizes = told.sizes(event, "B", "A")
            parts = replace(parts, bid=words.number(event, "b"), ask=words.number(event, "a"))
            parts = replace(parts, bid_quantity=sizes[0], ask_quantity=sizes[1], book_at=max(parts.book_at or at, at))
        elif kind == "markPriceUpdate":
            rate, at_next = told.funding(event, "r", "T")
            parts = replace(parts, mark=words.number(event, "p"), mark_at=at, funding_rate=rate, funding_at=at_next)
        elif kind in {"24hrMiniTicker", "24hrTicker"}:
            parts = replace(parts, last=words.number(event, "c"), last_at=at)
            parts = parts if self.has_mark else replace(parts, mark_at=at)  # the last price stands for it
        else:
            return ()
        parts = replace(parts, at=max(parts.at or at, at))
        self._parts[symbol] = parts
        quote = self._quote(symbol, parts)
        return () if quote is None else (quote,)

    def _quote(self, symbol: str, parts: _Parts) -> Quote | None:
        mark = parts.mark if self.has_mark else parts.last
        if parts.bid is None or parts.ask is None or mark is None or parts.last is None or parts.at is None:
            return None
        if not 0 < parts.bid < parts.ask or mark <= 0 or parts.last <= 0:
            return None  # an empty or a crossed book has no price to go by
        return Quote(
            symbol, parts.bid, parts.ask, mark, parts.last, parts.at, self._venue,
            parts.bid_quantity, parts.ask_quantity, parts.funding_rate, parts.funding_at, parts.book_at, parts.mark_at,
            parts.last_at,
        )  # fmt: skip


class FuturesPrices(_Prices):
    """Prices of USD-M futures: books are told at one address, marks and last prices at another."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        """Speak to `endpoint`."""
        super().__init__(endpoint, clock)
        self._base = endpoint.stream_base or (FUTURES_DEMO if endpoint.testnet else FUTURES)

    def open(self, symbols: Sequence[str]) -> Sequence[tuple[str, Sequence[str]]]:
        """Return both addresses, and what is subscribed to there."""
        books, others = _subscription(symbols, ("bookTicker",)), _subscription(symbols, ("markPrice@1s", "miniTicker"))
        return [(f"{self._base}/public/stream", [books]), (f"{self._base}/market/stream", [others])]


class SpotPrices(_Prices):
    """Prices of spot: there is no mark price, so the last price stands for it."""

    has_mark = False

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        """Speak to `endpoint`."""
        super().__init__(endpoint, clock)
        self._base = endpoint.stream_base or (SPOT_DEMO if endpoint.testnet else SPOT)

    def open(self, symbols: Sequence[str]) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the address, and what is subscribed to there."""
        return [(f"{self._base}/stream", [_subscription(symbols, ("bookTicker", "miniTicker"))])]


def _subscription(symbols: Sequence[str], kinds: Sequence[str]) -> str:
    names = [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds]
    return exact_json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1})
