"""Alpaca: what is particular about its stocks.

ccxt knows its coins only; it signs here, and the rest is in the broker's own words. Whole shares are traded: a part of
one can be had by market order only, so that no stop could protect it. Nothing is reduce-only there: what is meant so is
compared with the position first, and never sent for more. The broker tells no fee of a trade.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pilothouse.core.candle import Candle
from pilothouse.core.clock import from_micros, micros
from pilothouse.core.errors import Refused
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT, plain
from pilothouse.venues.bounds import Rules
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.codes import Fault, Outcome
from pilothouse.venues.ccxt.codes_alpaca import outcome_of
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

_CENT: Final = Decimal("0.01")
_SHARE: Final = Decimal(1)
_PAGE: Final = 100
_PAGES_MOST: Final = 50
_AT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_LISTED: Final = frozenset({"NYSE", "NASDAQ", "AMEX", "ARCA", "BATS"})

_STATUS: Final[Mapping[str, VenueStatus]] = {
    "partially_filled": VenueStatus.PARTIALLY_FILLED,
    "filled": VenueStatus.FILLED,
    "canceled": VenueStatus.CANCELED,
    "replaced": VenueStatus.CANCELED,
    "expired": VenueStatus.EXPIRED,
    "done_for_day": VenueStatus.EXPIRED,
    "rejected": VenueStatus.REJECTED,
    "suspended": VenueStatus.NEW,
}
"""All others, such as accepted, pending_new, new, held and pending_cancel, still stand."""

_TIMES: Final = {TimeInForce.GTC: "gtc", TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok"}
_TIMES_TOLD: Final = {word: time for time, word in _TIMES.items()}
_KINDS: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP_MARKET: "stop",
    OrderType.STOP: "stop_limit",
    OrderType.TAKE_PROFIT_MARKET: "limit",  # at its trigger: the broker knows no take-profit that waits beside the book
}
_KINDS_TOLD: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP_MARKET,
    "stop_limit": OrderType.STOP,
}
_TIMEFRAMES: Final = {
    "1m": ("1Min", 60),
    "5m": ("5Min", 300),
    "15m": ("15Min", 900),
    "30m": ("30Min", 1_800),
    "1h": ("1Hour", 3_600),
    "4h": ("4Hour", 14_400),
    "1d": ("1Day", 86_400),
}


class Alpaca(Quirks):
    """Stocks on the exchanges of the United States."""

    exchange = "alpaca"
    title = "Alpaca US stocks"
    kind = "spot"
    settlement = "USD"

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def outcome(self, fault: Fault) -> Outcome:
        """Return what an error means."""
        return outcome_of(fault)

    def server_time(self, session: Session) -> None:
        """Return nothing: requests carry no time, and the broker's clock is told to accounts only."""
        return

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    def markets(self, session: Session, *, fresh: bool = False) -> Mapping[str, Traded]:
        """Return what is traded, by symbol; both names are the same here. It is told to accounts only."""
        self._sign(session)
        known: Mapping[str, Traded] | None = session.shared.get("traded")
        if known is None or fresh:
            asked = {"status": "active", "asset_class": "us_equity"}
            rows = words.rows(session.x.traderPrivateGetV2Assets(asked))
            names = [words.text(row, "symbol") for row in rows if _is_offered(row)]
            session.shared["traded"] = known = {name: Traded(name, name) for name in names}
        return known

    @staticmethod
    def _sign(session: Session) -> None:
        """Sign with an account's keys what is asked without one: even prices are told to accounts only."""
        if session.keys.parts:
            session.shared["keys"] = session.keys
        elif "keys" in session.shared:
            session.x.apiKey = session.shared["keys"].get("apiKey")
            session.x.secret = session.shared["keys"].get("secret")

    def instruments(self, session: Session) -> dict[str, Rules]:
        """Ask for everything that can be traded: in whole shares, at whole cents."""
        return {
            symbol: Rules(
                Instrument(
                    symbol=symbol,
                    base=symbol,
                    quote=self.settlement,
                    tick=_CENT,
                    lot=_SHARE,
                    quantity_min=_SHARE,
                    quantity_max=Decimal(1_000_000_000),
                    notional_min=_SHARE,
                    price_min=_SHARE,  # below it prices go by hundredths of a cent
                    price_max=words.WHOLE_POSITION,
                    leverage_max=1,
                )
            )
            for symbol in self.markets(session, fresh=True)
        }

    def quotes(self, session: Session, symbols: Sequence[str], venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`, as one exchange of many tells them."""
        if not symbols:
            return []
        self._sign(session)
        told = words.row(session.x.marketPrivateGetV2StocksSnapshots({"symbols": ",".join(symbols), "feed": "iex"}))
        quotes = []
        for symbol in symbols:
            snapshot = words.row(told.get(symbol) or {})
            quote, trade = words.row(snapshot.get("latestQuote") or {}), words.row(snapshot.get("latestTrade") or {})
            bid, ask = words.number_or_zero(quote, "bp"), words.number_or_zero(quote, "ap")
            last = words.number_or_zero(trade, "p") or bid
            if 0 < bid < ask:
                quotes.append(Quote(symbol, bid, ask, last, last, _instant(quote, "t"), venue))
        return quotes

    def timeframes(self, session: Session) -> tuple[str, ...]:
        """Return how long candles may be."""
        return tuple(_TIMEFRAMES)

    def candles(self, session: Session, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Ask for candles that open from `start` to `end`, oldest first; hours without trade have none."""
        self._sign(session)
        word, seconds = _TIMEFRAMES[timeframe]
        asked = {"symbols": symbol, "timeframe": word, "start": _written(start), "end": _written(end), "feed": "iex"}
        told = words.row(words.row(session.x.marketPrivateGetV2StocksBars(asked | {"limit": 10_000})).get("bars") or {})
        candles = []
        for row in words.rows(told.get(symbol) or []):
            at = _instant(row, "t")
            first, high, low, last, volume = (words.number(row, name) for name in ("o", "h", "l", "c", "v"))
            closed = at + timedelta(seconds=seconds) <= session.now()
            candles.append(Candle(at, first, high, low, last, volume, closed=closed))
        return candles

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once, and return what was answered. Raises NotDone, or Refused for what is not offered."""
        body = self.order_body(request)
        if request.terms.reduce_only or request.close_position:
            self._check_reduces(session, request)
        told = words.row(session.x.traderPrivatePostV2Orders(body))
        report = self.report(session, told)
        if report.client_order_id != request.client_order_id:
            raise NotDone(Failed(Outcome.UNKNOWN, "another_order", f"it answered for {report.client_order_id!r}"))
        filled = min(report.filled_quantity, request.terms.quantity)
        number = report.venue_order_id
        return OrderReport(request.client_order_id, number, request.terms, report.status, filled, report.at)

    def order_body(self, request: OrderRequest) -> dict[str, Any]:
        """Return an order in the broker's words. Raises Refused for what it does not offer."""
        terms = request.terms
        kind = _KINDS.get(terms.type)
        if kind is None or terms.time_in_force not in _TIMES:
            raise Refused(f"Alpaca has no {terms.type.value} orders that are {terms.time_in_force.value}")
        market = terms.type is OrderType.MARKET
        body = {
            "symbol": terms.symbol,
            "qty": plain(terms.quantity),
            "side": terms.side.value.lower(),
            "type": kind,
            "time_in_force": "day" if market else _TIMES[terms.time_in_force],
            "client_order_id": self.client_id(request.client_order_id),
        }
        if terms.price is not None:
            body["limit_price"] = plain(terms.price)
        if terms.stop_price is not None:
            name = "limit_price" if terms.type is OrderType.TAKE_PROFIT_MARKET else "stop_price"
            body[name] = plain(terms.stop_price)
        return body

    def _check_reduces(self, session: Session, request: OrderRequest) -> None:
        """Let pass only what makes a position smaller: the broker itself would open one on the other side."""
        held = next((each for each in self.positions(session) if each.symbol == request.terms.symbol), None)
        quantity = held.quantity if held is not None else words.ZERO
        closes = quantity != 0 and Side.of(quantity) is request.terms.side.opposite
        if not closes or request.terms.quantity > abs(quantity):
            why = f"a position of {plain(quantity)} is not reduced by it"
            raise NotDone(Failed(Outcome.REJECTED, "reduce_only", f"not sent: {why}"))

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order; the broker takes its own number for it, which is asked for first."""
        number = words.text(self._order(session, client_order_id), "id")
        session.x.traderPrivateDeleteV2OrdersOrderId({"order_id": number})
        return None

    def _order(self, session: Session, client_order_id: str) -> words.Row:
        asked = {"client_order_id": self.client_id(client_order_id)}
        return words.row(session.x.request("v2/orders:by_client_order_id", ["trader", "private"], "GET", asked))

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id, with all of its fills. Raises NotDone: Outcome.ABSENT if it is not known."""
        row = self._order(session, client_order_id)
        report = self.report(session, row)
        if report.filled_quantity == 0:
            return report
        begun = _instant(row, "submitted_at", "created_at") - timedelta(seconds=1)
        told = self._activities(session, "FILL", {"after": _written(begun)}, "")
        mine = [each for each in told if each.get("order_id") == report.venue_order_id]
        return self.report(session, row, tuple(self.fill(session, each) for each in mine))

    def report(self, session: Session, row: words.Row, fills: tuple[Fill, ...] = ()) -> OrderReport:
        """Return one order as the broker tells it."""
        number, name = words.text(row, "id"), words.text(row, "client_order_id")
        session.names.learn(session.account_id, number, name)
        status = _STATUS.get(str(row.get("status")), VenueStatus.NEW)
        filled = words.number_or_zero(row, "filled_qty")
        if status is VenueStatus.NEW and filled > 0:
            status = VenueStatus.PARTIALLY_FILLED
        at = _instant(row, "updated_at", "submitted_at", "created_at")
        return OrderReport(name, number, _terms(row, filled), status, filled, at, fills)

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands; those that wait in a group for another are told with it."""
        asked = {"status": "open", "limit": 500, "direction": "asc", "nested": "false"}
        return [self.report(session, row) for row in words.rows(session.x.traderPrivateGetV2Orders(asked))]

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    def _activities(self, session: Session, kind: str, asked: Mapping[str, Any], behind: str) -> list[words.Row]:
        """Return what happened on the account, oldest first, behind the entry with the id `behind`."""
        found = list[words.Row]()
        for _ in range(_PAGES_MOST):
            page_token = {"page_token": behind} if behind else {}
            told = session.x.traderPrivateGetV2AccountActivitiesActivityType(
                {"activity_type": kind, "direction": "asc", "page_size": _PAGE, **asked, **page_token}
            )
            page = words.rows(told)
            found += page
            if len(page) < _PAGE:
                break
            behind = words.text(page[-1], "id")
        return found

    def fill(self, session: Session, row: words.Row) -> Fill:
        """Return one execution as the broker tells it; what it takes is not told with it."""
        number = words.text(row, "order_id")
        name = session.names.of(session.account_id, number)
        if name is None:
            order = words.row(session.x.traderPrivateGetV2OrdersOrderId({"order_id": number}))
            name = words.text(order, "client_order_id")
            session.names.learn(session.account_id, number, name)
        return Fill(
            venue_trade_id=words.text(row, "id"),
            venue_order_id=number,
            client_order_id=name,
            symbol=words.text(row, "symbol"),
            side=Side.BUY if row.get("side") == "buy" else Side.SELL,  # sell_short is one too
            price=words.number(row, "price"),
            quantity=words.number(row, "qty"),
            commission=words.ZERO,
            commission_currency=self.settlement,
            realised=None,
            maker=False,
            at=_instant(row, "transaction_time"),
        )

    def fills_after(self, session: Session, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Ask for the fills behind `venue_trade_id`, oldest first; None: of seven days."""
        after = {} if venue_trade_id else {"after": _written(session.now() - TOLD_FOR)}
        return self._fills(session, symbol, after, venue_trade_id or "")

    def fills_since(self, session: Session, symbol: str, since: datetime) -> list[Fill]:
        """Ask for the fills since an instant, oldest first."""
        return self._fills(session, symbol, {"after": _written(since)}, "")

    def _fills(self, session: Session, symbol: str, after: Mapping[str, Any], behind: str) -> list[Fill]:
        """Return the fills in one share; the broker tells those of the whole account."""
        told = self._activities(session, "FILL", after, behind)
        return [self.fill(session, row) for row in told if row.get("symbol") == symbol]

    def funding_after(self, session: Session, venue_id: str | None) -> list[FundingPayment]:
        """Return nothing: shares have no funding."""
        return []

    def transfers_after(self, session: Session, venue_id: str | None) -> list[Transfer]:
        """Ask for cash that came in or left behind `venue_id`, oldest first; None: of seven days."""
        after = {} if venue_id else {"after": _written(session.now() - TOLD_FOR)}
        entries = [row for kind in ("CSD", "CSW") for row in self._activities(session, kind, after, venue_id or "")]
        entries.sort(key=lambda row: words.text(row, "id"))
        return [
            Transfer(words.text(row, "id"), words.number(row, "net_amount"), self.settlement, _day(row, "date"))
            for row in entries
        ]

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def positions(self, session: Session) -> list[VenuePosition]:
        """Ask for every share that is held, or owed."""
        return [_position(row) for row in words.rows(session.x.traderPrivateGetV2Positions({}))]

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds in cash; what shares are worth is told with them."""
        told = words.row(session.x.traderPrivateGetV2Account({}))
        cash, equity = words.number(told, "cash"), words.number_or_zero(told, "equity")
        return VenueBalance(
            asset=self.settlement,
            wallet=cash,
            available=words.number_or_zero(told, "non_marginable_buying_power") or max(words.ZERO, cash),
            cross_wallet=cash,
            unrealised=words.ZERO,
            margin_balance=equity or cash,
            initial_margin=words.number_or_zero(told, "initial_margin"),
            maintenance_margin=words.number_or_zero(told, "maintenance_margin"),
        )

    def examine(self, session: Session) -> Trial:
        """Find out about a credential without changing anything. Raises NotDone.

        The broker does not say what a key may do; money leaves by its own pages, not by this key.
        """
        told = words.row(session.x.traderPrivateGetV2Account({}))
        blocked = any(
            told.get(name) is True for name in ("trading_blocked", "account_blocked", "trade_suspended_by_user")
        )
        return Trial(label(session.keys.get("apiKey")), may_trade=told.get("status") == "ACTIVE" and not blocked)


def _is_offered(row: words.Row) -> bool:
    return row.get("tradable") is True and row.get("status") == "active" and row.get("exchange") in _LISTED


def _terms(row: words.Row, filled: Decimal) -> OrderTerms:
    kind = _KINDS_TOLD.get(str(row.get("type")), OrderType.MARKET)
    return OrderTerms(
        symbol=words.text(row, "symbol"),
        side=Side.BUY if row.get("side") == "buy" else Side.SELL,
        type=kind,
        quantity=words.number_or_zero(row, "qty") or filled or words.WHOLE_POSITION,
        price=words.number(row, "limit_price") if kind.has_limit else None,
        stop_price=words.number(row, "stop_price") if kind.is_conditional else None,
        time_in_force=_TIMES_TOLD.get(str(row.get("time_in_force")), TimeInForce.GTC),
    )


def _position(row: words.Row) -> VenuePosition:
    size = abs(words.number(row, "qty"))
    quantity = -size if row.get("side") == "short" else size
    mark = words.number_or_zero(row, "current_price")
    return VenuePosition(
        symbol=words.text(row, "symbol"),
        quantity=quantity,
        entry_price=words.number_or_zero(row, "avg_entry_price"),
        mark_price=mark,
        unrealised=words.number_or_zero(row, "unrealized_pl"),
        leverage=1,
        margin_type=MarginType.CROSSED,
        liquidation_price=None,
        isolated_margin=None,
        notional=EXACT.multiply(quantity, mark),
    )


def _instant(row: words.Row, *names: str) -> datetime:
    """Return the first instant there is among `names`, to the microsecond. Raises NotUnderstood."""
    for name in names:
        found = _AT.fullmatch(str(row.get(name) or ""))
        if found is not None:
            parts = found.groups()
            whole = datetime.fromisoformat(
                "-".join(parts[:3]) + "T" + ":".join(parts[3:6]) + parts[7].replace("Z", "+00:00")
            )
            return from_micros(micros(whole.astimezone(UTC)) + int(((parts[6] or "") + "000000")[:6]))
    raise words.NotUnderstood(f"{' or '.join(names)} should be a time and is {row.get(names[0])!r}")


def _day(row: words.Row, name: str) -> datetime:
    try:
        return datetime.fromisoformat(words.text(row, name)).replace(tzinfo=UTC)
    except ValueError:
        raise words.NotUnderstood(f"{name} should be a day and is {row.get(name)!r}") from None


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
