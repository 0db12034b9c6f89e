"""Stop-loss and take-profit as one pair that lives and dies with its position.

Pure and level-triggered: the protection that is wanted, the position and the protective orders that stand go in;
which to place and which to cancel come out. A new order is placed before the one it replaces is cancelled: two
reduce-only orders for a moment cannot open anything, none for a moment can lose everything.
"""

from dataclasses import dataclass
from decimal import Decimal

from pilothouse.bots.follow import LiveOrder, Planned, View, level_price
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.signals import Level

_DOUBTED_MOST = 2
_ASKED_LEAST = 2


@dataclass(frozen=True, slots=True)
class Protection:
    """What a position is to be protected with.

    side         the side that opens the position it is meant for
    stop_loss, take_profit   at least one is set; a percentage counts from the average entry price
    """

    side: Side
    stop_loss: Level | None
    take_profit: Level | None


@dataclass(frozen=True, slots=True)
class Guarding:
    """What to do now.

    place     orders to place, in this order
    cancels   ids of protective orders to cancel
    ended     whether the protection has nothing left to protect and is forgotten
    """

    place: tuple[Planned, ...]
    cancels: tuple[str, ...]
    ended: bool


def guard(protection: Protection | None, view: View, *, entry_pending: bool, exit_waits: bool = False) -> Guarding:
    """Return what makes the protective orders fit the position.

    Coins that wait for one order cannot wait for another: there the old order is cancelled first, and the new one is
    placed when it is gone. A crumb below one lot cannot be protected and counts as nothing held.

    entry_pending   whether an order that could still open the position is alive
    exit_waits      whether somebody waits for coins to be let go, to sell them: then none are locked again
    """
    standing = [order for order in view.orders if order.purpose.protects]
    held = view.held()
    if protection is None or held == 0 or Side.of(held) is not protection.side:
        ended = protection is not None and not entry_pending
        return Guarding((), _uncancelled(standing), ended)
    if view.coins:
        held = min(held, view.in_lots(view.expected()))
        if held <= 0:
            # All of it is being sold. Should that fail, it is held still, and to be protected again.
            return Guarding((), _uncancelled(standing), ended=False)
    place: list[Planned] = []
    keep: set[str] = set()
    for purpose, wanted in _wanted(protection, view, abs(held)):
        fitting = [o for o in standing if o.purpose is purpose and not o.cancel_asked and _fits(o, wanted)]
        certain = next((order for order in fitting if order.state is not OrderState.UNKNOWN), None)
        if certain is not None:
            keep.add(certain.id)
            continue
        keep |= {order.id for order in fitting}
        if not fitting or (_is_doubted(fitting) and not view.coins):
            place.append(Planned(wanted, purpose, f"{purpose} of {view.instrument.symbol}"))
    if view.coins and (exit_waits or len(keep) < len(standing)):
        place = []
    return Guarding(tuple(place), _uncancelled([order for order in standing if order.id not in keep]), ended=False)


def _wanted(protection: Protection, view: View, quantity: Decimal) -> list[tuple[Purpose, OrderTerms]]:
    """Return the protective orders that should stand for `quantity` of the position."""
    entry = view.position.entry_price()
    assert entry is not None, "a position that is held has an entry price"
    wanted = []
    for purpose, kind, level in (
        (Purpose.STOP_LOSS, OrderType.STOP_MARKET, protection.stop_loss),
        (Purpose.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET, protection.take_profit),
    ):
        if level is None:
            continue
        stop = level_price(level, entry, protection.side, view.instrument, loses=purpose is Purpose.STOP_LOSS)
        terms = OrderTerms(
            symbol=view.instrument.symbol,
            side=protection.side.opposite,
            type=kind,
            quantity=view.instrument.quantity_down(quantity),
            stop_price=stop,
            reduce_only=True,
        )
        wanted.append((purpose, terms))
    return wanted


def _is_doubted(unknown: list[LiveOrder]) -> bool:
    """Say whether another order is placed beside those of which nobody knows whether they arrived.

    The venue did not know them when it was asked: that is no proof before its window has passed, and so long no
    position waits for its stop. Two reduce-only orders cannot open anything; the one too many is cancelled.
    """
    return len(unknown) < _DOUBTED_MOST and all(order.asked >= _ASKED_LEAST for order in unknown)


def _fits(order: LiveOrder, wanted: OrderTerms) -> bool:
    """Say whether a standing order is the wanted one: same side, trigger and remaining size."""
    terms = order.terms
    return (terms.side, terms.type, terms.stop_price) == (wanted.side, wanted.type, wanted.stop_price) and (
        order.remaining == wanted.quantity
    )


def _uncancelled(orders: list[LiveOrder]) -> tuple[str, ...]:
    return tuple(order.id for order in orders if not order.cancel_asked)
