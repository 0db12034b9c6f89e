"""What a strategy said, as the loops read it: signals and rules go in; flags and rows of whole numbers come out. Pure.

Here floats end: a distance is rounded up, a limit to the trader's disadvantage, a weight down. What comes out is exact.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.kernels import slots as k
from pilothouse.core.candles import Candles, Floats, Ints
from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.indicators.volatility import atr
from pilothouse.strategies.rules import By, Distance, Rules, Side, SizeBy
from pilothouse.strategies.sdk import Signals

Flags = NDArray[np.uint8]

_BOTH: Final = k.LONG | k.SHORT
_PPM_MOST: Final = 100_000_000
_TICKS_MOST: Final = 1 << 40
_SHARE_MOST: Final = 200.0
_MINUTES_A_YEAR: Final = 365 * 1_440


class Ranges:
    """Average true ranges of some candles, each made once: rules that differ in their multiples share them."""

    def __init__(self, candles: Candles) -> None:
        """Make nothing yet."""
        self._candles = candles
        self._kept: dict[int, Floats] = {}

    def of(self, bars: int) -> Floats:
        """Return the average over so many bars, in quote currency."""
        if bars not in self._kept:
            high, low, close = (self._candles.price(name) for name in ("high", "low", "close"))
            self._kept[bars] = atr(high, low, close, bars)
        return self._kept[bars]


class Rows:
    """Columns of whole numbers under construction; each is asked for by where it stands."""

    def __init__(self, count: int) -> None:
        """Begin without any, each `count` long."""
        self._count = count
        self.kept: list[Ints] = []
        """The columns, in order."""

    def add(self, column: Ints) -> int:
        """Keep a column and return its place."""
        self.kept.append(column)
        return len(self.kept) - 1

    def together(self) -> NDArray[np.int64]:
        """Return int64[r, n]."""
        return np.stack(self.kept) if self.kept else np.zeros((1, self._count), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What is to be carried out.

    flags         uint8[n], at the bar at which it is carried out
    kinds         int64[12, 3], distances; see slots.py
    shares        int64[targets + 1], ppm, the last is their sum
    places        where the rows of limit, trigger, weight and size stand, -1 for none
    """

    flags: Flags
    kinds: NDArray[np.int64]
    shares: Ints
    places: dict[int, int]


def wanted(
    candles: Candles, signals: Signals, rules: Rules, rows: Rows, *, warm_up: int, shift: int,
    ranges: Ranges | None = None,
) -> Wanted:  # fmt: skip
    """Return signals and rules as the loops read them.

    warm_up   bars before which nothing is carried out
    shift     bars between a decision and its order
    ranges    of these candles, where some are known already

    Raises Invalid for what no order could be: a limit below zero, a weight above one, a distance out of all bounds.
    """
    count = len(candles)
    signals = signals.checked(count)
    warm_up = warmed_up(rules, warm_up)
    places = {
        k.ROW_LIMIT: _prices(candles, rows, signals, "limit"),
        k.ROW_TRIGGER: _prices(candles, rows, signals, "trigger"),
        k.ROW_WEIGHT: _weights(rows, signals),
        k.ROW_SIZE: _sizes(candles, rows, rules),
        k.ROW_TAG: -1 if signals.tag is None else rows.add(signals.tag.astype(np.int64)),
    }
    kinds, shares = _distances(candles, signals, rules, rows, Ranges(candles) if ranges is None else ranges)
    return Wanted(flags_of(signals, rules.side, count, warm_up, shift), kinds, shares, places)


def warmed_up(rules: Rules, warm_up: int) -> int:
    """Return before which bar nothing is carried out: a true range is known only after its bars."""
    by_range = any(distance.by is By.ATR for distance in distances_of(rules))
    return max(warm_up, rules.atr_bars) if by_range else warm_up


def distances_of(rules: Rules) -> list[Distance]:
    """Return every distance of the rules."""
    exits = rules.exits
    every = (exits.stop, exits.trail, exits.trail_after, exits.break_even_after, *(each.at for each in exits.targets))
    return [distance for distance in every if distance is not None]


def flags_of(signals: Signals, side: Side, count: int, warm_up: int, shift: int) -> Flags:
    """Return uint8[n], what each bar is told to do, `shift` bars after it was wished.

    Both sides at once contradict each other and are no wish. A side that is not traded only closes the other.
    """
    flags = np.zeros(count, np.uint8)
    until = count - shift
    if until <= warm_up:
        return flags
    told = flags[warm_up + shift :]
    if signals.target is not None:
        target = signals.target[warm_up:until]
        told[target > 0] = k.LONG | k.RESIZE
        told[target < 0] = k.SHORT | k.RESIZE
        told[target == 0] = k.LEAVE_LONG | k.LEAVE_SHORT
    for bit, column in enumerate((signals.long, signals.short, signals.leave_long, signals.leave_short)):
        if column is not None:
            told |= column[warm_up:until].view(np.uint8) * np.uint8(1 << bit)  # a product is quicker than a shift
    told -= (told & told >> 1 & np.uint8(1)) * np.uint8(_BOTH)
    if side is not Side.BOTH:
        other, leaves = (k.SHORT, k.LEAVE_LONG) if side is Side.LONG else (k.LONG, k.LEAVE_SHORT)
        wrong = (told & other) != 0
        told[wrong] = told[wrong] & ~np.uint8(other | k.RESIZE) | np.uint8(leaves)
    return flags


def _settled(values: Floats) -> Floats:
    """Return values without what lies behind their sixth digit: the last digits of a float are noise."""
    found: Floats = np.rint(values * 1e6) / 1e6
    return found


def _ticks(candles: Candles, column: Floats) -> Floats:
    return _settled(column * 10.0**candles.price_digits)


def _whole(name: str, values: Floats, *, most: float) -> Ints:
    """Return whole numbers, 0 for NaN. Raises Invalid (field `name`) for what lies outside 0 to `most`."""
    found = np.where(np.isnan(values), 0.0, values)
    wrong = np.flatnonzero((found < 0) | (found > most))
    if len(wrong):
        row = int(wrong[0])
        raise Invalid([Problem(name, f"row {row} is {values[row]:g} ticks", "zero or more, in bounds", "out_of_range")])
    return found.astype(np.int64)


def _prices(candles: Candles, rows: Rows, signals: Signals, name: str) -> int:
    """Keep limits or triggers: a limit that buys is rounded down, one that sells up; triggers the other way round."""
    column = getattr(signals, name)
    if column is None:
        return -1
    ticks = _ticks(candles, column)
    sells = np.zeros(len(ticks), bool) if signals.short is None else signals.short
    if signals.target is not None:
        sells = signals.target < 0
    down = ~sells if name == "limit" else sells
    return rows.add(_whole(f"signals.{name}", np.where(down, np.floor(ticks), np.ceil(ticks)), most=_TICKS_MOST))


def _weights(rows: Rows, signals: Signals) -> int:
    column = signals.weight if signals.target is None else np.abs(signals.target)
    if column is None:
        return -1
    known = np.where(np.isnan(column), 1.0, column)
    wrong = np.flatnonzero((known < 0) | (known > 1))
    if len(wrong):
        row = int(wrong[0])
        name = "weight" if signals.target is None else "target"
        raise Invalid([Problem(f"signals.{name}", f"row {row} is {column[row]:g}", "0 to 1", "out_of_range")])
    return rows.add(np.floor(_settled(known * k.MILLION)).astype(np.int64))


def _sizes(candles: Candles, rows: Rows, rules: Rules) -> int:
    """Keep, for sizes by volatility, the share of equity in ppm at each bar, 0 where unknown."""
    if rules.size.by is not SizeBy.VOLATILITY:
        return -1
    close = candles.price("close")
    looked = rules.size.lookback
    share = np.zeros(len(close))
    if len(close) > looked:
        logs = np.diff(np.log(close))
        windows = np.lib.stride_tricks.sliding_window_view(logs, looked)
        yearly = windows.std(axis=1, ddof=1) * np.sqrt(_MINUTES_A_YEAR * 60_000 / candles.span_ms)
        share[looked:] = np.where(yearly > 0, rules.size.value / 100.0 / np.where(yearly > 0, yearly, 1.0), 0.0)
    return rows.add(np.floor(np.minimum(share, _SHARE_MOST) * k.MILLION).astype(np.int64))


def _distances(
    candles: Candles, signals: Signals, rules: Rules, rows: Rows, ranges: Ranges
) -> tuple[NDArray[np.int64], Ints]:
    exits = rules.exits
    kinds = np.zeros((12, 3), np.int64)
    kinds[:, k.D_ROW] = -1
    targets = [target.at for target in exits.targets]
    takes = None if signals.take is None else _row_of(candles, "take", signals.take)
    slots = (
        (k.D_STOP, exits.stop, None if signals.stop is None else _row_of(candles, "stop", signals.stop)),
        (k.D_TRAIL, exits.trail, None if signals.trail is None else _row_of(candles, "trail", signals.trail)),
        (k.D_AFTER, exits.trail_after, None),
        (k.D_EVEN, exits.break_even_after, None),
        *((k.D_TARGET + place, at, takes if place == 0 else None) for place, at in enumerate(targets or [None])),
    )
    for slot, at, told in slots:
        row = told
        if at is not None and at.by is By.ATR:
            known = _row_of(candles, "atr", ranges.of(rules.atr_bars) * at.value)
            row = known if told is None else np.where(told > 0, told, known)
        elif at is not None:
            kinds[slot, k.D_PPM if at.by is By.PERCENT else k.D_TICKS] = _counted(candles, at)
        if row is not None:
            kinds[slot, k.D_ROW] = rows.add(row)
    shares = [int(np.rint(target.share * k.MILLION)) for target in exits.targets]
    if not shares and takes is not None:
        shares = [k.MILLION]
    return kinds, np.array([*shares, min(sum(shares), k.MILLION)], np.int64)


def _row_of(candles: Candles, name: str, column: Floats) -> Ints:
    return _whole(f"signals.{name}", np.ceil(_ticks(candles, column)), most=_TICKS_MOST)


def _counted(candles: Candles, at: Distance) -> int:
    """Return a distance that does not change in ppm of the price or in ticks, rounded up. Raises Invalid."""
    raw, most = at.value * 10_000.0, _PPM_MOST
    if at.by is By.PRICE:
        raw, most = at.value * 10.0**candles.price_digits, _TICKS_MOST
    counted = int(np.ceil(_settled(np.array(raw))))
    if counted > most:
        raise Invalid([Problem("distance", f"{at.value} {at.by}", f"less; at most {most} counts", "out_of_range")])
    return counted
