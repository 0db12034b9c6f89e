"""Candles from elsewhere: a file goes in; exact candles come out, and beside them everything that is wrong with it.

CSV (plain, .gz or .zip), Parquet, Feather and JSON, in the layouts of freqtrade, Binance's public archive,
TradingView exports and Yahoo, or any table whose columns can be recognised. Nothing is repaired here: what is missing,
twice, out of order or impossible is named, and who uses the candles decides what to leave out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.clock import from_micros, iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_columns import Bars, Ints
from pilothouse.marketdata.exact_columns import Steps, steps_of
from pilothouse.marketdata.foreign_tables import Table, read_table
from pilothouse.marketdata.foreign_times import millis_of
from pilothouse.marketdata.timeframes import Timeframe, timeframe

_NAMES: Final = {
    "time": ("time", "date", "datetime", "timestamp", "open_time", "open time", "opentime", "unix", "ts", "gmt time"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "last"),
    "volume": ("volume", "vol", "v", "volume_base", "base_volume"),
}
_PRICES: Final = ("open", "high", "low", "close")
_SHOWN: Final = 5

_UNITS: Final = (
    ("M", 0), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without candles, from when the first missing one would have opened to when the next one did."""

    start_ms: int
    until_ms: int
    missing: int


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong, as numbers of rows (the first is 1) except for the gaps.

    gaps         none in a market that never closes; nights and weekends in one that does
    duplicates   rows with the opening of an earlier row and the same numbers
    conflicts    rows with the opening of an earlier row and other numbers
    out_of_order rows that open before their forerunner
    impossible   a high below or a low above another price, a price not above zero, a volume below it
    blank        rows in which a price is missing
    """

    gaps: tuple[Gap, ...] = ()
    duplicates: tuple[int, ...] = ()
    conflicts: tuple[int, ...] = ()
    out_of_order: tuple[int, ...] = ()
    impossible: tuple[int, ...] = ()
    blank: tuple[int, ...] = ()

    @property
    def kinds(self) -> dict[str, tuple[int, ...]]:
        """Return the rows of each kind of fault that there is, gaps left out."""
        every = {
            name: getattr(self, name) for name in ("duplicates", "conflicts", "out_of_order", "impossible", "blank")
        }
        return {name: rows for name, rows in every.items() if rows}

    def __str__(self) -> str:
        parts = [f"{name.replace('_', ' ')}: {_rows(rows)}" for name, rows in self.kinds.items()]
        if self.gaps:
            lost = sum(gap.missing for gap in self.gaps)
            first = iso(from_micros(self.gaps[0].start_ms * 1_000))
            parts.append(f"gaps: {len(self.gaps)}, {lost} candles, the first at {first}")
        return "; ".join(parts) or "nothing wrong"


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """Candles as a file has them.

    bars         in the order of the file, one for each row that is not blank; the volume is 0 where there is none
    rows         int64[n], which row of the file each is, the first is 1
    layout       whose layout it is: freqtrade, binance, tradingview, yahoo or table
    timeframe    given, or the commonest distance of two rows
    has_volume   whether there was a column of volumes with a number in every row
    extra        every other column of numbers, float64[n] by name; NaN where blank: advice for strategies, not money
    faults       what is wrong with it
    """

    bars: Bars
    rows: Ints
    layout: str
    timeframe: str
    has_volume: bool
    extra: dict[str, NDArray[np.float64]]
    faults: Faults


class CandlesUnsound(Invalid):
    """The file has rows that nobody may trade on without saying so."""

    code = "candles_unsound"


def read_candles(
    path: Path, *, zone: str | None = None, span: str | None = None, most_bytes: int | None = None
) -> Foreign:
    """Return the candles of a file and what is wrong with them.

    path   .csv, .csv.gz, .zip with one .csv, .parquet, .feather, .json
    zone   IANA name, for times that name no zone
    span   the timeframe, such as 5m; read off the rows without it
    most_bytes   that it may hold once it is unpacked; some gigabytes where nobody says
    Raises Invalid that names the field: file, timezone, timeframe, or the column.
    """
    table = read_table(path) if most_bytes is None else read_table(path, most_bytes)
    columns = _recognised(table)
    opened = millis_of(table.columns[columns["time"]], columns["time"], zone)
    prices = [steps_of(table.columns[columns[name]], columns[name]) for name in _PRICES]
    volume = _volume(table, columns, len(opened))
    blank: NDArray[np.bool_] = np.logical_or.reduce([price.blank for price in prices])
    rows = np.flatnonzero(~blank) + 1
    keep = rows - 1 if len(rows) < len(blank) else slice(None)
    digits = max(price.digits for price in prices)
    kept = (column[keep] for column in (opened, *(price.at(digits) for price in prices), volume.counted))
    # Arrow's own memory may not be written, and machine code tells such columns apart.
    bars = Bars.of((np.require(column, requirements="W") for column in kept), digits, volume.digits)
    each = _timeframe(bars.opened_ms, span)
    extra = {name: column[keep] for name, column in _extras(table, columns)}
    faults = _faults(bars, rows, each, tuple((np.flatnonzero(blank) + 1).tolist()))
    has_volume = "volume" in columns and not bool(volume.blank[keep].any())
    return Foreign(bars, rows, table.layout, each.text, has_volume, extra, faults)


def sound(found: Foreign, *, leave_out: Sequence[str] = ()) -> Foreign:
    """Return candles that may be traded on, in order; raises CandlesUnsound if more is wrong than may be left out.

    leave_out   kinds of faulty rows that the caller chose to leave out: duplicates, conflicts (the earlier row stays),
                out_of_order (rows are sorted), impossible, blank. Gaps are no reason to refuse: they stay gaps.
    """
    unknown = sorted(set(leave_out) - set(Faults.__dataclass_fields__) - {"gaps"})
    if unknown:
        allowed = ", ".join(name for name in Faults.__dataclass_fields__ if name != "gaps")
        raise Invalid([Problem("leave_out", ", ".join(unknown), f"some of {allowed}", "unknown")])
    kinds = found.faults.kinds
    problems = [
        Problem(name, _rows(rows), f"a sound file, or leave {name} out on purpose", name)
        for name, rows in kinds.items()
        if name not in leave_out
    ]
    if problems:
        raise CandlesUnsound(problems)
    if not kinds:
        return found
    dropped = {row for name in ("duplicates", "conflicts", "impossible") for row in kinds.get(name, ())}
    keep = np.flatnonzero(~np.isin(found.rows, sorted(dropped))) if dropped else np.arange(len(found.rows))
    order = keep[np.argsort(found.bars.opened_ms[keep], kind="stable")]
    bars = found.bars.where(order)
    gaps = _gaps(bars.opened_ms, timeframe(found.timeframe))
    extra = {name: column[order] for name, column in found.extra.items()}
    return Foreign(
        bars, found.rows[order], found.layout, found.timeframe, found.has_volume, extra, Faults(gaps=gaps)
    )  # fmt: skip


def _recognised(table: Table) -> dict[str, str]:
    """Return our name -> the table's name of each column that is known."""
    by_low = {name.strip().lower(): name for name in table.columns}
    found = {
        ours: next(by_low[name] for name in theirs if name in by_low)
        for ours, theirs in _NAMES.items()
        if any(name in by_low for name in theirs)
    }
    missing = [name for name in ("time", *_PRICES) if name not in found]
    if missing:
        known = "; ".join(f"{name}: {' or '.join(_NAMES[name])}" for name in missing)
        came = f"columns {', '.join(map(repr, table.columns))[:200]}"
        raise Invalid([Problem("file", came, f"columns for {', '.join(missing)} ({known})", "column_missing")])
    return found


def _volume(table: Table, columns: dict[str, str], count: int) -> Steps:
    if "volume" not in columns:
        return Steps(np.zeros(count, np.int64), 0, np.ones(count, bool))
    return steps_of(table.columns[columns["volume"]], columns["volume"])


def _extras(table: Table, columns: dict[str, str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield every other column that holds numbers."""
    for name, column in table.columns.items():
        if name in columns.values():
            continue
        try:
            steps = steps_of(column, name)
        except Invalid:
            continue  # words, such as a comment: nothing that a strategy could count with
        values = steps.counted / 10.0**steps.digits
        yield name, np.where(steps.blank, np.nan, values)


def _timeframe(opened: Ints, span: str | None) -> Timeframe:
    if span is not None:
        return timeframe(span)
    steps = np.diff(opened if _rises(opened) else _distinct(np.sort(opened)))
    if not len(steps):
        raise Invalid([Problem("timeframe", "one row tells none", "such as 1m, 5m, 1h or 1d", "missing")])
    commonest = int(steps[0])
    if bool((steps != commonest).any()):
        values, counts = np.unique(steps, return_counts=True)
        commonest = int(values[np.argmax(counts)])
    if 28 * 86_400_000 <= commonest <= 31 * 86_400_000:
        return timeframe("1M")
    for unit, each in _UNITS:
        if each and commonest % each == 0 and commonest // each < 10_000:
            return timeframe(f"{commonest // each}{unit}")
    raise Invalid([Problem("timeframe", f"rows lie {commonest} ms apart", "such as 1m, 5m, 1h or 1d", "missing")])


def _faults(bars: Bars, rows: Ints, each: Timeframe, blank: tuple[int, ...]) -> Faults:
    opened = bars.opened_ms
    highest = np.maximum.reduce([bars.open, bars.low, bars.close])
    lowest = np.minimum.reduce([bars.open, bars.high, bars.close])
    wrong = (bars.high < highest) | (bars.low > lowest) | (bars.low <= 0) | (bars.volume < 0)
    if _rises(opened):
        return Faults(gaps=_gaps(opened, each), impossible=tuple(rows[wrong].tolist()), blank=blank)
    order = np.argsort(opened, kind="stable")
    rising = opened[order]
    again = np.flatnonzero(np.diff(rising) == 0) + 1
    this, before = order[again], order[again - 1]
    same = np.logical_and.reduce([column[this] == column[before] for column in bars.columns[1:]])
    return Faults(
        gaps=_gaps(_distinct(rising), each),
        duplicates=tuple(sorted(rows[this[same]].tolist())),
        conflicts=tuple(sorted(rows[this[~same]].tolist())),
        out_of_order=tuple(rows[1:][np.diff(opened) < 0].tolist()),
        impossible=tuple(rows[wrong].tolist()),
        blank=blank,
    )


def _rises(opened: Ints) -> bool:
    """Say whether each row opens after its forerunner."""
    return bool((opened[1:] > opened[:-1]).all())


def _distinct(rising: Ints) -> Ints:
    """Return each of some numbers once; np.unique would sort them again, or put them through a table."""
    found: Ints = rising[np.append(True, rising[1:] != rising[:-1])] if len(rising) else rising
    return found


def _gaps(opened: Ints, each: Timeframe) -> tuple[Gap, ...]:
    """Return the gaps between openings that rise."""
    if len(opened) < 2:
        return ()
    if each.span_ms:
        steps = np.diff(opened)
        at = np.flatnonzero(steps > each.span_ms)
        return tuple(
            Gap(int(opened[one]) + each.span_ms, int(opened[one + 1]), int(-(-steps[one] // each.span_ms)) - 1)
            for one in at
        )
    found = []
    for before, after in zip(opened[:-1].tolist(), opened[1:].tolist(), strict=True):
        wanted = each.after(each.floor(before))
        if after > wanted and (missing := each.count(wanted, each.floor(after))):
            found.append(Gap(wanted, after, missing))
    return tuple(found)


def _rows(rows: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, rows[:_SHOWN]))
    rest = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"row {shown}{rest}" if len(rows) == 1 else f"rows {shown}{rest}"


def symbol_of(path: Path) -> str | None:
    """Return the symbol that the name of a file tells, as freqtrade, Binance's archive or TradingView write it."""
    stem = re.sub(r"(\.csv)?\.(csv|gz|zip|parquet|feather|json)$", "", path.name)
    archive = re.fullmatch(r"([A-Z0-9]{4,20})-(\d+[smhdwM]o?|trades|aggTrades|fundingRate)-\d{4}.*", stem)
    if archive:
        return archive[1]
    pair = re.fullmatch(r"([A-Z0-9]+)_([A-Z0-9]+)(?:_([A-Z0-9]+))?-(?:\d+[smhdwM]o?|trades)(?:-[a-z_]+)?", stem)
    if pair:
        return f"{pair[1]}/{pair[2]}" + (f":{pair[3]}" if pair[3] else "")
    plain = re.fullmatch(r"([A-Z0-9]{4,20})[-_]\d+[smhdwM]", stem)
    if plain:
        return plain[1]
    chart = re.fullmatch(r"[A-Z0-9]+_([A-Z0-9.!]{1,20}), ?\d*[A-Z]?(?:[_ ].*)?", stem)
    return chart[1] if chart else None
