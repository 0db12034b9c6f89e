"""An order that was certainly never sent is given up: the order and why in; its end, told, out."""

from dataclasses import replace

from pilothouse.core.order import OrderEvent, OrderState, after
from pilothouse.execution import store
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import moved, told
from pilothouse.kit.db import Tx


def give_up(tx: Tx, desk: Desk, order_id: str, reason: str) -> None:
    """Withdraw an order, if it is still certain that it was never sent."""
    order = store.get(tx, order_id, lock=True)
    if order is None or order.state is not OrderState.INTENDED:
        return
    now = desk.clock.now()
    state = after(order.state, OrderEvent.WITHDRAW)
    store.change(tx, order.id, now, state=state, outcome=reason)
    store.note(tx, order, now, (OrderEvent.WITHDRAW, state, reason))
    told(tx, replace(order, state=state, outcome=reason), now)
    moved(tx, order.account_id, order.terms.symbol, now)
