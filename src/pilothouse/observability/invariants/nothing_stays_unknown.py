"""No order is unknown for long while its venue answers: asking must lead somewhere.

Where the venue may accept a request late, "no such order" is no answer until then: so long, and a minute, is waited.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, or_, select

from pilothouse.core.clock import Tick
from pilothouse.core.order import OrderEvent, OrderState
from pilothouse.execution import writing
from pilothouse.execution.fence import needs_lease
from pilothouse.execution.tables import order_events, orders
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.rule import Finding, Gravity, Invariant, Looking
from pilothouse.observability.invariants.whose import accounts

NAME = "nothing_stays_unknown"
UNKNOWN_AT_MOST = timedelta(seconds=60)
SILENT_AFTER = timedelta(seconds=10)
"""A venue whose newest quote is older than this does not answer; then there is nobody to ask, and health says so."""

_LIMIT = 200

_IN_DOUBT = (
    select(orders.c.id, orders.c.owner_id, orders.c.account_id, orders.c.symbol, orders.c.state, orders.c.asked)
    .add_columns(
        orders.c.until_boot,
        orders.c.until_us,
        orders.c.sendable_until,
        orders.c.created_at,
        func.max(order_events.c.at).label("lost_at"),
    )
    .select_from(
        orders.outerjoin(
            order_events, (order_events.c.order_id == orders.c.id) & (order_events.c.event == OrderEvent.LOSE.value)
        )
    )
    .where(
        orders.c.is_live.is_(True),
        or_(
            orders.c.state == OrderState.UNKNOWN.value,
            (orders.c.state == OrderState.SENDING.value) & (orders.c.sendable_until < bindparam("before")),
        ),
    )
    .group_by(orders.c.id)
    .order_by(orders.c.id)
    .limit(_LIMIT)
)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return orders whose outcome nobody has found out in time."""
    by_id = accounts(tx, looking)
    found = []
    for order in tx.execute(_IN_DOUBT, {"before": looking.now - UNKNOWN_AT_MOST}):
        waited = _waited(order, looking)
        whose = by_id.get(order.account_id)
        window = writing.window_of(whose.venue) if whose and needs_lease(whose.venue) else timedelta(0)
        if waited <= UNKNOWN_AT_MOST + window:
            continue
        age = looking.quote_age(whose.venue, order.symbol) if whose else timedelta(0)
        silent = age is None or age > SILENT_AFTER
        words = f"order {order.id} in {order.symbol} has been {order.state} for {waited.total_seconds():.0f} s"
        found.append(
            Finding(
                NAME,
                Gravity.WAITING if silent else Gravity.BREACH,
                f"{words}: its venue does not answer" if silent else f"{words}, asked about {order.asked} times",
                order.account_id,
                order.owner_id,
                {"order_id": order.id, "seconds": f"{waited.total_seconds():.0f}", "asked": str(order.asked)},
            )
        )
    return found


def _waited(order: Row[Any], looking: Looking) -> timedelta:
    """Return how long nobody knows at least: a wall clock that is set forward makes nothing late."""
    waited = looking.now - _since(order)
    if order.until_boot != looking.tick.boot:
        return waited
    return min(waited, Tick(order.until_boot, order.until_us).until(looking.tick))


def _since(order: Row[Any]) -> datetime:
    """Return since when nobody knows: when its answer was lost, or when its sender's time ended."""
    since: datetime | None = order.lost_at if order.state == OrderState.UNKNOWN else order.sendable_until
    created_at: datetime = order.created_at
    return since if since is not None else created_at


NOTHING_STAYS_UNKNOWN = Invariant(
    NAME, "Is the outcome of every order found out in time while its venue answers?", check
)
