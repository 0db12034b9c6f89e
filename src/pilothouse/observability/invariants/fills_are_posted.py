"""Every fill has its entries, and every order has filled by what its fills add up to.

All fills and their entries are read with the books. Orders are asked in four parts: those that live, the newest,
those that were wrong the last time, and a slice of all others in turn.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, bindparam, select

from pilothouse.core.order import OrderState
from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution.tables import orders
from pilothouse.kit.db import Tx
from pilothouse.ledger.tables import fills
from pilothouse.observability.invariants.read_books import books
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking

NAME = "fills_are_posted"

_ORDERS_SHARE = 20
_NEWEST = 200
_AT_ONCE = 500

_SELECT = select(
    orders.c.id, orders.c.owner_id, orders.c.account_id, orders.c.state, orders.c.quantity, orders.c.filled_quantity
)
_LIVE = _SELECT.where(orders.c.is_live.is_(True)).limit(bindparam("limit"))
_LATEST = _SELECT.order_by(orders.c.id.desc()).limit(bindparam("limit"))
_BEHIND = _SELECT.where(orders.c.id > bindparam("last_id")).order_by(orders.c.id).limit(bindparam("limit"))
_NAMED = _SELECT.where(orders.c.id.in_(bindparam("ids", expanding=True)))
_FILLED = select(fills.c.order_id, fills.c.quantity).where(fills.c.order_id.in_(bindparam("ids", expanding=True)))


@dataclass(slots=True)
class _Patrol:
    """How far the walk through all orders has come, and which orders were wrong when last looked at."""

    last_id: str = ""
    wrong: set[str] = field(default_factory=set)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return fills without entries, entries without fills, and orders that do not agree with their fills."""
    unposted = [
        Finding(NAME, Gravity.BREACH, words, whose.account_id, whose.owner_id, {"fills": str(len(found.unposted))})
        for whose, found in books(tx, looking)
        for words in found.unposted[:FINDINGS_MAX]
    ]
    return unposted + _orders_that_disagree(tx, looking)


def _orders_that_disagree(tx: Tx, looking: Looking) -> list[Finding]:
    patrol = looking.memory.keep(NAME, _Patrol)
    asked = _asked(tx, looking, patrol)
    ids = list(asked)
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for start in range(0, len(ids), _AT_ONCE):
        for order_id, quantity in tx.execute(_FILLED, {"ids": ids[start : start + _AT_ONCE]}):
            filled[order_id] = EXACT.add(filled[order_id], quantity)
    wrong = {order_id: words for order_id, order in asked.items() if (words := _wrong(order, filled[order_id]))}
    patrol.wrong = set(sorted(wrong)[:_AT_ONCE])
    return [
        Finding(
            NAME,
            Gravity.BREACH,
            words,
            asked[order_id].account_id,
            asked[order_id].owner_id,
            {
                "order_id": order_id,
                "filled_quantity": plain(asked[order_id].filled_quantity),
                "fills": plain(filled[order_id]),
            },
        )
        for order_id, words in sorted(wrong.items())[:FINDINGS_MAX]
    ]


def _asked(tx: Tx, looking: Looking, patrol: _Patrol) -> dict[str, Row[Any]]:
    """Return the orders that this run looks at, by id."""
    most = looking.rows_most // _ORDERS_SHARE + 1
    slice_ = tx.execute(_BEHIND, {"last_id": patrol.last_id, "limit": most}).all()
    patrol.last_id = slice_[-1].id if len(slice_) == most else ""
    rows = [*slice_, *tx.execute(_LIVE, {"limit": most}), *tx.execute(_LATEST, {"limit": _NEWEST})]
    if patrol.wrong:
        rows += tx.execute(_NAMED, {"ids": sorted(patrol.wrong)})
    return {row.id: row for row in rows}


def _wrong(order: Row[Any], filled: Decimal) -> str:
    """Return how an order disagrees with the sum of its fills, in words; empty if it agrees."""
    if order.filled_quantity != filled:
        stored = plain(order.filled_quantity)
        return f"order {order.id} is stored as filled by {stored}, its fills add up to {plain(filled)}"
    if filled > order.quantity:
        return f"order {order.id} is for {plain(order.quantity)}, and {plain(filled)} filled"
    if (order.state == OrderState.FILLED) != (filled == order.quantity):
        return f"order {order.id} is {order.state}, and {plain(filled)} of {plain(order.quantity)} filled"
    return ""


FILLS_ARE_POSTED = Invariant(
    NAME, "Has every fill its entries, and has every order filled by what its fills add up to?", check
)
