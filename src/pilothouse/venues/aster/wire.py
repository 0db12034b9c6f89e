"""Messages of AsterDEX futures v3, and what they are to the house: both ways, exactly, and nothing guessed.

Numbers travel as decimal text. Order answers, queries and the user stream name the same things differently; each has
its own reader here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from pilothouse.core.clock import from_micros
from pilothouse.core.errors import Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.core.rounding import EXACT, NotExact, exact, plain
from pilothouse.venues.port import (
    MarginType,
    OrderReport,
    OrderRequest,
    VenueBalance,
    VenuePosition,
    VenueStatus,
)

Row = Mapping[str, Any]
Params = Sequence[tuple[str, str]]

WHOLE_POSITION: Final = Decimal(1_000_000_000_000)
"""The quantity of somebody else's order that closes a position, whatever its size: the wire names none."""

_STATUS: Final = {
    **{str(status): status for status in VenueStatus},
    "NEW_INSURANCE": VenueStatus.PARTIALLY_FILLED,  # a liquidation that the insurance fund takes on
    "NEW_ADL": VenueStatus.PARTIALLY_FILLED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
}
_TYPES: Final = {str(kind): kind for kind in OrderType}
_TIMES: Final = {str(time): time for time in TimeInForce}
_SIDES: Final = {str(side): side for side in Side}


class NotUnderstood(Unavailable):
    """The venue answered something that this adapter cannot read."""

    code = "venue_not_understood"


# ── Out ───────────────────────────────────────────────────────────────────────────────────────────


def encoded(params: Iterable[tuple[str, str]]) -> str:
    """Return parameters as they stand on the wire and in what is signed: one text for both, in this order."""
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in params)


def order_params(request: OrderRequest) -> list[tuple[str, str]]:
    """Return one order as parameters. Stops compare with the mark price, as OrderTerms says."""
    terms = request.terms
    params = [("symbol", terms.symbol), ("side", terms.side.value), ("type", terms.type.value)]
    params.append(("newClientOrderId", request.client_order_id))
    if request.close_position:
        params.append(("closePosition", "true"))
    else:
        params.append(("quantity", plain(terms.quantity)))
        if terms.reduce_only:
            params.append(("reduceOnly", "true"))
    if terms.price is not None:
        params += [("price", plain(terms.price)), ("timeInForce", terms.time_in_force.value)]
    if terms.trail_percent is not None:
        params += [("callbackRate", plain(terms.trail_percent)), ("workingType", "MARK_PRICE")]
        if terms.stop_price is not None:
            params.append(("activationPrice", plain(terms.stop_price)))
    elif terms.stop_price is not None:
        params += [("stopPrice", plain(terms.stop_price)), ("workingType", "MARK_PRICE")]
    params.append(("newOrderRespType", "RESULT"))
    return params


def batch_param(requests: Iterable[OrderRequest]) -> str:
    """Return orders as the JSON text of `batchOrders`. Values are ASCII without quotes, by what they are made of."""
    orders = (
        "{" + ",".join(f'"{name}":"{value}"' for name, value in order_params(request)) + "}" for request in requests
    )
    return "[" + ",".join(orders) + "]"


# ── In: values ────────────────────────────────────────────────────────────────────────────────────


def number(row: Row, name: str) -> Decimal:
    """Return a number, however it is written but as a float. Raises NotUnderstood."""
    value = row.get(name)
    try:
        return exact(value)  # type: ignore[arg-type]  # what is no number is refused there
    except NotExact:
        raise NotUnderstood(f"{name} should be a number and is {value!r}") from None


def number_or_zero(row: Row, name: str) -> Decimal:
    """Return a number that may be missing or empty; zero then."""
    return number(row, name) if row.get(name) not in {None, ""} else Decimal(0)


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


def status_of(word: str) -> VenueStatus:
    """Return the status that `word` names. Raises NotUnderstood for one that is not known."""
    status = _STATUS.get(word)
    if status is None:
        raise NotUnderstood(f"an order has the status {word!r}, which is not known")
    return status


def _side(word: str) -> Side:
    side = _SIDES.get(word)
    if side is None:
        raise NotUnderstood(f"an order has the side {word!r}")
    return side


@dataclass(frozen=True, slots=True)
class _Names:
    """What one kind of message calls the parts of an order."""

    symbol: str
    side: str
    kind: str
    kind_before: str
    quantity: str
    filled: str
    price: str
    stop: str
    activation: str
    time: str
    reduces: str
    closes: str
    trail: str


_REST: Final = _Names(
    "symbol", "side", "type", "origType", "origQty", "executedQty", "price", "stopPrice", "activatePrice",
    "timeInForce", "reduceOnly", "closePosition", "priceRate",
)  # fmt: skip
_EVENT: Final = _Names("s", "S", "o", "ot", "q", "z", "p", "sp", "AP", "f", "R", "cp", "cr")


def _terms(order: Row, names: _Names) -> OrderTerms:
    """Return the terms of an order; of a stop that was triggered, those it was placed with."""
    word = str(order.get(names.kind_before) or order.get(names.kind) or "")
    price, stop = number_or_zero(order, names.price), number_or_zero(order, names.stop)
    trail = Decimal(0)
    if word == OrderType.TRAILING_STOP_MARKET:
        trail = number_or_zero(order, names.trail)
        stop = number_or_zero(order, names.activation) or (Decimal(0) if trail else stop)
        word = word if trail else OrderType.STOP_MARKET  # by how much it trails is not told everywhere
    kind = _TYPES.get(word)
    if kind is None or (kind.has_limit and price == 0):
        kind = OrderType.LIMIT if price > 0 else OrderType.MARKET
    quantity = number_or_zero(order, names.quantity)
    closes = truth(order, names.closes)
    if quantity == 0:
        quantity = number_or_zero(order, names.filled) or WHOLE_POSITION
    return OrderTerms(
        symbol=text(order, names.symbol),
        side=_side(text(order, names.side)),
        type=kind,
        quantity=quantity,
        price=price if kind.has_limit else None,
        stop_price=(stop or None if trail else stop) if kind.is_conditional else None,
        time_in_force=_TIMES.get(str(order.get(names.time)), TimeInForce.GTC),
        reduce_only=truth(order, names.reduces) or closes,
        trail_percent=trail or None,
    )


# ── In: orders and fills ──────────────────────────────────────────────────────────────────────────


def report_of(order: Row, fills: Sequence[Fill] = ()) -> OrderReport:
    """Return what an answer or a query tells of one order."""
    return OrderReport(
        client_order_id=text(order, "clientOrderId"),
        venue_order_id=text(order, "orderId"),
        terms=_terms(order, _REST),
        status=status_of(text(order, "status")),
        filled_quantity=number_or_zero(order, "executedQty"),
        at=instant(order, "updateTime", "time"),
        fills=tuple(fills),
    )


def report_of_event(event: Row) -> OrderReport:
    """Return what an ORDER_TRADE_UPDATE tells: the order, and the one fill if it was a trade."""
    order = row(event.get("o"))
    fills: tuple[Fill, ...] = ()
    if number_or_zero(order, "l") > 0 and str(order.get("t", 0)) != "0":
        fills = (_fill_of_event(order),)
    reason = str(order.get("er") or "")
    return OrderReport(
        client_order_id=text(order, "c"),
        venue_order_id=text(order, "i"),
        terms=_terms(order, _EVENT),
        status=status_of(text(order, "X")),
        filled_quantity=number_or_zero(order, "z"),
        at=instant(order, "T") if order.get("T") else instant(event, "T", "E"),
        fills=fills,
        reason="" if reason == "0" else reason,
    )


def _fill_of_event(order: Row) -> Fill:
    maker, commission = truth(order, "m"), number_or_zero(order, "n")
    return Fill(
        venue_trade_id=text(order, "t"),
        venue_order_id=text(order, "i"),
        client_order_id=text(order, "c"),
        symbol=text(order, "s"),
        side=_side(text(order, "S")),
        price=number(order, "L"),
        quantity=number(order, "l"),
        commission=commission if maker else EXACT.abs(commission),
        commission_currency=str(order.get("N") or ""),
        realised=number_or_zero(order, "rp"),
        maker=maker,
        at=instant(order, "T"),
    )


def fill_of(trade: Row, client_order_id: str | None) -> Fill:
    """Return one row of userTrades; whose order it was is not told there.

    What a taker paid is a cost whatever its sign: the venue's pages show it negative, its sibling sends it positive.
    """
    maker = truth(trade, "maker")
    commission = number_or_zero(trade, "commission")
    return Fill(
        venue_trade_id=text(trade, "id"),
        venue_order_id=text(trade, "orderId"),
        client_order_id=client_order_id,
        symbol=text(trade, "symbol"),
        side=_side(text(trade, "side")),
        price=number(trade, "price"),
        quantity=number(trade, "qty"),
        commission=commission if maker else EXACT.abs(commission),
        commission_currency=str(trade.get("commissionAsset") or ""),
        realised=number_or_zero(trade, "realizedPnl"),
        maker=maker,
        at=instant(trade, "time"),
    )


# ── In: the account ───────────────────────────────────────────────────────────────────────────────


def position_of(held: Row) -> VenuePosition:
    """Return one row of positionRisk."""
    quantity, mark = number(held, "positionAmt"), number_or_zero(held, "markPrice")
    isolated = str(held.get("marginType", "")).lower() == "isolated"
    return VenuePosition(
        symbol=text(held, "symbol"),
        quantity=quantity,
        entry_price=number_or_zero(held, "entryPrice"),
        mark_price=mark,
        unrealised=number_or_zero(held, "unRealizedProfit"),
        leverage=int(number(held, "leverage")),
        margin_type=MarginType.ISOLATED if isolated else MarginType.CROSSED,
        liquidation_price=number_or_zero(held, "liquidationPrice") or None,
        isolated_margin=number_or_zero(held, "isolatedMargin") if isolated else None,
        notional=number(held, "notional") if held.get("notional") else EXACT.multiply(quantity, mark),
    )


def balance_of(account: Row, asset: str) -> VenueBalance:
    """Return one asset of the account; one that is not told is not held."""
    for each in rows(account.get("assets")):
        if each.get("asset") == asset:
            return VenueBalance(
                asset=asset,
                wallet=number(each, "walletBalance"),
                available=number(each, "availableBalance"),
                cross_wallet=number_or_zero(each, "crossWalletBalance"),
                unrealised=number_or_zero(each, "unrealizedProfit"),
                margin_balance=number(each, "marginBalance"),
                initial_margin=number_or_zero(each, "initialMargin"),
                maintenance_margin=number_or_zero(each, "maintMargin"),
            )
    nothing = Decimal(0)
    return VenueBalance(asset, nothing, nothing, nothing, nothing, nothing, nothing, nothing)
