"""From decimals to the whole numbers of a kernel, checked before a run so that nothing in it can overflow.

Prices become ticks, sizes lots, money units (one tick times one lot). Every rounding is against the trader and named.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import EXACT

_MOST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Scale:
    """How many digits prices and sizes have. A unit of money is 10^-(price_digits + lot_digits), quote."""

    price_digits: int
    lot_digits: int

    @property
    def unit(self) -> Decimal:
        """Return what one unit is worth, quote."""
        return Decimal((0, (1,), -(self.price_digits + self.lot_digits)))

    def money(self, units: int) -> Decimal:
        """Return units as an exact amount, quote."""
        return EXACT.multiply(Decimal(int(units)), self.unit)

    def price(self, ticks: int) -> Decimal:
        """Return ticks as an exact price."""
        return Decimal(int(ticks)).scaleb(-self.price_digits)

    def size(self, lots: int) -> Decimal:
        """Return lots as an exact size, base."""
        return Decimal(int(lots)).scaleb(-self.lot_digits)

    def units(self, amount: Decimal, field: str) -> int:
        """Return an amount of quote currency in whole units; raises Invalid if it has more digits than that."""
        return _whole(amount.scaleb(self.price_digits + self.lot_digits), amount, field)

    def lots(self, size: Decimal, field: str) -> int:
        """Return a size in whole lots; raises Invalid if it has more digits than that."""
        return _whole(size.scaleb(self.lot_digits), size, field)


def _whole(scaled: Decimal, given: Decimal, field: str) -> int:
    if scaled != int(scaled):
        raise Invalid([Problem(field, f"{given} came", "fewer digits: it is counted in whole steps", "too_fine")])
    return int(scaled)


def volume_in_lots(candles: Candles, lot_digits: int) -> Ints:
    """Return int64[n], volumes in lots, rounded down: what was traded may be taken, no more."""
    shift = lot_digits - candles.volume_digits
    if shift <= 0:
        found: Ints = candles.volume // 10**-shift
        return found
    most = int(candles.volume.max()) if len(candles) else 0
    if most * 10**shift > _MOST:
        raise Invalid([Problem("volume", f"{most} steps", "volumes whose lots fit 64 bits", "too_large")])
    finer: Ints = candles.volume * 10**shift
    return finer


def check_bounds(candles: Candles, *, cash: int, lots_most: int, leverage: int) -> None:
    """Refuse a run in which a product could leave 64 bits.

    cash        units at the beginning
    lots_most   lots that a position could have if equity grew a hundredfold
    Raises Invalid (field `candles`): prices or capital with fewer digits would do.
    """
    highest = int(candles.high.max()) if len(candles) else 0
    worth = max(cash, 0) * 100 * max(leverage, 1)
    # A price goes times a million once, for slippage; a value goes times lots of a part; equity is summed.
    largest = max(highest * 10**6 * 2, highest * max(lots_most, 1) * 4, worth * 4)
    if largest > _MOST:
        came = f"prices up to {highest} ticks with {lots_most} lots and {cash} units of capital"
        allowed = "fewer digits of prices or sizes, or less capital: 64 bits must hold their product"
        raise Invalid([Problem("candles", came, allowed, "too_large")])


def steps_down(values: np.ndarray, digits: int) -> Ints:
    """Return float64[n] in quote as whole ticks, rounded down; NaN and what is not above zero becomes 0, none."""
    with np.errstate(invalid="ignore"):
        scaled = np.floor(values * 10.0**digits + 1e-9)
    usable = np.isfinite(scaled) & (scaled > 0) & (scaled < 2.0**53)
    found: Ints = np.where(usable, scaled, 0.0).astype(np.int64)
    return found
