"""Orders of a kept run on disk, in a folder of their own beside it: they may come later than the run itself."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pilothouse.backtest.orders import ORDER_COLUMNS, Orders

FOLDER: Final = "orders"


def write_orders(folder: Path, orders: Orders) -> None:
    """Write orders into a new folder."""
    folder.mkdir(mode=0o700)
    parquet.write_table(pa.table(_columns(orders)), folder / "orders.parquet", compression="zstd")
    parquet.write_table(pa.table({"order": orders.fill_order}), folder / "fills.parquet", compression="zstd")
    words = {"names": orders.names, "told": orders.told, "digest": _digest(orders)}
    (folder / "words.json").write_text(json.dumps(words), encoding="utf-8")


def read_orders(folder: Path) -> Orders | None:
    """Return the orders that were written, None where none were. Raises ValueError where they are others by now."""
    if not (folder / "words.json").is_file():
        return None
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    table = parquet.read_table(folder / "orders.parquet")
    columns = {name: table.column(name).to_numpy().astype(np.int64, copy=False) for name in ORDER_COLUMNS}
    of_fills = parquet.read_table(folder / "fills.parquet").column("order").to_numpy().astype(np.int64, copy=False)
    found = Orders(**columns, fill_order=of_fills, names=tuple(words["names"]), told=tuple(words["told"]))
    if _digest(found) != words["digest"]:
        raise ValueError("the orders are not those that were kept")
    return found


def _columns(orders: Orders) -> dict[str, Any]:
    return {name: getattr(orders, name) for name in ORDER_COLUMNS}


def _digest(orders: Orders) -> str:
    digest = hashlib.sha256(json.dumps([orders.names, orders.told]).encode())
    for column in (*_columns(orders).values(), orders.fill_order):
        digest.update(np.ascontiguousarray(column, dtype="<i8").data)
    return digest.hexdigest()
