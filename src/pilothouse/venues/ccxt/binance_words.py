"""Messages of Binance, USD-M futures and spot, and what they are to the house: both ways, exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Instrument
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.rounding import EXACT
from pilothouse.venues.bounds import Rules
from pilothouse.venues.ccxt.binance_params import SPOT_WORDS
from pilothouse.venues.ccxt.words import (
    WHOLE_POSITION,
    ZERO,
    NotUnderstood,
    Row,
    instant,
    number,
    number_or_zero,
    row,
    rows,
    side_of,
    text,
    truth,
)
from pilothouse.venues.port import MarginType, OrderReport, VenuePosition, VenueStatus

LEVERAGE_UNTOLD: Final = 20
"""The most leverage of an instrument whose brackets were not read: they are told to accounts only."""


ALGO: Final = "algo-"
"""Stands before the number of a conditional order that has not triggered: those are counted apart."""


_STATUS: Final = {
    **{str(status): status for status in VenueStatus},
    "PENDING_NEW": VenueStatus.NEW,
    "PENDING_CANCEL": VenueStatus.NEW,
    "NEW_INSURANCE": VenueStatus.PARTIALLY_FILLED,  # a liquidation that the insurance fund takes on
    "NEW_ADL": VenueStatus.PARTIALLY_FILLED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
}


_ALGO_STATUS: Final = {
    "NEW": VenueStatus.NEW,
    "TRIGGERING": VenueStatus.NEW,
    "TRIGGERED": VenueStatus.NEW,
    "FINISHED": VenueStatus.NEW,  # what became of it is told by the order that it made
    "CANCELED": VenueStatus.CANCELED,
    "EXPIRED": VenueStatus.EXPIRED,
    "REJECTED": VenueStatus.EXPIRED,  # it stood, and died when it was triggered
}


_FUTURES_TYPES: Final = {str(kind): kind for kind in OrderType}


_SPOT_TYPES: Final = {word: kind for kind, word in SPOT_WORDS.items()} | {"LIMIT_MAKER": OrderType.LIMIT}


_TIMES: Final = {str(time): time for time in TimeInForce}


_TRAIL_NAMES: Final = ("callbackRate", "priceRate", "cr")


@dataclass(frozen=True, slots=True)
class Names:
    """What one kind of message calls the parts of an order."""

    client: str
    number: str
    symbol: str
    side: str
    kind: str
    kind_before: str
    quantity: str
    filled: str
    price: str
    stop: str
    time: str
    reduces: str
    closes: str
    status: str
    at: tuple[str, ...]


REST: Final = Names(
    "clientOrderId", "orderId", "symbol", "side", "type", "origType", "origQty", "executedQty", "price", "stopPrice",
    "timeInForce", "reduceOnly", "closePosition", "status", ("updateTime", "transactTime", "time"),
)  # fmt: skip


EVENT: Final = Names("c", "i", "s", "S", "o", "ot", "q", "z", "p", "sp", "f", "R", "cp", "X", ("T",))


SPOT_EVENT: Final = Names("c", "i", "s", "S", "o", "o", "q", "z", "p", "P", "f", "R", "cp", "X", ("T",))


ALGO_REST: Final = Names(
    "clientAlgoId", "algoId", "symbol", "side", "orderType", "orderType", "quantity", "", "price", "triggerPrice",
    "timeInForce", "reduceOnly", "closePosition", "algoStatus", ("updateTime", "createTime"),
)  # fmt: skip


ALGO_EVENT: Final = Names("caid", "aid", "s", "S", "o", "o", "q", "", "p", "tp", "f", "R", "cp", "X", ("T",))


def terms_of(order: Row, names: Names, types: Mapping[str, OrderType]) -> OrderTerms:
    """Return the terms of an order; of a stop that was triggered, those it was placed with."""
    word = str(order.get(names.kind_before) or order.get(names.kind) or "")
    price, stop = number_or_zero(order, names.price), number_or_zero(order, names.stop)
    trail = ZERO
    if word == OrderType.TRAILING_STOP_MARKET:
        trail = next((each for each in (number_or_zero(order, name) for name in _TRAIL_NAMES) if each > 0), ZERO)
        stop = number_or_zero(order, "activatePrice") or number_or_zero(order, "AP") or (ZERO if trail else stop)
        word = word if trail else OrderType.STOP_MARKET  # by how much it trails is not told everywhere
    kind = types.get(word)
    if kind is None or (kind.has_limit and price == 0) or (kind.is_conditional and stop == 0 and not trail):
        kind = OrderType.LIMIT if price > 0 else OrderType.MARKET
    closes = truth(order, names.closes)
    quantity = number_or_zero(order, names.quantity) or number_or_zero(order, names.filled) or WHOLE_POSITION
    time = TimeInForce.GTX if word == "LIMIT_MAKER" else _TIMES.get(str(order.get(names.time)), TimeInForce.GTC)
    return OrderTerms(
        symbol=text(order, names.symbol),
        side=side_of(text(order, names.side)),
        type=kind,
        quantity=quantity,
        price=price if kind.has_limit else None,
        stop_price=(stop or None) if kind.is_conditional else None,
        time_in_force=time,
        reduce_only=truth(order, names.reduces) or closes,
        trail_percent=trail or None,
    )


def report_of(order: Row, names: Names, *, spot: bool = False, fills: Sequence[Fill] = ()) -> OrderReport:
    """Return what an answer, a query or an event tells of one order that is in the book or was."""
    word = text(order, names.status)
    status = _STATUS.get(word)
    if status is None:
        raise NotUnderstood(f"an order has the status {word!r}, which is not known")
    return OrderReport(
        client_order_id=text(order, names.client),
        venue_order_id=text(order, names.number),
        terms=terms_of(order, names, _SPOT_TYPES if spot else _FUTURES_TYPES),
        status=status,
        filled_quantity=number_or_zero(order, names.filled),
        at=instant(order, *names.at),
        fills=tuple(fills),
        reason=_expiry(order),
    )


def _expiry(order: Row) -> str:
    """Return why an order expired, as far as it is told; zero stands for no reason."""
    told = str(order.get("er") or "")
    return "" if told == "0" else told


def algo_report(algo: Row, names: Names, at: Row | None = None) -> OrderReport:
    """Return what is told of a conditional order until it triggers.

    at   where the instant is told, if that is not the order itself
    """
    word = text(algo, names.status)
    status = _ALGO_STATUS.get(word)
    if status is None:
        raise NotUnderstood(f"a conditional order has the status {word!r}, which is not known")
    return OrderReport(
        client_order_id=text(algo, names.client),
        venue_order_id=ALGO + text(algo, names.number),
        terms=terms_of(algo, names, _FUTURES_TYPES),
        status=status,
        filled_quantity=ZERO,
        at=instant(at if at is not None else algo, *names.at),
        reason=str(algo.get("rm") or ""),
    )


def triggered(algo: OrderReport, order: OrderReport) -> OrderReport:
    """Return a conditional order together with the order that it made: ours by name and terms, theirs by what it did.

    A conditional order that names no quantity has that of what it made.
    """
    terms = algo.terms
    if terms.quantity == WHOLE_POSITION:
        terms = OrderTerms(
            terms.symbol, terms.side, terms.type, order.terms.quantity, terms.price, terms.stop_price,
            terms.time_in_force, reduce_only=terms.reduce_only, trail_percent=terms.trail_percent,
        )  # fmt: skip
    name = algo.client_order_id
    return OrderReport(
        name, order.venue_order_id, terms, order.status, order.filled_quantity, order.at,
        tuple(renamed(fill, name) for fill in order.fills), order.reason,
    )  # fmt: skip


def renamed(fill: Fill, client_order_id: str | None) -> Fill:
    """Return a fill as one of another client id."""
    return Fill(
        fill.venue_trade_id, fill.venue_order_id, client_order_id, fill.symbol, fill.side, fill.price, fill.quantity,
        fill.commission, fill.commission_currency, fill.realised, fill.maker, fill.at,
    )  # fmt: skip


def fill_of_event(order: Row, *, spot: bool) -> Fill | None:
    """Return the trade that an event of an order tells; None if it tells none."""
    if number_or_zero(order, "l") <= 0 or int(number_or_zero(order, "t")) <= 0:
        return None
    return Fill(
        venue_trade_id=text(order, "t"),
        venue_order_id=text(order, "i"),
        client_order_id=text(order, "c"),
        symbol=text(order, "s"),
        side=side_of(text(order, "S")),
        price=number(order, "L"),
        quantity=number(order, "l"),
        commission=number_or_zero(order, "n"),
        commission_currency=str(order.get("N") or ""),
        realised=None if spot else number_or_zero(order, "rp"),
        maker=truth(order, "m"),
        at=instant(order, "T"),
    )


def fill_of(trade: Row, client_order_id: str | None) -> Fill:
    """Return one row of userTrades (futures) or myTrades (spot); whose order it was is not told there."""
    spot = "isBuyer" in trade
    bought = truth(trade, "isBuyer" if spot else "buyer")
    return Fill(
        venue_trade_id=text(trade, "id"),
        venue_order_id=text(trade, "orderId"),
        client_order_id=client_order_id,
        symbol=text(trade, "symbol"),
        side=side_of(str(trade.get("side") or ("BUY" if bought else "SELL"))),
        price=number(trade, "price"),
        quantity=number(trade, "qty"),
        commission=number_or_zero(trade, "commission"),
        commission_currency=str(trade.get("commissionAsset") or ""),
        realised=None if spot else number_or_zero(trade, "realizedPnl"),
        maker=truth(trade, "isMaker" if spot else "maker"),
        at=instant(trade, "time"),
    )


def fills_of_answer(order: Row) -> list[Fill]:
    """Return the fills that the full answer to an order of spot names."""
    return [
        Fill(
            venue_trade_id=text(each, "tradeId"),
            venue_order_id=text(order, "orderId"),
            client_order_id=text(order, "clientOrderId"),
            symbol=text(order, "symbol"),
            side=side_of(text(order, "side")),
            price=number(each, "price"),
            quantity=number(each, "qty"),
            commission=number_or_zero(each, "commission"),
            commission_currency=str(each.get("commissionAsset") or ""),
            realised=None,
            maker=False,
            at=instant(order, "transactTime"),
        )
        for each in rows(order.get("fills") or [])
    ]


def rules_of(symbol: Row, leverage: Mapping[str, int], *, spot: bool = False) -> Rules | None:
    """Return the rules of one symbol of exchangeInfo; None for one without a grid.

    leverage   the most for each symbol, where it is known
    """
    filters = {str(each.get("filterType")): each for each in rows(symbol.get("filters"))}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    tick, step = number_or_zero(price, "tickSize"), number_or_zero(lot, "stepSize")
    if tick <= 0 or step <= 0:
        return None
    market = filters.get("MARKET_LOT_SIZE", lot)
    least = number_or_zero(filters.get("MIN_NOTIONAL", {}), "notional")
    if spot:
        least = number_or_zero(filters.get("NOTIONAL", filters.get("MIN_NOTIONAL", {})), "minNotional")
    band = {} if spot else filters.get("PERCENT_PRICE", {})  # on spot it is about the average of minutes, not the mark
    name = text(symbol, "symbol")
    instrument = Instrument(
        symbol=name,
        base=text(symbol, "baseAsset"),
        quote=text(symbol, "quoteAsset"),
        tick=tick,
        lot=step,
        quantity_min=number_or_zero(lot, "minQty"),
        quantity_max=number_or_zero(lot, "maxQty") or WHOLE_POSITION,
        notional_min=least,
        price_min=number_or_zero(price, "minPrice") or tick,
        price_max=number_or_zero(price, "maxPrice") or WHOLE_POSITION,
        leverage_max=1 if spot else leverage.get(name, LEVERAGE_UNTOLD),
    )
    return Rules(
        instrument,
        number_or_zero(market, "minQty"),
        number_or_zero(market, "maxQty") or WHOLE_POSITION,
        number_or_zero(band, "multiplierUp") or None,
        number_or_zero(band, "multiplierDown") or None,
    )


def limit_of(info: Row, kind: str, interval: str, count: int, usual: int) -> int:
    """Return one limit of requests that exchangeInfo tells; `usual` if it does not."""
    for limit in rows(info.get("rateLimits") or []):
        if (limit.get("rateLimitType"), limit.get("interval"), limit.get("intervalNum")) == (kind, interval, count):
            return int(number(limit, "limit"))
    return usual


def position_of(held: Row, config: Row) -> VenuePosition:
    """Return one row of positionRisk and what symbolConfig says of its instrument."""
    quantity, mark = number(held, "positionAmt"), number_or_zero(held, "markPrice")
    isolated = str(config.get("marginType") or held.get("marginType") or "").upper() == "ISOLATED"
    return VenuePosition(
        symbol=text(held, "symbol"),
        quantity=quantity,
        entry_price=number_or_zero(held, "entryPrice"),
        mark_price=mark,
        unrealised=number_or_zero(held, "unRealizedProfit"),
        leverage=int(number(config if config.get("leverage") else held, "leverage")),
        margin_type=MarginType.ISOLATED if isolated else MarginType.CROSSED,
        liquidation_price=number_or_zero(held, "liquidationPrice") or None,
        isolated_margin=number_or_zero(held, "isolatedMargin") if isolated else None,
        notional=number(held, "notional") if held.get("notional") else EXACT.multiply(quantity, mark),
    )


def levels(ticker: Row) -> tuple[Decimal, Decimal]:
    """Return the best bid and ask of a bookTicker."""
    return number_or_zero(ticker, "bidPrice"), number_or_zero(ticker, "askPrice")


def sizes(ticker: Row, bid: str = "bidQty", ask: str = "askQty") -> tuple[Decimal | None, Decimal | None]:
    """Return what stands at the best bid and ask of a bookTicker; nothing where it is not told."""
    if ticker.get(bid) is None or ticker.get(ask) is None:
        return None, None
    return number(ticker, bid), number(ticker, ask)


def funding(event: Row, rate: str, at: str) -> tuple[Decimal | None, datetime | None]:
    """Return the funding rate and when it is paid next; nothing for what has no funding."""
    if not event.get(rate) or not event.get(at):
        return None, None
    return number(event, rate), instant(event, at)


def inner(message: Any) -> Any:
    """Return what a frame carries: some come with the name of their stream, some with that of a subscription."""
    told = row(message) if isinstance(message, dict) else {}
    for name in ("data", "event"):
        if isinstance(told.get(name), dict):
            return told[name]
    return message
