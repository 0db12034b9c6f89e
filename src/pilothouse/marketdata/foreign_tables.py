"""Tables from elsewhere, as they are: a file goes in; its columns come out under the names that they have there.

Text stays text, so that no digit is lost on the way; whose layout it is, is told by the names.
"""

import csv
import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import feather, parquet

from pilothouse.core.errors import Invalid, Problem

MOST_BYTES: Final = 4 * 2**30
_ENDINGS: Final = ".csv, .csv.gz, .zip with one .csv, .parquet, .feather or .json"
_BINANCE_CANDLES: Final = (
    "open_time", "open", "high", "low", "close", "volume",
    "close_time", "quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_BINANCE_AGGREGATED: Final = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker",
)  # fmt: skip
_FREQTRADE: Final = ("date", "open", "high", "low", "close", "volume")
_FREQTRADE_TRADES: Final = ("timestamp", "id", "type", "side", "price", "amount", "cost")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns (Arrow arrays) by name, all of one length, and whose layout it is."""

    columns: dict[str, Any]
    layout: str


def read_table(path: Path, most_bytes: int = MOST_BYTES) -> Table:
    """Return the columns of a file. Raises Invalid (field `file`) that says what is wrong with it.

    most_bytes   it may have, and hold where it is packed
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _wrong(f"{path}: {error.strerror}", "a file that can be read", "missing") from error
    if size > most_bytes:
        raise _wrong(f"{path} has {size:,} bytes", f"at most {most_bytes:,}", "too_large")
    name = path.name.lower()
    try:
        if name.endswith((".csv", ".txt", ".csv.gz", ".zip")):
            found = _of_csv(_text_of(path, name, most_bytes))
        elif name.endswith(".parquet"):
            found = _of_arrow(_parquet(path, most_bytes))
        elif name.endswith((".feather", ".arrow")):
            found = _of_arrow(feather.read_table(path))
        elif name.endswith((".json", ".json.gz")):
            found = _of_json(_unzipped(path, most_bytes) if name.endswith(".gz") else path.read_bytes())
        else:
            raise _wrong(path.name, f"a name that ends in {_ENDINGS}", "unknown_kind")
    except (OSError, zipfile.BadZipFile, pa.ArrowException, EOFError, UnicodeDecodeError) as error:
        raise _wrong(f"{path}: {str(error)[:120]}", "a whole file of the kind that its name says", "damaged") from error
    if not found.columns or not len(next(iter(found.columns.values()))):
        raise _wrong(f"{path} has no rows", "a table with a row for each candle or trade", "empty")
    return found


def _wrong(came: str, allowed: str, code: str) -> Invalid:
    return Invalid([Problem("file", came, allowed, code)])


def _text_of(path: Path, name: str, most_bytes: int) -> bytes:
    if name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            inside = [one for one in archive.infolist() if one.filename.lower().endswith(".csv")]
            if len(inside) != 1:
                raise _wrong(f"{path} holds {len(inside)} .csv files", "a .zip with one .csv", "not_one")
            if inside[0].file_size > most_bytes:
                raise _wrong(f"{inside[0].filename} has {inside[0].file_size:,} bytes", "a smaller file", "too_large")
            return archive.read(inside[0])
    if name.endswith(".gz"):
        return _unzipped(path, most_bytes)
    return path.read_bytes()


def _unzipped(path: Path, most_bytes: int) -> bytes:
    with gzip.open(path) as packed:
        found = packed.read(most_bytes + 1)
    if len(found) > most_bytes:
        raise _wrong(f"{path} holds more than {most_bytes:,} bytes", "a smaller file", "too_large")
    return found


def _of_csv(text: bytes) -> Table:
    text = text.removeprefix(b"\xef\xbb\xbf")
    first = text.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if not first:
        raise _wrong("the first line is empty", "a line of names, or of numbers", "empty")
    mark = max(",;\t|", key=first.count)
    cells = next(csv.reader(io.StringIO(first), delimiter=mark))
    has_names = not _is_number(cells[-1].strip() or cells[0].strip())
    names = [cell.strip() for cell in cells] if has_names else list(_unnamed(len(cells)))
    if len(set(names)) != len(names):
        raise _wrong(f"columns {', '.join(names)[:120]}", "a name of its own for each column", "twice")
    table = arrow_csv.read_csv(
        io.BytesIO(text),
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=1 if has_names else 0),
        parse_options=arrow_csv.ParseOptions(delimiter=mark),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=["", "null", "NaN", "nan", "None", "N/A"],
            strings_can_be_null=True,
        ),
    )  # fmt: skip
    return _of_arrow(table)


def _unnamed(count: int) -> tuple[str, ...]:
    """Return the names of a table without any, told by its width: only Binance's archive comes so, or six columns."""
    known = {len(_BINANCE_CANDLES): _BINANCE_CANDLES, len(_BINANCE_AGGREGATED): _BINANCE_AGGREGATED, 6: _FREQTRADE}
    if count == len(_BINANCE_AGGREGATED) + 1:
        return (*_BINANCE_AGGREGATED, "is_best_match")
    if count not in known:
        raise _wrong(f"{count} columns without names", "a first line that names the columns", "no_names")
    return known[count]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in {"true", "false"}
    return True


def _parquet(path: Path, most_bytes: int) -> Any:
    with parquet.ParquetFile(path) as file:  # `read_table` loads what reads folders of many files
        told = file.metadata
        unpacked = sum(told.row_group(each).total_byte_size for each in range(told.num_row_groups))
        # A column that is packed to nothing still takes eight bytes of each row once it is read.
        if max(unpacked, told.num_rows * 8) > most_bytes:
            raise _wrong(f"{path} holds {told.num_rows:,} rows, {unpacked:,} bytes", "a smaller file", "too_large")
        return file.read()


def _of_arrow(table: Any) -> Table:
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    return Table(columns, _layout(tuple(columns)))


def _of_json(text: bytes) -> Table:
    """Read a list of rows (freqtrade's), a list of objects, or an object of columns. Numbers keep their digits."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except ValueError as error:
        raise _wrong(f"no JSON: {error}"[:120], "a list of rows", "damaged") from error
    if isinstance(found, dict):
        found = found.get("data", found)
    if isinstance(found, dict) and found and all(isinstance(column, list) for column in found.values()):
        return _columns({str(name): column for name, column in found.items()})
    if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        return _columns({str(name): [row.get(name) for row in found] for name in found[0]})
    if isinstance(found, list) and found and all(isinstance(row, list) for row in found):
        widths = {len(row) for row in found}
        if len(widths) != 1:
            raise _wrong(f"rows of {min(widths)} to {max(widths)} cells", "rows of one length", "ragged")
        width = widths.pop()
        names = _FREQTRADE_TRADES if width == len(_FREQTRADE_TRADES) else _unnamed(width)
        return _columns(dict(zip(names, map(list, zip(*found, strict=True)), strict=True)))
    raise _wrong("no rows", "a list of rows, a list of objects, or an object of columns", "no_rows")


def _columns(columns: dict[str, list[Any]]) -> Table:
    if len({len(column) for column in columns.values()}) != 1:
        raise _wrong("columns of different lengths", "columns of one length", "ragged")
    texts = {
        name: pa.array([None if cell is None else str(cell) for cell in column], pa.string())
        for name, column in columns.items()
    }
    return Table(texts, _layout(tuple(texts)))


def _layout(names: tuple[str, ...]) -> str:
    low = tuple(name.strip().lower() for name in names)
    if low in {_FREQTRADE, _FREQTRADE_TRADES}:
        return "yahoo" if names[0] == "Date" else "freqtrade"
    if "adj close" in low:
        return "yahoo"
    if "open_time" in low or low[:1] == ("agg_trade_id",):
        return "binance"
    return "tradingview" if low[:5] == ("time", "open", "high", "low", "close") else "table"
