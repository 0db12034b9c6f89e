"""Times as people type them, and candles as a terminal can draw them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pilothouse.cli.candle_chart import chart, grouped
from pilothouse.cli.candle_reach import since_when
from pilothouse.core.errors import Refused
from tests.conftest import NOON


def test_a_time_is_a_day_an_instant_or_so_long_ago() -> None:
    """Without a zone it is UTC, as candles are."""
    assert since_when("2025-01-01", NOON) == datetime(2025, 1, 1, tzinfo=UTC)
    assert since_when("2025-01-01T12:00:00+02:00", NOON) == datetime(2025, 1, 1, 10, tzinfo=UTC)
    assert since_when("30d", NOON) == NOON - timedelta(days=30)
    assert since_when("2w", NOON) == since_when("336h", NOON)
    for text in ("", "yesterday", "0d", "2025-13-01"):
        with pytest.raises(Refused):
            since_when(text, NOON)


def test_neighbours_are_put_together_until_they_fit() -> None:
    """A year does not have as many columns as a terminal: none of its highs may vanish for that."""
    four = [(each, each + 5, each - 5, each + 1) for each in range(100, 200)]

    found = grouped(four, 30)

    assert len(found) <= 30
    assert (found[0][0], found[-1][3]) == (100, 200)
    assert (max(one[1] for one in found), min(one[2] for one in found)) == (204, 95)


def test_a_chart_has_a_body_between_open_and_close_and_a_wick_beyond() -> None:
    """And prices on its side, to the last digit."""
    lines = [line.plain for line in chart([(20, 40, 0, 30), (30, 30, 30, 30)], height=8, step=Decimal("0.5"))]

    column = "".join(line[15] for line in lines)
    assert column.startswith("│")
    assert column.endswith("│")
    assert "█" in column
    assert lines[0].strip().startswith("20.0")
    assert chart([], height=8, step=Decimal(1)) == []
