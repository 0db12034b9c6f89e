"""Binance spot, asked in the exchange's own words: coins are bought and held, and nothing is owed on them.

A position here is what is held of a coin, whoever bought it and when; the commission of a purchase is taken out of it.
Stops compare with the last price: there is no mark.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from pilothouse.core.clock import Clock
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT
from pilothouse.venues.bounds import Rules
from pilothouse.venues.ccxt import binance_words as told
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.binance_params import list_name, pair_params, spot_params
from pilothouse.venues.ccxt.binance_streams import SpotAccount, SpotPrices
from pilothouse.venues.ccxt.codes import Outcome
from pilothouse.venues.ccxt.exchange import Endpoint, NotDone, Session
from pilothouse.venues.ccxt.plain import Ask, Trial, holding, label
from pilothouse.venues.ccxt.quirks.binance import RECEIVE_WINDOW_MS, Binance, by_symbol, may_withdraw
from pilothouse.venues.held_streams import AccountSpeech
from pilothouse.venues.port import OrderReport, OrderRequest, VenueBalance, VenuePosition
from pilothouse.venues.price_feeds import MarketSpeech


class BinanceSpot(Binance):
    """Binance spot."""

    exchange = "binance"
    title = "Binance spot"
    kind = "spot"
    trails = False
    options: ClassVar[Mapping[str, Any]] = {**Binance.options, "defaultType": "spot"}
    weight_limit = 6_000
    order_limits = ((100, 10), (200_000, 86_400))
    quiet_paths = ()
    order_paths = ("order", "oco")
    trade_span = timedelta(hours=24)  # the exchange tells no more at once
    trades_name = "MyTrades"
    without_funding = "spot lends nothing, so it pays none"
    weights: ClassVar[Mapping[str, int]] = {
        "GET order": 4, "POST order": 1, "DELETE order": 1, "openOrders": 80, "account": 20, "myTrades": 20,
        "exchangeInfo": 20, "orderList": 4, "klines": 2, "bookTicker": 4, "price": 4, "time": 1,
    }  # fmt: skip

    def public(self, session: Session, method: str, name: str) -> Callable[..., Any]:
        """Return what asks an endpoint that everybody may ask."""
        call: Callable[..., Any] = getattr(session.x, f"public{method}{name}")
        return call

    def signed(self, session: Session, method: str, name: str) -> Callable[..., Any]:
        """Return what asks an endpoint for an account."""
        call: Callable[..., Any] = getattr(session.x, f"private{method}{name}")
        return call

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    def instruments(self, session: Session) -> dict[str, Rules]:
        """Ask for every pair that trades against the settlement currency, by symbol."""
        info = self.exchange_info(session, session.x.publicGetExchangeInfo)
        found = {}
        for symbol in words.rows(info.get("symbols")):
            trades = symbol.get("status") == "TRADING" and symbol.get("isSpotTradingAllowed") is not False
            rules = told.rules_of(symbol, {}, spot=True) if trades else None
            if rules is not None and rules.instrument.quote == self.settlement:
                found[rules.instrument.symbol] = rules
        session.shared["bases"] = {each.instrument.base: each.instrument.symbol for each in found.values()}
        return found

    def quotes(self, session: Session, symbols: Sequence[str], venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`, best prices last: they are not older than the other."""
        lasts = by_symbol(session.x.publicGetTickerPrice())
        books = by_symbol(session.x.publicGetTickerBookTicker())
        quotes = []
        for symbol in symbols:
            book, last = books.get(symbol), lasts.get(symbol)
            if book is None or last is None:
                continue
            bid, ask = told.levels(book)
            if 0 < bid < ask:
                price = words.number(last, "price")
                quotes.append(Quote(symbol, bid, ask, price, price, session.now(), venue, *told.sizes(book)))
        return quotes

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once."""
        answer = words.row(session.x.privatePostOrder(spot_params(request)))
        if "status" not in answer:  # a short answer, as some kinds get whatever is asked for
            answer = {**spot_params(request), **answer, "status": "NEW", "executedQty": "0",
                      "origQty": str(request.terms.quantity)}  # fmt: skip
        report = told.report_of(answer, told.REST, spot=True)
        session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
        return report

    def place_pair(self, session: Session, request: OrderRequest, beside: OrderRequest) -> tuple[OrderReport, ...]:
        """Send two orders of which one ends the other, once; return both, in this order."""
        answer = words.row(session.x.privatePostOrderListOco(pair_params(request, beside)))
        reports = {}
        for row in words.rows(answer.get("orderReports")):
            report = told.report_of(row, told.REST, spot=True)
            session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
            reports[report.client_order_id] = report
        if request.client_order_id not in reports or beside.client_order_id not in reports:
            raise words.NotUnderstood("the answer to a pair does not tell of both of its orders")
        return reports[request.client_order_id], reports[beside.client_order_id]

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order. The answer has an id of its own; ours stands beside it.

        Of a pair both are cancelled, and told of together.
        """
        params = {"symbol": symbol, "origClientOrderId": client_order_id}
        answer = words.row(session.x.privateDeleteOrder(params))
        for each in words.rows(answer.get("orderReports") or []):
            if client_order_id in {each.get("origClientOrderId"), each.get("clientOrderId")}:
                answer = each
        return told.report_of({**answer, "clientOrderId": client_order_id}, told.REST, spot=True)

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id, with all of its fills; a stop that is not known, as half of a pair too."""
        params = {"symbol": symbol, "origClientOrderId": client_order_id}
        try:
            order = words.row(session.x.privateGetOrder(params))
        except NotDone as not_done:
            if not_done.failed.outcome is not Outcome.ABSENT or not self._is_in_a_pair(session, client_order_id):
                raise
            raise words.NotUnderstood("the pair is known there, and its stop is not told of yet") from None
        report = told.report_of(order, told.REST, spot=True)
        session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
        if report.filled_quantity == 0:
            return report
        fills = self.all_fills(session, symbol, report.venue_order_id, report)
        return told.report_of(order, told.REST, spot=True, fills=fills)

    def _is_in_a_pair(self, session: Session, client_order_id: str) -> bool:
        """Ask whether there is a pair of which this is the stop: then the stop is there, too."""
        try:
            session.x.privateGetOrderList({"origClientOrderId": list_name(client_order_id)})
        except NotDone as not_done:
            if not_done.failed.outcome not in {Outcome.ABSENT, Outcome.REJECTED}:
                raise
            return False
        return True

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands."""
        rows = words.rows(session.x.privateGetOpenOrders())
        reports = [told.report_of(row, told.REST, spot=True) for row in rows]
        for report in reports:
            session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
        return reports

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def holdings(self, session: Session) -> list[VenuePosition]:
        """Ask for the coins that are held, free or locked in an order: whatever was there before is among them."""
        if "bases" not in session.shared:
            self.instruments(session)
        bases: Mapping[str, str] = session.shared["bases"]
        held = []
        for row in self._balances(session):
            quantity = EXACT.add(words.number(row, "free"), words.number(row, "locked"))
            if row.get("asset") in bases and quantity != 0:
                held.append(holding(bases[words.text(row, "asset")], quantity))
        return held

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds of its settlement currency; what stands in orders is locked."""
        zero = words.ZERO
        for row in self._balances(session):
            if row.get("asset") == self.settlement:
                free, locked = words.number(row, "free"), words.number(row, "locked")
                whole = EXACT.add(free, locked)
                return VenueBalance(self.settlement, whole, free, whole, zero, whole, locked, zero)
        return VenueBalance(self.settlement, zero, zero, zero, zero, zero, zero, zero)

    @staticmethod
    def _balances(session: Session) -> list[words.Row]:
        account = words.row(session.x.privateGetAccount({"omitZeroBalances": "true"}))
        return words.rows(account.get("balances"))

    def examine(self, session: Session) -> Trial:
        """Find out about a key without changing anything."""
        account = words.row(session.x.privateGetAccount({"omitZeroBalances": "true"}))
        may_trade = words.truth(account, "canTrade") if "canTrade" in account else None
        return Trial(label(session.keys.get("apiKey")), may_trade=may_trade, may_withdraw=may_withdraw(session))

    # ── Streams ───────────────────────────────────────────────────────────────────────────────────

    def account_speech(self, ask: Ask, account_id: str, endpoint: Endpoint) -> AccountSpeech | None:
        """Return the user stream of an account."""
        return SpotAccount(ask, account_id, endpoint, RECEIVE_WINDOW_MS)

    def market_speech(self, endpoint: Endpoint, clock: Clock) -> MarketSpeech | None:
        """Return the streams of prices."""
        return SpotPrices(endpoint, clock)
