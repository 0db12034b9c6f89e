"""Instants are aware, exact to the microsecond, and written one way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.clock import day_start, from_micros, iso, micros, millis

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001 - the zone is the strategy's


@given(instants)
def test_an_instant_survives_being_counted(instant: datetime) -> None:
    """A float of seconds would lose the last digit of the microsecond."""
    assert from_micros(micros(instant)) == instant
    assert from_micros(micros(instant)).tzinfo is UTC
    assert 0 <= micros(instant) - millis(instant) * 1000 < 1000


@given(instants)
def test_an_instant_survives_being_written(instant: datetime) -> None:
    """And equal instants are written alike, so that texts sort as times do."""
    text = iso(instant)

    assert datetime.fromisoformat(text) == instant
    assert len(text) == len("2026-11-21T04:00:00.000001Z")
    assert text == iso(instant.astimezone(UTC))


@given(instants)
def test_a_day_begins_at_midnight_utc_for_everybody(instant: datetime) -> None:
    """The daily loss is counted from one midnight, wherever the trader lives."""
    start = day_start(instant)

    assert timedelta(0) <= instant - start < timedelta(days=1)
    assert micros(start) % 86_400_000_000 == 0


def test_a_naive_instant_is_a_bug() -> None:
    """An instant without a zone is a guess."""
    with pytest.raises(AssertionError):
        micros(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is tested
