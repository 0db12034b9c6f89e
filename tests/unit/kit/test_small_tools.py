"""Clocks, ids, retries, meters."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kit.clocks import FrozenClock, SystemClock
from pilothouse.kit.fresh_ids import CountedIds, FreshIds
from pilothouse.kit.meters import Meters
from pilothouse.kit.retry import pause_after, retrying

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Down(Exception):
    """What may be tried again in these tests."""


def test_the_system_clock_is_in_utc_and_its_span_never_runs_backwards() -> None:
    """Every instant of the house is UTC."""
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() <= clock.monotonic()


def test_a_frozen_clock_moves_when_it_is_moved() -> None:
    """So a test can wait an hour in no time."""
    clock = FrozenClock(NOON)
    assert (clock.now(), clock.monotonic()) == (NOON, 0.0)
    clock.advance(timedelta(hours=1))
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(hours=1, seconds=1.5), 3601.5)
    clock.set(NOON)
    assert (clock.now(), clock.monotonic()) == (NOON, 3601.5)


@given(st.lists(st.integers(-5, 5), max_size=50))
def test_a_later_id_sorts_behind_an_earlier_one_even_when_the_clock_is_set_back(steps: list[int]) -> None:
    """The order of ids is the order in which they were given."""
    clock = FrozenClock(NOON)
    ids = FreshIds(clock)
    given_out = []
    for step in steps:
        clock.set(clock.now() + timedelta(microseconds=step))
        given_out.append(ids.fresh("sig"))
    assert given_out == sorted(set(given_out))


def test_more_ids_than_a_microsecond_holds_still_sort() -> None:
    """A frozen clock hands out as many as a test wants."""
    ids = FreshIds(FrozenClock(NOON))
    many = [ids.fresh("x") for _ in range(140_000)]
    assert many == sorted(set(many))


def test_two_processes_never_make_the_same_id() -> None:
    """Even in the same microsecond."""
    clock = FrozenClock(NOON)
    assert FreshIds(clock).fresh("x") != FreshIds(clock).fresh("x")


def test_counted_ids_can_be_foreseen() -> None:
    """A test names them before they exist."""
    ids = CountedIds()
    assert [ids.fresh("a"), ids.fresh("a"), ids.fresh("b")] == ["a_000001", "a_000002", "b_000001"]


def test_a_retry_ends_with_success_or_with_the_last_error() -> None:
    """Bounded, always."""
    tries: list[int] = []
    pauses: list[float] = []

    def third_time_lucky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Down
        return "up"

    assert retrying(third_time_lucky, on=Down, attempts=5, first=1, longest=9, sleep=pauses.append) == "up"
    assert len(pauses) == 2
    tries.clear()
    with pytest.raises(Down):
        retrying(third_time_lucky, on=Down, attempts=2, first=1, longest=9, sleep=pauses.append)
    assert len(tries) == 2


def test_what_is_not_safe_to_repeat_is_raised_at_once() -> None:
    """An unknown outcome above all."""
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise Down if len(tries) == 1 else KeyError

    with pytest.raises(KeyError):
        retrying(work, on=Down, attempts=9, first=0, longest=0)
    with pytest.raises(KeyError):
        retrying(work, on=KeyError, when=lambda _: False, attempts=9, first=0, longest=0)
    assert len(tries) == 3


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_to_a_bound_and_are_jittered(attempt: int, chance: float) -> None:
    """Those who failed together do not come back together."""
    pause = pause_after(attempt, first=0.5, longest=60, chance=lambda: chance)
    whole = min(60.0, 0.5 * 2.0 ** min(attempt - 1, 60))
    assert whole / 2 <= pause <= whole


def test_two_houses_in_one_process_count_for_themselves() -> None:
    """And every name begins with that of the product."""
    one, other = Meters(), Meters()
    one.signals.labels("filled").inc()
    one.alert_to_send.observe(0.004)
    assert b'pilothouse_signals_total{state="filled"} 1.0' in one.text()
    assert b'state="filled"' not in other.text()
    names = [line.split()[2] for line in one.text().decode().splitlines() if line.startswith("# HELP")]
    assert all(name.startswith("pilothouse_") for name in names)
    assert {"pilothouse_alert_to_fill_seconds", "pilothouse_unknown_orders", "pilothouse_outbox_lag_seconds"} <= set(
        names
    )
