"""The laws of exactness: what is let in, and which way each rounding goes."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import PilothouseError
from pilothouse.core.rounding import (
    EXACT,
    NotExact,
    divided,
    down,
    exact,
    is_on_grid,
    nearest,
    plain,
    ratio,
    share,
    toward_zero,
    up,
)

amounts = st.decimals(min_value="-1e19", max_value="1e19", places=18)
steps = st.sampled_from(["0.00000001", "0.001", "0.01", "0.1", "0.5", "1", "3", "0.3", "25"]).map(Decimal)


@given(amounts)
def test_a_number_that_is_let_in_is_not_changed(amount: Decimal) -> None:
    """Whatever a venue or a person sends is kept to the last digit."""
    assert exact(amount) == amount
    assert exact(str(amount)) == amount


@pytest.mark.parametrize("value", [1.5, 0.1, float("nan"), True, None, b"1", [1]])
def test_a_float_is_refused(value: object) -> None:
    """By the time a float arrives it is already wrong."""
    with pytest.raises(NotExact):
        exact(value)  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize(
    "text",
    ["NaN", "sNaN", "Infinity", "-inf", "", " ", "one", "1,000", "1_000", "0x10", "１２", "٣", "1 2", "--1", "1e"],
)
def test_text_that_is_no_plain_number_is_refused(text: str) -> None:
    """An alert says what it wants in ASCII digits or not at all."""
    with pytest.raises(NotExact):
        exact(text)


@pytest.mark.parametrize(
    "text",
    [
        "1e999999999",
        "-1e999999999999",
        "1e-999999999",
        "1e20",
        "1e-19",
        "1." + "0" * 90 + "1",
        "0." + "0" * 18 + "1",
        "9" * 21,
        "1" * 60_000,
        "0." + "1" * 60_000,
    ],
)
def test_a_number_no_column_can_hold_is_refused_and_never_rounded(text: str) -> None:
    """A hostile exponent costs nothing, and a digit far behind the point is not lost without a word."""
    with pytest.raises(NotExact):
        exact(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0e999999999", "0"),
        ("-0e-999999999", "0"),
        ("1" + "0" * 19, "1e19"),
        ("1e19", "1e19"),
        ("2.50" + "0" * 90, "2.5"),
    ],
)
def test_zeros_that_say_nothing_do_not_count_as_digits(text: str, value: str) -> None:
    """Some venues pad their numbers."""
    assert exact(text) == Decimal(value)


def test_what_is_not_exact_is_an_error_of_ours_and_a_value_error() -> None:
    """Doors turn it into an answer; libraries that expect ValueError understand it too."""
    assert issubclass(NotExact, PilothouseError)
    assert issubclass(NotExact, ValueError)


@given(amounts)
def test_plain_text_is_the_same_number_without_noise(amount: Decimal) -> None:
    """The console shows what is stored, and equal numbers look equal."""
    text = plain(amount)

    assert Decimal(text) == amount
    assert "E" not in text.upper()
    assert text != "-0"
    assert not ("." in text and text.endswith(("0", ".")))
    assert plain(amount.normalize(EXACT)) == text


@given(amounts, steps)
def test_rounding_goes_where_its_name_says(amount: Decimal, step: Decimal) -> None:
    """A wrong direction costs somebody money; each name says whom."""
    low, high = down(amount, step), up(amount, step)

    assert low <= amount <= high
    assert is_on_grid(low, step)
    assert is_on_grid(high, step)
    assert high - low == (0 if is_on_grid(amount, step) else step)
    assert nearest(amount, step) in {low, high}
    assert abs(Fraction(nearest(amount, step)) - Fraction(amount)) * 2 <= Fraction(step)
    assert abs(toward_zero(amount, step)) <= abs(amount)
    assert toward_zero(amount, step) in {low, high}


@given(st.integers(-(10**12), 10**12), steps)
def test_a_half_goes_to_the_even_step(count: int, step: Decimal) -> None:
    """Nobody gains by it in the long run."""
    middle = step * count + step / 2

    assert nearest(middle, step) == step * (count if count % 2 == 0 else count + 1)


@given(amounts, st.decimals(min_value="0.000000001", max_value="1e12", places=9), st.booleans())
def test_a_quotient_is_rounded_once_and_the_right_way(value: Decimal, by: Decimal, upward: bool) -> None:  # noqa: FBT001 - hypothesis hands it over
    """Two roundings in a row can land on the wrong side."""
    step = Decimal("0.00000001")
    got = Fraction(divided(value, by, step, upward=upward))
    true = Fraction(value) / Fraction(by)

    assert got % Fraction(step) == 0
    assert (0 <= got - true < Fraction(step)) if upward else (0 <= true - got < Fraction(step))


@given(amounts, st.decimals(min_value="0.001", max_value="1e6", places=8), st.data())
def test_a_share_is_the_nearest_step_to_the_true_share(value: Decimal, whole: Decimal, data: st.DataObject) -> None:
    """The venue counts the closed part of a cost in whole units; so do we, from the same true number."""
    part = data.draw(st.decimals(min_value=0, max_value=whole, places=8))
    step = Decimal("0.00000001")
    true = Fraction(value) * Fraction(part) / Fraction(whole)

    assert abs(Fraction(share(value, part, whole, step)) - true) * 2 <= Fraction(step)


def test_a_ratio_is_for_showing() -> None:
    """Twelve digits are enough for a percentage and too few for money."""
    assert ratio(Decimal(1), Decimal(3)) == Decimal("0.333333333333")
