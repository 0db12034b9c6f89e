"""When a foreign row was: a column of times in goes; milliseconds since 1970, UTC, come out. Pure.

Numbers are seconds, milliseconds, microseconds or nanoseconds, told apart by their size. Text is a date or a date and
a time. What names no zone is never guessed: the caller must say where the clock hung that wrote it.
"""

import re
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata import arrow_functions as pc

Ints = NDArray[np.int64]

# The year 1971 in seconds up to the year 2200 in nanoseconds: the four units do not overlap there.
_UNITS: Final = ((10**11, 1_000, 1), (10**14, 1, 1), (10**17, 1, 1_000), (2**63, 1, 1_000_000))
_TIME_FORMS: Final = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H%M%S",
    "%Y%m%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y",
)
_ZONED: Final = r"(Z|[+-][0-9]{2}:?[0-9]{2}| ?UTC| ?GMT)$"
_ALLOWED: Final = "dates such as 2024-01-31 or 2024-01-31T23:59:00Z, or seconds, milliseconds or more since 1970"


def millis_of(column: Any, name: str, zone: str | None) -> Ints:
    """Return int64[n], milliseconds since 1970, of an Arrow column of numbers, text, dates or timestamps.

    name   of the column, for the error
    zone   IANA name such as America/New_York or UTC, for times that name none; not used for those that do
    Raises Invalid: field `timezone` where it is needed and missing or unknown or where a clock showed that time twice
    or never, else the column with the row that is no time.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.null_count:
        row = int(np.flatnonzero(pc.is_null(array).to_numpy(zero_copy_only=False))[0])
        raise Invalid([Problem(name, f"row {row + 1} has no time", _ALLOWED, "missing")])
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        return _as_millis(array)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return _placed(pc.cast(array, pa.timestamp("us")), zone)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        whole = array if array.type == pa.int64() else pc.cast(array, pa.int64(), safe=False)
        return _of_numbers(whole.to_numpy(zero_copy_only=False), name)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _of_text(pc.utf8_trim_whitespace(array), name, zone)
    raise Invalid([Problem(name, f"a column of {array.type}", _ALLOWED, "not_a_time")])


def _as_millis(array: Any) -> Ints:
    found: Ints = pc.cast(pc.cast(array, pa.timestamp("ms", array.type.tz), safe=False), pa.int64()).to_numpy(
        zero_copy_only=False
    )
    return found


def _of_numbers(values: Ints, name: str) -> Ints:
    if not len(values):
        return values
    largest, least = int(values.max()), int(values.min())
    if least < 0:
        row = int(np.flatnonzero(values < 0)[0])
        raise Invalid([Problem(name, f"row {row + 1} is {least}", _ALLOWED, "not_a_time")])
    for below, times, over in _UNITS:
        if largest < below:
            return np.array(values) if times == over else values * times // over
    raise AssertionError("every whole number of 64 bits lies below the last bound")


def _of_text(array: Any, name: str, zone: str | None) -> Ints:
    if pc.all(pc.match_substring_regex(array, r"^[0-9]{9,19}$")).as_py():
        return _of_numbers(pc.cast(array, pa.int64()).to_numpy(zero_copy_only=False), name)
    zoned = pc.match_substring_regex(array, _ZONED).to_numpy(zero_copy_only=False)
    if bool(zoned.all()) and len(zoned):
        return _of_zoned(array, name)
    if bool(zoned.any()):
        row = int(np.flatnonzero(~zoned)[0])
        raise Invalid([Problem(name, f"row {row + 1} names no zone, others do", "all of them or none", "mixed_zones")])
    plain = pc.replace_substring_regex(array, r"^(\d{4}-\d{2}-\d{2})T", r"\1 ")
    plain = pc.replace_substring_regex(plain, r"^(\d{4})[./](\d{2})[./](\d{2})", r"\1-\2-\3")
    plain = pc.replace_substring_regex(plain, r"(:\d{2})\.\d+$", r"\1")
    for form in _TIME_FORMS:
        times = pc.strptime(plain, format=form, unit="us", error_is_null=True)
        if not times.null_count:
            return _placed(times, zone)
    raise _not_a_time(array, name)


def _of_zoned(array: Any, name: str) -> Ints:
    text = pc.replace_substring_regex(array, r" ?(UTC|GMT)$", "Z")
    text = pc.replace_substring_regex(text, r"([+-]\d{2})(\d{2})$", r"\1:\2")
    try:
        return _as_millis(pc.cast(text, pa.timestamp("us", "UTC")))
    except pa.ArrowInvalid as error:
        raise _not_a_time(array, name) from error


def _placed(times: Any, zone: str | None) -> Ints:
    """Return what the clock of a place showed, as instants."""
    if zone is None:
        allowed = "a name such as UTC or America/New_York: the times in this file name none"
        raise Invalid([Problem("timezone", "none was given", allowed, "missing")])
    known_zone(zone)
    try:
        return _as_millis(pc.assume_timezone(times, zone, ambiguous="raise", nonexistent="raise"))
    except pa.ArrowInvalid as error:
        at = re.search(r"\d{4}-\d{2}-\d{2}[ T][\d:.]+", str(error))
        when = at[0] if at else "a time"
        allowed = "the zone in which this file was written; there, clocks never showed that time, or showed it twice"
        raise Invalid([Problem("timezone", f"{zone}: {when}", allowed, "no_such_time")]) from error


def _not_a_time(array: Any, name: str) -> Invalid:
    first = next((text for text in array.to_pylist() if not re.match(r"^\d{4}-\d{2}-\d{2}", text)), array[0].as_py())
    return Invalid([Problem(name, f"{first[:40]!r} came", _ALLOWED, "not_a_time")])


def known_zone(zone: str) -> None:
    """Return if there is a time zone of that name. Raises Invalid."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid([Problem("timezone", f"{zone[:40]!r} came", "a name such as UTC or Europe/Berlin")]) from error
