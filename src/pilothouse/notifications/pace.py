"""How often the same alarm is told: once at once, then counted, and told again after pauses that grow. Pure.

In: what has happened so far, and the time. Out: the same afterwards, and whether to tell now.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""The least time between one telling and the next; the last one holds for all that follow."""

QUIET = timedelta(hours=1)
"""What did not happen for so long is over: the next time, it is a new alarm."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where one alarm stands.

    stands    it is so until its end is told, and is told again although nothing new happened
    count     how often it happened; `news`: how often since it was told last
    step      which of PAUSES comes next
    told_at   None: it is held back until `next_at`
    next_at   when it is to be told next; None: not before it happens again
    """

    stands: bool
    count: int
    news: int
    step: int
    told_at: datetime | None
    next_at: datetime | None


def begin(now: datetime, *, stands: bool, hold: timedelta = timedelta(0)) -> tuple[Pace, bool]:
    """Return a new alarm's pace, and whether to tell it now.

    hold   it is told only if it is still so after this time
    """
    if hold:
        return Pace(stands, 1, 1, 0, None, now + hold), False
    return _told(Pace(stands, 1, 1, 0, None, None), now), True


def happened_again(pace: Pace, now: datetime) -> tuple[Pace, bool]:
    """Count it once more; return whether its pause is over, so that it is told now."""
    pace = replace(pace, count=pace.count + 1, news=pace.news + 1)
    if pace.next_at is None and pace.told_at is not None:
        pace = replace(pace, next_at=pace.told_at + PAUSES[pace.step])
    return when_due(pace, now)


def when_due(pace: Pace, now: datetime) -> tuple[Pace, bool]:
    """Return the pace when `next_at` may have come, and whether to tell now."""
    if pace.next_at is None or now < pace.next_at:
        return pace, False
    if pace.told_at is None:
        return _told(pace, now), True
    if not pace.news and not pace.stands:
        return replace(pace, next_at=None), False
    return _told(replace(pace, step=min(pace.step + 1, len(PAUSES) - 1)), now), True


def is_quiet(pace: Pace, last_at: datetime, now: datetime) -> bool:
    """Say whether what happened last at `last_at` is so long ago that it counts as over."""
    return not pace.stands and now - last_at >= QUIET


def _told(pace: Pace, now: datetime) -> Pace:
    return replace(pace, news=0, told_at=now, next_at=now + PAUSES[pace.step] if pace.stands else None)
