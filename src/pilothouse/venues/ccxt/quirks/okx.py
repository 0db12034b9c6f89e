"""OKX (v5): what is particular about its linear perpetuals and its spot market.

Orders that wait for a trigger live at an endpoint of their own, under an id of their own, and become another order when
they are triggered. What an account is asked is put in the exchange's own words: ccxt's common ones would call an order
filled as soon as its trigger was reached, and send conditional orders without our client id.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from pilothouse.core.clock import millis
from pilothouse.core.errors import Refused
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT, plain
from pilothouse.venues.bounds import Rules
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.codes import Fault, Outcome
from pilothouse.venues.ccxt.codes_okx import WOULD_TRIGGER, outcome_of
from pilothouse.venues.ccxt.exchange import Failed, NotDone, Session
from pilothouse.venues.ccxt.plain import TOLD_FOR, Quirks, Trial, label
from pilothouse.venues.ccxt.words import Traded
from pilothouse.venues.port import (
    FundingPayment,
    MarginType,
    OrderReport,
    OrderRequest,
    Transfer,
    VenueBalance,
    VenuePosition,
    VenueStatus,
)

_PAGE: Final = 100
_PAGES_MOST: Final = 50
_FUNDING: Final = "8"
_TRANSFER: Final = "1"
_ANY_TRIGGER: Final = "conditional,oco"

_STATUS: Final[Mapping[str, VenueStatus]] = {
    "live": VenueStatus.NEW,
    "partially_filled": VenueStatus.PARTIALLY_FILLED,
    "filled": VenueStatus.FILLED,
    "canceled": VenueStatus.CANCELED,
    "mmp_canceled": VenueStatus.CANCELED,
}
_STATUS_WAITING: Final[Mapping[str, VenueStatus]] = {
    "live": VenueStatus.NEW,
    "pause": VenueStatus.NEW,
    "partially_effective": VenueStatus.NEW,
    "effective": VenueStatus.NEW,  # the order that it became tells how it went
    "canceled": VenueStatus.CANCELED,
    "order_failed": VenueStatus.REJECTED,
    "partially_failed": VenueStatus.REJECTED,
}
_TIMES: Final = {TimeInForce.GTX: "post_only", TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok"}
_TIMES_TOLD: Final = {word: time for time, word in _TIMES.items()} | {"optimal_limit_ioc": TimeInForce.IOC}
_CODE_ABSENT: Final = "51603"


class Okx(Quirks):
    """Linear perpetuals against USDT, in one-way mode and with cross margin."""

    exchange = "okx"
    title = "OKX USDT perpetuals"
    kind = "swap"
    settlement = "USDT"
    type_: ClassVar[str] = "SWAP"
    mode: ClassVar[str] = "cross"
    options: ClassVar[Mapping[str, Any]] = {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}}

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def code_of(self, value: Any) -> str:
        """Return the code of what failed: the one of the order, where there is one."""
        told = _first(value)
        inner = str(told.get("sCode") or "")
        return inner if inner not in {"", "0"} else super().code_of(value)

    def text_of(self, value: Any) -> str:
        """Return the words of what failed: those of the order, where there are some."""
        return str(_first(value).get("sMsg") or "") or super().text_of(value)

    def outcome(self, fault: Fault) -> Outcome:
        """Return what an error means."""
        return outcome_of(fault)

    def would_trigger(self, failed: Failed) -> bool:
        """Say whether an order was refused because its trigger was passed already."""
        return failed.code in WOULD_TRIGGER

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    def instruments(self, session: Session) -> dict[str, Rules]:
        """Ask for everything that can be traded; market orders have a bound of their own."""
        found = super().instruments(session)
        for symbol, rules in found.items():
            traded = self.traded(session, symbol)
            told = words.row(session.x.markets[traded.unified]["info"])
            most = EXACT.multiply(words.number_or_zero(told, "maxMktSz"), traded.size)
            found[symbol] = Rules(rules.instrument, market_max=most or rules.market_max)
        return found

    def quotes(self, session: Session, symbols: Sequence[str], venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`; the mark price is told apart from the others, and asked first."""
        quotes = []
        for symbol in symbols:
            marked = words.ZERO
            if self.kind == "swap":
                asked = {"instType": self.type_, "instId": symbol}
                marked = words.number_or_zero(_first(session.x.publicGetPublicMarkPrice(asked)), "markPx")
            row = _first(session.x.publicGetMarketTicker({"instId": symbol}))
            bid, ask = words.number_or_zero(row, "bidPx"), words.number_or_zero(row, "askPx")
            last = words.number_or_zero(row, "last") or bid
            mark = marked or last
            if 0 < bid < ask:
                quotes.append(Quote(symbol, bid, ask, mark, last, words.instant(row, "ts"), venue))
        return quotes

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once. The answer names it and says nothing else of it."""
        traded = self.traded(session, request.terms.symbol)
        if request.terms.type.is_conditional:
            told = _first(session.x.privatePostTradeOrderAlgo(self.waiting_body(request, traded)))
            number, name = str(told.get("algoId") or ""), str(told.get("algoClOrdId") or told.get("clOrdId") or "")
        else:
            told = _first(session.x.privatePostTradeOrder(self.order_body(request, traded)))
            number, name = str(told.get("ordId") or ""), str(told.get("clOrdId") or "")
        if not number or (name and name != request.client_order_id):
            raise NotDone(Failed(Outcome.UNKNOWN, "another_order", f"it answered for {name!r}"))
        session.names.learn(session.account_id, number, request.client_order_id)
        return OrderReport(
            request.client_order_id, number, request.terms, VenueStatus.NEW, words.ZERO, request.stamped_at
        )

    def order_body(self, request: OrderRequest, traded: Traded) -> dict[str, Any]:
        """Return an order in the exchange's words; contracts are counted in contracts there."""
        terms = request.terms
        body: dict[str, Any] = self._named(request) | {
            "ordType": "market" if terms.price is None else _TIMES.get(terms.time_in_force, "limit"),
            "sz": plain(EXACT.divide(terms.quantity, traded.size)),
        }
        if terms.price is not None:
            body["px"] = plain(terms.price)
        elif self.kind == "spot":
            body["tgtCcy"] = "base_ccy"
        if terms.reduce_only and self.kind == "swap":
            body["reduceOnly"] = True
        return body

    def waiting_body(self, request: OrderRequest, traded: Traded) -> dict[str, Any]:
        """Return an order that waits for a trigger in the exchange's words.

        Stops and take-profits say which way they are triggered; a plain trigger would fire from either side. A close
        fraction of one closes the whole position, whatever its size is then.
        """
        terms = request.terms
        profits = terms.type in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET}
        word = "tp" if profits else "sl"
        assert terms.stop_price is not None, "what waits for a trigger has one"
        body: dict[str, Any] = self._named(request) | {
            "algoClOrdId": self.client_id(request.client_order_id),
            "ordType": "conditional",
            f"{word}TriggerPx": plain(terms.stop_price),
            f"{word}TriggerPxType": "mark" if self.kind == "swap" else "last",
            f"{word}OrdPx": "-1" if terms.price is None else plain(terms.price),
        }
        if request.close_position:
            return body | {"closeFraction": "1", "reduceOnly": True}
        body["sz"] = plain(EXACT.divide(terms.quantity, traded.size))
        if self.kind == "spot":
            return body | ({"tgtCcy": "base_ccy"} if terms.side is Side.BUY and terms.price is None else {})
        return body | ({"reduceOnly": True} if terms.reduce_only else {})

    def _named(self, request: OrderRequest) -> dict[str, Any]:
        """Return what every order says; with a client id of ours, ccxt puts in none of a broker."""
        return {
            "instId": request.terms.symbol,
            "tdMode": self.mode,
            "clOrdId": self.client_id(request.client_order_id),
            "side": request.terms.side.value.lower(),
        }

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order, wherever it is: waiting for its trigger, or on the book."""
        name = self.client_id(client_order_id)
        waiting = self._waiting(session, name)
        if waiting is not None and not _became(waiting):
            session.x.privatePostTradeCancelAlgos([{"instId": symbol, "algoId": words.text(waiting, "algoId")}])
            return None
        asked = {"instId": symbol, **({"ordId": _became(waiting)} if waiting is not None else {"clOrdId": name})}
        session.x.privatePostTradeCancelOrder(asked)
        return None

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id, on the book or waiting for its trigger. Raises NotDone."""
        name = self.client_id(client_order_id)
        traded = self.traded(session, symbol)
        row = self._order(session, {"instId": symbol, "clOrdId": name})
        if row is not None and row.get("clOrdId") == name:
            return self._with_fills(session, row, traded, client_order_id)
        waiting = self._waiting(session, name)
        if waiting is None:
            raise NotDone(Failed(Outcome.ABSENT, _CODE_ABSENT, "the exchange knows no such order"))
        if not _became(waiting):
            return self.waiting_report(session, waiting, traded, client_order_id)
        row = self._order(session, {"instId": symbol, "ordId": _became(waiting)})
        if row is None:
            raise NotDone(Failed(Outcome.UNKNOWN, _CODE_ABSENT, "it was triggered, and what it became is not told"))
        became = self._with_fills(session, row, traded, client_order_id)
        session.names.learn(session.account_id, words.text(waiting, "algoId"), client_order_id)
        terms = _waiting_terms(waiting, traded)
        return OrderReport(
            client_order_id,
            became.venue_order_id,
            terms,
            became.status,
            became.filled_quantity,
            became.at,
            became.fills,
            became.reason,
        )

    def _order(self, session: Session, asked: Mapping[str, Any]) -> words.Row | None:
        return _told_or_none(lambda: session.x.privateGetTradeOrder(dict(asked)))

    def _waiting(self, session: Session, name: str) -> words.Row | None:
        row = _told_or_none(lambda: session.x.privateGetTradeOrderAlgo({"algoClOrdId": name}))
        return row if row is not None and row.get("algoClOrdId") == name else None

    def _with_fills(self, session: Session, row: words.Row, traded: Traded, name: str) -> OrderReport:
        report = self.report(session, row, traded, name)
        if report.filled_quantity == 0:
            return report
        asked = {"instType": self.type_, "instId": traded.symbol, "ordId": report.venue_order_id, "limit": _PAGE}
        told = _rows(session.x.privateGetTradeFillsHistory(asked))
        fills = sorted((self.fill(session, each, traded) for each in told), key=lambda fill: fill.at)
        return self.report(session, row, traded, name, tuple(fills))

    def report(
        self, session: Session, row: words.Row, traded: Traded, name: str = "", fills: tuple[Fill, ...] = ()
    ) -> OrderReport:
        """Return one order as the exchange tells it; one that a trigger made has the client id of what waited."""
        number = words.text(row, "ordId")
        name = name or str(row.get("clOrdId") or row.get("algoClOrdId") or "")
        name = name or session.names.of(session.account_id, number) or number
        session.names.learn(session.account_id, number, name)
        filled = EXACT.multiply(words.number_or_zero(row, "accFillSz"), traded.size)
        status = _STATUS.get(str(row.get("state")), VenueStatus.NEW)
        if status is VenueStatus.NEW and filled > 0:
            status = VenueStatus.PARTIALLY_FILLED
        at = words.instant(row, "uTime", "cTime")
        reason = str(row.get("cancelSourceReason") or "")
        return OrderReport(name, number, _terms(row, traded), status, filled, at, fills, reason)

    def waiting_report(self, session: Session, row: words.Row, traded: Traded, name: str = "") -> OrderReport:
        """Return one order that waits, or waited, for its trigger."""
        number = words.text(row, "algoId")
        name = name or str(row.get("algoClOrdId") or "") or number
        session.names.learn(session.account_id, number, name)
        status = _STATUS_WAITING.get(str(row.get("state")), VenueStatus.NEW)
        at = words.instant(row, "uTime", "cTime")
        reason = str(row.get("failCode") or "")
        return OrderReport(name, number, _waiting_terms(row, traded), status, words.ZERO, at, reason=reason)

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands, those that wait for a trigger among them."""
        traded = self.markets(session)
        asked = {"instType": self.type_, "limit": _PAGE}
        reports = [
            self.report(session, row, traded[row["instId"]])
            for row in self._told(session.x.privateGetTradeOrdersPending, asked, "ordId")
            if row.get("instId") in traded
        ]
        for kind in (_ANY_TRIGGER, "trigger"):
            reports += [
                self.waiting_report(session, row, traded[row["instId"]])
                for row in self._told(session.x.privateGetTradeOrdersAlgoPending, asked | {"ordType": kind}, "algoId")
                if row.get("instId") in traded
            ]
        return reports

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def _told(
        self, ask: Any, asked: Mapping[str, Any], name: str, until: tuple[str, str] = ("", "")
    ) -> list[words.Row]:
        """Return what is told page by page, oldest first; `until` names a column and the value to end behind."""
        found, after = list[words.Row](), ""
        for _ in range(_PAGES_MOST):
            page = _rows(ask({**asked, **({"after": after} if after else {})}))
            for row in page:
                if until[1] and str(row.get(until[0])) == until[1]:
                    return found[::-1]
                found.append(row)
            if len(page) < _PAGE:
                break
            after = str(page[-1].get(name))
        return found[::-1]

    def fill(self, session: Session, row: words.Row, traded: Traded) -> Fill:
        """Return one execution as the exchange tells it; a fee that was paid is below zero there."""
        number = words.text(row, "ordId")
        name = str(row.get("clOrdId") or "") or session.names.of(session.account_id, number)
        if name is None:
            order = self._order(session, {"instId": traded.symbol, "ordId": number}) or {}
            name = str(order.get("clOrdId") or order.get("algoClOrdId") or "") or number
            session.names.learn(session.account_id, number, name)
        return Fill(
            venue_trade_id=words.text(row, "tradeId"),
            venue_order_id=number,
            client_order_id=name,
            symbol=traded.symbol,
            side=words.side_of(words.text(row, "side")),
            price=words.number(row, "fillPx"),
            quantity=EXACT.multiply(words.number(row, "fillSz"), traded.size),
            commission=-words.number_or_zero(row, "fee"),
            commission_currency=words.text(row, "feeCcy"),
            realised=words.number(row, "fillPnl") if row.get("fillPnl") not in {None, ""} else None,
            maker=row.get("execType") == "M",
            at=words.instant(row, "ts", "fillTime"),
        )

    def fills_after(self, session: Session, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Ask for the fills behind `venue_trade_id`, oldest first; None, or an older one: of seven days."""
        return self._fills(session, symbol, session.now() - TOLD_FOR, venue_trade_id or "")

    def fills_since(self, session: Session, symbol: str, since: datetime) -> list[Fill]:
        """Ask for the fills since an instant, oldest first."""
        return self._fills(session, symbol, since, "")

    def _fills(self, session: Session, symbol: str, since: datetime, until: str) -> list[Fill]:
        traded = self.traded(session, symbol)
        asked = {"instType": self.type_, "instId": symbol, "begin": str(millis(since)), "limit": _PAGE}
        told = self._told(session.x.privateGetTradeFillsHistory, asked, "billId", ("tradeId", until))
        return [self.fill(session, row, traded) for row in told]

    def funding_after(self, session: Session, venue_id: str | None) -> list[FundingPayment]:
        """Ask for the funding payments behind `venue_id`, oldest first; None, or an older one: of seven days."""
        if self.kind == "spot":
            return []
        asked = {"instType": self.type_, "type": _FUNDING, "ccy": self.settlement, "limit": _PAGE}
        told = self._told(session.x.privateGetAccountBills, asked, "billId", ("billId", venue_id or ""))
        return [
            FundingPayment(
                venue_id=words.text(row, "billId"),
                symbol=words.text(row, "instId"),
                amount=words.number(row, "pnl" if row.get("pnl") not in {None, ""} else "balChg"),
                currency=words.text(row, "ccy"),
                at=words.instant(row, "ts"),
            )
            for row in told
        ]

    def transfers_after(self, session: Session, venue_id: str | None) -> list[Transfer]:
        """Ask for what came in or left behind `venue_id`, oldest first; None, or an older one: of seven days."""
        asked = {"type": _TRANSFER, "ccy": self.settlement, "limit": _PAGE}
        told = self._told(session.x.privateGetAccountBills, asked, "billId", ("billId", venue_id or ""))
        return [
            Transfer(
                words.text(row, "billId"), words.number(row, "balChg"), words.text(row, "ccy"), words.instant(row, "ts")
            )
            for row in told
        ]

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, session: Session) -> list[VenuePosition]:
        """Ask for every position that is not flat."""
        if self.kind == "spot":
            return self.holdings(session)
        traded = self.markets(session)
        rows = _rows(session.x.privateGetAccountPositions({"instType": self.type_}))
        return [
            _position(row, traded[row["instId"]])
            for row in rows
            if row.get("instId") in traded and words.number_or_zero(row, "pos") != 0
        ]

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds of its settlement currency."""
        told = _first(session.x.privateGetAccountBalance({"ccy": self.settlement}))
        coins = words.rows(told.get("details") or [])
        held = next((coin for coin in coins if coin.get("ccy") == self.settlement), {})
        wallet = words.number_or_zero(held, "cashBal")
        available = words.number_or_zero(held, "availEq") or words.number_or_zero(held, "availBal")
        return VenueBalance(
            asset=self.settlement,
            wallet=wallet,
            available=available,
            cross_wallet=wallet,
            unrealised=words.number_or_zero(held, "upl"),
            margin_balance=words.number_or_zero(held, "eq"),
            initial_margin=words.number_or_zero(held, "imr"),
            maintenance_margin=words.number_or_zero(held, "mmr"),
        )

    def settings(self, session: Session, symbol: str) -> tuple[int, MarginType]:
        """Ask for the leverage in one instrument; margin is cross, because that is how orders are sent."""
        if self.kind == "spot":
            return 1, MarginType.CROSSED
        told = _first(session.x.privateGetAccountLeverageInfo({"instId": symbol, "mgnMode": self.mode}))
        return int(words.number_or_zero(told, "lever")) or 1, MarginType.CROSSED

    def set_leverage(self, session: Session, symbol: str, leverage: int) -> int:
        """Set the leverage and return it. Raises NotDone, or Refused where there is none."""
        if self.kind == "spot":
            return super().set_leverage(session, symbol, leverage)
        body = {"instId": symbol, "lever": str(leverage), "mgnMode": self.mode}
        session.x.privatePostAccountSetLeverage(body)
        return leverage

    def set_margin_type(self, session: Session, symbol: str, margin_type: MarginType) -> MarginType:
        """Return cross margin; the exchange keeps none for an instrument, each order says it. Raises Refused."""
        if margin_type is MarginType.CROSSED:
            return margin_type
        raise Refused(f"{self.title}: each order says its margin type there, and orders are sent with cross margin")

    def examine(self, session: Session) -> Trial:
        """Find out about a credential without changing anything. Raises NotDone."""
        told = _first(session.x.privateGetAccountConfig({}))
        if self.kind == "swap" and str(told.get("acctLv")) == "1":
            raise Refused("the account is in spot mode, which trades no perpetuals; its mode is set at OKX")
        grants = set(str(told.get("perm") or "").split(","))
        return Trial(
            label(session.keys.get("apiKey")),
            hedge_mode=self.kind == "swap" and told.get("posMode") == "long_short_mode",
            may_trade="trade" in grants,
            may_withdraw="withdraw" in grants,
        )


class OkxSpot(Okx):
    """The spot market, without borrowing."""

    title = "OKX spot"
    kind = "spot"
    type_ = "SPOT"
    mode = "cash"
    options: ClassVar[Mapping[str, Any]] = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}


def _rows(told: Any) -> list[words.Row]:
    return words.rows(words.row(told).get("data") or [])


def _first(told: Any) -> words.Row:
    data = told.get("data") if isinstance(told, Mapping) else None
    return data[0] if isinstance(data, list) and data and isinstance(data[0], Mapping) else {}


def _told_or_none(ask: Any) -> words.Row | None:
    """Return what is asked for, or None where the exchange says that there is no such order. Raises NotDone."""
    try:
        return _first(ask()) or None
    except NotDone as not_done:
        if not_done.failed.outcome is not Outcome.ABSENT:
            raise
        return None


def _became(waiting: words.Row) -> str:
    """Return the number of the order that a triggered one became; empty while it waits, or if it became none."""
    made = waiting.get("ordIdList") or [waiting.get("ordId") or ""]
    return str(made[0]) if waiting.get("state") in {"effective", "partially_effective"} else ""


def _terms(row: words.Row, traded: Traded) -> OrderTerms:
    kind, price = str(row.get("ordType")), words.number_or_zero(row, "px")
    limit = kind not in {"market", "optimal_limit_ioc"} and price > 0
    return OrderTerms(
        symbol=traded.symbol,
        side=words.side_of(words.text(row, "side")),
        type=OrderType.LIMIT if limit else OrderType.MARKET,
        quantity=EXACT.multiply(words.number_or_zero(row, "sz"), traded.size) or words.WHOLE_POSITION,
        price=price if limit else None,
        time_in_force=_TIMES_TOLD.get(kind, TimeInForce.GTC),
        reduce_only=words.truth(row, "reduceOnly"),
    )


def _waiting_terms(row: words.Row, traded: Traded) -> OrderTerms:
    profit = words.number_or_zero(row, "tpTriggerPx")
    stop = words.number_or_zero(row, "slTriggerPx") or words.number_or_zero(row, "triggerPx")
    name = "tpOrdPx" if profit > 0 else ("slOrdPx" if words.number_or_zero(row, "slTriggerPx") > 0 else "ordPx")
    price = words.number_or_zero(row, name)
    limit = price > 0
    if profit > 0:
        kind = OrderType.TAKE_PROFIT if limit else OrderType.TAKE_PROFIT_MARKET
    else:
        kind = OrderType.STOP if limit else OrderType.STOP_MARKET
    size = words.number_or_zero(row, "sz")
    return OrderTerms(
        symbol=traded.symbol,
        side=words.side_of(words.text(row, "side")),
        type=kind,
        quantity=EXACT.multiply(size, traded.size) if size > 0 else words.WHOLE_POSITION,
        price=price if limit else None,
        stop_price=profit or stop or None,
        reduce_only=words.truth(row, "reduceOnly"),
    )


def _position(row: words.Row, traded: Traded) -> VenuePosition:
    size = EXACT.multiply(words.number(row, "pos"), traded.size)
    quantity = -size if row.get("posSide") == "short" else size
    mark = words.number_or_zero(row, "markPx")
    isolated = row.get("mgnMode") == "isolated"
    return VenuePosition(
        symbol=traded.symbol,
        quantity=quantity,
        entry_price=words.number_or_zero(row, "avgPx"),
        mark_price=mark,
        unrealised=words.number_or_zero(row, "upl"),
        leverage=int(words.number_or_zero(row, "lever")) or 1,
        margin_type=MarginType.ISOLATED if isolated else MarginType.CROSSED,
        liquidation_price=words.number_or_zero(row, "liqPx") or None,
        isolated_margin=words.number_or_zero(row, "margin") if isolated else None,
        notional=EXACT.multiply(quantity, mark),
    )
