"""A position is a fold of its fills: signed quantity and what it cost; nothing else is remembered.

Average cost, as USD-margined venues keep it. Exact but for one place: closing part of a position takes a share of
its cost, which is rounded once, to the quote unit, halves to even; the rest of the cost stays with the position, so
nothing is lost.
"""

from dataclasses import dataclass
from decimal import Decimal

from pilothouse.core.instrument import Side
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, divided, share, toward_zero

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """What is held in one instrument.

    quantity   base, above zero long, below zero short
    cost       quote paid for it (negative: received), same sign as `quantity`
    """

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def side(self) -> Side | None:
        """Return the side that opened it, or None when flat."""
        return Side.of(self.quantity) if self.quantity else None

    def entry_price(self) -> Decimal | None:
        """Return the average price paid, to the quote unit, or None when flat; to be shown, never to be booked."""
        return EXACT.abs(divided(self.cost, self.quantity, QUOTE_UNIT)) if self.quantity else None

    def in_lots(self, lot: Decimal) -> "Position":
        """Return the part of it that can be traded, whole lots at the same average price; the rest is dust.

        A fee that was taken in the coin leaves such a rest.
        """
        whole = toward_zero(self.quantity, lot)
        if whole == self.quantity:
            return self
        return Position(self.symbol, whole, share(self.cost, whole, self.quantity, QUOTE_UNIT) if whole else ZERO)

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the open result at `mark`, in quote currency, exactly."""
        return EXACT.subtract(EXACT.multiply(self.quantity, mark), self.cost)


@dataclass(frozen=True, slots=True)
class Applied:
    """A position after a fill.

    cost_change   what was added to the cost, quote currency
    realised      result of what was closed, before commission
    closed        quantity that was closed, base, zero or more
    """

    position: Position
    cost_change: Decimal
    realised: Decimal
    closed: Decimal


def apply(position: Position, side: Side, quantity: Decimal, price: Decimal) -> Applied:
    """Return `position` after `quantity` (above zero) traded at `price` (above zero).

    A fill that is larger than an opposite position closes all of it and opens the rest the other way, as one-way
    venues do.
    """
    assert quantity > 0, "a fill moves something"
    assert price > 0, "a fill has a price"
    signed = _signed(quantity, side)
    held = position.quantity
    if held == 0 or (held > 0) == (signed > 0):
        added = EXACT.multiply(signed, price)
        after = Position(position.symbol, EXACT.add(held, signed), EXACT.add(position.cost, added))
        return Applied(after, added, ZERO, ZERO)
    size = EXACT.abs(held)
    closed = min(size, quantity)
    cost_closed = position.cost if closed == size else share(position.cost, closed, size, QUOTE_UNIT)
    # The closing leg has the sign of the held position: long sold brings closed x price, short bought back costs it.
    worth = EXACT.multiply(_signed(closed, side.opposite), price)
    realised = EXACT.subtract(worth, cost_closed)
    opened = _signed(EXACT.subtract(quantity, closed), side)
    cost_opened = EXACT.multiply(opened, price)
    cost_change = EXACT.subtract(cost_opened, cost_closed)
    after = Position(
        position.symbol,
        EXACT.add(held, signed),
        EXACT.add(position.cost, cost_change),
    )
    return Applied(after, cost_change, realised, closed)


def _signed(quantity: Decimal, side: Side) -> Decimal:
    """Return `quantity` with the sign of `side`. Plain arithmetic would round it to 28 digits."""
    return quantity if side is Side.BUY else EXACT.minus(quantity)
