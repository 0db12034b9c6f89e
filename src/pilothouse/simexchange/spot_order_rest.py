"""Orders of spot over REST: placed, cancelled, replaced, made smaller, and told."""

import hashlib
from collections.abc import Callable
from typing import Any

from pilothouse.simexchange.asking import SIGNED, Asking, Route
from pilothouse.simexchange.order_intake import read_number
from pilothouse.simexchange.spot_events import (
    COMMISSION_RATE,
    NO_DISCOUNT,
    amended_words,
    cancelled_words,
    list_words,
    order_words,
    placed_words,
    trade_words,
)
from pilothouse.simexchange.spot_intake import changed, placed, read_spot_order, spot_account
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.spot_orders import SpotOrder

_AMENDS_MAX = 10


_FAILED = "Order cancel-replace failed."


def place(asking: Asking) -> Any:
    """Take an order."""
    order = read_spot_order(asking)
    placed(asking, order)
    return _placed_words(asking, order)


def _placed_words(asking: Asking, order: SpotOrder) -> Any:
    form = asking.request.text("newOrderRespType", "FULL" if order.kind in {"MARKET", "LIMIT"} else "ACK").upper()
    return placed_words(order, asking.exchange.grids[order.symbol], form)


def try_out(asking: Asking) -> Any:
    """Check an order without placing it."""
    read_spot_order(asking)
    if not asking.request.flag("computeCommissionRates"):
        return {}
    rates = {"maker": COMMISSION_RATE, "taker": COMMISSION_RATE}
    nothing = dict.fromkeys(rates, "0.00000000")
    return {
        "standardCommissionForOrder": rates,
        "specialCommissionForOrder": nothing,
        "taxCommissionForOrder": nothing,
        "discount": NO_DISCOUNT,
    }


def _named(asking: Asking, code: int) -> SpotOrder:
    symbol, request, its = asking.symbol(), asking.request, spot_account(asking)
    number, client_id = request.whole("orderId"), request.text("origClientOrderId")
    if number is None and not client_id:
        raise WireError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    found = its.orders.get(number) if number is not None else its.by_client(client_id)
    if found is None or found.symbol != symbol:
        raise WireError(code)
    return found


def cancel(asking: Asking) -> Any:
    """Cancel an order."""
    order = _named(asking, -2011)
    if not order.is_open:
        raise WireError(-2011)
    restriction = asking.request.text("cancelRestrictions").upper()
    if restriction and restriction != ("ONLY_PARTIALLY_FILLED" if order.filled else "ONLY_NEW"):
        raise WireError(-2011, "Order was not canceled due to cancel restrictions.")
    return _cancelled(asking, order)


def _cancelled(asking: Asking, order: SpotOrder, name: str = "newClientOrderId") -> Any:
    """Cancel an order, and what is tied to it; `name`: the parameter that says what the cancelling is called."""
    order.cancel_id = asking.request.text(name) or _own_name(asking, order)
    asking.exchange.spot.cancel(order, asking.now)
    asking.exchange.settle_spot()
    if order.list_id:
        made = spot_account(asking).lists[order.list_id]
        return list_words(spot_account(asking), made, asking.exchange.grids[order.symbol], reports=True)
    return cancelled_words(order, asking.exchange.grids[order.symbol])


def _own_name(asking: Asking, order: SpotOrder) -> str:
    """Return what a cancelling is called that got no name."""
    text = f"{asking.exchange.seed}|{asking.file.id}|{order.number}|cancel"
    return hashlib.blake2b(text.encode(), digest_size=11).hexdigest()


def cancel_open(asking: Asking) -> Any:
    """Cancel every open order of an instrument; there must be one."""
    symbol = asking.symbol()
    found = [each for each in spot_account(asking).orders.values() if each.is_open and each.symbol == symbol]
    if not found:
        raise WireError(-2011)
    # Cancelling one of a pair cancels the other too; the pair is told once.
    return [_cancelled(asking, order) for order in found if order.is_open]


def order(asking: Asking) -> Any:
    """Tell of one order."""
    found = _named(asking, -2013)
    return order_words(found, asking.exchange.grids[found.symbol])


def open_orders(asking: Asking) -> Any:
    """Tell of every open order, of one instrument or of all."""
    wanted = set(asking.symbols())
    return [
        order_words(each, asking.exchange.grids[each.symbol])
        for each in spot_account(asking).orders.values()
        if each.is_open and each.symbol in wanted
    ]


def all_orders(asking: Asking) -> Any:
    """Tell of the orders of an instrument, oldest first."""
    symbol, number = asking.symbol(), asking.request.whole("orderId")
    found = [
        order_words(each, asking.exchange.grids[symbol])
        for each in spot_account(asking).orders.values()
        if each.symbol == symbol and (number is None or each.number >= number)
    ]
    limit = asking.request.limit(500, 1_000)
    return found[:limit] if number is not None else found[-limit:]


def my_trades(asking: Asking) -> Any:
    """Tell an account's own trades of an instrument, oldest first."""
    symbol, request = asking.symbol(), asking.request
    number, from_id, start, end = (request.whole(name) for name in ("orderId", "fromId", "startTime", "endTime"))
    found = [
        (fill, each)
        for each in spot_account(asking).orders.values()
        if each.symbol == symbol and (number is None or each.number == number)
        for fill in each.fills
        if (from_id is None or fill.trade >= from_id)
        and (start is None or fill.at // 1_000 >= start)
        and (end is None or fill.at // 1_000 <= end)
    ]
    found.sort(key=lambda pair: pair[0].trade)
    limit = request.limit(500, 1_000)
    chosen = found[:limit] if from_id is not None or start is not None else found[-limit:]
    return [trade_words(fill, each, asking.exchange.grids[symbol]) for fill, each in chosen]


def replace(asking: Asking) -> Any:
    """Cancel an order and place another; whether the second is tried when the first fails is the asker's choice."""
    request = asking.request
    mode = request.need("cancelReplaceMode").upper()
    if mode not in {"STOP_ON_FAILURE", "ALLOW_FAILURE"}:
        raise missing("cancelReplaceMode")
    if not request.text("cancelOrderId") and not request.text("cancelOrigClientOrderId"):
        raise WireError(-1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty.")
    wanted = read_spot_order(asking)
    cancelled, cancel_words = _tried(lambda: _cancel_first(asking))
    if not cancelled and mode == "STOP_ON_FAILURE":
        raise WireError(-2022, _FAILED, data=_replaced("FAILURE", cancel_words, "NOT_ATTEMPTED", None))
    taken, words = _tried(lambda: _place_second(asking, wanted))
    done = ("SUCCESS" if cancelled else "FAILURE", cancel_words, "SUCCESS" if taken else "FAILURE", words)
    if cancelled and taken:
        return _replaced(*done)
    if cancelled or taken:
        raise WireError(-2021, "Order cancel-replace partially failed.", status=409, data=_replaced(*done))
    raise WireError(-2022, _FAILED, data=_replaced(*done))


def _replaced(cancelled: str, cancel_words: Any, taken: str, words: Any) -> dict[str, Any]:
    return {
        "cancelResult": cancelled, "newOrderResult": taken, "cancelResponse": cancel_words, "newOrderResponse": words,
    }  # fmt: skip


def _tried(what: Callable[[], Any]) -> tuple[bool, Any]:
    """Return whether it went well, and what was answered."""
    try:
        return True, what()
    except WireError as error:
        return False, error.body


def _cancel_first(asking: Asking) -> Any:
    request, its = asking.request, spot_account(asking)
    number = request.whole("cancelOrderId")
    name = request.text("cancelOrigClientOrderId")
    found = its.orders.get(number) if number is not None else its.by_client(name)
    if found is None or not found.is_open or found.symbol != asking.symbol():
        raise WireError(-2011)
    return _cancelled(asking, found, "cancelNewClientOrderId")


def _place_second(asking: Asking, wanted: SpotOrder) -> Any:
    placed(asking, wanted)
    return _placed_words(asking, wanted)


def amend(asking: Asking) -> Any:
    """Make an order smaller; it keeps its place."""
    order = _named(asking, -2013)
    grid = asking.exchange.grids[order.symbol]
    lots = read_number(asking.request, "newQty", grid, is_price=False)
    if not order.is_open:
        raise WireError(-2013)
    if len(order.amended) >= _AMENDS_MAX:
        raise WireError(-2038, "Order amend (quantity increase) is not supported.")
    contract = asking.exchange.floor.contracts[order.symbol]
    if lots < contract.lots_min or lots > order.lots:
        raise WireError(-2038, "Order amend (quantity increase) is not supported.")
    changed(asking, asking.exchange.spot.amend(order, lots, asking.now))
    if asking.request.text("newClientOrderId"):
        order.client_id = asking.request.text("newClientOrderId")
    words = {
        "transactTime": asking.now_ms,
        "executionId": order.number * 100 + len(order.amended),
        "amendedOrder": amended_words(order, grid),
    }
    if order.list_id:
        its = spot_account(asking)
        words["listStatus"] = list_words(its, its.lists[order.list_id], grid, reports=False)
    return words


def amendments(asking: Asking) -> Any:
    """Tell how an order was made smaller."""
    order = _named(asking, -2013)
    grid = asking.exchange.grids[order.symbol]
    return [
        {
            "symbol": order.symbol,
            "orderId": order.number,
            "executionId": order.number * 100 + count,
            "origClientOrderId": order.client_id,
            "newClientOrderId": order.client_id,
            "origQty": grid.quantity(before),
            "newQty": grid.quantity(after),
            "time": at // 1_000,
        }
        for count, (at, before, after) in enumerate(order.amended, start=1)
    ]


def place_anywhere(asking: Asking) -> Any:
    """Take an order for whichever book is best: there is one, and so it goes there."""
    if asking.request.need("type").upper() not in {"LIMIT", "MARKET"}:
        raise WireError(-1116)
    words: dict[str, Any] = place(asking)
    return words | {"workingFloor": "SOR", "usedSor": True} if "status" in words else words


def open_order(asking: Asking) -> Any:
    """Tell of one open order."""
    found = _named(asking, -2013)
    if not found.is_open:
        raise WireError(-2013)
    return order_words(found, asking.exchange.grids[found.symbol])


def cancel_all(asking: Asking) -> Any:
    """Cancel every open order of an instrument, whether there is one or not."""
    symbol = asking.symbol()
    for each in list(spot_account(asking).orders.values()):
        if each.is_open and each.symbol == symbol:
            asking.exchange.spot.cancel(each, asking.now)
    asking.exchange.settle_spot()
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "order"): Route(place, SIGNED, 1, orders=1),
    ("POST", "order/test"): Route(try_out, SIGNED),
    ("GET", "order"): Route(order, SIGNED, 4),
    ("DELETE", "order"): Route(cancel, SIGNED),
    ("POST", "order/cancelReplace"): Route(replace, SIGNED, 1, orders=1),
    ("PUT", "order/amend/keepPriority"): Route(amend, SIGNED, 4),
    ("GET", "order/amendments"): Route(amendments, SIGNED, 4),
    ("GET", "openOrders"): Route(open_orders, SIGNED, 6),
    ("DELETE", "openOrders"): Route(cancel_open, SIGNED),
    ("GET", "allOrders"): Route(all_orders, SIGNED, 20),
    ("GET", "myTrades"): Route(my_trades, SIGNED, 20),
    ("POST", "sor/order"): Route(place_anywhere, SIGNED, 1, orders=1),
    ("POST", "sor/order/test"): Route(try_out, SIGNED),
}
