"""Instruments and their grids: a Price is a whole number of ticks, a Quantity a whole number of lots.

Price and Quantity are decimals that were checked against their instrument when they were made. Arithmetic on
them leaves the grid and gives plain decimals; the way back is through the instrument again.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pilothouse.core.errors import Refused
from pilothouse.core.rounding import EXACT, down, exact, is_on_grid, plain, up


class Price(Decimal):
    """Quote currency per unit of base, on the tick grid of one instrument, above zero."""

    __slots__ = ()

    def __new__(cls, value: Decimal | int | str) -> Self:
        """Take an exact number; raises NotExact for a float."""
        return super().__new__(cls, exact(value))


class Quantity(Decimal):
    """Units of base, on the lot grid of one instrument, zero or more."""

    __slots__ = ()

    def __new__(cls, value: Decimal | int | str) -> Self:
        """Take an exact number; raises NotExact for a float."""
        return super().__new__(cls, exact(value))


class Side(StrEnum):
    """Which way an order goes.

    sign   1 for a buy, -1 for a sell
    """

    sign: int

    def __new__(cls, name: str) -> Self:
        """Work out once what is asked of every order again and again."""
        self = str.__new__(cls, name)
        self._value_ = name
        self.sign = 1 if name == "BUY" else -1
        return self

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """Return the side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @classmethod
    def of(cls, signed: Decimal) -> "Side":
        """Return the side that moves a position by `signed`, which is not zero."""
        assert signed != 0, "no order moves a position by nothing"
        return cls.BUY if signed > 0 else cls.SELL


class OffGrid(Refused):
    """A price or quantity that the instrument cannot carry."""

    code = "off_grid"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a venue lets trade, and in what steps.

    symbol          the venue's name, such as BTCUSDT
    base, quote     currencies; settlement is in `quote`
    tick            price step, quote per base
    lot             quantity step, base
    quantity_min, quantity_max   of one order, base
    notional_min    price x quantity of one order, quote; reduce-only orders are exempt
    price_min, price_max         quote per base
    leverage_max    whole number, 1 or more
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    price_min: Decimal
    price_max: Decimal
    leverage_max: int

    def price(self, value: Decimal | int | str) -> Price:
        """Return `value` as a Price; raises OffGrid if it is not a whole number of ticks within bounds."""
        number = exact(value)
        if not is_on_grid(number, self.tick):
            raise OffGrid(
                f"price {plain(number)} of {self.symbol} is no multiple of the tick {plain(self.tick)}; "
                f"{plain(down(number, self.tick))} and {plain(up(number, self.tick))} are"
            )
        if not self.price_min <= number <= self.price_max:
            raise OffGrid(
                f"price {plain(number)} of {self.symbol} is outside {plain(self.price_min)} to {plain(self.price_max)}"
            )
        return Price(number)

    def quantity(self, value: Decimal | int | str) -> Quantity:
        """Return `value` as a Quantity; raises OffGrid if it is not a whole number of lots, zero or more."""
        number = exact(value)
        if number < 0 or not is_on_grid(number, self.lot):
            raise OffGrid(f"quantity {plain(number)} of {self.symbol} is no whole number of lots of {plain(self.lot)}")
        return Quantity(number)

    def price_down(self, value: Decimal) -> Price:
        """Return the highest price on the grid that is not above `value`, at least `price_min`."""
        return Price(max(down(value, self.tick), self.price_min))

    def price_up(self, value: Decimal) -> Price:
        """Return the lowest price on the grid that is not below `value`, at most `price_max`."""
        return Price(min(up(value, self.tick), self.price_max))

    def quantity_down(self, value: Decimal) -> Quantity:
        """Return the largest quantity on the grid that is not above `value`, zero or more: never more than asked."""
        return Quantity(max(down(value, self.lot), Decimal(0)))

    def notional(self, price: Decimal, quantity: Decimal) -> Decimal:
        """Return price x quantity in quote currency, exactly."""
        return EXACT.multiply(price, EXACT.abs(quantity))
