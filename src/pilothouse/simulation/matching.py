"""One step of one market: triggers are met, and resting orders trade where the market trades through or at them."""

from pilothouse.simulation.book import flow
from pilothouse.simulation.entry import activate
from pilothouse.simulation.floor import Desk, Floor
from pilothouse.simulation.orders import Order


def match(floor: Floor, desk: Desk, now: int) -> None:
    """Let the market's present prices meet its open orders: conditional ones first, then limits by price and time."""
    if not desk.orders:
        return
    # What is triggered now and left standing has just met the ladder; it rests from the next step on.
    resting = [order for order in desk.orders.values() if not order.waits]
    _meet_triggers(floor, desk, now)
    for sign in (1, -1):
        _meet_limits(floor, desk, resting, sign, now)


def _meet_triggers(floor: Floor, desk: Desk, now: int) -> None:
    """Make active what the market triggers."""
    met = [order for order in desk.orders.values() if order.waits and is_met(desk, order)]
    for order in met:  # by number, that is by time
        if order.is_open:  # an earlier one of them may have ended it
            activate(floor, order, now)


def is_met(desk: Desk, order: Order) -> bool:
    """Say whether an order that waits has met its trigger; one that trails follows the market by being asked."""
    if order.trail is not None:
        return order.trail.meets(order.sign, desk.working(by_last=order.by_last))
    if order.stop is None or not desk.meets(order.type, order.sign, order.stop, by_last=order.by_last):
        return False
    apart = abs(desk.prices.mark - desk.prices.last) * 1_000_000
    return not order.protect_ppm or apart <= order.protect_ppm * desk.prices.mark


def _meet_limits(floor: Floor, desk: Desk, resting: list[Order], sign: int, now: int) -> None:
    """Trade resting orders of one side as makers, at their own price, up to what the crowd trades in a step."""
    reach = min(desk.prices.ask, desk.prices.last) if sign > 0 else max(desk.prices.bid, desk.prices.last)
    reached = sorted(
        (order for order in resting if order.sign == sign and order.price is not None and _lies_at(order, reach)),
        key=lambda order: (-sign * (order.price or 0), order.rank),
    )
    if not reached:
        return
    left = flow(desk.contract, desk.state, desk.seed, sign)
    for order in reached:
        account = floor.accounts[order.account_id]
        lots = min(order.left, left)
        if order.reduce_only:
            lots = min(lots, account.reducible(order.symbol, sign, order.side))
        if not order.is_open or lots <= 0 or order.price is None:
            continue
        floor.fill(order, order.price, lots, now, maker=True)
        left -= lots
        if not account.reducible(order.symbol, sign, order.side):
            floor.drop_idle_reductions(account, order.symbol, now)


def _lies_at(order: Order, reach: int) -> bool:
    """Say whether the market trades at or through the order's limit."""
    return order.price is not None and (order.price - reach) * order.sign >= 0
