"""What people give as floats, as exact decimals on a fixed grid: percentages and amounts. Pure.

Strategies in turns order with these; on a grid the same number comes out of decimals and of whole numbers.
"""

from decimal import Decimal

from pilothouse.core.rounding import EXACT, QUOTE_UNIT, down, nearest

MILLIONTH = Decimal("0.000001")


def part(percent: float) -> Decimal:
    """Return a percentage as a part of one, to the nearest millionth: 1.5 is 0.015."""
    return nearest(EXACT.divide(Decimal(str(percent)), Decimal(100)), MILLIONTH)


def factor(value: float) -> Decimal:
    """Return a factor, to the nearest millionth."""
    return nearest(Decimal(str(value)), MILLIONTH)


def amount(value: float) -> Decimal:
    """Return an amount of quote currency, cut to what can be booked."""
    return down(Decimal(str(value)), QUOTE_UNIT)


def over(value: Decimal, by: Decimal) -> Decimal:
    """Return a quotient of 80 digits: so near that cutting it to a step gives what cutting the true one gives."""
    return EXACT.divide(value, by)


def times(value: Decimal, by: Decimal) -> Decimal:
    """Return a product, exactly."""
    return EXACT.multiply(value, by)
