"""How late it is at least for an order in doubt, whatever anybody does to the wall clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pilothouse.execution.elapsed import Elapsed
from tests.conftest import NOON


@dataclass
class _Clock:
    """A wall clock that can be set, and a steady one that cannot."""

    wall: datetime = NOON
    steady: float = 100.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def go_on(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


def test_a_wall_clock_that_is_set_forward_makes_nothing_later() -> None:
    """What passed is what passed."""
    clock, elapsed = _Clock(), Elapsed()
    elapsed.now(clock, "a")
    clock.go_on(10)
    clock.wall += timedelta(hours=1)

    assert elapsed.now(clock, "a") == NOON + timedelta(seconds=10)
    assert elapsed.now(clock, "b") == clock.now(), "nothing is known of what passed before it was asked for"


def test_a_wall_clock_that_is_set_back_makes_it_earlier() -> None:
    """Too late a proof costs a wait; too early a proof costs an order."""
    clock, elapsed = _Clock(), Elapsed()
    elapsed.now(clock, "a")
    clock.go_on(10)
    clock.wall -= timedelta(seconds=60)
    assert elapsed.now(clock, "a") == NOON - timedelta(seconds=50)


def test_an_order_that_is_known_is_counted_anew() -> None:
    """It may be sent again under the same id, and be in doubt again."""
    clock, elapsed = _Clock(), Elapsed()
    elapsed.now(clock, "a")
    elapsed.over("a")
    clock.wall += timedelta(hours=1)
    assert elapsed.now(clock, "a") == clock.now()
