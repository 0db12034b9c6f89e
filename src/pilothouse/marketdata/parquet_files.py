"""Files of whole numbers: columns and what they are go in; a file is there whole, with checksums, or not at all.

A file is replaced durably: whoever dies on the way leaves what was there. What a file says of itself stands in it.
"""

import json
import os
import secrets
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from pilothouse.core.errors import Broken, Unavailable
from pilothouse.kit.durable import sync
from pilothouse.marketdata.candle_series import Series

_KEY: Final = b"pilothouse"
_DRAFT: Final = ".draft-"


class CandlesDamaged(Broken):
    """A file of market data cannot be read as what it should be."""

    code = "candles_damaged"


class CandlesTaken(Unavailable):
    """Somebody else writes this market data now; nothing was written."""

    code = "candles_taken"


def read_whole(path: Path) -> tuple[Any, dict[str, Any]] | None:
    """Return the table of a file and what it says of itself, or None if it is not there. Raises CandlesDamaged."""
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
            told = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CandlesDamaged(f"{path} cannot be read ({error}): move it away, then download it again") from error
    return table, told


def not_of(path: Path, series: Series) -> CandlesDamaged:
    """Return what to raise for a file that holds something else than its name says."""
    return CandlesDamaged(f"{path} does not hold {series}: move it away, then download it again")


def summed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says of itself with a checksum: Parquet has one for the columns, but none for this."""
    return {**told, "crc32": zlib.crc32(json.dumps(told).encode())}


def write_whole(
    path: Path, schema: Any, columns: Iterable[Any], told: Mapping[str, Any], of: Series, may_write: Callable[[], bool]
) -> None:
    """Replace a file, durably. Raises CandlesTaken if `may_write`, asked right before, says no."""
    folder = path.parent
    _make(folder)
    for left in folder.glob(f"{_DRAFT}*"):  # of somebody who died while writing
        left.unlink(missing_ok=True)
    draft = folder / f"{_DRAFT}{secrets.token_hex(8)}"
    named = schema.with_metadata({_KEY: json.dumps(told)})
    table = pa.Table.from_arrays([pa.array(column) for column in columns], schema=named)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        _write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    if not may_write():
        draft.unlink()
        raise CandlesTaken(f"{of} was not written: it took so long that another may write it now")
    draft.rename(path)
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


def _make(folder: Path) -> None:
    """Make a folder and what is above it, durably, for nobody else to read."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync(folder.parent)
