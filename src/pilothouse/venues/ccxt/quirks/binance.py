"""Binance: what USD-M futures and spot share, and USD-M futures themselves, asked in the exchange's own words.

Binance counts conditional orders apart: they are placed, found and cancelled at `algoOrder`, and when one triggers it
makes an order of another number and perhaps another client id. Here both are one order, under our client id.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from pilothouse.core.candle import Candle
from pilothouse.core.clock import Clock, from_micros, millis
from pilothouse.core.errors import NotFound
from pilothouse.core.fill import Fill
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.order import OrderType
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import plain
from pilothouse.kit.throttle import Budget, Use
from pilothouse.venues.bounds import Rules
from pilothouse.venues.ccxt import binance_words as told
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.binance_params import order_params
from pilothouse.venues.ccxt.binance_streams import FuturesAccount, FuturesPrices
from pilothouse.venues.ccxt.codes import Fault, Outcome
from pilothouse.venues.ccxt.codes_binance import (
    HEDGED,
    HEDGED_WORDS,
    TRIGGERED_TEXTS,
    WOULD_TRIGGER,
    outcome_of,
)
from pilothouse.venues.ccxt.exchange import Endpoint, Failed, NotDone, Outgoing, Session
from pilothouse.venues.ccxt.library import ccxt
from pilothouse.venues.ccxt.names import OrderNames
from pilothouse.venues.ccxt.plain import Ask, Quirks, Trial, label
from pilothouse.venues.held_streams import AccountSpeech
from pilothouse.venues.port import (
    FundingPayment,
    MarginType,
    OrderReport,
    OrderRequest,
    Transfer,
    VenueBalance,
    VenuePosition,
)
from pilothouse.venues.price_feeds import MarketSpeech

RECEIVE_WINDOW_MS: Final = 5_000
TIMEFRAMES: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")

_WINDOWS = {10: ("SECOND", 10), 60: ("MINUTE", 1), 86_400: ("DAY", 1)}
"""By its seconds: how Binance names a window in which orders are counted."""

_TOLD_FOR: Final = timedelta(days=7)
_SLACK: Final = timedelta(seconds=10)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SIBLINGS_FOR: Final = timedelta(minutes=10)
_PAGE: Final = 1_000
_RATES_BUDGET: Final = ":funding"
_RATES_IN_SECONDS: Final = (500, 300)
"""So many questions for the history of funding, in so many seconds; the exchange tells nowhere how many were used."""
_TRADED: Final = frozenset({"COMMISSION", "REALIZED_PNL"})
_FUNDING: Final = "FUNDING_FEE"
_ABSENT: Final = Outcome.ABSENT


class Binance(Quirks):
    """What both sides of Binance share.

    weights        of requests by method and path, as the exchange counts them for an address; others weigh `usual`
    order_paths    that place an order, counted for the account too
    """

    options: ClassVar[Mapping[str, Any]] = {
        "recvWindow": RECEIVE_WINDOW_MS,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    }
    weights: ClassVar[Mapping[str, int]] = {}
    weight_limit: ClassVar[int] = 2_400
    order_limits: ClassVar[tuple[tuple[int, int], ...]] = ((300, 10), (1_200, 60))
    order_paths: ClassVar[tuple[str, ...]] = ("order",)
    quiet_paths: ClassVar[tuple[str, ...]] = ("listenKey",)
    trade_span: ClassVar[timedelta] = _TOLD_FOR

    def prepare(self, x: Any) -> None:
        """Leave no broker's prefix to be put before an id: there is always one of ours."""
        x.options["broker"] = {}

    def testnet(self, x: Any) -> None:
        """Turn to what Binance calls demo trading; its older testnet of futures is no more."""
        x.enable_demo_trading(True)

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def changes(self, out: Outgoing) -> bool:
        """Say whether a request may change something; extending a listen key twice does no harm."""
        return out.method != "GET" and not out.path.endswith(self.quiet_paths)

    def fault_of(self, session: Session, status: int, text: str, value: Any, out: Outgoing) -> Fault | None:
        """Return the error in an answer: a status that is none of success, or a code below zero."""
        code = self.code_of(value)
        if 200 <= status < 300 and not code.startswith("-"):
            return None
        said = self.text_of(value) or text
        return Fault(status, code, f"{said} {HEDGED_WORDS}" if code == HEDGED else said)

    def outcome(self, fault: Fault) -> Outcome:
        """Return what an error means, by Binance's own table."""
        return outcome_of(fault)

    def would_trigger(self, failed: Failed) -> bool:
        """Say whether an order was refused because its trigger was passed already."""
        return failed.code in WOULD_TRIGGER or any(text in failed.message.lower() for text in TRIGGERED_TEXTS)

    def costs(self, venue: str, address: str, session: Session, out: Outgoing) -> Mapping[Budget, int]:
        """Return the weight for the address, and an order for the account if it places one."""
        name = out.path.rpartition("/")[2]
        weight = self.weights.get(f"{out.method} {name}", self.weights.get(name, 1))
        limit = session.shared.get("weight_limit", self.weight_limit)
        host = "sapi" if "/sapi/" in out.path else self.kind
        costs = {Budget(f"{venue}:{address}:{host}:weight", limit, kept=limit // 4): weight}
        if out.method in {"POST", "PUT"} and name in self.order_paths:
            for most, seconds in session.shared.get("order_limits", self.order_limits):
                costs[Budget(f"{venue}:{self.owner(session)}:orders:{seconds}", most, seconds)] = (
                    2 if name == "oco" else 1
                )
        return costs

    def exchange_info(self, session: Session, ask: Callable[[], Any]) -> words.Row:
        """Return what `ask` is answered, exchangeInfo, and keep the limits that it tells; the first time at once."""
        use = session.use
        if "weight_limit" not in session.shared:
            session.use = Use.FIRST
        info = words.row(ask())
        session.use = use
        self.keep_limits(session, info)
        return info

    def keep_limits(self, session: Session, info: words.Row) -> None:
        """Keep the limits that exchangeInfo tells: they are raised for who trades much."""
        session.shared["weight_limit"] = told.limit_of(info, "REQUEST_WEIGHT", "MINUTE", 1, self.weight_limit)
        session.shared["order_limits"] = tuple(
            (told.limit_of(info, "ORDERS", *_WINDOWS[seconds], most), seconds) for most, seconds in self.order_limits
        )

    def used(self, costs: Mapping[Budget, int], headers: Mapping[str, str]) -> Mapping[Budget, int]:
        """Return what the exchange says was used: of the weight by the minute, of orders by each of their windows."""
        found = {}
        for budget in costs:
            if budget.name.endswith(_RATES_BUDGET):
                continue
            if budget.name.endswith(":weight"):
                name = "x-mbx-used-weight-1m"
            else:
                name = "x-mbx-order-count-" + ("10s" if budget.window_s == 10 else "1m")
            value = headers.get(name, "")
            if value.isascii() and value.isdigit() and len(value) < 12:
                found[budget] = int(value)
        return found

    def blocked(self, costs: Mapping[Budget, int], fault: Fault) -> Iterable[Budget]:
        """Return whose pause it is: too many orders are the account's, all else is the address's."""
        orders = [budget for budget in costs if ":orders:" in budget.name]
        if orders and "-1015" in fault.text:
            return orders
        return [budget for budget in costs if budget.name.endswith(":weight")]

    # ── Endpoints by name ─────────────────────────────────────────────────────────────────────────

    def public(self, session: Session, method: str, name: str) -> Callable[..., Any]:
        """Return what asks an endpoint that everybody may ask."""
        raise NotImplementedError

    def signed(self, session: Session, method: str, name: str) -> Callable[..., Any]:
        """Return what asks an endpoint for an account."""
        raise NotImplementedError

    def server_time(self, session: Session) -> datetime | None:
        """Ask for the exchange's time."""
        value = int(words.number(words.row(self.public(session, "Get", "Time")()), "serverTime"))
        return from_micros(value * 1_000 + 500)

    def timeframes(self, session: Session) -> tuple[str, ...]:
        """Return how long candles may be."""
        return TIMEFRAMES

    def candles(self, session: Session, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Ask for candles that open from `start` to `end`, oldest first, up to a thousand."""
        params = {
            "symbol": symbol,
            "interval": timeframe,
            "startTime": millis(start),
            "endTime": millis(end),
            "limit": _PAGE,
        }
        answer = self.public(session, "Get", "Klines")(params)
        if not isinstance(answer, list):
            raise words.NotUnderstood("candles should be a list")
        return [_candle(each, session.now()) for each in answer]

    # ── Fills ─────────────────────────────────────────────────────────────────────────────────────

    trades_name: ClassVar[str] = "UserTrades"

    def fills_after(self, session: Session, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Ask for the fills behind `venue_trade_id`, oldest first; None: of seven days."""
        if venue_trade_id is None:
            return self.fills_since(session, symbol, session.now() - _TOLD_FOR + _SLACK)
        after = int(venue_trade_id)
        found = {int(words.text(row, "id")): row for row in self._trades_from(session, symbol, after + 1)}
        return [self._fill(session, found[number]) for number in sorted(found) if number > after]

    def fills_since(self, session: Session, symbol: str, since: datetime) -> list[Fill]:
        """Ask for the fills since an instant, oldest first."""
        found = {int(words.text(row, "id")): row for row in self._trades_since(session, symbol, since)}
        return [self._fill(session, found[number]) for number in sorted(found)]

    def _trades_since(self, session: Session, symbol: str, since: datetime) -> Iterator[words.Row]:
        """Yield own trades since an instant: the latest, and if those do not reach back so far, span by span."""
        latest = self._trades(session, symbol)
        if len(latest) < _PAGE or min(words.instant(row, "time") for row in latest) < since:
            yield from (row for row in latest if words.instant(row, "time") >= since)
            return
        end = session.now() + _SLACK
        while since < end:
            stop = min(since + self.trade_span - _MILLISECOND, end)
            page = self._trades(session, symbol, startTime=millis(since), endTime=millis(stop))
            yield from page
            if len(page) == _PAGE:  # the rest, from its number on, up to the present
                yield from self._trades_from(session, symbol, int(words.text(page[-1], "id")) + 1)
                return
            since = stop + _MILLISECOND

    def _trades_from(self, session: Session, symbol: str, number: int) -> Iterator[words.Row]:
        page: list[words.Row] = []
        while not page or len(page) == _PAGE:
            page = self._trades(session, symbol, fromId=number)
            if not page:
                return
            yield from page
            number = int(words.text(page[-1], "id")) + 1

    def _trades(self, session: Session, symbol: str, **params: int) -> list[words.Row]:
        ask = self.signed(session, "Get", self.trades_name)
        return words.rows(ask({"symbol": symbol, "limit": _PAGE, **params}))

    def _fill(self, session: Session, row: words.Row) -> Fill:
        symbol, number = words.text(row, "symbol"), words.text(row, "orderId")
        return told.fill_of(row, self.name_of(session, symbol, number, words.instant(row, "time")))

    def name_of(self, session: Session, symbol: str, number: str, at: datetime) -> str | None:
        """Return the client id of an order by its number; None if the exchange no longer knows it.

        at   when something happened to it
        """
        known = session.names.of(session.account_id, number)
        if known is not None:
            return known
        try:
            order = words.row(self.signed(session, "Get", "Order")({"symbol": symbol, "orderId": number}))
        except NotDone as not_done:
            if not_done.failed.outcome is not _ABSENT:
                raise
            return None
        name = words.text(order, "clientOrderId")
        session.names.learn(session.account_id, number, name)
        return name

    def all_fills(self, session: Session, symbol: str, number: str, report: OrderReport) -> list[Fill]:
        """Ask for every fill of one order, oldest first."""
        rows = self._trades(session, symbol, orderId=int(number))
        fills = {int(words.text(row, "id")): told.fill_of(row, report.client_order_id) for row in rows}
        return [fills[each] for each in sorted(fills) if fills[each].venue_order_id == number]


class BinanceUsdM(Binance):
    """Binance USD-M futures."""

    exchange = "binanceusdm"
    title = "Binance USD-M futures"
    trails = True
    order_paths = ("order", "algoOrder")
    weights: ClassVar[Mapping[str, int]] = {
        "POST order": 1, "POST algoOrder": 1, "openOrders": 40, "openAlgoOrders": 40, "allAlgoOrders": 5,
        "account": 5, "positionRisk": 5, "symbolConfig": 5, "accountConfig": 5, "dual": 30, "income": 30,
        "userTrades": 5, "klines": 10, "bookTicker": 5, "premiumIndex": 10, "price": 2, "commissionRate": 20,
    }  # fmt: skip
    tells_funding = True

    def costs(self, venue: str, address: str, session: Session, out: Outgoing) -> Mapping[Budget, int]:
        """Return what a request costs; the history of funding is counted for the address besides, by five minutes."""
        costs = super().costs(venue, address, session, out)
        if not out.path.endswith("/fundingRate"):
            return costs
        return {**costs, Budget(f"{venue}:{address}{_RATES_BUDGET}", *_RATES_IN_SECONDS): 1}

    def funding_rates(self, session: Session, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Ask for funding rates from `start` to `end`, oldest first, up to a thousand."""
        params = {"symbol": symbol, "startTime": millis(start), "endTime": millis(end), "limit": _PAGE}
        rows = words.rows(self.public(session, "Get", "FundingRate")(params))
        return [FundingRate(words.instant(row, "fundingTime"), words.number(row, "fundingRate")) for row in rows]

    def public(self, session: Session, method: str, name: str) -> Callable[..., Any]:
        """Return what asks an endpoint that everybody may ask."""
        call: Callable[..., Any] = getattr(session.x, f"fapiPublic{method}{name}")
        return call

    def signed(self, session: Session, method: str, name: str) -> Callable[..., Any]:
        """Return what asks an endpoint for an account."""
        call: Callable[..., Any] = getattr(session.x, f"fapiPrivate{method}{name}")
        return call

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    def instruments(self, session: Session) -> dict[str, Rules]:
        """Ask for every perpetual that trades against the settlement currency, by symbol."""
        info = self.exchange_info(session, session.x.fapiPublicGetExchangeInfo)
        leverage = self._leverages(session)
        found = {}
        for symbol in words.rows(info.get("symbols")):
            trades = symbol.get("status") == "TRADING" and symbol.get("contractType") == "PERPETUAL"
            rules = told.rules_of(symbol, leverage) if trades else None
            if rules is not None and rules.instrument.quote == self.settlement:
                found[rules.instrument.symbol] = rules
        return found

    def _leverages(self, session: Session) -> dict[str, int]:
        """Return the most leverage of each symbol; it is told to accounts only, and to all the same."""
        if not session.account_id:
            return {}
        return {
            words.text(each, "symbol"): max(
                int(words.number(one, "initialLeverage")) for one in words.rows(each["brackets"])
            )
            for each in words.rows(session.x.fapiPrivateGetLeverageBracket())
            if each.get("brackets")
        }

    def quotes(self, session: Session, symbols: Sequence[str], venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`, best prices last: they are not older than the mark."""
        marks = by_symbol(session.x.fapiPublicGetPremiumIndex())
        lasts = by_symbol(session.x.fapiPublicGetTickerPrice())
        books = by_symbol(session.x.fapiPublicGetTickerBookTicker())
        quotes = []
        for symbol in symbols:
            book, mark, last = books.get(symbol), marks.get(symbol), lasts.get(symbol)
            if book is None or mark is None or last is None:
                continue
            bid, ask = told.levels(book)
            if 0 < bid < ask:
                at = words.instant(book, "time") if book.get("time") else words.instant(mark, "time")
                marked, traded = words.number(mark, "markPrice"), words.number(last, "price")
                sizes, funding = told.sizes(book), told.funding(mark, "lastFundingRate", "nextFundingTime")
                quotes.append(Quote(symbol, bid, ask, marked, traded, at, venue, *sizes, *funding))
        return quotes

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once, to the endpoint of its kind."""
        params = order_params(request)
        if request.terms.type.is_conditional:
            self._conditional(session).learn(session.account_id, request.client_order_id, request.terms.symbol)
            answer = words.row(session.x.fapiPrivatePostAlgoOrder(params))
            return told.algo_report(answer, told.ALGO_REST)
        self._plain(session).learn(session.account_id, request.client_order_id, request.terms.symbol)
        answer = words.row(session.x.fapiPrivatePostOrder(params))
        report = told.report_of(answer, told.REST)
        session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
        return report

    def can_amend(self, wanted: OrderRequest) -> bool:
        """Say whether such an order is changed in place: limit orders only; what waits for a trigger cannot be."""
        return wanted.terms.type is OrderType.LIMIT

    def amend(self, session: Session, client_order_id: str, wanted: OrderRequest) -> OrderReport:
        """Change a limit order in place."""
        terms = wanted.terms
        assert terms.price is not None, "a limit order has a price"
        params = {
            "symbol": terms.symbol,
            "side": terms.side.value,
            "origClientOrderId": client_order_id,
            "quantity": plain(terms.quantity),
            "price": plain(terms.price),
        }
        return told.report_of(words.row(session.x.fapiPrivatePutOrder(params)), told.REST)

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order, of whichever kind; of one that has triggered, what it made."""
        if self._is_conditional(session, client_order_id):
            return self._cancel_algo(session, symbol, client_order_id)
        params = {"symbol": symbol, "origClientOrderId": client_order_id}
        try:
            return told.report_of(words.row(session.x.fapiPrivateDeleteOrder(params)), told.REST)
        except NotDone as not_done:
            if not_done.failed.outcome is not Outcome.GONE or self.is_ours(session, client_order_id):
                raise
        return self._cancel_algo(session, symbol, client_order_id)

    def _cancel_algo(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        try:
            session.x.fapiPrivateDeleteAlgoOrder({"clientAlgoId": client_order_id})
        except NotDone as not_done:
            if not_done.failed.outcome is not Outcome.GONE:
                raise
            algo = self._algo(session, client_order_id)
            number = str(algo.get("actualOrderId") or "")
            if not number:
                raise
            answer = session.x.fapiPrivateDeleteOrder({"symbol": symbol, "orderId": number})
            made = told.report_of(words.row(answer), told.REST)
            return told.triggered(told.algo_report(algo, told.ALGO_REST), made)
        return told.algo_report(self._algo(session, client_order_id), told.ALGO_REST)

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id, of whichever kind, with all of its fills."""
        if self._is_conditional(session, client_order_id):
            return self._find_algo(session, symbol, client_order_id)
        try:
            return self._find_order(session, symbol, origClientOrderId=client_order_id)
        except NotDone as not_done:
            if not_done.failed.outcome is not _ABSENT:
                raise
        return self._find_algo(session, symbol, client_order_id)

    def _find_order(self, session: Session, symbol: str, **which: str) -> OrderReport:
        order = words.row(session.x.fapiPrivateGetOrder({"symbol": symbol, **which}))
        report = told.report_of(order, told.REST)
        if "origClientOrderId" in which:
            session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
        if report.filled_quantity == 0:
            return report
        fills = self.all_fills(session, symbol, report.venue_order_id, report)
        return told.report_of(order, told.REST, fills=fills)

    def _find_algo(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        algo = self._algo(session, client_order_id)
        report = told.algo_report(algo, told.ALGO_REST)
        number = str(algo.get("actualOrderId") or "")
        if not number:
            return report
        session.names.learn(session.account_id, number, client_order_id)
        return told.triggered(report, self._find_order(session, symbol, orderId=number))

    def _algo(self, session: Session, client_order_id: str) -> words.Row:
        algo = words.row(session.x.fapiPrivateGetAlgoOrder({"clientAlgoId": client_order_id}))
        self._conditional(session).learn(session.account_id, client_order_id, words.text(algo, "symbol"))
        return algo

    @staticmethod
    def _conditional(session: Session) -> OrderNames:
        """Return which client ids are those of conditional orders, as far as it is known."""
        names: OrderNames = session.shared.setdefault("conditional", OrderNames())
        return names

    def _is_conditional(self, session: Session, client_order_id: str) -> bool:
        return self._conditional(session).of(session.account_id, client_order_id) is not None

    @staticmethod
    def _plain(session: Session) -> OrderNames:
        """Return which client ids are those of orders sent from here that never waited for a trigger."""
        names: OrderNames = session.shared.setdefault("plain", OrderNames())
        return names

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands: those in the book, and those that wait for a trigger."""
        reports = []
        for row in words.rows(session.x.fapiPrivateGetOpenOrders()):
            report = told.report_of(row, told.REST)
            name = self.name_of_row(session, row)
            if name != report.client_order_id:  # what a conditional order made, resting at its limit
                report = self._find_algo(session, report.terms.symbol, name)
            reports.append(report)
        for row in words.rows(session.x.fapiPrivateGetOpenAlgoOrders()):
            if row.get("algoType", "CONDITIONAL") == "CONDITIONAL" and not row.get("actualOrderId"):
                report = told.algo_report(row, told.ALGO_REST)
                self._conditional(session).learn(session.account_id, report.client_order_id, report.terms.symbol)
                reports.append(report)
        return reports

    def name_of_row(self, session: Session, row: words.Row) -> str:
        """Return the client id of an order whose row is there: that of what made it, if it was a conditional order."""
        symbol, number = words.text(row, "symbol"), words.text(row, "orderId")
        known = session.names.of(session.account_id, number)
        if known is not None:
            return known
        self.learn_made(session, symbol, words.instant(row, "updateTime", "time"))
        name = session.names.of(session.account_id, number) or words.text(row, "clientOrderId")
        session.names.learn(session.account_id, number, name)
        return name

    def learn_made(self, session: Session, symbol: str, at: datetime) -> None:
        """Learn which orders the conditional orders of an instrument have made, if it is not known as of `at`."""
        asked: dict[tuple[str, str], datetime] = session.shared.setdefault("made", {})
        place = (session.account_id, symbol)
        now = session.now()
        if place in asked and at < asked[place]:
            return
        for algo in words.rows(session.x.fapiPrivateGetAllAlgoOrders({"symbol": symbol, "limit": _PAGE})):
            name = words.text(algo, "clientAlgoId")
            self._conditional(session).learn(session.account_id, name, symbol)
            if algo.get("actualOrderId"):
                session.names.learn(session.account_id, str(algo["actualOrderId"]), name)
        asked[place] = now - timedelta(seconds=1)

    def name_of(self, session: Session, symbol: str, number: str, at: datetime) -> str | None:
        """Return the client id of an order by its number; that of a conditional order for the one that it made."""
        known = session.names.of(session.account_id, number)
        if known is not None:
            return known
        self.learn_made(session, symbol, at)
        return super().name_of(session, symbol, number, at)

    # ── Income ────────────────────────────────────────────────────────────────────────────────────

    def funding_after(self, session: Session, venue_id: str | None) -> list[FundingPayment]:
        """Ask for the funding payments behind `venue_id`, oldest first; None: of seven days."""
        return [
            FundingPayment(name, words.text(row, "symbol"), words.number(row, "income"), words.text(row, "asset"), at)
            for row, name, at in self._income_after(session, venue_id, _FUNDING)
        ]

    def funding_since(self, session: Session, since: datetime) -> list[FundingPayment]:
        """Ask for the funding payments since an instant, oldest first."""
        return self.funding_after(session, f"{millis(since)}.0..")

    def transfers_after(self, session: Session, venue_id: str | None) -> list[Transfer]:
        """Ask for what came in or left behind `venue_id`, oldest first; None: of seven days.

        Whatever changes the wallet and is neither a trade nor funding is among it, so that the books add up.
        """
        return [
            Transfer(name, words.number(row, "income"), words.text(row, "asset"), at)
            for row, name, at in self._income_after(session, venue_id, None)
            if row.get("incomeType") not in _TRADED and row.get("incomeType") != _FUNDING
        ]

    def _income_after(
        self, session: Session, venue_id: str | None, kind: str | None
    ) -> list[tuple[words.Row, str, datetime]]:
        """Return income behind one of its ids, oldest first.

        Payments of one instant, as funding is, may become visible one after the other: for ten minutes those that
        share the instant of `venue_id` are told again. Who books them knows them by their ids.
        """
        now = session.now()
        after = _place_of(venue_id) if venue_id is not None else None
        start = from_micros(after[0] * 1_000) if after is not None else now - _TOLD_FOR + _SLACK
        strict = after is not None and now - start > _SIBLINGS_FOR
        found = {}
        for row in self._income_from(session, start, kind):
            at = words.instant(row, "time")
            number = f"{millis(at)}.{words.text(row, 'tranId')}"
            name = f"{number}.{row.get('symbol') or ''}.{words.text(row, 'incomeType')}"
            place = _place_of(name)
            if after is not None and (name == venue_id or place[0] < after[0] or (strict and place <= after)):
                continue
            found[name] = (place, (row, name, at))
        return [each for _, each in sorted(found.values(), key=lambda pair: pair[0])]

    def _income_from(self, session: Session, start: datetime, kind: str | None) -> Iterator[words.Row]:
        """Yield income from an instant on; spans of seven days, pages by time."""
        now = session.now() + _SLACK
        chosen = {"incomeType": kind} if kind is not None else {}
        while start < now:
            stop = min(start + _TOLD_FOR - _MILLISECOND, now)
            span = {"startTime": millis(start), "endTime": millis(stop), "limit": _PAGE}
            page = words.rows(session.x.fapiPrivateGetIncome({**chosen, **span}))
            yield from page
            last = words.instant(page[-1], "time") if len(page) == _PAGE else stop + _MILLISECOND
            # A full page ends inside of an instant, perhaps: begin there again. A whole page of one instant is passed.
            start = last if last > start else start + _MILLISECOND

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, session: Session) -> list[VenuePosition]:
        """Ask for every position that is not flat; an account that keeps long and short apart is not understood."""
        held = [
            row for row in words.rows(session.x.fapiPrivateV3GetPositionRisk()) if words.number(row, "positionAmt") != 0
        ]
        if any(row.get("positionSide", "BOTH") != "BOTH" for row in held):
            raise words.NotUnderstood("the account keeps long and short apart (hedge mode); the house trades one-way")
        if not held:
            return []
        config = by_symbol(session.x.fapiPrivateGetSymbolConfig())
        return [told.position_of(row, config.get(words.text(row, "symbol"), {})) for row in held]

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds of its settlement currency."""
        account = words.row(session.x.fapiPrivateV3GetAccount())
        for each in words.rows(account.get("assets")):
            if each.get("asset") == self.settlement:
                return VenueBalance(
                    asset=self.settlement,
                    wallet=words.number(each, "walletBalance"),
                    available=words.number(each, "availableBalance"),
                    cross_wallet=words.number_or_zero(each, "crossWalletBalance"),
                    unrealised=words.number_or_zero(each, "unrealizedProfit"),
                    margin_balance=words.number(each, "marginBalance"),
                    initial_margin=words.number_or_zero(each, "initialMargin"),
                    maintenance_margin=words.number_or_zero(each, "maintMargin"),
                )
        return VenueBalance(self.settlement, *[words.ZERO] * 7)

    def settings(self, session: Session, symbol: str) -> tuple[int, MarginType]:
        """Ask for leverage and margin type in one instrument."""
        for row in words.rows(session.x.fapiPrivateGetSymbolConfig({"symbol": symbol})):
            if row.get("symbol") == symbol:
                isolated = str(row.get("marginType")).upper() == "ISOLATED"
                return int(words.number(row, "leverage")), MarginType.ISOLATED if isolated else MarginType.CROSSED
        raise NotFound(f"{self.title} knows no instrument {symbol[:40]!r}")

    def set_leverage(self, session: Session, symbol: str, leverage: int) -> int:
        """Set the leverage and return it."""
        answer = session.x.fapiPrivatePostLeverage({"symbol": symbol, "leverage": leverage})
        return int(words.number(words.row(answer), "leverage"))

    def cancel_after(self, session: Session, symbol: str, seconds: int) -> None:
        """Have the orders of an instrument cancelled in so many seconds; 0: not at all."""
        session.x.fapiPrivatePostCountdownCancelAll({"symbol": symbol, "countdownTime": seconds * 1_000})

    def set_margin_type(self, session: Session, symbol: str, margin_type: MarginType) -> MarginType:
        """Set the margin type and return it."""
        session.x.fapiPrivatePostMarginType({"symbol": symbol, "marginType": margin_type.value})
        return margin_type

    def examine(self, session: Session) -> Trial:
        """Find out about a key without changing anything."""
        config = words.row(session.x.fapiPrivateGetAccountConfig())
        return Trial(
            label(session.keys.get("apiKey")),
            hedge_mode=words.truth(config, "dualSidePosition"),
            may_trade=words.truth(config, "canTrade") if "canTrade" in config else None,
            may_withdraw=may_withdraw(session),
        )

    # ── Streams ───────────────────────────────────────────────────────────────────────────────────

    def account_speech(self, ask: Ask, account_id: str, endpoint: Endpoint) -> AccountSpeech | None:
        """Return the user stream of an account."""
        return FuturesAccount(ask, account_id, endpoint, self)

    def market_speech(self, endpoint: Endpoint, clock: Clock) -> MarketSpeech | None:
        """Return the streams of prices."""
        return FuturesPrices(endpoint, clock)

    def is_ours(self, session: Session, client_order_id: str) -> bool:
        """Say whether an order of this client id was sent by this process and never waited for a trigger."""
        return self._plain(session).of(session.account_id, client_order_id) is not None

    def algo_of(self, session: Session, client_order_id: str) -> OrderReport | None:
        """Return a conditional order by its client id, as it was placed; None if it is not known for one."""
        if not self._is_conditional(session, client_order_id):
            return None
        return told.algo_report(self._algo(session, client_order_id), told.ALGO_REST)

    def learn_algo(self, session: Session, client_order_id: str, symbol: str, made: str) -> None:
        """Remember a conditional order, and the number of what it made; empty: nothing yet."""
        self._conditional(session).learn(session.account_id, client_order_id, symbol)
        if made:
            session.names.learn(session.account_id, made, client_order_id)


def may_withdraw(session: Session) -> bool | None:
    """Ask whether a key may withdraw; None where nobody answers that, as on the exchange's demo."""
    try:
        told_of_key = words.row(session.x.sapiGetAccountApiRestrictions())
    except ccxt.NotSupported:
        return None
    except NotDone as not_done:
        if not_done.failed.code == "http_404" or "not found" in not_done.failed.message.lower():
            return None
        raise
    return words.truth(told_of_key, "enableWithdrawals")


def by_symbol(answer: object) -> dict[str, words.Row]:
    """Return rows by their symbol: a list of them, or one alone."""
    found = words.rows(answer) if isinstance(answer, list) else [words.row(answer)]
    return {words.text(row, "symbol"): row for row in found}


def _candle(row: Any, now: datetime) -> Candle:
    if not isinstance(row, list) or len(row) < 7:
        raise words.NotUnderstood("a candle should be a list of twelve")
    named = {str(index): value for index, value in enumerate(row)}
    opened, closes = words.instant(named, "0"), words.instant(named, "6")
    first, high, low, last, volume = (words.number(named, index) for index in "12345")
    return Candle(opened, first, high, low, last, volume, closed=closes + _MILLISECOND <= now)


def _place_of(name: str) -> tuple[int, int, str]:
    """Return where a payment stands in time: milliseconds, the exchange's number, and the rest of its id."""
    at, _, rest = name.partition(".")
    number, _, rest = rest.partition(".")
    return int(at), int(number) if number.isdigit() else 0, rest
