"""What happened inside the bars: finer candles or trades go in beside them; the way of the price comes out. Pure.

A bar is walked along its pieces only where they tell the same open, high, low and close as the bar itself. Where there
are none, or they tell another story (a gap, another venue's trades), the bar is one piece, and the pessimistic path
through it is taken, as without any finer data; how many bars that were is counted.
"""

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.result import Reason, Result
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem

TRADES: Final = "trades"
"""In `Fills.finer`: the trades themselves."""

_MOST: Final = 1 << 62
_Prices = tuple[Ints, Ints, Ints, Ints]


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Trades of one instrument, the oldest first; those of one millisecond in their own order.

    at_ms            int64[n], milliseconds since 1970, UTC, never falling
    price, quantity  int64[n], above zero, in steps of 10^-price_digits and 10^-volume_digits
    """

    symbol: str
    at_ms: Ints
    price: Ints
    quantity: Ints
    price_digits: int
    volume_digits: int

    def __post_init__(self) -> None:
        """Refuse what could not have happened."""
        count = len(self.at_ms)
        problems = [
            Problem(name, f"{column.dtype}{column.shape}", f"int64[{count}]", "shape")
            for name, column in (("at_ms", self.at_ms), ("price", self.price), ("quantity", self.quantity))
            if column.dtype != np.int64 or column.shape != (count,)
        ]
        if not problems and bool((np.diff(self.at_ms) < 0).any()):
            problems.append(Problem("at_ms", "falls", "the oldest trade first", "order"))
        if not problems and count and min(int(self.price.min()), int(self.quantity.min())) <= 0:
            problems.append(Problem("price", "a price or quantity of zero or less", "above zero", "impossible"))
        if problems:
            raise Invalid(problems)

    def __len__(self) -> int:
        return len(self.at_ms)

    def fingerprint(self) -> str:
        """Return the SHA-256 over everything that a run could see."""
        head = f"trades 1 {self.symbol} {len(self)} {self.price_digits} {self.volume_digits}\n"
        digest = hashlib.sha256(head.encode())
        for column in (self.at_ms, self.price, self.quantity):
            digest.update(np.ascontiguousarray(column, dtype="<i8").data)
        return digest.hexdigest()


Finer = Candles | Tape


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The way of the price, in order; int64[m] each, prices in the steps of the bars.

    opened_ms, closed_ms   milliseconds since 1970; a trade opens and closes at its time, the last piece of a bar closes
                           with the bar
    volume                 in steps of 10^-volume_digits
    bar                    the bar of each piece
    last                   int64[n], the last piece of each bar
    whole                  bool[n], which bars are one piece because nothing finer tells the same
    """

    opened_ms: Ints
    closed_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    volume_digits: int
    bar: Ints
    last: Ints
    whole: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.bar)

    @property
    def volume_step(self) -> Decimal:
        """Return what one step of a volume is worth, base."""
        return Decimal((0, (1,), -self.volume_digits))

    @property
    def thin(self) -> int:
        """Return how many bars are one piece because nothing finer tells the same."""
        return int(np.count_nonzero(self.whole))

    @property
    def first(self) -> Ints:
        """Return the first piece of each bar."""
        found: Ints = np.concatenate((np.zeros(1, np.int64)[: len(self.last)], self.last[:-1] + 1))
        return found


def pieces_of(candles: Candles, finer: Finer | None, *, whole: NDArray[np.bool_] | None = None) -> Pieces:
    """Return the pieces of the bars; without anything finer each bar is one.

    whole   bool[n], bars that are to be one piece whatever is told of them
    Raises Invalid for candles that are not shorter than the bars, or no part of them.
    """
    finer = _checked(candles, finer)
    opened, closed, columns, volume, digits = _columns(candles, finer)
    begins = np.searchsorted(opened, candles.opened_ms).astype(np.int64)
    ends = np.searchsorted(opened, candles.closed_ms).astype(np.int64)
    told = _tells_the_same(candles, columns, begins, ends)
    if whole is not None:
        told &= ~whole
    lengths = np.where(told, ends - begins, 1)
    last = np.cumsum(lengths) - 1
    bar = np.repeat(np.arange(len(candles), dtype=np.int64), lengths)
    place = np.arange(len(bar), dtype=np.int64) - (last - lengths + 1)[bar]
    source = np.where(told[bar], begins[bar] + place, -1)
    known = source >= 0

    def joined(fine: Ints, coarse: Ints) -> Ints:
        found = coarse[bar]
        found[known] = fine[source[known]]
        return found

    up = digits - candles.volume_digits
    closed_at = joined(closed, candles.closed_ms)
    closed_at[last] = candles.closed_ms
    opens, highs, lows, closes = columns
    return Pieces(
        joined(opened, candles.opened_ms), closed_at, joined(opens, candles.open), joined(highs, candles.high),
        joined(lows, candles.low), joined(closes, candles.close), joined(volume, _scaled(candles.volume, up)), digits,
        bar, last.astype(np.int64), ~told,
    )  # fmt: skip


def told_bars(candles: Candles, finer: Finer | None) -> NDArray[np.bool_]:
    """Return bool[n], of which bars something finer tells the same. Raises as `pieces_of`."""
    finer = _checked(candles, finer)
    opened, _, columns, _, _ = _columns(candles, finer)
    begins = np.searchsorted(opened, candles.opened_ms).astype(np.int64)
    return _tells_the_same(candles, columns, begins, np.searchsorted(opened, candles.closed_ms).astype(np.int64))


def _checked(candles: Candles, finer: Finer | None) -> Finer:
    if finer is None:
        return candles.before(0)
    if isinstance(finer, Candles) and (finer.span_ms >= candles.span_ms or candles.span_ms % finer.span_ms):
        raise Invalid([Problem("fills.finer", f"{finer.span_ms} ms", f"a part of {candles.span_ms} ms", "not_finer")])
    return finer


def _columns(candles: Candles, finer: Finer) -> tuple[Ints, Ints, _Prices, Ints, int]:
    """Return openings, closings, the four prices in steps of the bars, volume and its digits."""
    up = candles.price_digits - finer.price_digits
    if isinstance(finer, Tape):
        price = _scaled(finer.price, up)
        opened, closed, volume = finer.at_ms, finer.at_ms, finer.quantity
        prices = (price, price, price, price)
    else:
        opened, closed, volume = finer.opened_ms, finer.closed_ms, finer.volume
        first, high, low, last = (_scaled(each, up) for each in (finer.open, finer.high, finer.low, finer.close))
        prices = (first, high, low, last)
    digits = max(candles.volume_digits, finer.volume_digits)
    return opened, closed, prices, _scaled(volume, digits - finer.volume_digits), digits


def _scaled(column: Ints, digits: int) -> Ints:
    """Return a column with so many digits more; with fewer, what does not go evenly becomes -1, which no bar tells."""
    if digits < 0:
        by = 10**-digits
        found: Ints = np.where(column % by == 0, column // by, -1)
        return found
    by = 10**digits
    if len(column) and int(column.max()) > _MOST // by:
        raise Invalid([Problem("fills.finer", "numbers too large to count together", "fewer digits", "too_large")])
    scaled: Ints = column * np.int64(by)
    return scaled


def _tells_the_same(candles: Candles, columns: _Prices, begins: Ints, ends: Ints) -> NDArray[np.bool_]:
    """Return bool[n], whether the pieces of each bar have its open, high, low and close."""
    opens, highs, lows, closes = columns
    there = np.flatnonzero(ends > begins)
    told = np.zeros(len(candles), np.bool_)
    if not len(there):
        return told
    edges = np.stack((begins[there], ends[there]), axis=1).ravel()
    # The stretches between two bars, and one number behind the last, are left out by taking every second one.
    highest = np.maximum.reduceat(np.append(highs, 0), edges)[::2]
    lowest = np.minimum.reduceat(np.append(lows, 0), edges)[::2]
    same = (opens[begins[there]] == candles.open[there]) & (closes[ends[there] - 1] == candles.close[there])
    told[there] = same & (highest == candles.high[there]) & (lowest == candles.low[there])
    return told


def arrivals(candles: Candles, pieces: Pieces, *, bars: int, latency_ms: int) -> Ints:
    """Return for each bar the piece at whose open an order arrives that was decided at its close; m where none does.

    bars         so many bars later than the next one
    latency_ms   milliseconds from the decision to the market; with it `bars` is 0
    """
    if latency_ms:
        due = candles.closed_ms + latency_ms
        found: Ints = np.searchsorted(pieces.opened_ms, due).astype(np.int64)
        return found
    return later(pieces.first, bars + 1, len(pieces))


def later(column: Ints, bars: int, beyond: int) -> Ints:
    """Return the value that stands `bars` rows further down; `beyond` where there is no such row."""
    found: Ints = np.append(column[bars:], np.full(min(bars, len(column)), beyond, np.int64))
    return found


class Parts(Protocol):
    """What bars are made of: of each part the bar, of each bar the last part."""

    @property
    def bar(self) -> Ints:
        """Return the bar of each part."""
        ...

    @property
    def last(self) -> Ints:
        """Return the last part of each bar."""
        ...


def on_bars(result: Result, pieces: Parts) -> Result:
    """Return the result of pieces as one of the bars that they are part of."""
    trades, fills, last = result.trades, result.fills, pieces.last
    bar = pieces.bar
    return replace(
        result,
        equity=result.equity[last],
        trades=replace(trades, opened_bar=bar[trades.opened_bar], closed_bar=bar[trades.closed_bar]),
        fills=replace(fills, bar=bar[fills.bar]),
        exposed=_exposed(result, last),
    )


def _exposed(result: Result, last: Ints) -> int:
    """Return in how many bars something was held when they closed."""
    opened, closed = result.trades.opened_bar, result.trades.closed_bar
    still = result.trades.reason_out == Reason.OPEN
    begun = np.searchsorted(np.sort(opened), last, side="right")
    ended = np.searchsorted(np.sort(closed[~still]), last, side="right")
    return int(np.count_nonzero(begun > ended))
