"""An exchange asked by ccxt's common words: what holds for all of them, and may be put differently for each.

An exchange tested in depth has a subclass beside this file that says what is particular about it, and tells its
errors apart by a table in `codes_<exchange>.py`. Whatever is asked here is asked of a Session: every request goes
through the house's own wire, and an answer that is an error leaves as NotDone.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol

from pilothouse.core.clock import Clock, millis
from pilothouse.core.errors import Refused
from pilothouse.core.fill import Fill
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.core.rounding import EXACT, plain
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.codes import Outcome
from pilothouse.venues.ccxt.exchange import Endpoint, Failed, NotDone, Session
from pilothouse.venues.ccxt.library import ccxt
from pilothouse.venues.ccxt.plain_market import PlainMarket
from pilothouse.venues.ccxt.words import Traded
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

TOLD_FOR: Final = timedelta(days=7)
"""How far back is asked where there is no id to begin behind."""

_PAGE: Final = 100
_PAGES_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found out about a credential; None: the exchange does not say."""

    label: str
    hedge_mode: bool = False
    may_trade: bool | None = None
    may_withdraw: bool | None = None


class Quirks(PlainMarket):
    """One exchange and its accounts. Keeps nothing of its own but in `Session.shared`; safe for all threads."""

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once, and return what was answered. Raises NotDone."""
        terms, traded = request.terms, self.traded(session, request.terms.symbol)
        told = session.x.create_order(
            traded.unified,
            "limit" if terms.type.has_limit else "market",
            terms.side.value.lower(),
            plain(EXACT.divide(terms.quantity, traded.size)),
            plain(terms.price) if terms.price is not None else None,
            self.order_params(request),
        )
        session.names.learn(session.account_id, str(words.row(told).get("id") or ""), request.client_order_id)
        return self.placed(request, words.row(told))

    def place_pair(self, session: Session, request: OrderRequest, beside: OrderRequest) -> tuple[OrderReport, ...]:
        """Send two orders of which one ends the other, once, and return both. Raises NotDone."""
        raise NotDone(Failed(Outcome.REJECTED, "not_offered", f"{self.title} takes no pairs here"))

    def order_params(self, request: OrderRequest) -> dict[str, Any]:
        """Return what ccxt is told beside kind, side, amount and price."""
        terms = request.terms
        params: dict[str, Any] = {"clientOrderId": self.client_id(request.client_order_id)}
        if terms.reduce_only and self.kind == "swap":
            params["reduceOnly"] = True
        if terms.price is not None:
            if terms.time_in_force is TimeInForce.GTX:
                params["postOnly"] = True
            else:
                params["timeInForce"] = terms.time_in_force.value
        if terms.stop_price is not None:
            params[self.trigger_name(terms.type)] = plain(terms.stop_price)
        return params

    def trigger_name(self, kind: OrderType) -> str:
        """Return what ccxt calls the trigger of a stop or take-profit here."""
        profits = kind in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET}
        return "takeProfitPrice" if profits else "stopLossPrice"

    def placed(self, request: OrderRequest, told: words.Row) -> OrderReport:
        """Return what the answer to an order says of it: many name little more than its number."""
        terms = request.terms
        traded = Traded(terms.symbol, terms.symbol)
        report = words.report_of(
            {"timestamp": millis(request.stamped_at), **{name: each for name, each in told.items() if each is not None}}
            | {"side": terms.side.value, "amount": plain(terms.quantity)},
            traded,
            request.client_order_id,
        )
        return OrderReport(
            request.client_order_id,
            report.venue_order_id,
            terms,
            report.status,
            min(report.filled_quantity, terms.quantity),
            report.at,
        )

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order; return what was answered of it, None if nothing was. Raises NotDone."""
        traded = self.traded(session, symbol)
        session.x.cancel_order(None, traded.unified, {"clientOrderId": self.client_id(client_order_id)})
        return None

    def can_amend(self, wanted: OrderRequest) -> bool:
        """Say whether such an order is changed in place; else it is ended and replaced."""
        return False

    def amend(self, session: Session, client_order_id: str, wanted: OrderRequest) -> OrderReport:
        """Change an order in place, where `can_amend` says so. Raises NotDone."""
        raise NotDone(Failed(Outcome.REJECTED, "not_offered", f"{self.title} changes no order in place"))

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id, with all of its fills. Raises NotDone: Outcome.ABSENT if it is not known."""
        traded = self.traded(session, symbol)
        params = {"clientOrderId": self.client_id(client_order_id)}
        told = words.row(session.x.fetch_order(None, traded.unified, params))
        number = words.text(told, "id")
        session.names.learn(session.account_id, number, client_order_id)
        report = words.report_of(told, traded, client_order_id)
        if report.filled_quantity == 0:
            return report
        return words.report_of(told, traded, client_order_id, self.fills_of(session, traded, number, report))

    def fills_of(self, session: Session, traded: Traded, number: str, report: OrderReport) -> list[Fill]:
        """Ask for the fills of one order, oldest first."""
        since = millis(report.at - TOLD_FOR)
        told = session.x.fetch_my_trades(traded.unified, since, _PAGE, {"orderId": number})
        mine = [row for row in words.rows(told) if str(row.get("order")) == number]
        return sorted((words.fill_of(row, traded, report.client_order_id) for row in mine), key=lambda fill: fill.at)

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands."""
        reports = []
        for told in self.orders_that_stand(session):
            traded = self.named(session, told)
            if traded is not None:
                report = words.report_of(told, traded, self.our_id(str(told.get("clientOrderId") or "")))
                session.names.learn(session.account_id, report.venue_order_id, report.client_order_id)
                reports.append(report)
        return reports

    def orders_that_stand(self, session: Session) -> list[words.Row]:
        """Ask for every order that stands, as ccxt tells it; those that wait for a trigger too."""
        self.markets(session)
        told = words.rows(session.x.fetch_open_orders())
        with suppress(ccxt.NotSupported, ccxt.ArgumentsRequired):
            seen = {each.get("id") for each in told}
            told = told + [
                each
                for each in words.rows(session.x.fetch_open_orders(None, None, None, {"trigger": True}))
                if each.get("id") not in seen
            ]
        return told

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def fills_after(self, session: Session, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Ask for the fills behind `venue_trade_id`, oldest first; None: of seven days.

        Where the exchange's numbers do not grow, the last seven days are told; who books them knows each by its id.
        """
        traded = self.traded(session, symbol)
        since = session.now() - TOLD_FOR
        told = self._paged(
            lambda at: session.x.fetch_my_trades(traded.unified, at, _PAGE), millis(since), lambda row: str(row["id"])
        )
        fills = [words.fill_of(row, traded, self.owner_of(session, traded, row)) for row in told]
        numbers = [fill.venue_trade_id for fill in fills]
        if venue_trade_id in numbers:
            fills = fills[numbers.index(str(venue_trade_id)) + 1 :]
        return fills

    def fills_since(self, session: Session, symbol: str, since: datetime) -> list[Fill]:
        """Ask for the fills since an instant, oldest first."""
        return [fill for fill in self.fills_after(session, symbol, None) if fill.at >= since]

    def funding_since(self, session: Session, since: datetime) -> list[FundingPayment]:
        """Ask for the funding payments since an instant, oldest first."""
        return [each for each in self.funding_after(session, None) if each.at >= since]

    def owner_of(self, session: Session, traded: Traded, trade: words.Row) -> str | None:
        """Return the client id of the order that an own trade belongs to; None if the exchange no longer knows it."""
        number = str(trade.get("order") or "")
        known = session.names.of(session.account_id, number)
        if known is not None:
            return known
        try:
            order = words.row(session.x.fetch_order(number, traded.unified))
        except NotDone as not_done:
            if not_done.failed.outcome is not Outcome.ABSENT:
                raise
            return None
        told = order.get("clientOrderId")
        name = self.our_id(str(told)) if told else f"venue-{number}"
        session.names.learn(session.account_id, number, name)
        return name

    def _paged(self, ask: Callable[[int], Any], since: int, key: Callable[[words.Row], str]) -> list[words.Row]:
        """Return what is told from an instant on, page by page, oldest first."""
        found: dict[str, words.Row] = {}
        for _ in range(_PAGES_MOST):
            page = words.rows(ask(since))
            fresh = [row for row in page if key(row) not in found]
            found |= {key(row): row for row in fresh}
            if len(page) < _PAGE or not fresh:
                break
            since = max(millis(words.instant(row, "timestamp")) for row in page)
        return sorted(found.values(), key=lambda row: (words.instant(row, "timestamp"), key(row)))

    def funding_after(self, session: Session, venue_id: str | None) -> list[FundingPayment]:
        """Ask for the funding payments behind `venue_id`, oldest first; None: of seven days."""
        if self.kind == "spot" or not session.x.has.get("fetchFundingHistory"):
            return []
        self.markets(session)
        since = session.now() - TOLD_FOR
        told = self._paged(
            lambda at: session.x.fetch_funding_history(None, at, _PAGE), millis(since), lambda row: str(row["id"])
        )
        payments = []
        for row in told:
            traded = self.named(session, row)
            if traded is not None:
                amount = words.number(row, "amount")
                at = words.instant(row, "timestamp")
                name = words.text(row, "id")
                payments.append(FundingPayment(name, traded.symbol, amount, str(row.get("code") or ""), at))
        return _behind(payments, venue_id)

    def transfers_after(self, session: Session, venue_id: str | None) -> list[Transfer]:
        """Tell nothing: ccxt has no common words for what changes a wallet from outside; the balance shows it."""
        return []

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, session: Session) -> list[VenuePosition]:
        """Ask for every position that is not flat; on a spot exchange, for everything that is held."""
        if self.kind == "spot":
            return self.holdings(session)
        self.markets(session)
        held = []
        for told in words.rows(session.x.fetch_positions()):
            traded = self.named(session, told)
            if traded is not None and words.number_or_zero(told, "contracts") != 0:
                held.append(words.position_of(told, traded))
        return held

    def holdings(self, session: Session) -> list[VenuePosition]:
        """Ask for the coins that are held: whatever was there before is among them."""
        total = words.row(words.row(session.x.fetch_balance()).get("total"))
        by_base = {session.x.markets[each.unified]["base"]: each for each in self.markets(session).values()}
        return [
            holding(by_base[asset].symbol, quantity)
            for asset in total
            if asset in by_base and (quantity := words.number_or_zero(total, asset)) != 0
        ]

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds of its settlement currency."""
        told = words.row(session.x.fetch_balance())
        held = words.row(told.get(self.settlement) or {})
        total, free = words.number_or_zero(held, "total"), words.number_or_zero(held, "free")
        used = words.number_or_zero(held, "used")
        return VenueBalance(self.settlement, total, free, total, words.ZERO, total, used, words.ZERO)

    def settings(self, session: Session, symbol: str) -> tuple[int, MarginType]:
        """Ask for leverage and margin type in one instrument."""
        if self.kind == "spot":
            return 1, MarginType.CROSSED
        told = words.row(session.x.fetch_leverage(self.traded(session, symbol).unified))
        isolated = told.get("marginMode") == "isolated"
        leverage = int(words.number_or_zero(told, "longLeverage")) or 1
        return leverage, MarginType.ISOLATED if isolated else MarginType.CROSSED

    def set_leverage(self, session: Session, symbol: str, leverage: int) -> int:
        """Set the leverage and return it. Raises NotDone, or Refused where there is none."""
        if self.kind == "spot":
            if leverage == 1:
                return 1
            raise Refused(f"{self.title} has no leverage: what is bought is paid for")
        session.x.set_leverage(leverage, self.traded(session, symbol).unified)
        return leverage

    def cancel_after(self, session: Session, symbol: str, seconds: int) -> None:
        """Have the orders of an instrument cancelled in so many seconds. Raises Refused: what has no countdown."""
        del session, seconds
        raise Refused(f"{self.title} does not cancel the orders of {symbol} by itself")

    def set_margin_type(self, session: Session, symbol: str, margin_type: MarginType) -> MarginType:
        """Set the margin type and return it. Raises NotDone, or Refused where there is none."""
        if self.kind == "spot":
            if margin_type is MarginType.CROSSED:
                return margin_type
            raise Refused(f"{self.title} has no margin: what is bought is paid for")
        word = "isolated" if margin_type is MarginType.ISOLATED else "cross"
        session.x.set_margin_mode(word, self.traded(session, symbol).unified)
        return margin_type

    def examine(self, session: Session) -> Trial:
        """Find out about a credential without changing anything. Raises NotDone."""
        self.balance(session)  # it answers only whom it knows
        key = session.keys.get("apiKey") or session.keys.get("walletAddress")
        hedged: Any = False
        if self.kind == "swap" and session.x.has.get("fetchPositionMode"):
            with suppress(ccxt.NotSupported, ccxt.ArgumentsRequired):
                self.markets(session)
                hedged = words.row(session.x.fetch_position_mode()).get("hedged")
        return Trial(label(key), hedge_mode=hedged is True)

    # ── Streams ───────────────────────────────────────────────────────────────────────────────────

    def account_speech(self, ask: "Ask", account_id: str, endpoint: Endpoint) -> AccountSpeech | None:
        """Return how the exchange tells of an account; None: it is asked every few seconds.

        ask   does a piece of work with the account's keys and returns its value; raises Unavailable
        """
        return None

    def market_speech(self, endpoint: Endpoint, clock: Clock) -> MarketSpeech | None:
        """Return how the exchange tells prices; None: it is asked every few seconds. A new one for each connection."""
        return None


class Ask(Protocol):
    """Does a piece of work for one account and returns its value. Blocks; raises Unavailable."""

    def __call__(self, work: Callable[[Session], Any]) -> Any:
        """Do it."""
        ...


def holding(symbol: str, quantity: Decimal) -> VenuePosition:
    """Return coins that are held: no entry price is known of them, and nothing is owed on them."""
    zero = words.ZERO
    return VenuePosition(symbol, quantity, zero, zero, zero, 1, MarginType.CROSSED, None, None, zero)


def label(key: str) -> str:
    """Return a key so that its owner knows it again, and nobody else."""
    return f"{key[:4]}…{key[-4:]}" if len(key) > 12 else "•••"


def _behind(payments: list[FundingPayment], venue_id: str | None) -> list[FundingPayment]:
    names = [each.venue_id for each in payments]
    return payments[names.index(venue_id) + 1 :] if venue_id in names else payments
