"""Bybit (v5, unified trading accounts): what is particular about its linear perpetuals and its spot market.

Orders and everything an account is asked are put in the exchange's own words: ccxt's common ones would make every
stop reduce-only, call an order that was cancelled after a part had filled "closed", and name a broker in each request.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
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
from pilothouse.venues.ccxt.codes_bybit import WOULD_TRIGGER, outcome_of
from pilothouse.venues.ccxt.exchange import Failed, NotDone, Session
from pilothouse.venues.ccxt.plain import TOLD_FOR, Quirks, Trial, label
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
_TOLD_FOR: Final = TOLD_FOR - timedelta(minutes=1)  # it tells of seven days at once, and not of more
_PAGES_MOST: Final = 50

_STATUS: Final[Mapping[str, VenueStatus]] = {
    "New": VenueStatus.NEW,
    "Untriggered": VenueStatus.NEW,
    "Triggered": VenueStatus.NEW,
    "Active": VenueStatus.NEW,
    "PendingCancel": VenueStatus.NEW,
    "PartiallyFilled": VenueStatus.PARTIALLY_FILLED,
    "Filled": VenueStatus.FILLED,
    "Cancelled": VenueStatus.CANCELED,
    "PartiallyFilledCanceled": VenueStatus.CANCELED,
    "Deactivated": VenueStatus.CANCELED,
    "Rejected": VenueStatus.REJECTED,
}
_RAN_OUT: Final = frozenset({"EC_PostOnlyWillTakeLiquidity", "EC_NoImmediateQtyToFill", "EC_CancelForNoFullFill"})
_AS_ASKED: Final = frozenset({"EC_NoError", "EC_PerCancelRequest"})
_TRADES: Final = frozenset({"Trade", "AdlTrade", "BustTrade", "Delivery", "Settle"})
_TIMES: Final = {TimeInForce.GTX: "PostOnly"}
_TIMES_TOLD: Final = {"PostOnly": TimeInForce.GTX, **{str(time): time for time in TimeInForce}}


class Bybit(Quirks):
    """Linear perpetuals against USDT."""

    exchange = "bybit"
    title = "Bybit USDT perpetuals"
    kind = "swap"
    settlement = "USDT"
    category: ClassVar[str] = "linear"
    options: ClassVar[Mapping[str, Any]] = {
        "defaultType": "swap",
        "fetchMarkets": {"types": ["linear"]},
        "enableUnifiedMargin": False,  # so that ccxt does not ask before every order what kind of account it is
        "enableUnifiedAccount": True,
        "unifiedMarginStatus": 6,
        "recvWindow": 5_000,
    }

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def prepare(self, x: Any) -> None:
        """Name no broker."""
        signed = x.sign

        def sign(*args: Any, **kwargs: Any) -> Any:
            request = signed(*args, **kwargs)
            (request.get("headers") or {}).pop("Referer", None)
            return request

        x.sign = sign

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
            told = session.x.markets[self.traded(session, symbol).unified]["info"]
            lots = words.row(told.get("lotSizeFilter") or {})
            name = "maxMktOrderQty" if self.kind == "swap" else "maxMarketOrderQty"
            most = words.number_or_zero(lots, name)
            found[symbol] = Rules(rules.instrument, market_max=most or rules.market_max)
        return found

    def quotes(self, session: Session, symbols: Any, venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`."""
        quotes = []
        for symbol in symbols:
            told = session.x.publicGetV5MarketTickers({"category": self.category, "symbol": symbol})
            for row in words.rows(words.row(told["result"])["list"]):
                bid, ask = words.number_or_zero(row, "bid1Price"), words.number_or_zero(row, "ask1Price")
                last = words.number_or_zero(row, "lastPrice") or bid
                mark = words.number_or_zero(row, "markPrice") or last
                if 0 < bid < ask:
                    quotes.append(Quote(symbol, bid, ask, mark, last, words.instant(told, "time"), venue))
        return quotes

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once. The answer names it and says nothing else of it."""
        self.traded(session, request.terms.symbol)
        told = words.row(session.x.privatePostV5OrderCreate(self.order_body(request))["result"])
        if told.get("orderLinkId") != request.client_order_id:
            raise NotDone(Failed(Outcome.UNKNOWN, "another_order", f"it answered for {told.get('orderLinkId')!r}"))
        number = words.text(told, "orderId")
        session.names.learn(session.account_id, number, request.client_order_id)
        terms = request.terms
        return OrderReport(request.client_order_id, number, terms, VenueStatus.NEW, words.ZERO, request.stamped_at)

    def order_body(self, request: OrderRequest) -> dict[str, Any]:
        """Return an order in the exchange's words.

        A quantity of zero with reduceOnly and closeOnTrigger closes the whole position, whatever its size is then.
        """
        terms = request.terms
        body: dict[str, Any] = {
            "category": self.category,
            "symbol": terms.symbol,
            "side": terms.side.value.capitalize(),
            "orderType": "Limit" if terms.type.has_limit else "Market",
            "qty": "0" if request.close_position else plain(terms.quantity),
            "orderLinkId": self.client_id(request.client_order_id),
        }
        if terms.price is not None:
            body["price"] = plain(terms.price)
            body["timeInForce"] = _TIMES.get(terms.time_in_force, terms.time_in_force.value)
        if terms.stop_price is not None:
            body["triggerPrice"] = plain(terms.stop_price)
            body |= self.trigger(terms)
        if self.kind == "swap":
            body["positionIdx"] = 0
            body["reduceOnly"] = terms.reduce_only or request.close_position
            if request.close_position:
                body["closeOnTrigger"] = True
        elif not terms.type.has_limit:
            body["marketUnit"] = "baseCoin"
        return body

    def trigger(self, terms: OrderTerms) -> dict[str, Any]:
        """Return how a trigger is to be read: by the mark price, when it rises (1) or falls (2) to it."""
        profits = terms.type in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET}
        rises = (terms.side is Side.BUY) != profits
        return {"triggerDirection": 1 if rises else 2, "triggerBy": "MarkPrice"}

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order; the answer says nothing of it."""
        body = {"category": self.category, "symbol": symbol, "orderLinkId": self.client_id(client_order_id)}
        session.x.privatePostV5OrderCancel(body)
        return None

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id: first among those of late, then among all. Raises NotDone."""
        asked = {"category": self.category, "symbol": symbol, "orderLinkId": self.client_id(client_order_id)}
        for ask in (session.x.privateGetV5OrderRealtime, session.x.privateGetV5OrderHistory):
            for row in _list(ask(dict(asked))):
                if row.get("orderLinkId") == asked["orderLinkId"]:
                    return self._found(session, symbol, row)
        raise NotDone(Failed(Outcome.ABSENT, "110001", "the exchange knows no such order"))

    def _found(self, session: Session, symbol: str, row: words.Row) -> OrderReport:
        report = self.report(session, row)
        if report.filled_quantity == 0:
            return report
        asked = {"category": self.category, "symbol": symbol, "orderId": report.venue_order_id, "limit": _PAGE}
        told = [each for each in self._executions(session, asked, None) if _is_of(each, report)]
        return self.report(session, row, tuple(self.fill(session, each) for each in told))

    def report(self, session: Session, row: words.Row, fills: tuple[Fill, ...] = ()) -> OrderReport:
        """Return one order as the exchange tells it."""
        number = words.text(row, "orderId")
        name = str(row.get("orderLinkId") or "") or number
        session.names.learn(session.account_id, number, name)
        status = _STATUS.get(str(row.get("orderStatus")), VenueStatus.NEW)
        why = str(row.get("rejectReason") or "")
        if status is VenueStatus.CANCELED and why in _RAN_OUT:
            status = VenueStatus.EXPIRED
        filled = words.number_or_zero(row, "cumExecQty")
        if status is VenueStatus.NEW and filled > 0:
            status = VenueStatus.PARTIALLY_FILLED
        if status is VenueStatus.REJECTED and filled > 0:
            status = VenueStatus.CANCELED  # a part was done before the rest was refused, and that part is real
        at = words.instant(row, "updatedTime", "createdTime")
        reason = "" if why in _AS_ASKED else why
        return OrderReport(name, number, _terms(row), status, filled, at, fills, reason)

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands, those that wait for a trigger among them."""
        asked: dict[str, Any] = {"category": self.category, "limit": 50}
        if self.kind == "swap":
            asked["settleCoin"] = self.settlement
        found, cursor = list[OrderReport](), ""
        for _ in range(_PAGES_MOST):
            told = session.x.privateGetV5OrderRealtime({**asked, **({"cursor": cursor} if cursor else {})})
            page = _list(told)
            found += [self.report(session, row) for row in page]
            cursor = str(words.row(told["result"]).get("nextPageCursor") or "")
            if not cursor or len(page) < 50:
                break
        standing = {VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED}
        return [report for report in found if report.status in standing]

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def _executions(self, session: Session, asked: Mapping[str, Any], until: str | None) -> list[words.Row]:
        """Return executions, oldest first: all that are told, or those behind the one with the id `until`."""
        found, cursor = list[words.Row](), ""
        for _ in range(_PAGES_MOST):
            told = session.x.privateGetV5ExecutionList({**asked, **({"cursor": cursor} if cursor else {})})
            page = _list(told)
            for row in page:
                if until is not None and row.get("execId") == until:
                    return found[::-1]
                found.append(row)
            cursor = str(words.row(told["result"]).get("nextPageCursor") or "")
            if not cursor or len(page) < _PAGE:
                break
        return found[::-1]

    def fill(self, session: Session, row: words.Row) -> Fill:
        """Return one execution as the exchange tells it."""
        number = words.text(row, "orderId")
        name = str(row.get("orderLinkId") or "") or session.names.of(session.account_id, number)
        realised = words.number(row, "execPnl") if row.get("execPnl") not in {None, ""} else None
        return Fill(
            venue_trade_id=words.text(row, "execId"),
            venue_order_id=number,
            client_order_id=name or number,
            symbol=words.text(row, "symbol"),
            side=words.side_of(words.text(row, "side")),
            price=words.number(row, "execPrice"),
            quantity=words.number(row, "execQty"),
            commission=words.number_or_zero(row, "execFee"),
            commission_currency=str(row.get("feeCurrency") or "") or self.settlement,
            realised=realised,
            maker=words.truth(row, "isMaker"),
            at=words.instant(row, "execTime"),
        )

    def fills_after(self, session: Session, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Ask for the fills behind `venue_trade_id`, oldest first; None, or an older one: of seven days."""
        return self._fills(session, symbol, session.now() - _TOLD_FOR, venue_trade_id)

    def fills_since(self, session: Session, symbol: str, since: datetime) -> list[Fill]:
        """Ask for the fills since an instant, oldest first."""
        return self._fills(session, symbol, since, None)

    def _fills(self, session: Session, symbol: str, since: datetime, until: str | None) -> list[Fill]:
        asked = {"category": self.category, "symbol": symbol, "startTime": millis(since), "limit": _PAGE}
        told = self._executions(session, asked, until)
        mine = [row for row in told if row.get("symbol") == symbol]
        return [self.fill(session, row) for row in mine if row.get("execType", "Trade") in _TRADES]

    def funding_after(self, session: Session, venue_id: str | None) -> list[FundingPayment]:
        """Ask for the funding payments behind `venue_id`, oldest first; None, or an older one: of seven days."""
        return self._funding(session, session.now() - _TOLD_FOR, venue_id)

    def funding_since(self, session: Session, since: datetime) -> list[FundingPayment]:
        """Ask for the funding payments since an instant, oldest first."""
        return self._funding(session, since, None)

    def _funding(self, session: Session, since: datetime, until: str | None) -> list[FundingPayment]:
        """Return funding payments, oldest first; what was paid is a fee above zero there."""
        if self.kind == "spot":
            return []
        asked = {"category": self.category, "execType": "Funding", "startTime": millis(since), "limit": _PAGE}
        return [
            FundingPayment(
                venue_id=words.text(row, "execId"),
                symbol=words.text(row, "symbol"),
                amount=-words.number(row, "execFee"),
                currency=str(row.get("feeCurrency") or "") or self.settlement,
                at=words.instant(row, "execTime"),
            )
            for row in self._executions(session, asked, until)
        ]

    def transfers_after(self, session: Session, venue_id: str | None) -> list[Transfer]:
        """Ask for what came in or left behind `venue_id`, oldest first; None: of seven days."""
        found = []
        for kind in ("TRANSFER_IN", "TRANSFER_OUT"):
            asked = {"accountType": "UNIFIED", "currency": self.settlement, "type": kind, "limit": 50}
            for row in _list(session.x.privateGetV5AccountTransactionLog(asked)):
                at, amount = words.instant(row, "transactionTime"), words.number(row, "change")
                found.append(Transfer(words.text(row, "id"), amount, words.text(row, "currency"), at))
        found.sort(key=lambda each: (each.at, each.venue_id))
        names = [each.venue_id for each in found]
        return found[names.index(venue_id) + 1 :] if venue_id in names else found

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, session: Session) -> list[VenuePosition]:
        """Ask for every position that is not flat."""
        if self.kind == "spot":
            return self.holdings(session)
        asked = {"category": self.category, "settleCoin": self.settlement, "limit": 200}
        rows = [row for row in _list(session.x.privateGetV5PositionList(asked)) if words.number_or_zero(row, "size")]
        mode = self.margin_type(session) if rows else MarginType.CROSSED
        return [_position(row, mode) for row in rows]

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds of its settlement currency.

        What is available is what this currency alone covers: equity less the margins in use.
        """
        told = session.x.privateGetV5AccountWalletBalance({"accountType": "UNIFIED", "coin": self.settlement})
        accounts = _list(told)
        coins = words.rows(accounts[0].get("coin") or []) if accounts else []
        held = next((coin for coin in coins if coin.get("coin") == self.settlement), {})
        wallet, equity = words.number_or_zero(held, "walletBalance"), words.number_or_zero(held, "equity")
        initial = EXACT.add(words.number_or_zero(held, "totalOrderIM"), words.number_or_zero(held, "totalPositionIM"))
        locked = words.number_or_zero(held, "locked")
        return VenueBalance(
            asset=self.settlement,
            wallet=wallet,
            available=max(words.ZERO, EXACT.subtract(EXACT.subtract(equity, initial), locked)),
            cross_wallet=wallet,
            unrealised=words.number_or_zero(held, "unrealisedPnl"),
            margin_balance=equity,
            initial_margin=initial,
            maintenance_margin=words.number_or_zero(held, "totalPositionMM"),
        )

    def margin_type(self, session: Session) -> MarginType:
        """Ask for the margin type, which is one for the whole account."""
        told = words.row(session.x.privateGetV5AccountInfo({})["result"])
        return MarginType.ISOLATED if told.get("marginMode") == "ISOLATED_MARGIN" else MarginType.CROSSED

    def settings(self, session: Session, symbol: str) -> tuple[int, MarginType]:
        """Ask for leverage and margin type in one instrument."""
        if self.kind == "spot":
            return 1, MarginType.CROSSED
        rows = _list(session.x.privateGetV5PositionList({"category": self.category, "symbol": symbol}))
        leverage = int(words.number_or_zero(rows[0], "leverage")) if rows else 1
        return leverage or 1, self.margin_type(session)

    def set_leverage(self, session: Session, symbol: str, leverage: int) -> int:
        """Set the leverage and return it. Raises NotDone, or Refused where there is none."""
        if self.kind == "spot":
            return super().set_leverage(session, symbol, leverage)
        body = {
            "category": self.category,
            "symbol": symbol,
            "buyLeverage": str(leverage),
            "sellLeverage": str(leverage),
        }
        session.x.privatePostV5PositionSetLeverage(body)
        return leverage

    def set_margin_type(self, session: Session, symbol: str, margin_type: MarginType) -> MarginType:
        """Return the margin type if it is the account's; it is one for all instruments, and is not changed from here.

        Raises Refused.
        """
        if self.kind == "spot":
            return super().set_margin_type(session, symbol, margin_type)
        if self.margin_type(session) is margin_type:
            return margin_type
        raise Refused(f"Bybit keeps one margin type for the whole account; set {margin_type.value} there")

    def examine(self, session: Session) -> Trial:
        """Find out about a credential without changing anything. Raises NotDone."""
        told = words.row(session.x.privateGetV5UserQueryApi({})["result"])
        grants = words.row(told.get("permissions") or {})
        needed = "ContractTrade" if self.kind == "swap" else "Spot"
        writes = told.get("readOnly") in {0, "0"}
        if str(told.get("uta", "1")) == "0" and str(told.get("unified", "1")) == "0":
            raise Refused("this is no unified trading account; Bybit offers to make it one, and only those are traded")
        hedged = False
        if self.kind == "swap":
            asked = {"category": self.category, "symbol": "BTCUSDT"}
            hedged = any(row.get("positionIdx") in {1, 2} for row in _list(session.x.privateGetV5PositionList(asked)))
        return Trial(
            label(session.keys.get("apiKey")),
            hedge_mode=hedged,
            may_trade=writes and bool(grants.get(needed)),
            may_withdraw=writes and "Withdraw" in (grants.get("Wallet") or []),
        )


class BybitSpot(Bybit):
    """The spot market."""

    title = "Bybit spot"
    kind = "spot"
    category = "spot"
    options: ClassVar[Mapping[str, Any]] = {
        **Bybit.options,
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
    }

    def trigger(self, terms: OrderTerms) -> dict[str, Any]:
        """Return how a trigger is to be read: as one whose coins are set aside only when it is reached."""
        return {"orderFilter": "StopOrder"}


def _is_of(execution: words.Row, report: OrderReport) -> bool:
    return execution.get("orderId") == report.venue_order_id and execution.get("execType") in _TRADES


def _list(told: Any) -> list[words.Row]:
    return words.rows(words.row(words.row(told).get("result")).get("list") or [])


def _terms(row: words.Row) -> OrderTerms:
    side, limit = words.side_of(words.text(row, "side")), row.get("orderType") == "Limit"
    stop = words.number_or_zero(row, "triggerPrice")
    price = words.number_or_zero(row, "price")
    if stop > 0:
        rises = str(row.get("triggerDirection")) == "1"
        profits = str(row.get("triggerDirection")) in {"1", "2"} and rises != (side is Side.BUY)
        kind = _CONDITIONAL[profits, limit]
    else:
        kind = OrderType.LIMIT if limit else OrderType.MARKET
    return OrderTerms(
        symbol=words.text(row, "symbol"),
        side=side,
        type=kind,
        quantity=words.number_or_zero(row, "qty") or words.WHOLE_POSITION,
        price=price if limit else None,
        stop_price=stop if stop > 0 else None,
        time_in_force=_TIMES_TOLD.get(str(row.get("timeInForce")), TimeInForce.GTC),
        reduce_only=words.truth(row, "reduceOnly"),
    )


_CONDITIONAL: Final = {
    (True, True): OrderType.TAKE_PROFIT,
    (True, False): OrderType.TAKE_PROFIT_MARKET,
    (False, True): OrderType.STOP,
    (False, False): OrderType.STOP_MARKET,
}


def _position(row: words.Row, mode: MarginType) -> VenuePosition:
    size = words.number(row, "size")
    quantity = size if row.get("side") == "Buy" else -size
    mark = words.number_or_zero(row, "markPrice")
    isolated = mode is MarginType.ISOLATED or row.get("tradeMode") == 1
    return VenuePosition(
        symbol=words.text(row, "symbol"),
        quantity=quantity,
        entry_price=words.number_or_zero(row, "avgPrice"),
        mark_price=mark,
        unrealised=words.number_or_zero(row, "unrealisedPnl"),
        leverage=int(words.number_or_zero(row, "leverage")) or 1,
        margin_type=MarginType.ISOLATED if isolated else MarginType.CROSSED,
        liquidation_price=words.number_or_zero(row, "liqPrice") or None,
        isolated_margin=words.number_or_zero(row, "positionIM") if isolated else None,
        notional=EXACT.multiply(quantity, mark),
    )
