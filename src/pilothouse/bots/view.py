"""What a decision sees of one account and instrument: position, orders under way, prices, what the venue can do.

Pure. Orders that are on their way and do not rest count as if they had filled.
"""

from dataclasses import dataclass
from decimal import Decimal

from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderState, OrderTerms, Purpose
from pilothouse.core.position import Position
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import toward_zero
from pilothouse.core.stops import USUAL_WAYS, StopWay, TrailRange


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """An order of this account and instrument that is not final.

    remaining   base, above zero: what has not filled yet
    asked       how often it was asked for since its outcome is unknown, from 1
    place       which part of its position's protection it is, such as "stop" or "target:0"; empty for other orders
    """

    id: str
    hook_id: str | None
    signal_id: str | None
    purpose: Purpose
    state: OrderState
    terms: OrderTerms
    remaining: Decimal
    cancel_asked: bool
    asked: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What a decision sees of one account and instrument; equity in quote currency.

    coins   whether a position is coins that are owned: a stop that waits locks them, so that nothing else can sell them
    carries_stops   whether the venue takes orders that wait for a trigger; else the house keeps them
    trails      how far trailing orders of the venue's own may trail; None: the house moves a stop instead
    stop_ways   in which forms the venue takes a stop, in the order in which they are tried
    pairs       whether two orders may wait for the same coins there, of which one ends the other (OCO)
    """

    instrument: Instrument
    position: Position
    orders: tuple[LiveOrder, ...]
    quote: Quote
    equity: Decimal
    coins: bool = False
    carries_stops: bool = True
    trails: TrailRange | None = None
    stop_ways: tuple[StopWay, ...] = USUAL_WAYS
    pairs: bool = False

    def in_lots(self, signed: Decimal) -> Decimal:
        """Return what an order can move of `signed`, base: whole lots. A fee in coins leaves crumbs of a lot."""
        return toward_zero(signed, self.instrument.lot)

    def held(self) -> Decimal:
        """Return the position in whole lots, base, signed; crumbs of one lot count as nothing."""
        return self.in_lots(self.position.quantity)

    def locked(self) -> tuple[LiveOrder, ...]:
        """Return the stops and targets that keep coins from being sold by any other order."""
        return tuple(order for order in self.orders if order.purpose.protects) if self.coins else ()

    def needs_what_comes(self, quantity: Decimal) -> bool:
        """Say whether so much can be sold only of coins that a purchase on its way brings.

        A commission in the coin takes some of them: what is sold of them has no size before they are there.
        """
        moving = [order for order in self.orders if not order.terms.rests] if self.coins else []
        if not any(order.terms.side is Side.BUY for order in moving):
            return False
        sold = sum((order.remaining for order in moving if order.terms.side is Side.SELL), Decimal(0))
        return quantity > self.in_lots(self.position.quantity - sold)

    def expected(self) -> Decimal:
        """Return the position once everything that does not rest has filled, base, signed."""
        moving = Decimal(0)
        for order in self.orders:
            if not order.terms.rests:
                moving += order.remaining * order.terms.side.sign
        return self.position.quantity + moving

    def moves(self) -> bool:
        """Say whether something is on its way that does not rest."""
        return any(not order.terms.rests for order in self.orders)

    def resting_of(self, hook_id: str | None) -> tuple[LiveOrder, ...]:
        """Return what rests for `hook_id` and does not protect a position."""
        return tuple(
            order
            for order in self.orders
            if order.terms.rests and order.hook_id == hook_id and not order.purpose.protects
        )
