"""Money: an exact amount of one currency. It never becomes a float, and two currencies never meet."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from pilothouse.core.errors import Broken
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, exact, plain, toward_zero


class CurrenciesDiffer(Broken):
    """Amounts of two currencies were to be added or compared."""

    code = "currencies_differ"


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` of `currency`, exact; the sign says whose."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        """Refuse floats and what no column could hold."""
        object.__setattr__(self, "amount", exact(self.amount))

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return nothing, of that currency."""
        return cls(Decimal(0), currency)

    @classmethod
    def total(cls, amounts: Iterable[Self], currency: str) -> Self:
        """Return the sum of `amounts`, each of which is of `currency`."""
        sum_ = cls.zero(currency)
        for amount in amounts:
            sum_ = sum_ + amount
        return sum_

    def __add__(self, other: Self) -> Self:
        """Return the sum; raises CurrenciesDiffer."""
        self._same_as(other)
        return type(self)(EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: Self) -> Self:
        """Return the difference; raises CurrenciesDiffer."""
        self._same_as(other)
        return type(self)(EXACT.subtract(self.amount, other.amount), self.currency)

    def __neg__(self) -> Self:
        """Return the same amount, owed the other way."""
        return type(self)(EXACT.minus(self.amount), self.currency)

    def __lt__(self, other: Self) -> bool:
        """Compare amounts; raises CurrenciesDiffer."""
        self._same_as(other)
        return self.amount < other.amount

    def __str__(self) -> str:
        """Say amount and currency, for people."""
        return f"{plain(self.amount)} {self.currency}"

    def split(self, shares: int) -> list[Self]:
        """Return `shares` parts (1 or more) that differ by at most one unit and add up to the whole.

        The unit is 0.00000001; what cannot be divided goes to the first parts, one unit each.
        """
        assert shares >= 1, "money is split among somebody"
        each = toward_zero(EXACT.divide(self.amount, Decimal(shares)), QUOTE_UNIT)
        parts = [each] * shares
        rest = EXACT.subtract(self.amount, EXACT.multiply(each, Decimal(shares)))
        unit = QUOTE_UNIT if rest >= 0 else -QUOTE_UNIT
        index = 0
        while rest != 0:
            step = unit if EXACT.abs(rest) >= QUOTE_UNIT else rest
            parts[index] = EXACT.add(parts[index], step)
            rest = EXACT.subtract(rest, step)
            index += 1
        return [type(self)(part, self.currency) for part in parts]

    def _same_as(self, other: Self) -> None:
        if self.currency != other.currency:
            raise CurrenciesDiffer(f"{self} and {other} cannot be put together")
