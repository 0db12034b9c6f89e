"""Money is exact, keeps its currency, and is never lost when it is split."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import Broken
from pilothouse.core.money import CurrenciesDiffer, Money
from pilothouse.core.rounding import EXACT, QUOTE_UNIT, NotExact

# Wider than the 28 digits of Python's own arithmetic, so that a sum that was rounded behind our back shows.
amounts = st.decimals(min_value="-1e18", max_value="1e18", places=18)


@given(st.lists(amounts, max_size=20))
def test_a_sum_of_money_does_not_depend_on_the_order(values: list[Decimal]) -> None:
    """Float sums do; that is how cents get lost."""
    money = [Money(value, "USDT") for value in values]

    assert Money.total(money, "USDT") == Money.total(reversed(money), "USDT")


@given(amounts, amounts)
def test_what_is_added_can_be_taken_away_again(a: Decimal, b: Decimal) -> None:
    """Nothing is rounded on the way."""
    one, other = Money(a, "USDT"), Money(b, "USDT")

    assert one + other - other == one
    assert one + -one == Money.zero("USDT")
    assert -one - -one == Money.zero("USDT")


@given(amounts, st.integers(1, 50))
def test_a_split_loses_nothing_and_favours_nobody_by_more_than_a_unit(amount: Decimal, shares: int) -> None:
    """Shares of a fee or a referral add up to what was paid."""
    parts = Money(amount, "USDT").split(shares)

    assert len(parts) == shares
    assert Money.total(parts, "USDT") == Money(amount, "USDT")
    assert EXACT.subtract(max(p.amount for p in parts), min(p.amount for p in parts)) <= QUOTE_UNIT


def test_two_currencies_never_meet() -> None:
    """A sum of dollars and coins is a bug of ours: trading stops."""
    usdt, btc = Money(Decimal(1), "USDT"), Money(Decimal(1), "BTC")

    assert issubclass(CurrenciesDiffer, Broken)
    for meet in (lambda: usdt + btc, lambda: usdt - btc, lambda: usdt < btc):
        with pytest.raises(CurrenciesDiffer):
            meet()
    assert usdt != btc


def test_money_is_not_made_of_floats() -> None:
    """0.1 + 0.2 would be 0.30000000000000004 USDT."""
    with pytest.raises(NotExact):
        Money(0.1, "USDT")  # type: ignore[arg-type]  # that is what is tested


def test_money_is_said_plainly() -> None:
    """People read it."""
    assert str(Money(Decimal("1E+3"), "USDT")) == "1000 USDT"
    assert Money(Decimal("1.5"), "USDT") < Money(Decimal(2), "USDT")
