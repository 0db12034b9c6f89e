"""Orders over REST: place, amend, cancel, ask; one by one and in batches; the dead man's switch."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pilothouse.simexchange.asking import SIGNED, Asking, Route
from pilothouse.simexchange.figures import parsed
from pilothouse.simexchange.order_intake import check_amended, desk_of, read_number, read_order, refuses_old_path
from pilothouse.simexchange.order_words import fill_words, is_listed, order_words
from pilothouse.simexchange.records import ASTER, Told
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.orders import Order

BATCH_MAX = 5
CANCEL_BATCH_MAX = 10
BATCH_CALLBACK_MAX = 4
_WEEK_MS = 7 * 86_400_000


def place(asking: Asking) -> Any:
    """Take an order."""
    request = asking.request
    if refuses_old_path(request.text("type"), asking.profile):
        raise WireError(-4120)
    asking.symbol()
    wanted = read_order(
        request, asking.exchange.floor, asking.account, asking.exchange.grids, asking.profile, "newClientOrderId",
        asking.now,
    )  # fmt: skip
    told = asking.exchange.place(asking.file, wanted)
    short = request.text("newOrderRespType", "ACK").upper() == "ACK"
    return _words(asking, told, acknowledged=short, asked_for=False)


def try_out(asking: Asking) -> Any:
    """Check an order without placing it."""
    request = asking.request
    wanted = read_order(
        request, asking.exchange.floor, asking.account, asking.exchange.grids, asking.profile, "newClientOrderId",
        asking.now,
    )  # fmt: skip
    if asking.profile == ASTER:
        return {}
    order = Order(
        0, asking.file.id, wanted.client_id, wanted.symbol, wanted.sign, wanted.type, wanted.time_in_force, wanted.lots,
        wanted.price, wanted.stop, wanted.reduce_only, asking.now, asking.now, side=wanted.side, closes=wanted.closes,
    )  # fmt: skip
    told = Told(order, wanted.kind, wanted.working, wanted.protect, wanted.match, wanted.stp, wanted.good_till)
    return _words(asking, told, acknowledged=True, asked_for=False)


def place_many(asking: Asking) -> Any:
    """Take up to five orders, each for itself."""
    asked = _list_of_orders(asking)
    answers = []
    for fields in asked:
        one = _single(asking, fields)
        answers.append(_or_error(_place_one_of_many, one))
    return answers


def _place_one_of_many(asking: Asking) -> Any:
    """Take an order of a batch; there, Aster's trailing orders keep closer to the market."""
    rate = parsed(asking.request.text("callbackRate")) if asking.profile == ASTER else None
    if rate is not None and rate[0] > BATCH_CALLBACK_MAX * 10 ** rate[1]:
        raise WireError(-2007, "Invalid callBack rate")
    return place(asking)


def amend_many(asking: Asking) -> Any:
    """Amend up to five orders, each for itself."""
    return [_or_error(amend, _single(asking, fields)) for fields in _list_of_orders(asking)]


def amend(asking: Asking) -> Any:
    """Give a limit order another size and price."""
    request, told = asking.request, _named(asking, -2013)
    grid = asking.exchange.grids[told.order.symbol]
    if told.order.price is None or told.order.waits:
        raise WireError(-4120 if asking.profile != ASTER else -1130, "Only limit orders can be amended.")
    lots = read_number(request, "quantity", grid, is_price=False)
    price = read_number(request, "price", grid, is_price=True) if request.text("price") else told.order.price
    side = request.text("side").upper()
    if side and (side == "BUY") != (told.order.sign > 0):
        raise WireError(-1117)
    name = request.text("modifyId")
    desk = asking.exchange.floor.desks[told.order.symbol]
    check_amended(desk, grid, told.order.sign, lots, price, reduces=told.order.reduce_only)
    asking.exchange.amend(told, lots, price, name)
    words = _words(asking, told, asked_for=False)
    if asking.profile != ASTER:
        words["pair"] = told.order.symbol.partition("_")[0]
        if name:
            words["modifyId"] = int(name) if name.isdigit() else name
    return words


def amendments(asking: Asking) -> Any:
    """Tell how the orders of an instrument were amended, or one of them; the latest first."""
    symbol, request = asking.symbol(), asking.request
    number, client_id = request.whole("orderId"), request.text("origClientOrderId")
    start, end = request.whole("startTime"), request.whole("endTime")
    grid = asking.exchange.grids[symbol]
    found = [
        {
            "amendmentId": told.order.number * 1_000 + count,
            "symbol": symbol,
            "pair": symbol.partition("_")[0],
            "orderId": told.order.number,
            "clientOrderId": told.order.client_id,
            "time": at // 1_000,
            "amendment": {
                "price": {"before": grid.price(price_before), "after": grid.price(price)},
                "origQty": {"before": grid.quantity(lots_before), "after": grid.quantity(lots)},
                "count": count,
            },
            "priceMatch": told.match,
        }
        for told in asking.file.orders.values()
        if told.order.symbol == symbol
        and (number is None or told.order.number == number)
        and (not client_id or told.order.client_id == client_id)
        for count, (at, lots_before, lots, price_before, price) in enumerate(told.amended, start=1)
        if (start is None or at // 1_000 >= start) and (end is None or at // 1_000 <= end)
    ]
    return found[::-1][: request.limit(50, 100)]


def cancel(asking: Asking) -> Any:
    """Cancel an order."""
    told = _named(asking, -2011)
    asking.exchange.cancel(told)
    return _words(asking, told, asked_for=False)


def cancel_many(asking: Asking) -> Any:
    """Cancel up to ten orders of an instrument, each for itself."""
    symbol, request = asking.symbol(), asking.request
    numbers = request.items("orderIdList")
    clients = request.items("origClientOrderIdList")
    if not numbers and not clients:
        raise missing("orderIdList")
    if len(numbers) + len(clients) > CANCEL_BATCH_MAX:
        raise WireError(-4082, "Invalid number of batch place orders.")
    asked = [{"symbol": symbol, "orderId": one} for one in numbers]
    asked += [{"symbol": symbol, "origClientOrderId": one} for one in clients]
    return [_or_error(cancel, _single(asking, fields)) for fields in asked]


def cancel_all(asking: Asking) -> Any:
    """Cancel every open order of an instrument."""
    asking.exchange.cancel_all(asking.file, asking.symbol())
    code: int | str = "200" if asking.profile == ASTER else 200
    return {"code": code, "msg": "The operation of cancel all open order is done."}


def order(asking: Asking) -> Any:
    """Tell of one order."""
    return _words(asking, _named(asking, -2013))


def open_order(asking: Asking) -> Any:
    """Tell of one open order."""
    told = _named(asking, -2013)
    if not told.order.is_open:
        raise WireError(-2013)
    return _words(asking, told)


def open_orders(asking: Asking) -> Any:
    """Tell of every open order, of one instrument or of all."""
    symbol = asking.symbol() if asking.request.text("symbol") else ""
    return [
        _words(asking, asking.file.orders[number])
        for number, each in asking.account.orders.items()
        if not symbol or each.symbol == symbol
    ]


def all_orders(asking: Asking) -> Any:
    """Tell of the orders of an instrument, oldest first."""
    symbol, request, limit = asking.symbol(), asking.request, asking.request.limit(500, 1_000)
    number, start, end = request.whole("orderId"), request.whole("startTime"), request.whole("endTime")
    _within_a_week(start, end)
    found = [
        told
        for told in asking.file.orders.values()
        if told.order.symbol == symbol
        and (number is None or told.order.number >= number)
        and (start is None or told.order.at // 1_000 >= start)
        and (end is None or told.order.at // 1_000 <= end)
        and is_listed(told, asking.now)
    ]
    chosen = found[:limit] if number is not None or start is not None else found[-limit:]
    return [_words(asking, told) for told in chosen]


def user_trades(asking: Asking) -> Any:
    """Tell an account's own trades of an instrument, oldest first."""
    request, limit = asking.request, asking.request.limit(500, 1_000)
    symbol = asking.symbol() if request.text("symbol") or asking.profile != ASTER else ""
    number, from_id = request.whole("orderId"), request.whole("fromId")
    start, end = request.whole("startTime"), request.whole("endTime")
    _within_a_week(start, end)
    if start is not None and end is None:
        end = start + _WEEK_MS
    found = [
        fill
        for fill in asking.file.fills
        if (not symbol or fill.symbol == symbol)
        and (number is None or fill.number == number)
        and (from_id is None or fill.trade >= from_id)
        and (start is None or fill.at // 1_000 >= start)
        and (end is None or fill.at // 1_000 <= end)
    ]
    chosen = found[:limit] if from_id is not None or start is not None else found[-limit:]
    exchange = asking.exchange
    return [fill_words(fill, exchange.floor.contracts[fill.symbol], exchange.grids[fill.symbol]) for fill in chosen]


def _within_a_week(start: int | None, end: int | None) -> None:
    """Refuse a span of time that is too long, or ends before it begins; milliseconds."""
    if start is not None and end is not None and start > end:
        raise WireError(-1023)
    if start is not None and end is not None and end - start > _WEEK_MS:
        raise WireError(-4165)


def countdown(asking: Asking) -> Any:
    """Cancel everything of an instrument after a while, unless asked again; zero: not at all."""
    symbol, span = asking.symbol(), asking.request.need_whole("countdownTime")
    if span < 0:
        raise missing("countdownTime")
    if span:
        asking.file.countdowns[symbol] = asking.now + span * 1_000
    else:
        asking.file.countdowns.pop(symbol, None)
    return {"symbol": symbol, "countdownTime": str(span)}


def force_orders(asking: Asking) -> Any:
    """Tell of an account's liquidations."""
    return [
        _words(asking, told)
        for told in asking.file.orders.values()
        if told.order.client_id.startswith(("autoclose", "adl_autoclose"))
    ]


def _named(asking: Asking, code: int) -> Told:
    """Return the order a request names; raises WireError with `code` if there is none."""
    request = asking.request
    desk = desk_of(asking.exchange.floor, request)
    number, client_id = request.whole("orderId"), request.text("origClientOrderId")
    if number is None and not client_id:
        raise WireError(-1102, "Either orderId or origClientOrderId must be sent.")
    told = asking.exchange.find(asking.file, desk.contract.symbol, number, client_id)
    if told is None:
        raise WireError(code)
    return told


def _words(asking: Asking, told: Told, *, acknowledged: bool = False, asked_for: bool = True) -> dict[str, Any]:
    exchange, symbol = asking.exchange, told.order.symbol
    return order_words(
        told, exchange.floor.contracts[symbol], exchange.grids[symbol], asking.profile,
        acknowledged=acknowledged, asked_for=asked_for,
    )  # fmt: skip


def _list_of_orders(asking: Asking) -> list[Mapping[str, object]]:
    try:
        asked = msgspec.json.decode(asking.request.need("batchOrders"))
    except msgspec.DecodeError:
        raise missing("batchOrders") from None
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise missing("batchOrders")
    if not 1 <= len(asked) <= BATCH_MAX:
        raise WireError(-4082, f"Invalid number of batch place orders, at most {BATCH_MAX}.")
    return asked


def _single(asking: Asking, fields: Mapping[str, object]) -> Asking:
    """Return a request as if one of a batch had come alone."""
    request = Request(asking.request.method, asking.request.path, "", "", asking.request.headers)
    request.params = {
        name: (str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in fields.items()
        if value is not None
    }
    return Asking(asking.exchange, request, asking.profile, asking.name, asking.version, asking.file_or_none)


def _or_error(handler: Callable[[Asking], Any], asking: Asking) -> Any:
    try:
        return handler(asking)
    except WireError as error:
        return error.body


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "order"): Route(place, SIGNED, 0, orders=1),
    ("PUT", "order"): Route(amend, SIGNED, 1, orders=1),
    ("DELETE", "order"): Route(cancel, SIGNED),
    ("GET", "orderAmendment"): Route(amendments, SIGNED),
    ("GET", "order"): Route(order, SIGNED),
    ("POST", "order/test"): Route(try_out, SIGNED),
    ("POST", "batchOrders"): Route(place_many, SIGNED, 5, orders=5),
    ("PUT", "batchOrders"): Route(amend_many, SIGNED, 5, orders=5),
    ("DELETE", "batchOrders"): Route(cancel_many, SIGNED),
    ("DELETE", "allOpenOrders"): Route(cancel_all, SIGNED),
    ("GET", "openOrder"): Route(open_order, SIGNED),
    ("GET", "openOrders"): Route(open_orders, SIGNED),
    ("GET", "allOrders"): Route(all_orders, SIGNED, 5),
    ("GET", "userTrades"): Route(user_trades, SIGNED, 5),
    ("GET", "forceOrders"): Route(force_orders, SIGNED, 20),
    ("POST", "countdownCancelAll"): Route(countdown, SIGNED, 10),
}
