"""Lists of spot orders over REST: two of which one ends the other (OCO), and what waits for another to fill (OTO)."""

from typing import Any

from pilothouse.simexchange.asking import SIGNED, Asking, Route
from pilothouse.simexchange.spot_events import list_words
from pilothouse.simexchange.spot_intake import Names, changed, placed, read_spot_order, spot_account
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.spot_orders import SpotList, SpotOrder

_OLD_LIMIT = Names("limit", side="side", quantity="quantity", price="price", icebergQty="limitIcebergQty")
_OLD_STOP = Names(
    "stop", side="side", quantity="quantity", price="stopLimitPrice", stopPrice="stopPrice",
    timeInForce="stopLimitTimeInForce", icebergQty="stopIcebergQty", trailingDelta="trailingDelta",
)  # fmt: skip
_ABOVE, _BELOW = (Names(each, side="side", quantity="quantity") for each in ("above", "below"))
_WORKING, _PENDING = Names("working"), Names("pending")
_PENDING_ABOVE, _PENDING_BELOW = (
    Names(each, side="pendingSide", quantity="pendingQuantity") for each in ("pendingAbove", "pendingBelow")
)
_PAID = Names("pending", quantity="workingQuantity")
_PAID_ABOVE, _PAID_BELOW = (
    Names(each, side="pendingSide", quantity="workingQuantity") for each in ("pendingAbove", "pendingBelow")
)
_NOT_A_PAIR = "The relationship of the prices for the orders is not correct."


def place_old_pair(asking: Asking) -> Any:
    """Take two orders of which one ends the other, in the form of old: a limit and a stop."""
    stop_kind = "STOP_LOSS_LIMIT" if asking.request.text("stopLimitPrice") else "STOP_LOSS"
    limit = read_spot_order(asking, _OLD_LIMIT, "LIMIT_MAKER")
    return _pair(asking, limit, read_spot_order(asking, _OLD_STOP, stop_kind))


def place_pair(asking: Asking) -> Any:
    """Take two orders of which one ends the other: one above the market, one below."""
    return _pair(asking, read_spot_order(asking, _ABOVE), read_spot_order(asking, _BELOW))


def _pair(asking: Asking, first: SpotOrder, second: SpotOrder) -> Any:
    _check_pair(asking, first, second)
    made = _begin(asking, "OCO", first, second)
    first.tie = second.tie = made.number
    placed(asking, first)
    try:
        placed(asking, second, first)
    except WireError:
        _undo(asking, first)
        raise
    return _told(asking, made)


def place_sequence(asking: Asking) -> Any:
    """Take an order, and one that comes into the books when it has filled."""
    working, pending = read_spot_order(asking, _WORKING), read_spot_order(asking, _PENDING)
    return _sequence(asking, working, pending)


def place_sequence_of_pair(asking: Asking) -> Any:
    """Take an order, and two of which one ends the other that come into the books when it has filled."""
    working = read_spot_order(asking, _WORKING)
    above = read_spot_order(asking, _PENDING_ABOVE)
    if not asking.request.text("pendingBelowType"):
        return _sequence(asking, working, above)
    below = read_spot_order(asking, _PENDING_BELOW)
    above.tie = below.tie = asking.exchange.spot.next_list
    return _sequence(asking, working, above, below)


def place_paid(asking: Asking) -> Any:
    """Take an order, and one that comes into the books for what the first has received."""
    working, pending = read_spot_order(asking, _WORKING), read_spot_order(asking, _PAID)
    return _paid(asking, working, pending)


def place_paid_pair(asking: Asking) -> Any:
    """Take an order, and two of which one ends the other that come into the books for what it has received."""
    working = read_spot_order(asking, _WORKING)
    above = read_spot_order(asking, _PAID_ABOVE)
    if not asking.request.text("pendingBelowType"):
        return _paid(asking, working, above)
    below = read_spot_order(asking, _PAID_BELOW)
    above.tie = below.tie = asking.exchange.spot.next_list
    return _paid(asking, working, above, below)


def _paid(asking: Asking, working: SpotOrder, *pending: SpotOrder) -> Any:
    for each in pending:
        if each.sign == working.sign:
            raise WireError(-1117)
        each.paid = True
    return _sequence(asking, working, *pending)


def _sequence(asking: Asking, working: SpotOrder, *pending: SpotOrder) -> Any:
    if working.kind not in {"LIMIT", "LIMIT_MAKER"}:
        raise WireError(-1116)
    made = _begin(asking, "OTO", working, *pending)
    placed(asking, working)
    for each in pending:
        refusal = asking.exchange.spot.park(each, working)
        if refusal is not None:
            _undo(asking, working)
        changed(asking, refusal)
    return _told(asking, made)


def _check_pair(asking: Asking, first: SpotOrder, second: SpotOrder) -> None:
    """Refuse a pair that lies on one side of the market."""
    last = asking.exchange.floor.desks[first.symbol].prices.last
    prices = [each.stop or each.price for each in (first, second) if each.trail is None]
    if len(prices) == 2 and all(each is not None and each > last for each in prices):
        raise WireError(-2010, _NOT_A_PAIR)
    if len(prices) == 2 and all(each is not None and each < last for each in prices):
        raise WireError(-2010, _NOT_A_PAIR)


def _begin(asking: Asking, kind: str, *orders: SpotOrder) -> SpotList:
    its, spot = spot_account(asking), asking.exchange.spot
    if len({each.client_id for each in orders}) < len(orders):
        raise WireError(-2010, "Duplicate order sent.")
    name = asking.request.text("listClientOrderId") or f"simlist{spot.next_list}"
    if any(each.name == name and its.stands(each) for each in its.lists.values()):
        raise WireError(-2010, "Duplicate order sent.")
    number, spot.next_list = spot.next_list, spot.next_list + 1
    for order in orders:
        order.list_id = number
    made = its.lists[number] = SpotList(number, name, kind, orders[0].symbol, asking.now)
    return made


def _undo(asking: Asking, order: SpotOrder) -> None:
    if order.is_open:
        asking.exchange.spot.cancel(order, asking.now)
    asking.exchange.settle_spot()


def _told(asking: Asking, made: SpotList, *, reports: bool = True) -> Any:
    grid = asking.exchange.grids[made.symbol]
    return list_words(spot_account(asking), made, grid, reports=reports)


def _named(asking: Asking) -> SpotList:
    its, request = spot_account(asking), asking.request
    number = request.whole("orderListId")
    name = request.text("listClientOrderId") or request.text("origClientOrderId")
    if number is None and not name:
        raise WireError(-1102, "Param 'orderListId' or 'origClientOrderId' must be sent, but both were empty/null!")
    for made in reversed(its.lists.values()):
        if made.number == number or (number is None and made.name == name):
            return made
    raise WireError(-2018, "Order list does not exist.")


def order_list(asking: Asking) -> Any:
    """Tell of one list."""
    return _told(asking, _named(asking), reports=False)


def open_lists(asking: Asking) -> Any:
    """Tell of the lists that stand."""
    its = spot_account(asking)
    return [_told(asking, each, reports=False) for each in its.lists.values() if its.stands(each)]


def all_lists(asking: Asking) -> Any:
    """Tell of all lists, oldest first."""
    request = asking.request
    from_id, start, end = (request.whole(name) for name in ("fromId", "startTime", "endTime"))
    found = [
        each
        for each in spot_account(asking).lists.values()
        if (from_id is None or each.number >= from_id)
        and (start is None or each.at // 1_000 >= start)
        and (end is None or each.at // 1_000 <= end)
    ]
    limit = request.limit(500, 1_000)
    chosen = found[:limit] if from_id is not None or start is not None else found[-limit:]
    return [_told(asking, each, reports=False) for each in chosen]


def cancel_list(asking: Asking) -> Any:
    """Cancel what stands of a list."""
    try:
        made = _named(asking)
    except WireError as error:
        raise WireError(-2011) if error.code == -2018 else error from None
    standing = [each for each in spot_account(asking).of_list(made) if each.is_open]
    if not standing:
        raise WireError(-2011)
    for order in standing:
        if order.is_open:
            asking.exchange.spot.cancel(order, asking.now)
    asking.exchange.settle_spot()
    return _told(asking, made)


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "orderList/oco"): Route(place_pair, SIGNED, 1, orders=2),
    ("POST", "order/oco"): Route(place_old_pair, SIGNED, 1, orders=2),
    ("POST", "orderList/oto"): Route(place_sequence, SIGNED, 1, orders=2),
    ("POST", "orderList/otoco"): Route(place_sequence_of_pair, SIGNED, 1, orders=3),
    ("POST", "orderList/opo"): Route(place_paid, SIGNED, 1, orders=2),
    ("POST", "orderList/opoco"): Route(place_paid_pair, SIGNED, 1, orders=3),
    ("GET", "orderList"): Route(order_list, SIGNED, 4),
    ("DELETE", "orderList"): Route(cancel_list, SIGNED),
    ("GET", "openOrderList"): Route(open_lists, SIGNED, 6),
    ("GET", "allOrderList"): Route(all_lists, SIGNED, 20),
}
