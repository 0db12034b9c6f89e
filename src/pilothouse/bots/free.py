"""What of a position is free: what stops can be for, and what an exit may sell. Pure; a view goes in, a size comes out.

Contracts are reduced by orders that only reduce, whatever else is on its way. Coins are sold by whoever has them in
hand: those that rest in somebody's sale, are on their way out or are not here yet are no exit's to sell, and the
exchange refuses all of an order that asks for one lot of them too much.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Side
from pilothouse.core.order import Purpose

_NOT_OURS = frozenset({Purpose.FOREIGN, Purpose.LIQUIDATION})


def resting_sales(view: View) -> tuple[LiveOrder, ...]:
    """Return the sales that keep coins and protect nothing: limit orders of bots, of people and of others."""
    if not view.coins:
        return ()
    return tuple(one for one in view.orders if one.terms.rests and _sells(one) and not one.purpose.protects)


def our_sales(view: View) -> tuple[LiveOrder, ...]:
    """Return those of them that an exit of everything may cancel: not what somebody placed at the venue."""
    return tuple(one for one in resting_sales(view) if one.purpose not in _NOT_OURS)


def to_protect(view: View) -> Decimal:
    """Return what of the position stops can be for, base, signed, whole lots: not coins that rest in a sale."""
    bound = _remaining(resting_sales(view))
    return view.in_lots(max(view.position.quantity - bound, Decimal(0))) if bound else view.held()


def at_hand(view: View, freed: Collection[LiveOrder] = ()) -> Decimal:
    """Return what of the position an exit may close now, base, signed, whole lots.

    freed   sales that rest and are cancelled for it
    """
    if not view.coins:
        return view.in_lots(view.expected())
    sold = _remaining(one for one in view.orders if _sells(one) and not one.terms.rests)
    kept = _remaining(one for one in resting_sales(view) if one not in freed)
    return view.in_lots(max(view.position.quantity - sold - kept, Decimal(0)))


def for_exits(view: View) -> tuple[Decimal, Decimal]:
    """Return what an exit of everything may close, for which our own resting sales are cancelled, and any other one."""
    return at_hand(view, our_sales(view)), at_hand(view)


def _sells(order: LiveOrder) -> bool:
    return order.terms.side is Side.SELL


def _remaining(orders: Iterable[LiveOrder]) -> Decimal:
    return sum((one.remaining for one in orders), Decimal(0))
