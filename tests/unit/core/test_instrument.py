"""Prices stand on ticks, quantities on lots, and nothing is put there without a direction."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.instrument import Instrument, OffGrid, Price, Quantity, Side
from pilothouse.core.rounding import NotExact, is_on_grid

BTC = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    quantity_max=Decimal(1000),
    notional_min=Decimal(5),
    price_min=Decimal("556.8"),
    price_max=Decimal(4529764),
    leverage_max=125,
)
prices = st.decimals(min_value="556.8", max_value=4529764, places=8)
quantities = st.decimals(min_value=0, max_value=10**6, places=12)


@given(prices)
def test_a_price_is_put_on_the_grid_in_a_named_direction(price: Decimal) -> None:
    """A limit that buys is rounded down, one that sells is rounded up, and neither moves by a whole tick."""
    low, high = BTC.price_down(price), BTC.price_up(price)

    assert BTC.price_min <= low <= price <= high <= BTC.price_max
    assert price - low < BTC.tick
    assert high - price < BTC.tick
    assert BTC.price(low) == low
    assert BTC.price(high) == high


@given(quantities)
def test_a_quantity_is_never_rounded_up(quantity: Decimal) -> None:
    """More than was asked is never bought."""
    fits = BTC.quantity_down(quantity)

    assert 0 <= quantity - fits < BTC.lot
    assert BTC.quantity(fits) == fits


@given(prices, quantities)
def test_off_the_grid_is_refused_and_never_repaired(price: Decimal, quantity: Decimal) -> None:
    """What the venue would refuse is refused here, with the neighbours named."""
    if is_on_grid(price, BTC.tick):
        assert BTC.price(price) == price
    else:
        with pytest.raises(OffGrid, match="no multiple of the tick"):
            BTC.price(price)
    if is_on_grid(quantity, BTC.lot):
        assert BTC.quantity(quantity) == quantity
    else:
        with pytest.raises(OffGrid, match="no whole number of lots"):
            BTC.quantity(quantity)


@pytest.mark.parametrize("price", ["0", "-0.1", "556.7", "4529764.1"])
def test_a_price_out_of_bounds_is_refused(price: str) -> None:
    """The venue's bounds are ours."""
    with pytest.raises(OffGrid, match="outside"):
        BTC.price(price)


def test_a_quantity_below_zero_is_refused() -> None:
    """The side says which way; a quantity has no sign."""
    with pytest.raises(OffGrid):
        BTC.quantity("-0.001")
    assert BTC.quantity_down(Decimal(-5)) == 0


@given(prices, quantities)
def test_a_notional_is_exact(price: Decimal, quantity: Decimal) -> None:
    """Price times quantity is not rounded, and a sold quantity is worth as much as a bought one."""
    assert BTC.notional(price, quantity) == BTC.notional(price, -quantity)
    assert BTC.notional(price, Decimal(2)) == price + price


def test_a_float_is_no_price_and_no_quantity() -> None:
    """Not even where an instrument is not asked."""
    for make in (Price, Quantity, BTC.price, BTC.quantity):
        with pytest.raises(NotExact):
            make(0.5)  # type: ignore[arg-type]  # that is what is tested


@given(st.decimals(min_value=-100, max_value=100, places=3).filter(bool))
def test_the_side_of_a_change_moves_a_position_that_way(change: Decimal) -> None:
    """Buying adds, selling takes away."""
    side = Side.of(change)

    assert side.sign * abs(change) == change
    assert side.opposite.sign == -side.sign
    assert side.opposite.opposite is side
