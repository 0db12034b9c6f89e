"""How long candles are: a text such as 1m goes in, the instants at which they open come out. Pure.

Instants are milliseconds since 1970, UTC. Spans are half-open: from the first of their milliseconds up to, but without,
the last number.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pilothouse.core.clock import EPOCH, from_micros, millis
from pilothouse.core.errors import Invalid, Problem

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000

_UNITS: Final = {"s": 1_000, "m": MINUTE_MS, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_TEXT = re.compile(r"([1-9][0-9]{0,3})([smhdwM])")
_MONDAY_MS: Final = 4 * DAY_MS  # 1970 began on a Thursday
_ALLOWED: Final = "a number and s, m, h, d, w or M, such as 1m, 4h, 1d or 1M"


@dataclass(frozen=True, slots=True)
class Timeframe:
    """How long a candle is, and so when it opens: at whole multiples since 1970, weeks on Mondays, months on firsts.

    span_ms   milliseconds; 0 for months
    months    months; 0 for everything else
    """

    text: str
    span_ms: int
    months: int

    @property
    def shift_ms(self) -> int:
        """Return when the first candle after the beginning of 1970 opens."""
        return _MONDAY_MS if self.text.endswith("w") else 0

    def floor(self, at_ms: int) -> int:
        """Return when the candle opened in which `at_ms` lies."""
        if self.span_ms:
            return at_ms - (at_ms - self.shift_ms) % self.span_ms
        day = from_micros(at_ms * 1_000)
        count = day.year * 12 + day.month - 1
        return _month_ms(count - count % self.months)

    def ceil(self, at_ms: int) -> int:
        """Return the first opening that is not before `at_ms`."""
        opened = self.floor(at_ms)
        return opened if opened == at_ms else self.after(opened)

    def after(self, opened_ms: int) -> int:
        """Return when the candle behind the one that opened at `opened_ms` opens: there, that one closes."""
        if self.span_ms:
            return opened_ms + self.span_ms
        day = from_micros(opened_ms * 1_000)
        return _month_ms(day.year * 12 + day.month - 1 + self.months)

    def opens_at(self, at_ms: int) -> bool:
        """Say whether a candle opens at this very instant."""
        return self.floor(at_ms) == at_ms

    def count(self, start_ms: int, until_ms: int) -> int:
        """Return how many candles open from `start_ms` up to `until_ms`; both are openings."""
        if self.span_ms:
            return max(0, (until_ms - start_ms) // self.span_ms)
        first, last = (from_micros(at * 1_000) for at in (start_ms, until_ms))
        return max(0, ((last.year - first.year) * 12 + last.month - first.month) // self.months)

    def divides(self, longer: "Timeframe") -> bool:
        """Say whether each candle of `longer` is made of whole candles of this."""
        if self.months:
            return longer.months > self.months and longer.months % self.months == 0
        if longer.months:
            return DAY_MS % self.span_ms == 0
        return (
            longer.span_ms > self.span_ms
            and longer.span_ms % self.span_ms == 0
            and (longer.shift_ms - self.shift_ms) % self.span_ms == 0
        )

    @property
    def order(self) -> int:
        """Return how long it is, roughly, for sorting: the shortest first."""
        return self.span_ms or self.months * 30 * DAY_MS


@lru_cache(maxsize=256)
def timeframe(text: str) -> Timeframe:
    """Return what `text` names. Raises Invalid (field `timeframe`)."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise Invalid([Problem("timeframe", f"{text[:20]!a} came", _ALLOWED)])
    count, unit = int(found[1]), found[2]
    if unit == "M":
        return Timeframe(text, 0, count)
    return Timeframe(text, count * _UNITS[unit], 0)


def finest_dividing(known: tuple[str, ...], wanted: Timeframe) -> Timeframe | None:
    """Return the finest of `known` from which `wanted` can be made; seconds only where nothing longer divides it."""
    fit = sorted((one for one in map(timeframe, known) if one.divides(wanted)), key=lambda one: one.order)
    minutes = [one for one in fit if one.order >= MINUTE_MS]
    return next(iter(minutes or fit), None)


def _month_ms(count: int) -> int:
    """Return when the month begins that is `count` months after the beginning of the year 0."""
    return millis(EPOCH.replace(year=count // 12, month=count % 12 + 1))
