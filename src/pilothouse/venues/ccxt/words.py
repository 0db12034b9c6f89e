"""Values as exchanges and ccxt write them, and what they are to the house: exactly, and nothing guessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pilothouse.core.clock import from_micros
from pilothouse.core.errors import Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.rounding import EXACT, NotExact, exact
from pilothouse.venues.port import MarginType, OrderReport, VenuePosition, VenueStatus

Row = Mapping[str, Any]

WHOLE_POSITION: Final = Decimal(1_000_000_000_000)
"""The quantity of somebody else's order that closes a position, whatever its size: nobody names one."""

ZERO: Final = Decimal(0)


class NotUnderstood(Unavailable):
    """The exchange answered something that this adapter cannot read."""

    code = "venue_not_understood"


# ── Values ────────────────────────────────────────────────────────────────────────────────────────


def number(row: Row, name: str) -> Decimal:
    """Return a number, however it is written but as a float. Raises NotUnderstood."""
    value = row.get(name)
    try:
        return exact(value)  # type: ignore[arg-type]  # what is no number is refused there
    except NotExact:
        raise NotUnderstood(f"{name} should be a number and is {value!r}") from None


def number_or_zero(row: Row, name: str) -> Decimal:
    """Return a number that may be missing or empty; zero then."""
    return number(row, name) if row.get(name) not in {None, ""} else ZERO


def text(row: Row, name: str) -> str:
    """Return a text; whole numbers become one. Raises NotUnderstood."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise NotUnderstood(f"{name} should be a text and is {value!r}")
    return str(value)


def truth(row: Row, name: str) -> bool:
    """Return a yes or no, as a boolean or as text; missing is no."""
    value = row.get(name)
    return value is True or (isinstance(value, str) and value.lower() == "true")


def instant(row: Row, *names: str) -> datetime:
    """Return the first instant there is among `names`, in milliseconds. Raises NotUnderstood."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return from_micros(value * 1_000)
    raise NotUnderstood(f"{' or '.join(names)} should be milliseconds and is {row.get(names[0])!r}")


def rows(value: object) -> list[Row]:
    """Return a list of objects. Raises NotUnderstood."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise NotUnderstood(f"a list of objects was expected and {type(value).__name__} came")
    return value


def row(value: object) -> Row:
    """Return an object. Raises NotUnderstood."""
    if not isinstance(value, dict):
        raise NotUnderstood(f"an object was expected and {type(value).__name__} came")
    return value


def side_of(word: str) -> Side:
    """Return the side that `word` names, in capitals or not. Raises NotUnderstood."""
    try:
        return Side(word.upper())
    except ValueError:
        raise NotUnderstood(f"an order has the side {word!r}") from None


# ── What ccxt's common words say ──────────────────────────────────────────────────────────────────

_STATUS: Final = {
    "open": VenueStatus.NEW,
    "closed": VenueStatus.FILLED,
    "canceled": VenueStatus.CANCELED,
    "canceling": VenueStatus.NEW,
    "expired": VenueStatus.EXPIRED,
    "rejected": VenueStatus.REJECTED,
}
_TIMES: Final = {"PO": TimeInForce.GTX, **{str(time): time for time in TimeInForce}}


@dataclass(frozen=True, slots=True)
class Traded:
    """One thing that is traded, by both of its names.

    symbol   ours: the exchange's own id of it
    unified  ccxt's name
    size     base for each unit in which the exchange counts; 1 where it counts in base
    """

    symbol: str
    unified: str
    size: Decimal = Decimal(1)


def traded_of(symbol: str, market: Row) -> Traded:
    """Return the names of a market; a contract may be of more or less than one unit of base."""
    size = number_or_zero(market, "contractSize") if market.get("contract") else ZERO
    return Traded(symbol, text(market, "symbol"), size or Decimal(1))


def instrument_of(symbol: str, market: Row, mode: int, leverage_max: int) -> Instrument | None:
    """Return the instrument of a market; None for one without a grid, which nobody could trade exactly.

    mode   how ccxt tells precision there: 2 in decimal places, 4 in steps; there is no grid in significant digits
    """
    size = traded_of(symbol, market).size
    precision, limits = row(market.get("precision")), row(market.get("limits"))
    amounts, prices, costs = (row(limits.get(name) or {}) for name in ("amount", "price", "cost"))
    tick, step = _step(precision, "price", mode), _step(precision, "amount", mode)
    if tick <= 0 or step <= 0:
        return None
    lot = EXACT.multiply(step, size)
    return Instrument(
        symbol=symbol,
        base=text(market, "base"),
        quote=text(market, "quote"),
        tick=tick,
        lot=lot,
        quantity_min=EXACT.multiply(number_or_zero(amounts, "min"), size) or lot,
        quantity_max=EXACT.multiply(number_or_zero(amounts, "max"), size) or WHOLE_POSITION,
        notional_min=number_or_zero(costs, "min"),
        price_min=number_or_zero(prices, "min") or tick,
        price_max=number_or_zero(prices, "max") or WHOLE_POSITION,
        leverage_max=max(1, leverage_max),
    )


def _step(precision: Row, name: str, mode: int) -> Decimal:
    told = number_or_zero(precision, name)
    if mode == 4:
        return told
    return Decimal(1).scaleb(-int(told)) if mode == 2 and precision.get(name) is not None else ZERO


def report_of(order: Row, traded: Traded, client_order_id: str, fills: Sequence[Fill] = ()) -> OrderReport:
    """Return an order as ccxt tells it.

    client_order_id   ours, if it is known; else what the exchange has, or its own number
    """
    filled = EXACT.multiply(number_or_zero(order, "filled"), traded.size)
    status = _STATUS.get(str(order.get("status")), VenueStatus.NEW)
    if status is VenueStatus.NEW and filled > 0:
        status = VenueStatus.PARTIALLY_FILLED
    at = "lastUpdateTimestamp" if order.get("lastUpdateTimestamp") else "timestamp"
    return OrderReport(
        client_order_id=client_order_id or str(order.get("clientOrderId") or order.get("id") or ""),
        venue_order_id=str(order.get("id") or ""),
        terms=terms_of(order, traded, filled),
        status=status,
        filled_quantity=filled,
        at=instant(order, at, "timestamp", "lastTradeTimestamp"),
        fills=tuple(fills),
    )


def terms_of(order: Row, traded: Traded, filled: Decimal) -> OrderTerms:
    """Return the terms of an order as ccxt tells it."""
    price = number_or_zero(order, "price")
    limit = "limit" in str(order.get("type") or "").lower() and price > 0
    profit, stop = number_or_zero(order, "takeProfitPrice"), ZERO
    if profit <= 0:
        stop = number_or_zero(order, "stopLossPrice") or number_or_zero(order, "triggerPrice")
    if profit > 0:
        kind = OrderType.TAKE_PROFIT if limit else OrderType.TAKE_PROFIT_MARKET
    elif stop > 0:
        kind = OrderType.STOP if limit else OrderType.STOP_MARKET
    else:
        kind = OrderType.LIMIT if limit else OrderType.MARKET
    time = TimeInForce.GTX if order.get("postOnly") is True else _TIMES.get(str(order.get("timeInForce")))
    return OrderTerms(
        symbol=traded.symbol,
        side=side_of(text(order, "side")),
        type=kind,
        quantity=EXACT.multiply(number_or_zero(order, "amount"), traded.size) or filled or WHOLE_POSITION,
        price=price if limit else None,
        stop_price=(profit or stop) if kind.is_conditional else None,
        time_in_force=time or TimeInForce.GTC,
        reduce_only=order.get("reduceOnly") is True,
    )


def fill_of(trade: Row, traded: Traded, client_order_id: str | None) -> Fill:
    """Return one own trade as ccxt tells it. Raises NotUnderstood, also for one without a number of its own."""
    fee = row(trade.get("fee") or {})
    return Fill(
        venue_trade_id=text(trade, "id"),
        venue_order_id=str(trade.get("order") or ""),
        client_order_id=client_order_id,
        symbol=traded.symbol,
        side=side_of(text(trade, "side")),
        price=number(trade, "price"),
        quantity=EXACT.multiply(number(trade, "amount"), traded.size),
        commission=number_or_zero(fee, "cost"),
        commission_currency=str(fee.get("currency") or ""),
        realised=None,
        maker=trade.get("takerOrMaker") == "maker",
        at=instant(trade, "timestamp"),
    )


def position_of(held: Row, traded: Traded) -> VenuePosition:
    """Return one position as ccxt tells it: unsigned there, with a side."""
    contracts = EXACT.multiply(number_or_zero(held, "contracts"), traded.size)
    quantity = -contracts if held.get("side") == "short" else contracts
    mark = number_or_zero(held, "markPrice")
    isolated = held.get("marginMode") == "isolated"
    return VenuePosition(
        symbol=traded.symbol,
        quantity=quantity,
        entry_price=number_or_zero(held, "entryPrice"),
        mark_price=mark,
        unrealised=number_or_zero(held, "unrealizedPnl"),
        leverage=int(number_or_zero(held, "leverage")) or 1,
        margin_type=MarginType.ISOLATED if isolated else MarginType.CROSSED,
        liquidation_price=number_or_zero(held, "liquidationPrice") or None,
        isolated_margin=number_or_zero(held, "collateral") if isolated else None,
        notional=EXACT.multiply(quantity, mark),
    )
