"""Hours of the week: what was written reads back, and both at once is what both allow."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.hours import WEEK, Hours, HoursNotUnderstood

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
spans = st.tuples(st.integers(0, WEEK - 1), st.integers(1, 2_000)).map(lambda one: (one[0], min(sum(one), WEEK)))


def _hours(found: list[tuple[int, int]]) -> Hours:
    text = ", ".join(f"{_day(a)} {_time(a)}-{_time(b)}" for a, b in found if b - a < 1440 or a % 1440 == b % 1440)
    return Hours.read(text) if text else Hours(())


def _day(minute: int) -> str:
    return ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[minute // 1440]


def _time(minute: int) -> str:
    return f"{minute % 1440 // 60:02}:{minute % 60:02}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mon-fri 08:00-16:30", "mon-fri 08:00-16:30"),
        ("08:00-12:00,10:00-16:00", "08:00-16:00"),
        ("sat 22:00-02:00", "sat 22:00-24:00, sun 00:00-02:00"),
        ("fri-mon 00:00-24:00", "mon 00:00-24:00, fri-sun 00:00-24:00"),
        ("SUN 23:00-01:00", "mon 00:00-01:00, sun 23:00-24:00"),
        ("00:00-24:00", "00:00-24:00"),
    ],
)
def test_hours_are_shown_as_they_are_meant(text: str, shown: str) -> None:
    """Overlaps are joined, what runs over midnight is cut at it, and what is shown reads back."""
    hours = Hours.read(text)

    assert str(hours) == shown
    assert Hours.read(shown) == hours


@pytest.mark.parametrize("text", ["", "8-16", "mon", "xyz 08:00-09:00", "25:00-26:00", "08:61-09:00", "24:00-01:00"])
def test_what_is_no_hours_is_refused(text: str) -> None:
    """Nobody trades at hours that somebody guessed."""
    with pytest.raises(HoursNotUnderstood):
        Hours.read(text)


@given(st.lists(spans, max_size=4), st.lists(spans, max_size=4), st.integers(0, WEEK - 1))
def test_both_allow_exactly_what_each_allows(
    some: list[tuple[int, int]], others: list[tuple[int, int]], minute: int
) -> None:
    """The tightest of two sets of hours is their intersection; and what is shown reads back."""
    one, other = _hours(some), _hours(others)
    at = MONDAY + timedelta(minutes=minute, seconds=59)

    assert (one & other).holds(at) == (one.holds(at) and other.holds(at))
    assert one.covers(one & other)
    assert one.covers(other) == ((one & other) == other)
    assert str(one) == "" or Hours.read(str(one)) == one
