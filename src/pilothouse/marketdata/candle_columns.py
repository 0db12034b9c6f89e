"""Candles as columns of whole numbers: exact candles in, arrays for numeric code out. Nothing is a float.

A price is stored as how many steps of 10^-digits it is, with the fewest digits that hold every price of the block; a
volume likewise. So the same candles are always the same columns, however they came.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.candle import Candle
from pilothouse.core.candles import Candles
from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import Refused
from pilothouse.core.rounding import EXACT, plain
from pilothouse.marketdata.timeframes import Timeframe

Ints = NDArray[np.int64]

COLUMNS: Final = ("opened_ms", "open", "high", "low", "close", "volume")
PRICES: Final = COLUMNS[1:5]

_MOST = 2**63 - 1


class CandlesTooFine(Refused):
    """Numbers with so many digits that 64 bits cannot count their steps."""

    code = "candles_too_fine"


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Candles that are closed, oldest first, one for each opening.

    opened_ms             milliseconds since 1970, UTC
    open to close         in steps of 10^-price_digits, quote per base
    volume                in steps of 10^-volume_digits, base
    """

    opened_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    price_digits: int
    volume_digits: int

    @classmethod
    def of(cls, columns: Iterable[Ints], price_digits: int, volume_digits: int) -> "Bars":
        """Return candles of columns in the order of COLUMNS."""
        opened_ms, first, high, low, last, volume = columns
        return cls(opened_ms, first, high, low, last, volume, price_digits, volume_digits)

    def __len__(self) -> int:
        return len(self.opened_ms)

    @property
    def price_step(self) -> Decimal:
        """Return what one step of a price is worth."""
        return Decimal((0, (1,), -self.price_digits))

    @property
    def volume_step(self) -> Decimal:
        """Return what one step of a volume is worth."""
        return Decimal((0, (1,), -self.volume_digits))

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
        """Return the arrays in the order of COLUMNS."""
        return self.opened_ms, self.open, self.high, self.low, self.close, self.volume

    def candle(self, index: int) -> Candle:
        """Return one candle with its exact decimals."""
        opened, *prices, volume = (int(column[index]) for column in self.columns)
        first, high, low, last = (_decimal(price, self.price_digits) for price in prices)
        return Candle(
            from_micros(opened * 1_000), first, high, low, last, _decimal(volume, self.volume_digits), closed=True
        )

    def candles(self) -> list[Candle]:
        """Return every candle with its exact decimals: slow, for people and for doors."""
        return [self.candle(index) for index in range(len(self))]

    def where(self, chosen: Any) -> "Bars":
        """Return some of the candles: a slice, positions in order, or a column of truths. Digits stay."""
        return Bars.of((column[chosen] for column in self.columns), self.price_digits, self.volume_digits)

    def between(self, start_ms: int, until_ms: int) -> "Bars":
        """Return the candles that open from `start_ms` up to `until_ms`. Digits stay."""
        first, last = np.searchsorted(self.opened_ms, [start_ms, until_ms])
        return self.where(slice(int(first), int(last)))

    def at_digits(self, price_digits: int, volume_digits: int) -> "Bars":
        """Return the same candles counted in finer steps. Raises CandlesTooFine."""
        prices = (_finer(getattr(self, name), price_digits - self.price_digits) for name in PRICES)
        volume = _finer(self.volume, volume_digits - self.volume_digits)
        return Bars.of([self.opened_ms, *prices, volume], price_digits, volume_digits)

    def shortest(self) -> "Bars":
        """Return the same candles with the fewest digits that hold them."""
        prices, price_digits = _coarser([getattr(self, name) for name in PRICES], self.price_digits)
        volumes, volume_digits = _coarser([self.volume], self.volume_digits)
        return Bars.of([self.opened_ms, *prices, *volumes], price_digits, volume_digits)

    def fingerprint(self) -> str:
        """Return the SHA-256 over steps and columns: the same candles have the same, wherever and however they came."""
        short = self.shortest()
        digest = hashlib.sha256(f"candles 1 {len(short)} {short.price_digits} {short.volume_digits}\n".encode())
        for column in short.columns:
            digest.update(np.ascontiguousarray(column, dtype="<i8").data)
        return digest.hexdigest()


def bars_of(candles: Iterable[Candle]) -> Bars:
    """Return candles as columns, exactly; they are given oldest first. Raises CandlesTooFine."""
    rows = list(candles)
    prices = [[getattr(row, name) for row in rows] for name in PRICES]
    volumes = [row.volume for row in rows]
    price_digits = max((_digits(price) for column in prices for price in column), default=0)
    volume_digits = max((_digits(volume) for volume in volumes), default=0)
    counted = [*(_counted(column, price_digits) for column in prices), _counted(volumes, volume_digits)]
    return Bars.of([_column([millis(row.opened_at) for row in rows]), *counted], price_digits, volume_digits)


def joined(parts: Sequence[Bars]) -> Bars:
    """Return the candles of all parts, which follow each other, with the fewest digits that hold them."""
    full = [part for part in parts if len(part)]
    if not full:
        return bars_of([])
    price_digits, volume_digits = (
        max(getattr(part, name) for part in full) for name in ("price_digits", "volume_digits")
    )
    alike = [part.at_digits(price_digits, volume_digits) for part in full]
    if len(alike) == 1:
        return alike[0].shortest()
    columns = (np.concatenate(column) for column in zip(*(part.columns for part in alike), strict=True))
    return Bars.of(columns, price_digits, volume_digits).shortest()


def resampled(bars: Bars, to: Timeframe, start_ms: int, until_ms: int) -> Bars:
    """Return the longer candles that open and close between `start_ms` and `until_ms`, made of these, exactly.

    The first's open, the highest high, the lowest low, the last's close, the sum of the volumes. A candle is made from
    whatever candles it holds: which of them are missing is the caller's to know. Raises CandlesTooFine.
    """
    first, last = to.ceil(start_ms), to.floor(until_ms)
    inside = bars.between(first, max(first, last))
    if not len(inside):
        return bars_of([])
    groups = _openings(inside.opened_ms, to)
    starts = np.flatnonzero(np.concatenate(([True], groups[1:] != groups[:-1])))
    ends = np.concatenate((starts[1:], [len(groups)])) - 1
    most = int((ends - starts).max()) + 1
    if int(inside.volume.max()) > _MOST // most:
        raise CandlesTooFine(f"the volume of {most} candles together does not fit 64 bits")
    return Bars(
        groups[starts],
        inside.open[starts],
        np.maximum.reduceat(inside.high, starts),
        np.minimum.reduceat(inside.low, starts),
        inside.close[ends],
        np.add.reduceat(inside.volume, starts),
        inside.price_digits,
        inside.volume_digits,
    ).shortest()


def grid(of: Timeframe, start_ms: int, until_ms: int) -> Ints:
    """Return every opening from `start_ms` up to `until_ms`."""
    first = of.ceil(start_ms)
    if of.span_ms:
        return np.arange(first, max(first, until_ms), of.span_ms, dtype=np.int64)
    found = []
    while first < until_ms:
        found.append(first)
        first = of.after(first)
    return _column(found)


def holes(opened_ms: Ints, of: Timeframe, start_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """Return the spans between `start_ms` and `until_ms`, both openings, in which no candle of `opened_ms` opens."""
    found = []
    at = start_ms
    if of.span_ms:
        # Only where the step is not one candle, there is a hole: few places of very many.
        jumps = np.flatnonzero(np.diff(opened_ms) != of.span_ms)
        edges = [0, *(jumps + 1).tolist()] if len(opened_ms) else []
        lasts = [*jumps.tolist(), len(opened_ms) - 1]
        runs = [(int(opened_ms[a]), int(opened_ms[b])) for a, b in zip(edges, lasts, strict=False)]
    else:
        runs = [(opened, opened) for opened in opened_ms.tolist()]
    for first, last in runs:
        if first > at:
            found.append((at, first))
        at = of.after(last)
    if at < until_ms:
        found.append((at, until_ms))
    return found


def _openings(opened_ms: Ints, to: Timeframe) -> Ints:
    """Return for each instant when the candle opened in which it lies."""
    if to.span_ms:
        found: Ints = opened_ms - (opened_ms - to.shift_ms) % to.span_ms
        return found
    edges = grid(to, to.floor(int(opened_ms[0])), int(opened_ms[-1]) + 1)
    return edges[np.searchsorted(edges, opened_ms, side="right") - 1]


def _column(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _decimal(count: int, digits: int) -> Decimal:
    return EXACT.create_decimal((int(count < 0), tuple(map(int, str(abs(count)))), -digits))


def _digits(value: Decimal) -> int:
    """Return how many digits stand behind the point of the shortest text."""
    return len(plain(value).partition(".")[2])


def _counted(values: Iterable[Decimal], digits: int) -> Ints:
    """Return how many steps of 10^-digits each value is; it is a whole number of them."""
    times = Decimal(10**digits)
    counts = [int(EXACT.multiply(value, times)) for value in values]
    wide = next((count for count in counts if abs(count) > _MOST), None)
    if wide is not None:
        raise CandlesTooFine(f"{wide} steps of 10^-{digits} do not fit 64 bits")
    return _column(counts)


def _finer(column: Ints, digits: int) -> Ints:
    if digits == 0 or not len(column):
        return column
    times = 10**digits
    if times > _MOST or max(abs(int(column.max())), abs(int(column.min()))) > _MOST // times:
        raise CandlesTooFine(f"numbers {digits} digits apart do not fit 64 bits together")
    found: Ints = column * times
    return found


def _coarser(columns: list[Ints], digits: int) -> tuple[list[Ints], int]:
    """Return the columns in the widest steps of a power of ten, not above one, that hold all of them."""
    while digits and all(_tens(column) for column in columns):
        columns = [column // 10 for column in columns]
        digits -= 1
    return columns, digits


def _tens(column: Ints) -> bool:
    """Say whether every number is a multiple of ten; the first few mostly tell."""
    return not (column[:64] % 10).any() and not (column % 10).any()


def candles_of(symbol: str, span_ms: int, bars: Bars) -> Candles:
    """Return bars as what strategies see and backtests run over; nothing is copied.

    span_ms   how long each is; months have no fixed length and are refused

    Raises Invalid that names the first row which no market could have had.
    """
    return Candles(symbol, span_ms, *bars.columns, price_digits=bars.price_digits, volume_digits=bars.volume_digits)
