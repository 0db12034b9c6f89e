"""A tape: what a real market did, told again. A file of trades or of candles in; (instant, symbol, price) out.

CSV, or Parquet where the name ends in `.parquet`. Columns, in any order, named in the first line or by the schema:

    trades    time, symbol, price, quantity            time in milliseconds or microseconds since 1970, or ISO 8601
    candles   time, symbol, open, high, low, close     time is when the candle opened; it is walked open, low or high,
                                                        close, evenly over `interval` seconds (column, default 60)

In Parquet a column may be text, whole numbers, decimals, timestamps (without a zone they are UTC) or floating point;
the last is read as the shortest number that means it.
"""

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pilothouse.core.clock import micros
from pilothouse.core.errors import Refused
from pilothouse.simexchange.figures import Grid, parsed
from pilothouse.simulation.contracts import Contract


class TapeUnreadable(Refused):
    """The file is no tape."""

    code = "tape_unreadable"


class Mark(NamedTuple):
    """Where one market was."""

    at: int
    symbol: str
    ticks: int


def read_tape(path: Path, contracts: Mapping[str, Contract]) -> list[Mark]:
    """Return the whole tape in order of time; raises TapeUnreadable with the line that cannot be read."""
    grids = {symbol: Grid(contract) for symbol, contract in contracts.items()}
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    if not rows:
        raise TapeUnreadable(f"{path} holds no rows below its line of names")
    found: list[Mark] = []
    for line, row in enumerate(rows, start=2):
        try:
            found.extend(_marks(row, grids))
        except (KeyError, ValueError, TypeError) as error:
            raise TapeUnreadable(f"{path}, line {line}: {error}") from error
    return sorted(found, key=lambda mark: mark.at)


def _csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TapeUnreadable(f"{path} cannot be read: {error}") from error


def _parquet(path: Path) -> list[dict[str, str]]:
    import pyarrow as pa  # noqa: PLC0415  (only who plays such a tape waits for it to load)
    from pyarrow import parquet  # noqa: PLC0415  (as above)

    try:
        columns = parquet.read_table(path).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise TapeUnreadable(f"{path} cannot be read: {error}") from error
    return [
        {name: _text(value) for name, value in zip(columns, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


def _text(value: Any) -> str:
    """Return what a column of Parquet holds as a CSV file would write it."""
    if value is None:
        return ""
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()
    return str(value)


def _marks(row: Mapping[str, str], grids: Mapping[str, Grid]) -> Iterator[Mark]:
    symbol = row["symbol"].strip().upper()
    grid = grids.get(symbol)
    if grid is None:
        raise ValueError(f"{symbol} is not traded here")
    at = _instant(row["time"].strip())
    if row.get("price"):
        yield Mark(at, symbol, _ticks(row["price"], grid))
        return
    span = int(row.get("interval") or 60) * 1_000_000
    opened, high, low, close = (_ticks(row[name], grid) for name in ("open", "high", "low", "close"))
    walk = (opened, low, high, close) if close >= opened else (opened, high, low, close)
    for quarter, ticks in enumerate(walk):
        yield Mark(at + quarter * span // 4, symbol, ticks)


def _instant(text: str) -> int:
    if text.isdigit():
        return int(text) * 1_000 if len(text) <= 14 else int(text)
    at = datetime.fromisoformat(text)
    return micros(at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _ticks(text: str, grid: Grid) -> int:
    """Return the nearest lower tick: a tape may be finer than the grid here."""
    found = parsed(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no number")
    digits, decimals = found
    while decimals > grid.price_decimals:
        digits, decimals = digits // 10, decimals - 1
    ticks = grid.ticks(digits, decimals)
    if ticks is None or ticks < 1:
        raise ValueError(f"{text!r} is no price here")
    return ticks
