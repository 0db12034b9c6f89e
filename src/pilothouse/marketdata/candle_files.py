"""Candles on disk: columns of whole numbers go into Parquet files, a month or a year each, and come out in an instant.

A file is replaced whole and durably, or not at all: whoever dies on the way leaves what was there. What a candle costs
in digits stands in the file itself, so that any reader of Parquet can read it without us.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pilothouse.marketdata.candle_columns import COLUMNS, Bars, bars_of, joined
from pilothouse.marketdata.candle_series import Conflict, Series, part_of
from pilothouse.marketdata.parquet_files import not_of, read_whole, summed, write_whole

_FORM: Final = 1
_SCHEMA = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in COLUMNS])


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of candles that were told: how many were new, and which differ from what was there."""

    fresh: int
    conflicts: tuple[Conflict, ...]


class CandleFiles:
    """The folder of all candles. Reading needs nobody's leave; writing is for whoever holds the series' lease."""

    def __init__(self, folder: Path) -> None:
        """Keep them below `folder`, which is made with the first candle."""
        self._folder = folder

    def folder_of(self, series: Series) -> Path:
        """Return where the files of a series lie."""
        return self._folder / series.folder

    def read(self, series: Series, start_ms: int, until_ms: int) -> Bars:
        """Return what is kept of a series from `start_ms` up to `until_ms`. Raises CandlesDamaged."""
        parts = []
        at = start_ms
        while at < until_ms:
            name, start, at = part_of(series.each, at)
            found = self._part(series, name)
            if found is not None:
                whole = start_ms <= start and at <= until_ms
                parts.append(found if whole else found.between(start_ms, until_ms))
        return joined(parts)

    def read_all(self, series: Series) -> Bars:
        """Return everything that is kept of a series. Raises CandlesDamaged."""
        names = sorted(path.stem for path in self.folder_of(series).glob("*.parquet"))
        return joined([part for name in names if (part := self._part(series, name)) is not None])

    def merge(
        self, series: Series, told: Bars, *, take_new: bool = False, may_write: Callable[[], bool] = lambda: True
    ) -> Merged:
        """Put candles in, oldest first, and return what they met. Only the caller writes this series meanwhile.

        take_new    where a candle differs from the one that is kept, take the new one; else the old one stays
        may_write   asked right before each file is replaced; raises CandlesTaken if it says no

        Raises CandlesDamaged.
        """
        fresh, conflicts, at = 0, [], 0
        while at < len(told):
            name, _, until = part_of(series.each, int(told.opened_ms[at]))
            last = int(np.searchsorted(told.opened_ms, until))
            page, at = told.where(slice(at, last)), last
            kept = self._part(series, name)
            found = _Meeting.of(kept if kept is not None else bars_of([]), page)
            conflicts += found.conflicts()
            fresh += len(found.new)
            if len(found.new) or (take_new and len(found.differing)):
                self._write(series, name, found.together(take_new=take_new), may_write)
        return Merged(fresh, tuple(conflicts))

    def _part(self, series: Series, name: str) -> Bars | None:
        """Return one file, or None if it is not there."""
        path = self.folder_of(series) / f"{name}.parquet"
        found = read_whole(path)
        if found is None:
            return None
        table, told = found
        price_digits, volume_digits = (told.get(name, -1) for name in ("price_digits", "volume_digits"))
        if told != _told(series, table.num_rows, price_digits, volume_digits) or not table.schema.equals(_SCHEMA):
            raise not_of(path, series)
        return Bars.of((table.column(name).to_numpy() for name in COLUMNS), price_digits, volume_digits)

    def _write(self, series: Series, name: str, bars: Bars, may_write: Callable[[], bool]) -> None:
        told = _told(series, len(bars), bars.price_digits, bars.volume_digits)
        write_whole(self.folder_of(series) / f"{name}.parquet", _SCHEMA, bars.columns, told, series, may_write)


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Candles that are kept and candles that are told, counted in the same steps.

    new, differing   positions in `told`
    places           where in `kept` each differing one stands
    """

    kept: Bars
    told: Bars
    new: Any
    differing: Any
    places: Any

    @classmethod
    def of(cls, kept: Bars, told: Bars) -> "_Meeting":
        digits = [max(getattr(kept, name), getattr(told, name)) for name in ("price_digits", "volume_digits")]
        kept, told = kept.at_digits(*digits), told.at_digits(*digits)
        places = np.searchsorted(kept.opened_ms, told.opened_ms)
        known = np.zeros(len(told), dtype=bool)
        inside = places < len(kept)
        known[inside] = kept.opened_ms[places[inside]] == told.opened_ms[inside]
        differs = np.zeros(len(told), dtype=bool)
        for ours, theirs in zip(kept.columns[1:], told.columns[1:], strict=True):
            differs[known] |= ours[places[known]] != theirs[known]
        return cls(kept, told, np.flatnonzero(~known), np.flatnonzero(differs), places[differs])

    def conflicts(self) -> list[Conflict]:
        return [
            Conflict(int(self.told.opened_ms[at]), self.kept.candle(int(place)), self.told.candle(int(at)))
            for at, place in zip(self.differing, self.places, strict=True)
        ]

    def together(self, *, take_new: bool) -> Bars:
        kept = self.kept
        if take_new and len(self.differing):
            columns = [column.copy() for column in kept.columns]
            for column, theirs in zip(columns, self.told.columns, strict=True):
                column[self.places] = theirs[self.differing]
            kept = Bars.of(columns, kept.price_digits, kept.volume_digits)
        more = self.told.where(self.new)
        both = Bars.of(
            (np.concatenate(pair) for pair in zip(kept.columns, more.columns, strict=True)),
            kept.price_digits,
            kept.volume_digits,
        )
        return both.where(np.argsort(both.opened_ms, kind="stable")).shortest()


def without_doubles(told: Bars) -> tuple[Bars, tuple[Conflict, ...]]:
    """Return candles in order, one for each opening: of several the first, and those that differ from it."""
    order = np.argsort(told.opened_ms, kind="stable")
    told = told.where(order)
    first = np.concatenate(([True], np.diff(told.opened_ms) != 0)) if len(told) else np.zeros(0, dtype=bool)
    kept = told.where(first)
    found = _Meeting.of(kept, told.where(~first)) if not first.all() else None
    return kept, tuple(found.conflicts()) if found is not None else ()


def _told(series: Series, rows: int, price_digits: int, volume_digits: int) -> dict[str, Any]:
    """Return what a file says of itself."""
    return summed(
        {
            "form": _FORM,
            "series": [series.venue, series.symbol, series.timeframe],
            "rows": rows,
            "price_digits": price_digits,
            "volume_digits": volume_digits,
            "reads": "price = count / 10^price_digits, volume = count / 10^volume_digits; opened_ms since 1970, UTC",
        }
    )
