"""A size never costs more than it was allowed to, and too small a size is refused with the numbers."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.instrument import Instrument, Quantity
from pilothouse.core.signals import Level, Size, SizeKind
from pilothouse.core.sizing import SizeAboveMaximum, SizeBelowMinimum, SizeNeedsStop, quantity_for, within_bounds

D = Decimal
BTC = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=D("0.1"),
    lot=D("0.001"),
    quantity_min=D("0.001"),
    quantity_max=D(1000),
    notional_min=D(5),
    price_min=D("0.1"),
    price_max=D(10**7),
    leverage_max=125,
)
values = st.decimals(min_value="0.0001", max_value="1000000", places=4)
prices = st.decimals(min_value="0.1", max_value="200000", places=1)
LOT = Fraction(BTC.lot)


@given(values, prices, values)
def test_a_size_never_exceeds_what_was_allowed(value: Decimal, price: Decimal, equity: Decimal) -> None:
    """Every kind is rounded down, and by less than one lot."""
    allowed = {
        SizeKind.QUANTITY: Fraction(value),
        SizeKind.QUOTE_AMOUNT: Fraction(value) / Fraction(price),
        SizeKind.EQUITY_PERCENT: Fraction(equity) * Fraction(value) / 100 / Fraction(price),
    }
    for kind, most in allowed.items():
        quantity = quantity_for(Size(kind, value), BTC, price, equity)

        assert 0 <= most - Fraction(quantity) < LOT
        assert BTC.quantity(quantity) == quantity


@given(values, prices, prices, values)
def test_a_stop_that_fills_loses_no_more_than_the_risk(
    percent: Decimal, entry: Decimal, stop: Decimal, equity: Decimal
) -> None:
    """That is what risk_percent promises, fees and slippage aside."""
    size = Size(SizeKind.RISK_PERCENT, percent)
    if entry == stop:
        with pytest.raises(SizeNeedsStop):
            quantity_for(size, BTC, entry, equity, stop)
        return
    quantity = Fraction(quantity_for(size, BTC, entry, equity, stop))
    distance = abs(Fraction(entry) - Fraction(stop))
    stake = Fraction(equity) * Fraction(percent) / 100

    assert quantity * distance <= stake < (quantity + LOT) * distance


def test_risk_without_a_stop_is_refused() -> None:
    """It would size without end."""
    with pytest.raises(SizeNeedsStop, match="stop_loss"):
        quantity_for(Size(SizeKind.RISK_PERCENT, D(1)), BTC, D(100), D(1000))


@given(values, prices, st.decimals(min_value=-1000, max_value=0, places=2))
def test_an_account_without_equity_sizes_to_nothing(value: Decimal, price: Decimal, equity: Decimal) -> None:
    """A negative share of a negative equity would be a position."""
    for kind in (SizeKind.EQUITY_PERCENT, SizeKind.RISK_PERCENT):
        assert quantity_for(Size(kind, value), BTC, price, equity, price + 1) == 0


@given(st.decimals(min_value=0, max_value=2000, places=3), prices, st.booleans())
def test_what_the_venue_would_not_take_is_refused_and_never_raised(
    quantity: Decimal,
    price: Decimal,
    reduces: bool,  # noqa: FBT001 - hypothesis hands it over
) -> None:
    """A smaller order than the minimum is not made larger behind the trader's back."""
    small = quantity < BTC.quantity_min or (not reduces and quantity * price < BTC.notional_min)
    asked = Quantity(quantity)
    if quantity > BTC.quantity_max:
        with pytest.raises(SizeAboveMaximum, match="1000"):
            within_bounds(asked, BTC, price, reduces=reduces)
    elif small:
        with pytest.raises(SizeBelowMinimum, match=r"minimum of (0\.001 BTC|5 USDT)"):
            within_bounds(asked, BTC, price, reduces=reduces)
    else:
        assert within_bounds(asked, BTC, price, reduces=reduces) == quantity


def test_a_refusal_names_what_was_asked_for() -> None:
    """The trader reads his own words again."""
    with pytest.raises(SizeBelowMinimum, match=r"0\.04 BTC \(4 USDT\) at 100 is worth 4 USDT, below the minimum of 5"):
        within_bounds(Quantity("0.04"), BTC, D(100), reduces=False, wanted="4 USDT")


@pytest.mark.parametrize("level", [{}, {"price": D(1), "percent": D(1)}])
def test_a_level_is_a_price_or_a_percentage(level: dict[str, Decimal]) -> None:
    """Never both, never neither."""
    with pytest.raises(AssertionError):
        Level(**level)
