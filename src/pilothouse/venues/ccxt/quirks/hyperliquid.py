"""Hyperliquid: what is particular about its perpetuals, which are kept in USDC.

An account is a wallet, and what signs for it is a key of its own (an agent, or API wallet), which may trade and cannot
withdraw. There are no market orders: one is sent as a limit that is done at once or not at all, within a bound. Orders
are named by numbers of 128 bits, which our client ids become and are read from again. Every action says until when it
may be taken. No fee is approved for anybody, and no one is named as referrer, both of which ccxt would do by itself.
"""

import hashlib
import re
import threading
from base64 import b32decode, b32encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import Refused
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import EXACT, plain, share
from pilothouse.kit.sealed import digest
from pilothouse.venues.ccxt import words
from pilothouse.venues.ccxt.codes import Fault, Outcome
from pilothouse.venues.ccxt.codes_hyperliquid import SENTENCES, WOULD_TRIGGER, outcome_of
from pilothouse.venues.ccxt.exchange import Failed, NotDone, Outgoing, Session
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

EXPIRES_AFTER_MS: Final = 10_000
"""An action is refused when it arrives later than so long after its stamp."""

_WORST_MARKET: Final = Decimal("0.05")
"""How much worse than the best price a market order may be done."""
_WORST_TRIGGERED: Final = Decimal("0.1")
_FINEST: Final = Decimal("0.000001")  # of a price
_PAGE: Final = 2_000
_PAGES_MOST: Final = 10

_HOUSE: Final = 0b101
_HASHED: Final = 0b110
_OUR_ID: Final = re.compile(r"ph([A-Z2-7]{25})")
_CLOID: Final = re.compile(r"0x[0-9a-fA-F]{32}")

_TIMES: Final = {TimeInForce.GTC: "Gtc", TimeInForce.IOC: "Ioc", TimeInForce.GTX: "Alo"}
_TIMES_TOLD: Final = {word: time for time, word in _TIMES.items()}
_KINDS: Final = {
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "Stop Market": OrderType.STOP_MARKET,
    "Stop Limit": OrderType.STOP,
    "Take Profit Market": OrderType.TAKE_PROFIT_MARKET,
    "Take Profit Limit": OrderType.TAKE_PROFIT,
}


class _Nonces:
    """Numbers that only grow, for each signer, by a digest of its key: the exchange takes each once."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()

    def next(self, signer: str, at_ms: int) -> int:
        """Return a number that was not given before, near the time."""
        with self._lock:
            number = max(at_ms, self._last.get(signer, 0) + 1)
            self._last[signer] = number
            return number


_NONCES: Final = _Nonces()


def cloid_of(client_order_id: str) -> str:
    """Return the number that stands for one of our client ids: `0x` and 32 hex digits, the same for the same.

    An id that the house makes (25 digits of base 32 behind `ph`) can be read from it again; of any other, it is a
    digest.
    """
    house = _OUR_ID.fullmatch(client_order_id)
    if house is not None:
        bits = int.from_bytes(b32decode(house.group(1) + "A" * 7), "big") >> 35
        return f"0x{_HOUSE << 125 | bits:032x}"
    bits = int.from_bytes(hashlib.sha256(client_order_id.encode()).digest()[:16], "big") >> 3
    return f"0x{_HASHED << 125 | bits:032x}"


def client_id_of(cloid: str) -> str:
    """Return the client id of the house that `cloid_of` made `cloid` of; any other `cloid` as it is."""
    if not _CLOID.fullmatch(cloid) or int(cloid, 16) >> 125 != _HOUSE:
        return cloid
    bits = int(cloid, 16) & ((1 << 125) - 1)
    return "ph" + b32encode((bits << 35).to_bytes(20, "big")).decode("ascii")[:25]


class Hyperliquid(Quirks):
    """Perpetuals of the exchange itself; not those that others list there, and not its spot market."""

    exchange = "hyperliquid"
    title = "Hyperliquid USDC perpetuals"
    kind = "swap"
    settlement = "USDC"
    options: ClassVar[Mapping[str, Any]] = {"fetchMarkets": {"types": ["swap"]}, "approvedBuilderFee": False}

    # ── The wire ──────────────────────────────────────────────────────────────────────────────────

    def prepare(self, x: Any) -> None:
        """Approve no fee, name no referrer, and ask nothing about either."""
        x.initialize_client = lambda: True

    def changes(self, out: Outgoing) -> bool:
        """Say whether a request may change something: questions are sent by POST too, to an address of their own."""
        return out.path.endswith("/exchange")

    def fault_of(self, session: Session, status: int, text: str, value: Any, out: Outgoing) -> Fault | None:
        """Return the error in an answer: its code is how its sentence begins, where that is known."""
        told = _error_in(value)
        if not told and 200 <= status < 300:
            return None
        told = told or text
        return Fault(status, next((begins for begins in SENTENCES if told.startswith(begins)), ""), told)

    def outcome(self, fault: Fault) -> Outcome:
        """Return what an error means."""
        return outcome_of(fault)

    def would_trigger(self, failed: Failed) -> bool:
        """Say whether an order was refused because its trigger was passed already."""
        return failed.code == WOULD_TRIGGER

    def server_time(self, session: Session) -> None:
        """Return nothing: the exchange tells no time, and an action's own may be off by a day."""
        return

    # ── Names ─────────────────────────────────────────────────────────────────────────────────────

    def client_id(self, client_order_id: str) -> str:
        """Return our client id as the number that the exchange takes."""
        return cloid_of(client_order_id)

    def our_id(self, told: str) -> str:
        """Return our client id of a number."""
        return client_id_of(told)

    def symbol_of(self, market: words.Row) -> str:
        """Return what an instrument is called here: both currencies, because the exchange's own id is an index."""
        return words.text(market, "base") + words.text(market, "quote")

    def _by_coin(self, session: Session) -> dict[str, Traded]:
        markets = self.markets(session)
        return {_coin(session, traded): traded for traded in markets.values()}

    # ── What can be traded ────────────────────────────────────────────────────────────────────────

    def quotes(self, session: Session, symbols: Sequence[str], venue: str) -> list[Quote]:
        """Ask for the present prices of `symbols`."""
        meta, states = session.x.publicPostInfo({"type": "metaAndAssetCtxs"})
        by_coin = {row["name"]: state for row, state in zip(meta["universe"], states, strict=True)}
        quotes = []
        for symbol in symbols:
            coin = _coin(session, self.traded(session, symbol))
            bid, ask, at = self._best(session, coin)
            if 0 < bid < ask:
                mark = words.number_or_zero(by_coin.get(coin, {}), "markPx")
                middle = EXACT.divide(EXACT.add(bid, ask), Decimal(2))
                quotes.append(Quote(symbol, bid, ask, mark or middle, mark or middle, from_micros(at * 1_000), venue))
        return quotes

    def _best(self, session: Session, coin: str) -> tuple[Decimal, Decimal, int]:
        """Ask for the best prices; zero where there is none."""
        book = words.row(session.x.publicPostInfo({"type": "l2Book", "coin": coin}))
        bid, ask = (words.number(side[0], "px") if side else words.ZERO for side in book["levels"])
        return bid, ask, int(book["time"])

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────

    def place(self, session: Session, request: OrderRequest) -> OrderReport:
        """Send one order, once, and return what was answered. Raises NotDone."""
        traded = self.traded(session, request.terms.symbol)
        market = session.x.market(traded.unified)
        action = {
            "type": "order",
            "orders": [self.order(session, request, traded, int(market["baseId"]))],
            "grouping": "positionTpsl" if request.close_position else "na",
        }
        told = self._act(session, action)
        statuses = words.row(words.row(told["response"])["data"])["statuses"]
        return self._placed(session, request, statuses[0] if statuses else None)

    def order(self, session: Session, request: OrderRequest, traded: Traded, asset: int) -> dict[str, Any]:
        """Return an order in the exchange's words, its parts in the order in which they are signed.

        Raises Refused for a price or size that the exchange would write otherwise: nothing is rounded on its way.
        """
        terms = request.terms
        if terms.time_in_force not in _TIMES:
            raise Refused(f"Hyperliquid has no orders that are {terms.time_in_force.value}")
        kind: dict[str, Any] = {"limit": {"tif": _TIMES[terms.time_in_force]}}
        price = terms.price
        if terms.stop_price is not None:
            profits = terms.type in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET}
            kind = {
                "trigger": {
                    "isMarket": price is None,
                    "triggerPx": plain(terms.stop_price),
                    "tpsl": "tp" if profits else "sl",
                }
            }
            bound = _bound(terms.stop_price, terms.side, _WORST_TRIGGERED)
        elif price is None:
            bid, ask, _ = self._best(session, _coin(session, traded))
            kind = {"limit": {"tif": "Ioc"}}
            bound = _bound(ask if terms.side is Side.BUY else bid, terms.side, _WORST_MARKET)
        if price is None:
            written = str(session.x.price_to_precision(traded.unified, plain(bound)))
        else:
            written = plain(price)
            if Decimal(str(session.x.price_to_precision(traded.unified, written))) != price:
                raise Refused(f"{written} has more than five digits that count, or too many decimals")
        return {
            "a": asset,
            "b": terms.side is Side.BUY,
            "p": written,
            "s": "0" if request.close_position else plain(terms.quantity),
            "r": terms.reduce_only or request.close_position,
            "t": kind,
            "c": self.client_id(request.client_order_id),
        }

    def _act(self, session: Session, action: Mapping[str, Any]) -> words.Row:
        """Sign and send an action, once. It is refused when it comes too late."""
        at = session.milliseconds()
        nonce = _NONCES.next(digest(session.keys.get("privateKey")), at)
        until = at + EXPIRES_AFTER_MS
        signature = session.x.sign_l1_action(action, nonce, None, until)
        body = {"action": action, "nonce": nonce, "signature": signature, "expiresAfter": until}
        return words.row(session.x.privatePostExchange(body))

    def _placed(self, session: Session, request: OrderRequest, told: Any) -> OrderReport:
        """Return what is said of an order that was taken: that it rests, has filled, or waits for its trigger."""
        terms, status, filled, number = request.terms, VenueStatus.NEW, words.ZERO, ""
        if isinstance(told, Mapping) and "filled" in told:
            row = words.row(told["filled"])
            filled, number = min(words.number(row, "totalSz"), terms.quantity), words.text(row, "oid")
            ended = VenueStatus.FILLED if filled == terms.quantity else VenueStatus.PARTIALLY_FILLED
            status = VenueStatus.EXPIRED if ended is VenueStatus.PARTIALLY_FILLED and not terms.rests else ended
        elif isinstance(told, Mapping) and "resting" in told:
            number = words.text(words.row(told["resting"]), "oid")
        elif told not in {"waitingForTrigger", "waitingForFill"}:
            raise NotDone(Failed(Outcome.UNKNOWN, "not_understood", f"it answered {str(told)[:100]}"))
        if number:
            session.names.learn(session.account_id, number, request.client_order_id)
        return OrderReport(request.client_order_id, number, terms, status, filled, request.stamped_at)

    def cancel(self, session: Session, symbol: str, client_order_id: str) -> OrderReport | None:
        """Cancel one order; the answer says nothing of it."""
        market = session.x.market(self.traded(session, symbol).unified)
        cancels = [{"asset": int(market["baseId"]), "cloid": self.client_id(client_order_id)}]
        self._act(session, {"type": "cancelByCloid", "cancels": cancels})
        return None

    def find(self, session: Session, symbol: str, client_order_id: str) -> OrderReport:
        """Ask for one order by our id, with all of its fills. Raises NotDone: Outcome.ABSENT if it is not known."""
        traded = self.traded(session, symbol)
        asked = {"type": "orderStatus", "user": self._user(session), "oid": self.client_id(client_order_id)}
        told = words.row(words.row(session.x.publicPostInfo(asked))["order"])
        report = self.report(session, words.row(told["order"]), traded, str(told.get("status")), client_order_id)
        begun = words.instant(words.row(told["order"]), "timestamp")
        rows = self._fills(session, millis(begun), _coin(session, traded))
        mine = [row for row in rows if str(row.get("oid")) == report.venue_order_id]
        fills = tuple(self.fill(session, row, traded) for row in mine)
        # A fill may be told later than the order that it filled; what the order says of itself is not less true.
        filled = max(report.filled_quantity, sum((each.quantity for each in fills), words.ZERO))
        return OrderReport(
            report.client_order_id,
            report.venue_order_id,
            report.terms,
            VenueStatus.PARTIALLY_FILLED if report.status is VenueStatus.NEW and filled > 0 else report.status,
            filled,
            words.instant(told, "statusTimestamp"),
            fills,
            report.reason,
        )

    def report(
        self, session: Session, row: words.Row, traded: Traded, status: str = "open", name: str = ""
    ) -> OrderReport:
        """Return one order as the exchange tells it."""
        number = words.text(row, "oid")
        name = name or session.names.of(session.account_id, number) or ""
        name = name or (self.our_id(str(row["cloid"])) if row.get("cloid") else number)
        session.names.learn(session.account_id, number, name)
        terms = _terms(row, traded)
        stands = _status(status)
        filled = words.ZERO
        if stands in {VenueStatus.NEW, VenueStatus.FILLED} and terms.quantity != words.WHOLE_POSITION:
            left = words.number_or_zero(row, "sz") if stands is VenueStatus.NEW else words.ZERO
            filled = EXACT.subtract(terms.quantity, left)
        if stands is VenueStatus.NEW and filled > 0:
            stands = VenueStatus.PARTIALLY_FILLED
        reason = "" if status in {"open", "filled", "canceled", "triggered"} else status
        return OrderReport(name, number, terms, stands, filled, words.instant(row, "timestamp"), reason=reason)

    def open_orders(self, session: Session) -> list[OrderReport]:
        """Ask for every order that stands, those that wait for a trigger among them."""
        by_coin = self._by_coin(session)
        rows = words.rows(session.x.publicPostInfo({"type": "frontendOpenOrders", "user": self._user(session)}))
        return [self.report(session, row, by_coin[row["coin"]]) for row in rows if row.get("coin") in by_coin]

    # ── History ───────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _user(session: Session) -> str:
        return session.keys.get("walletAddress").lower()

    def _asked(self, session: Session, kind: str, since: int, name: Any) -> list[words.Row]:
        """Return what happened from an instant on, oldest first; it is told in pages that begin at a time."""
        found: dict[str, words.Row] = {}
        for _ in range(_PAGES_MOST):
            asked = {"type": kind, "user": self._user(session), "startTime": since}
            page = words.rows(session.x.publicPostInfo(asked))
            fresh = [row for row in page if name(row) not in found]
            found |= {name(row): row for row in fresh}
            if not fresh or len(page) < _PAGE:
                break
            since = max(int(row["time"]) for row in page)
        return sorted(found.values(), key=lambda row: (int(row["time"]), name(row)))

    def _fills(self, session: Session, since: int, coin: str) -> list[words.Row]:
        rows = self._asked(session, "userFillsByTime", since, lambda row: str(row["tid"]))
        return [row for row in rows if row.get("coin") == coin]

    def fill(self, session: Session, row: words.Row, traded: Traded) -> Fill:
        """Return one execution as the exchange tells it."""
        number = words.text(row, "oid")
        name = session.names.of(session.account_id, number)
        if name is None:
            name = self.our_id(str(row["cloid"])) if row.get("cloid") else self._name_of(session, number)
        return Fill(
            venue_trade_id=words.text(row, "tid"),
            venue_order_id=number,
            client_order_id=name,
            symbol=traded.symbol,
            side=_side(row),
            price=words.number(row, "px"),
            quantity=words.number(row, "sz"),
            commission=words.number(row, "fee"),
            commission_currency=str(row.get("feeToken") or self.settlement),
            realised=words.number(row, "closedPnl"),
            maker=row.get("crossed") is not True,
            at=words.instant(row, "time"),
        )

    def _name_of(self, session: Session, number: str) -> str:
        """Ask which client id an order has; its number, if it has none or is no longer known."""
        asked = {"type": "orderStatus", "user": self._user(session), "oid": int(number)}
        try:
            told = words.row(words.row(words.row(session.x.publicPostInfo(asked))["order"])["order"])
        except NotDone as not_done:
            if not_done.failed.outcome is not Outcome.ABSENT:
                raise
            told = {}
        name = self.our_id(str(told["cloid"])) if told.get("cloid") else number
        session.names.learn(session.account_id, number, name)
        return name

    def fills_after(self, session: Session, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Ask for the fills behind `venue_trade_id`, oldest first; None, or an older one: of seven days."""
        traded = self.traded(session, symbol)
        rows = self._fills(session, millis(session.now() - TOLD_FOR), _coin(session, traded))
        numbers = [str(row["tid"]) for row in rows]
        if venue_trade_id in numbers:
            rows = rows[numbers.index(str(venue_trade_id)) + 1 :]
        return [self.fill(session, row, traded) for row in rows]

    def fills_since(self, session: Session, symbol: str, since: datetime) -> list[Fill]:
        """Ask for the fills since an instant, oldest first."""
        traded = self.traded(session, symbol)
        rows = self._fills(session, millis(since), _coin(session, traded))
        return [self.fill(session, row, traded) for row in rows]

    def funding_after(self, session: Session, venue_id: str | None) -> list[FundingPayment]:
        """Ask for the funding payments behind `venue_id`, oldest first; they have no number but their time and coin."""
        by_coin = self._by_coin(session)
        since = millis(session.now() - TOLD_FOR)
        payments = []
        for row in self._asked(session, "userFunding", since, _funding_name):
            delta = words.row(row["delta"])
            traded = by_coin.get(str(delta.get("coin")))
            if traded is not None:
                amount, at = words.number(delta, "usdc"), words.instant(row, "time")
                payments.append(FundingPayment(_funding_name(row), traded.symbol, amount, self.settlement, at))
        names = [each.venue_id for each in payments]
        return payments[names.index(venue_id) + 1 :] if venue_id in names else payments

    def transfers_after(self, session: Session, venue_id: str | None) -> list[Transfer]:
        """Ask for what came in or left behind `venue_id`, oldest first; None, or an older one: of seven days."""
        since = millis(session.now() - TOLD_FOR)
        transfers = []
        for row in self._asked(session, "userNonFundingLedgerUpdates", since, lambda row: str(row["hash"])):
            amount = _moved(words.row(row["delta"]), self._user(session))
            if amount != 0:
                at = words.instant(row, "time")
                transfers.append(Transfer(words.text(row, "hash"), amount, self.settlement, at))
        names = [each.venue_id for each in transfers]
        return transfers[names.index(venue_id) + 1 :] if venue_id in names else transfers

    # ── The account now ───────────────────────────────────────────────────────────────────────────

    def _state(self, session: Session) -> words.Row:
        return words.row(session.x.publicPostInfo({"type": "clearinghouseState", "user": self._user(session)}))

    def positions(self, session: Session) -> list[VenuePosition]:
        """Ask for every position that is not flat."""
        by_coin = self._by_coin(session)
        held = [words.row(each["position"]) for each in words.rows(self._state(session)["assetPositions"])]
        return [
            _position(row, by_coin[row["coin"]])
            for row in held
            if row.get("coin") in by_coin and words.number(row, "szi") != 0
        ]

    def balance(self, session: Session) -> VenueBalance:
        """Ask what the account holds."""
        state = self._state(session)
        summary = words.row(state["marginSummary"])
        rows = [words.row(each["position"]) for each in words.rows(state["assetPositions"])]
        unrealised = sum((words.number(row, "unrealizedPnl") for row in rows), words.ZERO)
        equity = words.number(summary, "accountValue")
        crossed = words.number(words.row(state["crossMarginSummary"]), "accountValue")
        return VenueBalance(
            asset=self.settlement,
            wallet=EXACT.subtract(equity, unrealised),
            available=words.number(state, "withdrawable"),
            cross_wallet=EXACT.subtract(crossed, _unrealised(rows, "cross")),
            unrealised=unrealised,
            margin_balance=equity,
            initial_margin=words.number(summary, "totalMarginUsed"),
            maintenance_margin=words.number(state, "crossMaintenanceMarginUsed"),
        )

    def settings(self, session: Session, symbol: str) -> tuple[int, MarginType]:
        """Ask for leverage and margin type in one instrument."""
        coin = _coin(session, self.traded(session, symbol))
        asked = {"type": "activeAssetData", "user": self._user(session), "coin": coin}
        told = words.row(words.row(session.x.publicPostInfo(asked))["leverage"])
        return int(words.number(told, "value")), _margin_type(told)

    def set_leverage(self, session: Session, symbol: str, leverage: int) -> int:
        """Set the leverage and return it; the margin type stays."""
        self._set(session, symbol, leverage, self.settings(session, symbol)[1])
        return leverage

    def set_margin_type(self, session: Session, symbol: str, margin_type: MarginType) -> MarginType:
        """Set the margin type and return it; the leverage stays."""
        leverage, present = self.settings(session, symbol)
        if present is not margin_type:
            self._set(session, symbol, leverage, margin_type)
        return margin_type

    def _set(self, session: Session, symbol: str, leverage: int, margin_type: MarginType) -> None:
        asset = int(session.x.market(self.traded(session, symbol).unified)["baseId"])
        crossed = margin_type is MarginType.CROSSED
        self._act(session, {"type": "updateLeverage", "asset": asset, "isCross": crossed, "leverage": leverage})

    def examine(self, session: Session) -> Trial:
        """Find out about a credential without changing anything: whether the key may sign for the wallet.

        Raises NotDone, or Refused for a key that is not the wallet's.
        """
        wallet = self._user(session)
        try:
            signer = str(session.x.eth_get_address_from_private_key(session.keys.get("privateKey"))).lower()
        except (ValueError, TypeError, AttributeError):
            raise Refused("that is no private key") from None
        if signer == wallet:
            return Trial(label(wallet), may_trade=True, may_withdraw=True)
        told = words.row(session.x.publicPostInfo({"type": "userRole", "user": signer}))
        owner = words.row(told.get("data") or {}).get("user", "")
        if told.get("role") != "agent" or str(owner).lower() != wallet:
            raise Refused(f"{label(signer)} is no API wallet of {label(wallet)}; it is approved at Hyperliquid")
        return Trial(label(wallet), may_trade=True, may_withdraw=False)


def _error_in(value: Any) -> str:
    """Return the sentence in an answer that says what failed; empty if nothing did."""
    if not isinstance(value, Mapping):
        return ""
    if value.get("status") == "err":
        return str(value.get("response"))
    if value.get("status") == "unknownOid":
        return "unknownOid"
    response = value.get("response")
    data = response.get("data") if isinstance(response, Mapping) else None
    statuses = data.get("statuses") if isinstance(data, Mapping) else None
    for each in statuses if isinstance(statuses, list) else []:
        if isinstance(each, Mapping) and "error" in each:
            return str(each["error"])
    return ""


def _bound(price: Decimal, side: Side, worst: Decimal) -> Decimal:
    """Return the worst price at which an order at the market may be done. Raises NotDone where there is no price."""
    if price <= 0:
        raise NotDone(Failed(Outcome.NOT_NOW, "no_price", "nobody offers a price"))
    return EXACT.multiply(price, EXACT.add(Decimal(1), worst if side is Side.BUY else -worst))


def _coin(session: Session, traded: Traded) -> str:
    return str(words.row(session.x.markets[traded.unified]["info"])["name"])


def _side(row: words.Row) -> Side:
    return {"B": Side.BUY, "A": Side.SELL}.get(str(row.get("side"))) or words.side_of(str(row.get("side")))


def _status(word: str) -> VenueStatus:
    """Return where an order is: the exchange has many words for an end that nobody asked for."""
    if word in {"open", "triggered"}:
        return VenueStatus.NEW
    if word == "filled":
        return VenueStatus.FILLED
    if word.endswith("ejected"):
        return VenueStatus.REJECTED
    return VenueStatus.CANCELED


def _terms(row: words.Row, traded: Traded) -> OrderTerms:
    trigger = words.number_or_zero(row, "triggerPx") if row.get("isTrigger") is True else words.ZERO
    kind = _KINDS.get(str(row.get("orderType")), OrderType.LIMIT)
    if kind.is_conditional and trigger <= 0:
        kind = OrderType.LIMIT
    return OrderTerms(
        symbol=traded.symbol,
        side=_side(row),
        type=kind,
        quantity=words.number_or_zero(row, "origSz") or words.WHOLE_POSITION,
        price=words.number(row, "limitPx") if kind.has_limit else None,
        stop_price=trigger if kind.is_conditional else None,
        time_in_force=_TIMES_TOLD.get(str(row.get("tif")), TimeInForce.GTC),
        reduce_only=row.get("reduceOnly") is True,
    )


def _position(row: words.Row, traded: Traded) -> VenuePosition:
    quantity = words.number(row, "szi")
    leverage = words.row(row["leverage"])
    worth = words.number(row, "positionValue")
    isolated = _margin_type(leverage) is MarginType.ISOLATED
    return VenuePosition(
        symbol=traded.symbol,
        quantity=quantity,
        entry_price=words.number_or_zero(row, "entryPx"),
        mark_price=share(worth, Decimal(1), abs(quantity), _FINEST),
        unrealised=words.number(row, "unrealizedPnl"),
        leverage=int(words.number(leverage, "value")),
        margin_type=_margin_type(leverage),
        liquidation_price=words.number_or_zero(row, "liquidationPx") or None,
        isolated_margin=words.number_or_zero(row, "marginUsed") if isolated else None,
        notional=worth if quantity > 0 else -worth,
    )


def _margin_type(told: words.Row) -> MarginType:
    return MarginType.ISOLATED if told.get("type") == "isolated" else MarginType.CROSSED


def _unrealised(rows: Sequence[words.Row], kind: str) -> Decimal:
    mine = [row for row in rows if words.row(row["leverage"]).get("type") == kind]
    return sum((words.number(row, "unrealizedPnl") for row in mine), words.ZERO)


def _funding_name(row: words.Row) -> str:
    return f"{row['time']}-{words.row(row['delta']).get('coin')}"


def _moved(delta: words.Row, user: str) -> Decimal:
    """Return what an entry of the ledger brought the perpetuals' account; zero for what did not concern it."""
    kind, amount = delta.get("type"), words.number_or_zero(delta, "usdc")
    if kind == "deposit":
        return amount
    if kind == "withdraw":
        return -EXACT.add(amount, words.number_or_zero(delta, "fee"))
    if kind == "accountClassTransfer":
        return amount if delta.get("toPerp") is True else -amount
    if kind in {"internalTransfer", "subAccountTransfer"}:
        came = str(delta.get("destination")).lower() == user
        return amount if came else -EXACT.add(amount, words.number_or_zero(delta, "fee"))
    return words.ZERO
