"""Take orders from their venue at once, and tell which of them nobody can say are gone; let go of those that stay."""

from collections.abc import Callable, Sequence

from pilothouse.core.errors import Unavailable
from pilothouse.core.order import OrderEvent, after
from pilothouse.execution import cancel, store
from pilothouse.execution.desk import Desk
from pilothouse.execution.tell import told
from pilothouse.kit.db import Tx
from pilothouse.kit.retry import retrying

_ATTEMPTS = 5
_FIRST_S, _LONGEST_S = 0.2, 1.0


class _StandsStill(Unavailable):
    """The venue has not said yet that an order is gone."""

    code = "order_stands_still"


def withdraw(
    desk: Desk, venue: str, orders: Sequence[store.OrderRecord], sleep: Callable[[float], object]
) -> list[store.OrderRecord]:
    """Cancel orders, each until its venue says that it is gone, for some seconds at most; return those that remain.

    Ends with the first that remains. That they are to be cancelled was asked before, in a transaction (`cancel.ask`):
    who delivers that message may do the same at the same time, and goes on with those that remain.
    """
    for order in orders:
        try:
            retrying(
                lambda order=order: _once(desk, venue, order.id),  # type: ignore[misc]  # the order of this round
                on=_StandsStill,
                attempts=_ATTEMPTS,
                first=_FIRST_S,
                longest=_LONGEST_S,
                sleep=sleep,
            )
        except Unavailable:
            break
    return desk.database.read(lambda tx: [each for each in orders if not _is_over(tx, each.id)])


def let_go(tx: Tx, desk: Desk, order: store.OrderRecord, reason: str) -> None:
    """Watch no longer over an order that stays at its venue: for the books it has ended, with the reason."""
    now = desk.clock.now()
    state = after(order.state, OrderEvent.EXPIRE)
    store.change(tx, order.id, now, state=state, outcome=reason)
    store.note(tx, order, now, (OrderEvent.EXPIRE, state, reason))
    fresh = store.get(tx, order.id)
    assert fresh is not None, "it was changed right here"
    told(tx, fresh, now)


def _once(desk: Desk, venue: str, order_id: str) -> None:
    cancel.carry_out(desk, venue, order_id)
    if not desk.database.read(lambda tx: _is_over(tx, order_id)):
        raise _StandsStill(f"{order_id} stands still")


def _is_over(tx: Tx, order_id: str) -> bool:
    order = store.get(tx, order_id)
    return order is None or order.state.is_final
