"""Hours of the week in which trading is allowed: text in, minutes of the week out. UTC throughout."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Self

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
WEEK = 7 * DAY
_PART = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? +)?(?P<from>\d{2}:\d{2})-(?P<to>\d{2}:\d{2})", re.ASCII
)


class HoursNotUnderstood(ValueError):
    """A text that names no hours; its words say which part."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When something is allowed.

    spans   (from, to) in minutes since Monday 00:00 UTC, `to` not included; sorted, apart from each other
    """

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the hours that a text such as "mon-fri 08:00-16:30, sat 10:00-12:00" names.

        Without days it is every day; an end that is not behind its start lies on the next day, and 24:00 ends a day.
        Raises HoursNotUnderstood.
        """
        spans: list[tuple[int, int]] = []
        for part in (one.strip().lower() for one in text.split(",")):
            spans += _spans(part)
        return cls(_merged(spans))

    def __str__(self) -> str:
        """Return a text that reads back to the same hours."""
        by_day = []
        for number in range(7):
            begin = number * DAY
            cut = [(max(a, begin) - begin, min(b, begin + DAY) - begin) for a, b in self.spans]
            by_day.append(tuple((a, b) for a, b in cut if a < b))
        if len(set(by_day)) == 1:
            return ", ".join(_clocks(span) for span in by_day[0])
        parts = []
        for spans, group in groupby(range(7), key=lambda day: by_day[day]):
            days = list(group)
            named = DAYS[days[0]] if len(days) == 1 else f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
            parts += [f"{named} {_clocks(span)}" for span in spans]
        return ", ".join(parts)

    def __and__(self, other: "Hours") -> "Hours":
        """Return when both allow it; maybe never."""
        both = [(max(a, c), min(b, d)) for a, b in self.spans for c, d in other.spans]
        return Hours(_merged((a, b) for a, b in both if a < b))

    def covers(self, other: "Hours") -> bool:
        """Say whether everything that `other` allows is allowed here too."""
        return (self & other) == other

    def holds(self, at: datetime) -> bool:
        """Say whether an instant lies within them."""
        utc = at.astimezone(UTC)
        minute = utc.weekday() * DAY + utc.hour * 60 + utc.minute
        return any(a <= minute < b for a, b in self.spans)


def moment(at: datetime) -> str:
    """Return an instant as it is compared with hours, such as "mon 12:30"."""
    utc = at.astimezone(UTC)
    return f"{DAYS[utc.weekday()]} {utc:%H:%M}"


def _spans(part: str) -> Iterable[tuple[int, int]]:
    found = _PART.fullmatch(part)
    if found is None:
        raise HoursNotUnderstood(f"{part[:40]!r} is no hours: write such as mon-fri 08:00-16:30")
    first, last = found["first"], found["last"]
    for day in (first, last):
        if day is not None and day not in DAYS:
            raise HoursNotUnderstood(f"{day!r} is no day: one of {', '.join(DAYS)}")
    begin, end = _minutes(found["from"]), _minutes(found["to"])
    if begin == DAY:
        raise HoursNotUnderstood(f"{part[:40]!r} begins at 24:00: a day begins at 00:00")
    if end <= begin:
        end += DAY
    low = 0 if first is None else DAYS.index(first)
    high = 6 if first is None else DAYS.index(last or first)
    if high < low:
        high += 7
    for day in range(low, high + 1):
        a, b = (day % 7) * DAY + begin, (day % 7) * DAY + end
        yield a, min(b, WEEK)
        if b > WEEK:
            yield 0, b - WEEK


def _minutes(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    total = hour * 60 + minute
    if minute >= 60 or total > DAY:
        raise HoursNotUnderstood(f"{text!r} is no time of day: 00:00 to 24:00")
    return total


def _clocks(span: tuple[int, int]) -> str:
    begin, end = span
    return f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"


def _merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    assert all(a[1] < b[0] for a, b in pairwise(merged)), "they were joined right here"
    return tuple(merged)
