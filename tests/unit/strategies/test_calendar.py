"""A session begins when the clock on the wall says so, in winter and in summer."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import Invalid
from pilothouse.strategies.builtin.opening_range import ZONES
from pilothouse.strategies.calendar import local_clock, local_months

_MINUTE_MS = 60_000


def at(text: str) -> int:
    """Return milliseconds since 1970 of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@given(st.integers(at("2015-01-01"), at("2030-12-31")), st.sampled_from(ZONES), st.integers(1, 300), st.integers(1, 60))
def test_day_and_minute_are_those_of_the_wall(start: int, timezone: str, bars: int, minutes: int) -> None:
    """Compared with Python's own calendar, bar by bar, also across the nights when clocks are changed."""
    opened = start // _MINUTE_MS * _MINUTE_MS + np.arange(bars, dtype=np.int64) * minutes * _MINUTE_MS
    days, minute = local_clock(opened, timezone)
    for row, when in enumerate(opened.tolist()):
        wall = datetime.fromtimestamp(when // 1_000, UTC).astimezone(ZoneInfo(timezone))
        assert minute[row] == wall.hour * 60 + wall.minute
        assert datetime(1970, 1, 1) + timedelta(days=int(days[row])) == datetime(wall.year, wall.month, wall.day)  # noqa: DTZ001 - days are compared as days


@pytest.mark.parametrize(
    ("moment", "minute"),
    [
        ("2026-01-15T14:30", 570),  # winter: five hours behind
        ("2026-07-15T13:30", 570),  # summer: four
        ("2026-03-08T06:59", 119),  # the last minute before clocks go forward
        ("2026-03-08T07:00", 180),  # two o'clock does not exist
        ("2026-11-01T05:30", 90),  # half past one, and an hour later once more
        ("2026-11-01T06:30", 90),
    ],
)
def test_nine_thirty_in_new_york_is_two_hours_of_utc(moment: str, minute: int) -> None:
    """A fixed offset, or a zone glued to a time, opens the market an hour early half of the year, or at 09:26."""
    _days, minutes = local_clock(np.array([at(moment)], np.int64), "America/New_York")

    assert minutes.tolist() == [minute]


def test_a_month_is_a_month_of_the_place() -> None:
    """New Year comes to Tokyo nine hours before it comes to London."""
    eve = np.array([at("2025-12-31T18:00")], np.int64)

    assert local_months(eve, "Asia/Tokyo") == local_months(eve, "Europe/London") + 1 == 56 * 12


def test_an_unknown_zone_is_named() -> None:
    """And a path is no zone."""
    for wrong in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(Invalid, match="timezone"):
            local_clock(np.array([0], np.int64), wrong)
