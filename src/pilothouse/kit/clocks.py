"""Where the time comes from. Nothing else in the house reads a wall clock."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the present instant: UTC, aware, to the microsecond."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()


class FrozenClock:
    """A clock that stands still until it is moved; for tests and for stepping the house.

    Moved by one thread at a time; read from any.
    """

    def __init__(self, at: datetime) -> None:
        """Stand at `at`, which is aware."""
        assert at.tzinfo is not None, "an instant without a time zone is a guess"
        self._now = at.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the instant at which the clock stands."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds by which the clock was ever moved forward."""
        return self._monotonic

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
