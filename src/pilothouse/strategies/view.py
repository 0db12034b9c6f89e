"""What a strategy sees: candles up to now, and of everything else only what had closed by then. Pure.

A frame is one series of candles with its columns as floats. A strategy computes on the columns of a frame and brings
the result to its own bars with `seen`: there stands, at each bar, what the other frame's last closed candle gave. What
closed later is not reachable, so it cannot be looked at by mistake.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.candles import Candles, Floats, Ints
from pilothouse.core.errors import Invalid, NotFound, Problem

_MINUTE_MS = 60_000
_UNITS = {"m": _MINUTE_MS, "h": 60 * _MINUTE_MS, "d": 1_440 * _MINUTE_MS, "w": 10_080 * _MINUTE_MS, "s": 1_000}
_MONDAY_MS = 4 * 1_440 * _MINUTE_MS
_MADE_BYTES_MOST = 96_000_000

Made = TypeVar("Made")


class Frame:
    """One series: columns as float64[n], quote per base, the oldest first; `seen` brings results to the base bars."""

    def __init__(self, candles: Candles, at_base: Ints | None) -> None:
        """See `candles`; `at_base` is, for each base bar, the last candle that had closed by then, -1 for none."""
        self.candles = candles
        self._at_base = at_base

    def __len__(self) -> int:
        return len(self.candles)

    @cached_property
    def open(self) -> Floats:
        """Return the opens."""
        return self.candles.price("open")

    @cached_property
    def high(self) -> Floats:
        """Return the highs."""
        return self.candles.price("high")

    @cached_property
    def low(self) -> Floats:
        """Return the lows."""
        return self.candles.price("low")

    @cached_property
    def close(self) -> Floats:
        """Return the closes."""
        return self.candles.price("close")

    @cached_property
    def volume(self) -> Floats:
        """Return the volumes, base."""
        return self.candles.volumes()

    @property
    def opened_ms(self) -> Ints:
        """Return when each candle opened, milliseconds since 1970, UTC."""
        return self.candles.opened_ms

    def extra(self, name: str) -> Floats:
        """Return a further column of the data. Raises NotFound that names those there are."""
        try:
            return self.candles.extra[name]
        except KeyError:
            there = ", ".join(self.candles.extra) or "none"
            raise NotFound(f"there is no column {name!r} beside the candles; there are: {there}") from None

    def seen(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values of this frame as they were known at the close of each base bar; NaN, or False, before any."""
        if len(values) != len(self.candles):
            raise Invalid([Problem("values", f"{len(values)} values", f"one for each of {len(self.candles)} candles")])
        if self._at_base is None:
            return values
        known = self._at_base >= 0
        nothing = False if values.dtype == np.bool_ else np.nan
        taken = values[np.maximum(self._at_base, 0)] if len(values) else np.full(len(known), nothing)
        return np.where(known, taken, nothing)


class View(Frame):
    """The bars that a strategy trades on, and the way to everything else."""

    def __init__(self, candles: Candles, others: Mapping[str, Candles] | None = None) -> None:
        """See the base candles, and those of other instruments by symbol."""
        super().__init__(candles, None)
        self._others = others or {}
        self._higher: dict[int, Frame] = {}
        self._made: dict[Any, tuple[Any, tuple[Any, ...]]] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the other instruments that can be seen."""
        return tuple(self._others)

    def higher(self, timeframe: str) -> Frame:
        """Return longer candles made of these, such as `4h` or `1d`; each is seen only once it has closed.

        One that is not complete in the data, at either end, is never seen. Raises Invalid (field `timeframe`).
        """
        span = _span(timeframe)
        own = self.candles.span_ms
        if span <= own or span % own:
            allowed = f"a whole multiple of {own // 1_000} seconds, longer than it"
            raise Invalid([Problem("timeframe", f"{timeframe!r} came", allowed, "not_longer")])
        if span not in self._higher:
            longer = _longer(self.candles, span, _MONDAY_MS if timeframe.endswith("w") else 0)
            self._higher[span] = Frame(longer, _last_closed(self.candles, longer))
        return self._higher[span]

    def instrument(self, symbol: str) -> Frame:
        """Return another instrument's candles. Raises NotFound that names those there are."""
        try:
            other = self._others[symbol]
        except KeyError:
            there = ", ".join(self._others) or "none"
            raise NotFound(f"there are no candles of {symbol!r} beside these; there are: {there}") from None
        return Frame(other, _last_closed(self.candles, other))

    def once(self, made: Callable[..., Made], *of: Any) -> Made:
        """Return `made(*of)`, made once for all combinations of a search that ask for the same: `once(ema, close, 20)`.

        What comes back is shared: nothing is written into it. Columns count as the same only if they are the same
        array, such as a column of a frame or what `once` returned before.
        """
        key = (made, *(id(each) if isinstance(each, np.ndarray) else each for each in of))
        kept = self._made.pop(key, None)
        if kept is None:
            # The columns are kept beside what was made of them, so that no other array ever comes to their address.
            kept = made(*of), of
            held = _bytes_of(kept[0]) + sum(_bytes_of(each) for each, _ in list(self._made.values()))
            while held > _MADE_BYTES_MOST and (longest_ago := next(iter(list(self._made)), None)) is not None:
                held -= _bytes_of(self._made.pop(longest_ago, (None, ()))[0])
        self._made[key] = kept  # at the end: what nobody has asked for lately stands first
        return cast("Made", kept[0])

    def before(self, count: int) -> "View":
        """Return the view as it was when only the first `count` bars had closed."""
        candles = self.candles.before(count)
        now = int(candles.closed_ms[-1]) if count else -(2**62)
        others = {
            symbol: other.before(int(np.searchsorted(other.closed_ms, now, side="right")))
            for symbol, other in self._others.items()
        }
        return View(candles, others)


def _bytes_of(made: Any) -> int:
    columns = made if isinstance(made, tuple) else (made,)
    return sum(each.nbytes for each in columns if isinstance(each, np.ndarray))


def _span(timeframe: str) -> int:
    number, unit = timeframe[:-1], timeframe[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or not 0 < int(number) < 10_000:
        raise Invalid([Problem("timeframe", f"{timeframe[:20]!r} came", "such as 15m, 4h, 1d or 1w", "unknown")])
    return int(number) * _UNITS[unit]


def _last_closed(base: Candles, other: Candles) -> Ints:
    found: Ints = np.searchsorted(other.closed_ms, base.closed_ms, side="right").astype(np.int64) - 1
    return found


def _longer(candles: Candles, span: int, shift: int) -> Candles:
    """Return the longer candles that are whole in the data: their last base bar is there."""
    if not len(candles):
        return Candles(
            candles.symbol, span, candles.opened_ms, candles.open, candles.high, candles.low, candles.close,
            candles.volume, candles.price_digits, candles.volume_digits,
        )  # fmt: skip
    groups = (candles.opened_ms - shift) // span
    starts = np.flatnonzero(np.concatenate(([True], groups[1:] != groups[:-1])))
    ends = np.concatenate((starts[1:], [len(groups)])) - 1
    opened = groups[starts] * span + shift
    # The first may have begun before the data did, and the last has closed only if something shows that it did.
    whole = np.ones(len(starts), bool)
    whole[0] = candles.opened_ms[0] == opened[0]
    whole[-1] &= candles.closed_ms[-1] >= opened[-1] + span
    return Candles(
        candles.symbol, span, opened[whole], candles.open[starts][whole],
        np.maximum.reduceat(candles.high, starts)[whole], np.minimum.reduceat(candles.low, starts)[whole],
        candles.close[ends][whole], np.add.reduceat(candles.volume, starts)[whole],
        candles.price_digits, candles.volume_digits,
    )  # fmt: skip
