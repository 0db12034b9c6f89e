"""What a trader reads on the terminal is what the answer says: no digit lost, nothing wider than the screen."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pilothouse.cli import show

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**14), max_value=10**14)


def drawn(rows: list[tuple[str, ...]], *columns: str, width: int = 80) -> list[str]:
    """Return the lines of a table with these rows."""
    made = show.table(*columns)
    for row in rows:
        made.add_row(*row)
    screen = Console(file=io.StringIO(), width=width)
    screen.print(made)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


@given(decimals)
def test_a_number_on_the_screen_has_every_digit_of_the_answer(value: Decimal) -> None:
    """A price that is shortened on the way to the eye is another price."""
    assert Decimal(show.number(format(value, "f")).replace(",", "")) == value


@pytest.mark.parametrize(
    ("came", "shown"),
    [
        ("65000.10", "65,000.1"),
        ("0.00100000", "0.001"),
        ("-0.5", "-0.5"),
        ("-1234.5", "-1,234.5"),
        ("1E+3", "1,000"),
        (7, "7"),
        ("-0", "0"),
        (None, show.NOTHING),
        ("NaN", show.NOTHING),
        (True, show.NOTHING),
        ("soon", show.NOTHING),
    ],
)
def test_a_number_is_grouped_and_plain(came: object, shown: str) -> None:
    """Thousands apart, no exponent, no idle zeros; what is no number is a dash, not a crash."""
    assert show.number(came) == shown


@pytest.mark.parametrize(
    ("came", "words", "style"),
    [("12.345", "+12.34", "green"), ("-0.5", "-0.50", "red"), ("0.001", "0.00", "dim"), (None, show.NOTHING, "dim")],
)
def test_a_result_carries_its_sign_and_colour(came: object, words: str, style: str) -> None:
    """Gain or loss is seen before it is read, and read where there are no colours."""
    text = show.gain(came)

    assert (text.plain, text.style) == (words, style)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=12), "12s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(minutes=3, seconds=59), "3m"),
        (timedelta(hours=23, minutes=59), "23h"),
        (timedelta(days=9), "9d"),
        (timedelta(microseconds=-5), "now"),
        (timedelta(minutes=-3), "in 3m"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(ago: timedelta, words: str) -> None:
    """A glance says whether an alert is fresh; clocks that differ by a hair do not make a future."""
    assert show.age((NOON - ago).isoformat(), NOON) == words


def test_every_order_state_has_a_word_of_its_own_without_colours() -> None:
    """Colour only repeats what the word says."""
    words = {show.state(name).plain for name in show.STATE_STYLES}

    assert len(words) == len(show.STATE_STYLES)


def test_a_table_is_cut_to_the_screen_and_says_so() -> None:
    """A line that wraps is a table nobody can read."""
    lines = drawn([("BTCUSDT", "x" * 200, "1")], "symbol", "*because", ">quantity")

    assert all(len(line) <= 80 for line in lines)
    assert "…" in lines[1]
    assert lines[1].rstrip().endswith("1")


def test_numbers_stand_under_each_other() -> None:
    """Right-aligned: the eye compares lengths before digits."""
    lines = drawn([("A", "1"), ("B", "1,000.5")], "symbol", ">quantity")

    assert [len(line.rstrip()) for line in lines[1:]] == [len(lines[2].rstrip())] * 2


def test_a_short_id_is_part_of_the_long_one_and_tells_neighbours_apart() -> None:
    """It is what a person types back."""
    ids = [f"ord_{1_790_000_000_000_000 + step * 1_000_000:016x}0001abcdef01" for step in range(2_000)]
    shorts = [show.short(each) for each in ids]

    assert all(short in long for short, long in zip(shorts, ids, strict=True))
    assert len(set(shorts)) == len(ids)
    assert {len(short) for short in shorts} == {10}
