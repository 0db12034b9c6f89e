"""Funding rates as columns of whole numbers, and where rates are missing between them. Pure.

How often a perpetual is funded is told nowhere for the past, and venues change it. So a hole is what is longer than
what was usual before it and what was usual behind it; nothing is ever filled in.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from pilothouse.core.clock import from_micros, millis
from pilothouse.core.funding_rate import FundingRate
from pilothouse.marketdata.candle_columns import CandlesTooFine, Ints
from pilothouse.marketdata.spans import Span, merged

HOUR_MS: Final = 3_600_000
_USUAL_MOST: Final = 8
"""Hours; no venue that is known funds more seldom."""

_LOOKED_AT: Final = 3
_STAMPED_LATE_MS: Final = 60_000
_MOST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Funding rates, oldest first: at `at_ms`, a long position paid rate x notional; a short one got it.

    at_ms   int64[n], milliseconds since 1970, UTC, each later than the one before
    rate    int64[n], in steps of 10^-digits
    """

    at_ms: Ints
    rate: Ints
    digits: int

    def __len__(self) -> int:
        return len(self.at_ms)

    def decimal(self, index: int) -> Decimal:
        """Return one rate exactly, a share."""
        count = int(self.rate[index])
        return Decimal((int(count < 0), tuple(map(int, str(abs(count)))), -self.digits))

    def told(self, index: int) -> FundingRate:
        """Return one rate with its instant."""
        return FundingRate(from_micros(int(self.at_ms[index]) * 1_000), self.decimal(index))

    def between(self, start_ms: int, until_ms: int) -> "Rates":
        """Return the rates from `start_ms` on and before `until_ms`. Digits stay."""
        first, end = np.searchsorted(self.at_ms, (start_ms, until_ms)).tolist()
        return Rates(self.at_ms[first:end], self.rate[first:end], self.digits)

    def at_digits(self, digits: int) -> "Rates":
        """Return the same rates counted in finer steps. Raises CandlesTooFine."""
        by = 10 ** (digits - self.digits)
        if len(self) and int(np.abs(self.rate).max()) * by > _MOST:
            raise CandlesTooFine(f"a funding rate has more than {digits} digits beside others that are large")
        return Rates(self.at_ms, self.rate * by, digits)

    def shortest(self) -> "Rates":
        """Return the same rates with the fewest digits that hold them."""
        rate, digits = self.rate, self.digits
        while digits > 0 and not (rate % 10).any():
            rate, digits = rate // 10, digits - 1
        return Rates(self.at_ms, rate, digits)

    def fingerprint(self) -> str:
        """Return the SHA-256 over steps and columns: the same rates have the same, wherever and however they came."""
        short = self.shortest()
        digest = hashlib.sha256(f"rates 1 {len(short)} {short.digits}\n".encode())
        for column in (short.at_ms, short.rate):
            digest.update(np.ascontiguousarray(column, dtype="<i8").data)
        return digest.hexdigest()


def rates_of(told: Iterable[FundingRate]) -> Rates:
    """Return rates as columns, exactly, oldest first; of two of one instant the first. Raises CandlesTooFine."""
    by_time: dict[int, Decimal] = {}
    for each in told:
        by_time.setdefault(millis(each.at), each.rate)
    rows = sorted(by_time.items())
    digits = max((max(0, -int(rate.as_tuple().exponent)) for _, rate in rows), default=0)
    counted = [int(rate.scaleb(digits)) for _, rate in rows]
    if any(abs(count) > _MOST for count in counted):
        raise CandlesTooFine(f"a funding rate with {digits} digits cannot be counted")
    at = np.array([at for at, _ in rows], dtype=np.int64)
    return Rates(at, np.array(counted, dtype=np.int64), digits).shortest()


def joined(parts: Sequence[Rates]) -> Rates:
    """Return the rates of all parts, which follow each other, with the fewest digits that hold them."""
    full = [part for part in parts if len(part)]
    if not full:
        return rates_of([])
    digits = max(part.digits for part in full)
    alike = [part.at_digits(digits) for part in full]
    return Rates(
        np.concatenate([part.at_ms for part in alike]), np.concatenate([part.rate for part in alike]), digits
    ).shortest()  # fmt: skip


def usual_hours(at_ms: Ints) -> Ints:
    """Return int64[n - 1], how many hours between two rates are usual around each pair of neighbours."""
    # Venues stamp them some milliseconds late.
    hours = np.maximum((np.diff(at_ms) + HOUR_MS // 2) // HOUR_MS, 1)
    count = len(hours)
    found = np.empty(count, np.int64)
    for index in range(count):
        before, behind = hours[max(0, index - _LOOKED_AT) : index], hours[index + 1 : index + 1 + _LOOKED_AT]
        sides = [int(np.sort(side)[(len(side) - 1) // 2]) for side in (before, behind) if len(side)]
        found[index] = min(max(sides, default=int(hours[index])), _USUAL_MOST)
    return found


def gaps_of(at_ms: Ints, covered: Sequence[Span]) -> list[Span]:
    """Return where rates are missing in the time for which a venue was asked, the earliest first.

    at_ms   int64[n], rising
    A gap begins behind the rate before it and ends with the one behind it, or with the time that was asked for.
    """
    found: list[Span] = []
    for start, until in covered:
        inside = at_ms[slice(*np.searchsorted(at_ms, (start, until)).tolist())]
        if not len(inside):
            found += [(start, until)] if until - start > (_USUAL_MOST + 1) * HOUR_MS else []
            continue
        usual = usual_hours(inside)
        steps = np.diff(inside)
        for index in np.flatnonzero(steps > usual * HOUR_MS + HOUR_MS // 2).tolist():
            found.append((int(inside[index]) + 1, int(inside[index + 1])))
        first = int(usual[0]) if len(usual) else _USUAL_MOST
        last = int(usual[-1]) if len(usual) else _USUAL_MOST
        if int(inside[0]) - start > first * HOUR_MS + _STAMPED_LATE_MS:
            found.append((start, int(inside[0])))
        if until - int(inside[-1]) > last * HOUR_MS + _STAMPED_LATE_MS:
            found.append((int(inside[-1]) + 1, until))
    return merged(found)
