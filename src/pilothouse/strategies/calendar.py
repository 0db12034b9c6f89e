"""The local day and minute of each bar, by the clock of a place: UTC times in, summer time included. Pure.

A session begins at 09:30 in New York in winter and in summer, which are two different hours of UTC. Fixed offsets, and
zones that are glued to a time without asking for its date, get one of the two wrong.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from pilothouse.core.candles import Ints
from pilothouse.core.errors import Invalid, Problem

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
# Clocks are changed on whole quarters of an hour.
_QUARTER_MS = 900_000
_EPOCH_MS_MOST = 4_102_444_800_000  # 2100; zones are not known so far ahead


def zone(name: str) -> ZoneInfo:
    """Return the zone of this name, such as America/New_York. Raises Invalid (field `timezone`)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        allowed = "a name of the time zone database, such as UTC or America/New_York"
        raise Invalid([Problem("timezone", f"{name[:40]!r} came", allowed, "unknown")]) from None


def local_clock(opened_ms: Ints, timezone: str) -> tuple[Ints, Ints]:
    """Return for each bar the local day on which it opened and the minute of that day.

    opened_ms   int64[n], milliseconds since 1970, UTC
    timezone    name of the zone
    returns     int64[n], days since 1970-01-01; int64[n], 0 to 1439, as the clock on the wall shows it: the hour that
                is turned back in autumn is there twice

    Raises Invalid if there is no such zone.
    """
    where = zone(timezone)
    local = opened_ms + _offsets(opened_ms, where)
    days: Ints = local // _DAY_MS
    minutes: Ints = local % _DAY_MS // _MINUTE_MS
    return days, minutes


def local_months(opened_ms: Ints, timezone: str) -> Ints:
    """Return for each bar the local month in which it opened, as months since 1970-01. Raises as `local_clock`."""
    days, _minutes = local_clock(opened_ms, timezone)
    months: Ints = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months


def _offsets(opened_ms: Ints, where: ZoneInfo) -> Ints:
    """Return how far local clocks are ahead of UTC at each bar, milliseconds."""
    if not len(opened_ms):
        return opened_ms
    days, day_of_bar = np.unique(opened_ms // _DAY_MS, return_inverse=True)
    first = np.array([_offset(int(day) * _DAY_MS, where) for day in days], np.int64)
    last = np.array([_offset((int(day) + 1) * _DAY_MS - 1, where) for day in days], np.int64)
    offsets: Ints = first[day_of_bar]
    for row in np.flatnonzero((first != last)[day_of_bar]):
        # On the few days when clocks are changed, each bar is asked for by itself.
        offsets[row] = _offset(int(opened_ms[row]) // _QUARTER_MS * _QUARTER_MS, where)
    return offsets


def _offset(at_ms: int, where: ZoneInfo) -> int:
    known = min(max(at_ms, 0), _EPOCH_MS_MOST)
    ahead = datetime.fromtimestamp(known // 1_000, UTC).astimezone(where).utcoffset()
    assert ahead is not None, "a zoned time knows its offset"
    return int(ahead.total_seconds()) * 1_000
