"""From when on nothing more of a request leaves: as it is kept, where this machine counted it since it was started."""

from datetime import timedelta

from pilothouse.core.clock import Tick
from pilothouse.execution.elapsed import Elapsed
from pilothouse.kit.clocks import SystemClock

NOW = Tick("this boot", 100_000_000)
NOTHING, HOLD = timedelta(0), timedelta(seconds=30)


def test_what_this_machine_counted_is_taken_as_it_is_kept() -> None:
    """Also by a process that was started since: the count goes on when a process ends."""
    kept = Tick("this boot", 95_000_000)
    assert Elapsed().ended("a", kept, NOW, NOTHING) == kept


def test_what_another_boot_counted_ends_when_it_is_first_asked_for() -> None:
    """Its number says nothing here. Too late a proof costs a wait; too early a proof costs an order."""
    elapsed = Elapsed()
    for kept in (Tick("another boot", 1), Tick("another boot", 10**12), None):
        name = f"{kept}"
        assert elapsed.ended(name, kept, NOW, NOTHING) == NOW
        assert elapsed.ended(name, kept, NOW.later(timedelta(seconds=10)), NOTHING) == NOW


def test_who_may_still_have_it_in_hand_may_send_it_for_so_long() -> None:
    """A process on another machine sends within its hold, whatever the clock shows here."""
    elapsed = Elapsed()
    assert elapsed.ended("a", None, NOW, HOLD) == NOW.later(HOLD)
    assert elapsed.ended("a", None, NOW.later(HOLD), NOTHING) == NOW.later(HOLD), "remembered"


def test_an_order_that_is_known_is_counted_anew() -> None:
    """It may be sent again under the same id, and be in doubt again."""
    elapsed = Elapsed()
    elapsed.ended("a", None, NOW, NOTHING)
    elapsed.over("a")
    later = NOW.later(HOLD)
    assert elapsed.ended("a", None, later, NOTHING) == later


def test_the_count_of_a_machine_goes_on_from_process_to_process() -> None:
    """Two clocks of one boot are comparable, and the count only grows."""
    first, second = SystemClock().tick(), SystemClock().tick()
    assert first.boot == second.boot != ""
    assert first.until(second) >= NOTHING
