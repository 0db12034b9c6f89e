"""Instants and the clock that hands them out. Nothing here reads a wall clock: `kit/clocks.py` does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tick:
    """An instant as a machine counts it from its start: nobody sets that count, and it outlives every process.

    boot   which start of which machine; ticks of two of them tell nothing of each other
    us     microseconds since then, also those that the machine slept
    """

    boot: str
    us: int

    def later(self, span: timedelta) -> "Tick":
        """Return the tick that lies so much later."""
        return Tick(self.boot, self.us + span // timedelta(microseconds=1))

    def until(self, later: "Tick") -> timedelta:
        """Return how long it is from here to a tick of the same boot; below zero: it has passed."""
        assert self.boot == later.boot, "ticks of two boots cannot be compared"
        return timedelta(microseconds=later.us - self.us)


@dataclass(frozen=True, slots=True)
class Since:
    """An instant that has passed, as both clocks told it.

    at     by the wall clock, which may have been set since
    tick   as the machine counted; None: nobody kept that
    """

    at: datetime
    tick: Tick | None = None

    def span(self, now: datetime, tick: Tick) -> timedelta:
        """Return how long ago it was, at least zero: by the machine's count, if it is of this start of the machine."""
        if self.tick is not None and self.tick.boot == tick.boot:
            return max(self.tick.until(tick), timedelta(0))
        return max(now - self.at, timedelta(0))


def since_both(one: Since, other: Since, now: datetime, tick: Tick) -> timedelta:
    """Return how long ago the later of two instants was: one of this start of the machine, if one of them is."""
    ours = [each for each in (one, other) if each.tick is not None and each.tick.boot == tick.boot]
    return min(each.span(now, tick) for each in ours or (one, other))


class Clock(Protocol):
    """What the house knows of time; injected, so that a test can step it."""

    def now(self) -> datetime:
        """Return the present instant: UTC, aware, to the microsecond."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for measuring spans and nothing else."""
        ...

    def tick(self) -> Tick:
        """Return the present instant as this machine counts it, for spans that a process may not live to see end."""
        ...


def micros(instant: datetime) -> int:
    """Return microseconds since 1970, exactly; `instant` is aware."""
    assert instant.tzinfo is not None, "an instant without a time zone is a guess"
    span = instant - EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def millis(instant: datetime) -> int:
    """Return whole milliseconds since 1970, as venues and browsers count them."""
    return micros(instant) // 1_000


def from_micros(count: int) -> datetime:
    """Return the UTC instant that lies `count` microseconds after 1970."""
    return EPOCH + timedelta(microseconds=count)


def iso(instant: datetime) -> str:
    """Return the instant as ISO 8601 in UTC with a `Z`, always with six digits after the second."""
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds')[:-6]}Z"


def iso_of_millis(at_ms: int) -> str:
    """Return as `iso` does an instant in milliseconds since 1970."""
    return iso(from_micros(at_ms * 1_000))


def day_start(instant: datetime) -> datetime:
    """Return the midnight (UTC) at which the day of `instant` began."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
