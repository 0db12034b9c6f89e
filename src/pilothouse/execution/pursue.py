"""Do the next thing for an order that is not done: its id in; after how long to come back out.

The venue is asked before anything is sent: an order goes out again only when it certainly never arrived, in its turn.
"""

from datetime import timedelta

from pilothouse.core.errors import Broken
from pilothouse.core.order import OrderState
from pilothouse.execution import store
from pilothouse.execution.ask import ask
from pilothouse.execution.desk import Desk
from pilothouse.execution.in_turn import has_others_before
from pilothouse.execution.resend import send_again


def pursue(desk: Desk, venue_name: str, order_id: str) -> timedelta | None:
    """Do the next thing for an order that is not done: ask about it, or send it if it certainly never arrived.

    Returns after how long to come back, or None when nothing is left to do. Raises Unavailable while there is no price.
    """
    order = desk.database.read(lambda tx: store.get(tx, order_id))
    if order is None:
        raise Broken(f"a message speaks of order {order_id}, which is not stored")
    if order.state.is_final and order.filled_quantity <= order.terms.quantity and not _fills_missing(order):
        _send_the_next(desk, venue_name, order)
        return None
    if order.state is OrderState.INTENDED:
        again = _send_in_turn(desk, venue_name, order)
        if again is None:
            _send_the_next(desk, venue_name, order)
        return again
    held_for = _held_for(desk, order)
    return held_for if held_for > timedelta(0) else ask(desk, venue_name, order)


def _held_for(desk: Desk, order: store.OrderRecord) -> timedelta:
    """Return for how long whoever is to send an order may still do so; not above zero: it may not any more."""
    if order.state is not OrderState.SENDING or order.sendable_until is None:
        return timedelta(0)
    tick = desk.clock.tick()
    if order.until_tick is not None and order.until_tick.boot == tick.boot:
        return tick.until(order.until_tick)
    return order.sendable_until - desk.clock.now()


def _send_in_turn(desk: Desk, venue_name: str, order: store.OrderRecord) -> timedelta | None:
    """Send an order that waits, if nothing decided before it is still on its way; returns when to come back.

    What was decided later took for granted that what was decided before had filled. What only reduces waits for that
    no longer than an order may wait at all.
    """
    is_old = desk.clock.now() - order.created_at > desk.patience.intent_age_most
    if not (order.terms.reduce_only and is_old) and desk.database.read(lambda tx: has_others_before(tx, order)):
        return desk.patience.ask_most
    return send_again(desk, venue_name, order)


def _send_the_next(desk: Desk, venue_name: str, order: store.OrderRecord) -> None:
    """Send what waits behind an order that is known now, one after the other, until one of them is not known again."""
    if order.purpose.protects:
        return
    while True:
        after_it = desk.database.read(lambda tx: store.first_on_its_way(tx, order.account_id, order.terms.symbol))
        if after_it is None or after_it.state is not OrderState.INTENDED:
            return
        if send_again(desk, venue_name, after_it) is not None:
            return


def _fills_missing(order: store.OrderRecord) -> bool:
    return order.state in {OrderState.CANCELED, OrderState.EXPIRED} and order.filled_quantity < order.terms.quantity
