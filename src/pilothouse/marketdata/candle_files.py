"""Candles on disk: columns of whole numbers go into Parquet files, a month or a year each, and come out in an instant.

A file is replaced whole and durably, or not at all: whoever dies on the way leaves what was there. What a candle costs
in digits stands in the file itself, so that any reader of Parquet can read it without us.
"""

import json
import os
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pilothouse.core.errors import Broken, Unavailable
from pilothouse.kit.durable import sync
from pilothouse.marketdata.candle_columns import COLUMNS, Bars, bars_of, joined
from pilothouse.marketdata.candle_series import Conflict, Series, part_of

_FORM: Final = 1
_KEY: Final = b"pilothouse"
_DRAFT: Final = ".draft-"
_SCHEMA = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in COLUMNS])


class CandlesDamaged(Broken):
    """A file of candles cannot be read as what it should be."""

    code = "candles_damaged"


class CandlesTaken(Unavailable):
    """Somebody else writes these candles now; nothing was written."""

    code = "candles_taken"


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
        try:
            with parquet.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read(use_threads=False)
                told = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError, ValueError) as error:
            raise CandlesDamaged(f"{path} cannot be read ({error}): move it away, then download it again") from error
        price_digits, volume_digits = (told.get(name, -1) for name in ("price_digits", "volume_digits"))
        if told != _told(series, table.num_rows, price_digits, volume_digits) or not table.schema.equals(_SCHEMA):
            raise CandlesDamaged(f"{path} does not hold {series}: move it away, then download it again")
        return Bars.of((table.column(name).to_numpy() for name in COLUMNS), price_digits, volume_digits)

    def _write(self, series: Series, name: str, bars: Bars, may_write: Callable[[], bool]) -> None:
        folder = self.folder_of(series)
        _make(folder)
        for left in folder.glob(f"{_DRAFT}*"):  # of somebody who died while writing
            left.unlink(missing_ok=True)
        draft = folder / f"{_DRAFT}{secrets.token_hex(8)}"
        told = _told(series, len(bars), bars.price_digits, bars.volume_digits)
        schema = _SCHEMA.with_metadata({_KEY: json.dumps(told)})
        table = pa.Table.from_arrays([pa.array(column) for column in bars.columns], schema=schema)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            _write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        if not may_write():
            draft.unlink()
            raise CandlesTaken(f"{series} was not written: it took so long that another may write it now")
        draft.rename(folder / f"{name}.parquet")
        sync(folder)


def _write_table(table: Any, file: Any) -> None:
    """Write steps from one number to the next: small without compression, and the quickest to read of all forms."""
    parquet.write_table(
        table,
        file,
        compression="none",
        use_dictionary=False,
        column_encoding="DELTA_BINARY_PACKED",
        write_statistics=False,
        write_page_checksum=True,
    )


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
    """Return what a file says of itself, with a checksum: Parquet has one for the columns, but none for this."""
    told = {
        "form": _FORM,
        "series": [series.venue, series.symbol, series.timeframe],
        "rows": rows,
        "price_digits": price_digits,
        "volume_digits": volume_digits,
        "reads": "price = count / 10^price_digits, volume = count / 10^volume_digits; opened_ms since 1970, UTC",
    }
    return {**told, "crc32": zlib.crc32(json.dumps(told).encode())}


def _make(folder: Path) -> None:
    """Make a folder and what is above it, durably, for nobody else to read."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync(folder.parent)
