"""A wish becomes a spec."""

from decimal import Decimal

import pytest

from pilothouse.backtest.request import USUAL, Wish, ppm_of, spec_of, usual_lot
from pilothouse.core.errors import Invalid
from pilothouse.strategies.registry import find
from pilothouse.strategies.sdk import Columns
from tests.unit.backtest.results import candles

_WISH = Wish("buy-and-hold", "v1", {}, "file", "1h")


def _strategy() -> Columns:
    found = find("buy-and-hold").strategy
    assert isinstance(found, Columns)
    return found


def test_the_same_wish_is_the_same_spec_and_another_another() -> None:
    """Its name is the hash of everything that the result depends on."""
    one, _ = spec_of(_WISH, _strategy(), candles(), {})
    again, _ = spec_of(_WISH, _strategy(), candles(), {})
    other, _ = spec_of(Wish("buy-and-hold", "v2", {}, "file", "1h"), _strategy(), candles(), {})
    beside, _ = spec_of(_WISH, _strategy(), candles(), {"ETHUSDT": candles()})

    assert one.name == again.name
    assert len({one.name, other.name, beside.name}) == 3


def test_nobody_trades_for_nothing_unless_they_say_so() -> None:
    """Fees and slippage are there by default."""
    spec, _ = spec_of(_WISH, _strategy(), candles(), {})

    assert spec.costs == USUAL
    assert spec.costs.any


def test_too_few_bars_are_refused_with_how_many_are_needed() -> None:
    """A run that never warmed up would look like a strategy that never trades."""
    found = find("ema-cross").strategy
    assert isinstance(found, Columns)
    with pytest.raises(Invalid, match="candles: 6 bars; at least"):
        spec_of(Wish("ema-cross", "v", {}, "file", "1h"), found, candles(), {})


def test_a_lot_is_so_small_that_rounding_hardly_matters() -> None:
    """At most a ten-thousandth of the capital, at the highest price."""
    assert usual_lot(candles(), Decimal(10_000)) == Decimal("0.001")
    assert usual_lot(candles(), Decimal(10)) == Decimal("0.000001")


def test_percent_is_parts_per_million_exactly() -> None:
    """What has more digits is refused, not rounded."""
    assert ppm_of("0.05", "taker") == 500
    assert ppm_of("0.0001%", "taker") == 1
    for wrong in ("0.00001", "-1", "101", "much", ""):
        with pytest.raises(Invalid, match="taker"):
            ppm_of(wrong, "taker")
