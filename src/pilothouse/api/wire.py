"""Orders, positions and balances with the names that TradingView users' clients know: camelCase and snake_case.

Both spellings are made mechanically from one list, decimals are strings, and what an exchange would not say
(`id`, `purpose`, `state`) stands beside them.
"""

import re
from decimal import Decimal
from typing import Any

from pilothouse.core.clock import millis
from pilothouse.core.order import OrderState
from pilothouse.core.position import ZERO
from pilothouse.core.rounding import QUOTE_UNIT, divided, plain
from pilothouse.execution.portfolio import BalanceView, PositionView
from pilothouse.execution.store import OrderRecord

STATUSES = {
    OrderState.INTENDED: "PENDING_NEW",
    OrderState.SENDING: "PENDING_NEW",
    OrderState.UNKNOWN: "PENDING_NEW",
    OrderState.WORKING: "NEW",
    OrderState.PARTLY_FILLED: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED",
    OrderState.CANCELED: "CANCELED",
    OrderState.EXPIRED: "EXPIRED",
    OrderState.REJECTED: "REJECTED",
}

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")
# Written so in older documents, beside the mechanical spelling.
_ALIASES = {
    "origQty": ("quantity",),
    "unRealizedProfit": ("unrealized_profit",),
    "crossUnPnl": ("cross_unrealized_pnl",),
}


def snake(name: str) -> str:
    """Return a camelCase name in snake_case: executedQty is executed_qty."""
    return _HUMP.sub("_", name).lower()


Twins = tuple[tuple[str, tuple[str, ...]], ...]
"""Names in camelCase, each with every spelling it is sent under."""


def _twins(names: str) -> Twins:
    return tuple((name, (name, *({snake(name)} - {name}), *_ALIASES.get(name, ()))) for name in names.split())


ORDER = _twins(
    "orderId clientOrderId symbol side type status origQty price executedQty avgPrice timeInForce positionSide"
    " reduceOnly closePosition stopPrice time updateTime"
)
POSITION = _twins(
    "symbol positionSide positionAmt entryPrice markPrice unRealizedProfit leverage marginType liquidationPrice"
    " isolatedMargin notional"
)
BALANCE = _twins("asset walletBalance availableBalance crossWalletBalance unrealizedProfit crossUnPnl")


def average_price(order: OrderRecord) -> Decimal | None:
    """Return what was paid per unit on average, to be shown; None before the first fill."""
    if order.filled_quantity == ZERO:
        return None
    return divided(order.filled_notional, order.filled_quantity, QUOTE_UNIT)


def order_object(order: OrderRecord) -> dict[str, Any]:
    """Return an order as older clients read it; `orderId` is the venue's number, or null before it has one."""
    terms = order.terms
    number = order.venue_order_id
    values = (
        int(number) if number and number.isascii() and number.isdigit() else None,
        order.client_order_id,
        terms.symbol,
        terms.side.value,
        terms.type.value,
        STATUSES[order.state],
        plain(terms.quantity),
        _text(terms.price),
        plain(order.filled_quantity),
        _text(average_price(order)),
        terms.time_in_force.value,
        "BOTH",
        terms.reduce_only,
        False,
        _text(terms.stop_price),
        millis(order.created_at),
        millis(order.updated_at),
    )
    return {
        **_spelled(ORDER, values),
        "id": order.id,
        "purpose": order.purpose.value,
        "state": order.state.value,
        "reason": order.outcome,
    }


def position_object(view: PositionView | None) -> dict[str, Any] | None:
    """Return a position as older clients read it, or None when flat."""
    if view is None:
        return None
    margin = view.margin
    values = (
        view.symbol,
        "BOTH",
        plain(view.quantity),
        plain(view.entry_price),
        plain(view.mark_price),
        plain(view.unrealised),
        margin.leverage if margin else None,
        margin.margin_type.value if margin else None,
        # "0" is how exchanges say that a position has no liquidation price.
        (_text(margin.liquidation_price) or "0") if margin else None,
        _text(margin.isolated_margin) if margin else None,
        plain(view.notional),
    )
    return _spelled(POSITION, values)


def balance_object(view: BalanceView) -> dict[str, Any]:
    """Return a balance as older clients read it."""
    venue = view.venue
    values = (
        venue.asset,
        plain(venue.wallet),
        plain(venue.available),
        plain(venue.cross_wallet),
        plain(venue.unrealised),
        plain(venue.unrealised),
    )
    return _spelled(BALANCE, values)


def _spelled(twins: Twins, values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for (_, names), value in zip(twins, values, strict=True) for name in names}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
