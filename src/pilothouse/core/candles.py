"""Candles as columns of whole numbers, checked once when they are built: what strategies see and backtests run over."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_COLUMNS: Final = ("opened_ms", "open", "high", "low", "close", "volume")
_DIGITS_MOST: Final = 18


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Closed candles of one instrument, the oldest first, one for each opening.

    symbol          the venue's own name
    span_ms         how long each is, milliseconds, above zero
    opened_ms       int64[n], milliseconds since 1970, UTC, rising
    open to close   int64[n], above zero, in steps of 10^-price_digits, quote per base
    volume          int64[n], zero or more, in steps of 10^-volume_digits, base
    extra           further columns, float64[n] by name; NaN where unknown; advice, never money

    Raises Invalid that names the first row which does not fit.
    """

    symbol: str
    span_ms: int
    opened_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    price_digits: int
    volume_digits: int
    extra: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check once what everybody relies on later."""
        problems = list(_problems(self))
        if problems:
            raise Invalid(problems)

    def __len__(self) -> int:
        return len(self.opened_ms)

    @property
    def closed_ms(self) -> Ints:
        """Return when each candle closed: nothing of it was known before."""
        closed: Ints = self.opened_ms + self.span_ms
        return closed

    @property
    def price_step(self) -> Decimal:
        """Return what one step of a price is worth, quote."""
        return Decimal((0, (1,), -self.price_digits))

    @property
    def volume_step(self) -> Decimal:
        """Return what one step of a volume is worth, base."""
        return Decimal((0, (1,), -self.volume_digits))

    def price(self, name: str) -> Floats:
        """Return a column of prices as float64[n], quote per base: for indicators, which advise and never order."""
        return _floats(getattr(self, name), self.price_digits)

    def volumes(self) -> Floats:
        """Return the volume as float64[n], base."""
        return _floats(self.volume, self.volume_digits)

    def before(self, count: int) -> "Candles":
        """Return the first `count` candles, as if nothing had come after them."""
        return self.rows(slice(0, count))

    def rows(self, chosen: slice) -> "Candles":
        """Return some of the candles, in order."""
        columns = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        extra = {name: column[chosen] for name, column in self.extra.items()}
        return Candles(
            self.symbol, self.span_ms, **columns,
            price_digits=self.price_digits, volume_digits=self.volume_digits, extra=extra,
        )  # fmt: skip

    def fingerprint(self) -> str:
        """Return the SHA-256 over everything that a run could see; the same candles have the same."""
        head = f"candles 1 {self.symbol} {self.span_ms} {len(self)} {self.price_digits} {self.volume_digits}\n"
        digest = hashlib.sha256(head.encode())
        for name in _COLUMNS:
            digest.update(np.ascontiguousarray(getattr(self, name), dtype="<i8").data)
        for name in sorted(self.extra):
            digest.update(name.encode() + b"\0")
            digest.update(np.ascontiguousarray(self.extra[name], dtype="<f8").data)
        return digest.hexdigest()


def _floats(column: Ints, digits: int) -> Floats:
    # Both numbers are exact in a float, so the quotient is the float nearest to the decimal.
    found: Floats = column / 10.0**digits
    return found


def _problems(candles: Candles) -> Any:
    count = len(candles.opened_ms)
    if candles.span_ms <= 0:
        yield Problem("span_ms", str(candles.span_ms), "above zero", "out_of_range")
    for name in ("price_digits", "volume_digits"):
        if not 0 <= getattr(candles, name) <= _DIGITS_MOST:
            yield Problem(name, str(getattr(candles, name)), f"0 to {_DIGITS_MOST}", "out_of_range")
    for name in _COLUMNS:
        column = getattr(candles, name)
        if column.dtype != np.int64 or column.shape != (count,):
            yield Problem(name, f"{column.dtype}{column.shape}", f"int64[{count}]", "shape")
            return
    for name, column in candles.extra.items():
        if column.dtype != np.float64 or column.shape != (count,):
            yield Problem(f"extra.{name}", f"{column.dtype}{column.shape}", f"float64[{count}]", "shape")
    if not count:
        return
    yield from _wrong_rows(candles)


def _wrong_rows(candles: Candles) -> Any:
    falls = np.flatnonzero(np.diff(candles.opened_ms) <= 0)
    if len(falls):
        yield Problem(
            "opened_ms", f"row {int(falls[0]) + 1} does not open after row {int(falls[0])}", "rising", "order"
        )
    highest = np.maximum(np.maximum(candles.open, candles.close), candles.low)
    lowest = np.minimum(np.minimum(candles.open, candles.close), candles.high)
    for name, wrong, allowed in (
        ("high", candles.high < highest, "at or above the other prices"),
        ("low", candles.low > lowest, "at or below the other prices"),
        ("low", candles.low <= 0, "above zero"),
        ("volume", candles.volume < 0, "zero or more"),
    ):
        if bool(wrong.any()):
            row = int(np.flatnonzero(wrong)[0])
            yield Problem(name, f"row {row} is {int(getattr(candles, name)[row])}", allowed, "impossible")
