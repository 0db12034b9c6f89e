"""Orders of which nobody knows what became, and since when: what a person is told of after a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, or_, select

from pilothouse.core.order import OrderEvent, OrderState
from pilothouse.execution.tables import order_events, orders
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot

_LIMIT = 1_000
_LOST = and_(order_events.c.order_id == orders.c.id, order_events.c.event == OrderEvent.LOSE.value)
_ANY = hot(
    select(orders.c.id)
    .where(
        orders.c.is_live.is_(True),
        or_(orders.c.state == OrderState.UNKNOWN.value, orders.c.state == OrderState.SENDING.value),
    )
    .limit(1)
)
_IN_DOUBT = (
    select(orders.c.id, orders.c.owner_id, orders.c.account_id, orders.c.symbol, orders.c.state, orders.c.asked)
    .add_columns(orders.c.sendable_until, orders.c.created_at, func.max(order_events.c.at).label("lost_at"))
    .select_from(orders.outerjoin(order_events, _LOST))
    .where(
        orders.c.is_live.is_(True),
        or_(
            orders.c.state == OrderState.UNKNOWN.value,
            and_(orders.c.state == OrderState.SENDING.value, orders.c.sendable_until < bindparam("before")),
        ),
    )
    .group_by(orders.c.id)
    .order_by(orders.c.id)
    .limit(_LIMIT)
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """The orders in one instrument of an account whose outcome is not known.

    since   since when that is so for the oldest of them
    first   the oldest one's id; `orders`: how many there are; `asked`: how often the venue was asked about the oldest
    """

    owner_id: str
    account_id: str
    symbol: str
    since: datetime
    first: str
    orders: int
    asked: int


def longer_than(tx: Tx, most: timedelta, now: datetime) -> list[Doubt]:
    """Return, by account and instrument, what has been in doubt for longer than `most`."""
    if tx.execute(_ANY).first() is None:
        return []
    found: dict[tuple[str, str], Doubt] = {}
    for row in tx.execute(_IN_DOUBT, {"before": now - most}):
        since = _since(row)
        if now - since <= most:
            continue
        was = found.get((row.account_id, row.symbol))
        number = was.orders + 1 if was else 1
        oldest = was if was and was.since <= since else None
        found[row.account_id, row.symbol] = Doubt(
            row.owner_id,
            row.account_id,
            row.symbol,
            oldest.since if oldest else since,
            oldest.first if oldest else row.id,
            number,
            oldest.asked if oldest else row.asked,
        )
    return list(found.values())


def _since(order: Row[Any]) -> datetime:
    """Return since when nobody knows: when its answer was lost, or when its sender's time ended."""
    since: datetime | None = order.lost_at if order.state == OrderState.UNKNOWN else order.sendable_until
    created_at: datetime = order.created_at
    return since if since is not None else created_at
