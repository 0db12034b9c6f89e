"""Where the time comes from. Nothing else in the house reads a wall clock."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from pilothouse.core.clock import EPOCH, Clock, Tick

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the present instant: UTC, aware, to the microsecond."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def tick(self) -> Tick:
        """Return the present instant as this machine counts it since it was started."""
        return Tick(_boot(), _since_boot_ns() // 1_000)


@cache
def _boot() -> str:
    """Return what names this start of this machine; where it tells none, each process is a start of its own."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return f"process {uuid.uuid4()}"


def _since_boot_ns() -> int:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class SetBack:
    """Sees a wall clock being set back, by what a steady one counts meanwhile. One thread asks."""

    def __init__(self, clock: Clock) -> None:
        """Compare from now on."""
        self._clock = clock
        self._apart = self._now_apart()

    def by(self) -> timedelta:
        """Return how far it was set back since the last question; zero, if it was not, or by less than a second."""
        before, self._apart = self._apart, self._now_apart()
        back = before - self._apart
        return back if back >= timedelta(seconds=1) else timedelta(0)

    def _now_apart(self) -> timedelta:
        return self._clock.now() - EPOCH - timedelta(seconds=self._clock.monotonic())


class FrozenClock:
    """A clock that stands still until it is moved; for tests and for stepping the house.

    Moved by one thread at a time; read from any.
    """

    def __init__(self, at: datetime) -> None:
        """Stand at `at`, which is aware."""
        assert at.tzinfo is not None, "an instant without a time zone is a guess"
        self._now = at.astimezone(UTC)
        self._monotonic = 0.0
        self.boot = "frozen"

    def now(self) -> datetime:
        """Return the instant at which the clock stands."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds by which the clock was ever moved forward."""
        return self._monotonic

    def tick(self) -> Tick:
        """Return the same since the machine was started, which `boot` names."""
        return Tick(self.boot, timedelta(seconds=self._monotonic) // timedelta(microseconds=1))

    def set(self, at: datetime) -> None:
        """Stand at `at`, earlier or later; the monotonic count only ever grows."""
        assert at.tzinfo is not None, "an instant without a time zone is a guess"
        self._monotonic += max(0.0, (at - self._now).total_seconds())
        self._now = at.astimezone(UTC)

    def jump(self, span: timedelta) -> None:
        """Let the wall clock alone be set, forward or back: no time passes."""
        self._now += span

    def advance(self, span: timedelta | float) -> datetime:
        """Go forward by `span` (a timedelta, or seconds; not below zero) and return the new instant."""
        step = span if isinstance(span, timedelta) else timedelta(seconds=span)
        assert step >= timedelta(0), "time is set back with set(), on purpose"
        self.set(self._now + step)
        return self._now
