"""Funding rates on disk: columns of whole numbers go into a Parquet file a year, and come out in an instant.

Kept as candles are (`candle_files.py`): a file is replaced whole and durably, and says of itself what it holds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pilothouse.marketdata.candle_series import RateConflict, Series, part_of
from pilothouse.marketdata.funding_columns import Rates, joined, rates_of
from pilothouse.marketdata.parquet_files import not_of, read_whole, summed, write_whole
from pilothouse.marketdata.timeframes import timeframe

_FORM: Final = 1
_COLUMNS: Final = ("at_ms", "rate")
_SCHEMA = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in _COLUMNS])
_PARTED_AS: Final = timeframe("1h")


@dataclass(frozen=True, slots=True)
class RatesMerged:
    """What became of rates that were told: how many were new, and which differ from what was there."""

    fresh: int
    conflicts: tuple[RateConflict, ...]


class FundingFiles:
    """The folder of all funding rates. Reading needs nobody's leave; writing is for whoever holds the series' lease."""

    def __init__(self, folder: Path) -> None:
        """Keep them below `folder`, beside candles."""
        self._folder = folder

    def folder_of(self, series: Series) -> Path:
        """Return where the files of a series lie."""
        return self._folder / series.folder

    def read(self, series: Series, start_ms: int, until_ms: int) -> Rates:
        """Return what is kept from `start_ms` on and before `until_ms`. Raises CandlesDamaged."""
        return self.read_all(series).between(start_ms, until_ms)

    def read_all(self, series: Series) -> Rates:
        """Return everything that is kept of a series: a few thousand rates at most. Raises CandlesDamaged."""
        names = sorted(path.stem for path in self.folder_of(series).glob("*.parquet"))
        return joined([part for name in names if (part := self._part(series, name)) is not None])

    def merge(
        self, series: Series, told: Rates, *, take_new: bool = False, may_write: Callable[[], bool] = lambda: True
    ) -> RatesMerged:
        """Put rates in, oldest first, and return what they met. Only the caller writes this series meanwhile.

        take_new    where a rate differs from the one that is kept, take the new one; else the old one stays
        may_write   asked right before each file is replaced; raises CandlesTaken if it says no

        Raises CandlesDamaged.
        """
        conflicts: list[RateConflict] = []
        fresh = at = 0
        while at < len(told):
            name, start, until = part_of(_PARTED_AS, int(told.at_ms[at]))
            page = told.between(max(start, int(told.at_ms[at])), until)
            at += len(page)
            kept = self._part(series, name) or rates_of([])
            known = {int(when): kept.decimal(place) for place, when in enumerate(kept.at_ms)}
            news = {int(when): page.decimal(place) for place, when in enumerate(page.at_ms)}
            differing = [
                RateConflict(when, known[when], rate) for when, rate in news.items() if known.get(when, rate) != rate
            ]
            new = news.keys() - known.keys()
            fresh, conflicts = fresh + len(new), conflicts + differing
            if new or (take_new and differing):
                self._write(series, name, _together(kept, page, take_new=take_new), may_write)
        return RatesMerged(fresh, tuple(conflicts))

    def _part(self, series: Series, name: str) -> Rates | None:
        path = self.folder_of(series) / f"{name}.parquet"
        found = read_whole(path)
        if found is None:
            return None
        table, told = found
        digits = told.get("digits", -1)
        if told != _told(series, table.num_rows, digits) or not table.schema.equals(_SCHEMA):
            raise not_of(path, series)
        at, rate = (table.column(name).to_numpy() for name in _COLUMNS)
        return Rates(at, rate, digits)

    def _write(self, series: Series, name: str, rates: Rates, may_write: Callable[[], bool]) -> None:
        path = self.folder_of(series) / f"{name}.parquet"
        told = _told(series, len(rates), rates.digits)
        write_whole(path, _SCHEMA, (rates.at_ms, rates.rate), told, series, may_write)


def _together(kept: Rates, told: Rates, *, take_new: bool) -> Rates:
    """Return both, each instant once; where they differ, the new one if it is to be taken."""
    digits = max(kept.digits, told.digits)
    first, second = (told, kept) if take_new else (kept, told)
    first, second = first.at_digits(digits), second.at_digits(digits)
    at, rate = (np.concatenate(pair) for pair in ((first.at_ms, second.at_ms), (first.rate, second.rate)))
    _, places = np.unique(at, return_index=True)
    return Rates(at[places], rate[places], digits).shortest()


def _told(series: Series, rows: int, digits: int) -> dict[str, Any]:
    """Return what a file says of itself."""
    return summed(
        {
            "form": _FORM,
            "series": [series.venue, series.symbol, series.timeframe],
            "rows": rows,
            "digits": digits,
            "reads": "rate = count / 10^digits, a share: longs pay it to shorts; at_ms since 1970, UTC",
        }
    )
