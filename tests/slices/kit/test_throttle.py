"""Budgets of requests: spent by many processes, kept for orders, and stopped when the venue says so."""

from concurrent.futures import Future
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import Unavailable
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.throttle import (
    NOTHING,
    Budget,
    OwnBooks,
    SharedBooks,
    Spent,
    Standing,
    Throttle,
    Use,
    merged,
)
from tests.conftest import NOON

WEIGHT = Budget("venue:here:weight", limit=100, kept=20)
ORDERS = Budget("venue:key:orders", limit=10)


def test_two_processes_spend_from_one_budget(database: Database, clock: FrozenClock) -> None:
    """The venue counts the address, not the process."""
    first, second = (Throttle(SharedBooks(database), clock) for _ in range(2))
    assert first.take({WEIGHT: 60}, Use.READ) == NOTHING
    clock.advance(2)
    assert first.take({WEIGHT: 0}, Use.READ) == NOTHING  # what it spent is told with the next question
    assert second.take({WEIGHT: 21}, Use.READ) > NOTHING
    assert second.take({WEIGHT: 20}, Use.READ) == NOTHING


def test_what_is_kept_for_orders_is_not_read_away(database: Database, clock: FrozenClock) -> None:
    """A position that must be closed does not wait for a chart."""
    throttle = Throttle(SharedBooks(database), clock)

    assert throttle.take({WEIGHT: 80}, Use.READ) == NOTHING
    assert throttle.take({WEIGHT: 1}, Use.READ) > NOTHING
    assert throttle.take({WEIGHT: 20, ORDERS: 1}, Use.ORDER) == NOTHING
    assert throttle.take({WEIGHT: 1, ORDERS: 1}, Use.ORDER) > NOTHING


def test_a_window_ends_when_the_venues_does(clock: FrozenClock) -> None:
    """Its minutes begin with the clock's."""
    throttle = Throttle(OwnBooks(), clock)
    clock.advance(45)
    assert throttle.take({ORDERS: 10}, Use.ORDER) == NOTHING

    assert throttle.take({ORDERS: 1}, Use.ORDER) == timedelta(seconds=15)
    clock.advance(15)
    assert throttle.take({ORDERS: 1}, Use.ORDER) == NOTHING


def test_a_pause_holds_for_every_process(database: Database, clock: FrozenClock) -> None:
    """One that goes on after a 429 has the whole address banned."""
    first, second, third = (Throttle(SharedBooks(database), clock) for _ in range(3))
    first.block(WEIGHT, timedelta(seconds=120))
    second.learn([WEIGHT])

    assert first.take({WEIGHT: 1}, Use.ORDER) == timedelta(seconds=120)
    assert second.take({WEIGHT: 1}, Use.ORDER) == timedelta(seconds=120)
    assert third.take({WEIGHT: 1}, Use.READ) == timedelta(seconds=120)
    clock.advance(120)
    assert first.take({WEIGHT: 1}, Use.ORDER) == NOTHING


def test_a_shorter_pause_does_not_end_a_longer_one(clock: FrozenClock) -> None:
    """Answers overtake each other."""
    throttle = Throttle(OwnBooks(), clock)
    throttle.block(WEIGHT, timedelta(seconds=120))
    throttle.block(WEIGHT, timedelta(seconds=1))

    assert throttle.take({WEIGHT: 1}, Use.ORDER) == timedelta(seconds=120)


def test_what_is_asked_first_waits_for_a_pause_alone(clock: FrozenClock) -> None:
    """It learns what may be spent; what an earlier life of the house has spent may be more than it knows of."""
    throttle = Throttle(OwnBooks(), clock)
    throttle.observe(WEIGHT, 10_000)
    throttle.take({WEIGHT: 100}, Use.ORDER)
    assert throttle.take({WEIGHT: 1}, Use.READ) > NOTHING

    assert throttle.take({WEIGHT: 1}, Use.FIRST) == NOTHING
    throttle.block(WEIGHT, timedelta(seconds=30))
    assert throttle.take({WEIGHT: 1}, Use.FIRST) == timedelta(seconds=30)


def test_the_venues_own_count_counts(clock: FrozenClock) -> None:
    """A person with a browser spends from the same address."""
    throttle = Throttle(OwnBooks(), clock)
    throttle.observe(WEIGHT, 79)

    assert throttle.used(WEIGHT) == 79
    assert throttle.take({WEIGHT: 2}, Use.READ) > NOTHING


def test_nothing_is_spent_when_one_budget_lacks(clock: FrozenClock) -> None:
    """An order that is not sent costs nothing."""
    throttle = Throttle(OwnBooks(), clock)
    throttle.take({ORDERS: 10}, Use.ORDER)
    throttle.take({WEIGHT: 5, ORDERS: 1}, Use.ORDER)

    assert throttle.used(WEIGHT) == 0


class SlowBooks:
    """Books that do not answer."""

    def __init__(self, problem: Exception | None = None) -> None:
        """Raise `problem`, or else never answer."""
        self.problem = problem

    def tell(self, spent: object) -> "Future[list[Standing]]":
        """Do not answer."""
        if self.problem is not None:
            raise self.problem
        return Future()


def test_an_order_does_not_wait_for_the_books(clock: FrozenClock) -> None:
    """A database that is slow is no reason to keep a position."""
    throttle = Throttle(SlowBooks(), clock)

    assert throttle.take({WEIGHT: 1, ORDERS: 1}, Use.ORDER) == NOTHING


@pytest.mark.parametrize("use", [Use.READ, Use.ORDER])
def test_without_books_what_is_known_here_counts(clock: FrozenClock, use: Use) -> None:
    """Trading goes on, within the limits of one process."""
    throttle = Throttle(SlowBooks(Unavailable("away")), clock)

    assert throttle.take({ORDERS: 10}, use) == NOTHING
    assert throttle.take({ORDERS: 1}, use) > NOTHING


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), min_size=1, max_size=30))
def test_books_count_what_was_told_of_the_last_window(told: list[tuple[int, int]]) -> None:
    """Told in any order: what comes late, of a window that is over, changes nothing."""
    standing: Standing | None = None
    for window_no, count in told:
        standing = merged(standing, Spent("x", window_no, count, NOON))
    last = max(window_no for window_no, _ in told)

    assert standing == Standing("x", last, sum(count for window_no, count in told if window_no == last), NOON)


def test_an_order_is_not_held_back_for_what_the_venue_counted_before(clock: FrozenClock) -> None:
    """Its minute may have begun a moment after ours."""
    throttle = Throttle(OwnBooks(), clock)
    throttle.observe(WEIGHT, 100)

    assert throttle.take({WEIGHT: 1}, Use.ORDER) == NOTHING
    assert throttle.take({WEIGHT: 1}, Use.READ) > NOTHING
    throttle.observe(WEIGHT, 3)
    assert throttle.take({WEIGHT: 1}, Use.READ) == NOTHING
