"""A kept run as a file: CSV, Parquet, JSON, or a page."""

import io
import json
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from pilothouse.backtest import exports
from pilothouse.backtest.measured import measured
from pilothouse.backtest.orders import Orders
from pilothouse.backtest.report import Beside, Told, page
from pilothouse.backtest.shelf import Kept
from pilothouse.core.errors import Invalid, NotFound, Problem

_INSTANTS: Final = frozenset({"time", "made", "ended", "entry_time", "exit_time", "bar_time"})
_PERIODS: Final = {"daily": "days", "monthly": "months", "yearly": "years"}
KINDS: Final = ("trades", "orders", "fills", *_PERIODS, "equity", "all")


class NoOrders(NotFound):
    """The orders of this run are not kept."""

    code = "no_orders"


def orders_in(kept: Kept) -> Orders:
    """Return the orders of a run. Raises NoOrders, which says how they are had."""
    if kept.orders is None:
        name = kept.card.name[:12]
        raise NoOrders(f"the orders of backtest {name} are not kept, because it is a long one; {how_orders_are_had()}")
    return kept.orders


def how_orders_are_had() -> str:
    """Return how the orders of a run that was kept without them are had."""
    return (
        "ask for the same run with --orders (API: POST /backtests with orders: true): it is found, and they are "
        "worked out and kept beside it"
    )


def page_of(kept: Kept) -> str:
    """Return the page of a run as HTML."""
    told, found = kept.card.told, measured(kept.result, kept.candles)
    title = f"{told['title']}: {told['params']}" if told.get("params") else str(told["title"])
    subtitle = f"{told['symbol']}, {told['timeframe']}, {told['span']}"
    shown = Told(title, subtitle, kept.spec, kept.candles.fingerprint(), tuple(told["notes"]), told.get("luck", ""),
                 bool(told.get("unfunded")), str(told.get("underfunded") or ""))  # fmt: skip
    more = Beside(kept.exposure, kept.orders, kept.card.name)
    return page(kept.result, kept.candles, found.metrics, found.months, found.kinds, shown, more)


def content(kept: Kept, what: str, kind: str) -> bytes:
    """Return what a file is to hold. Raises Invalid for a kind of content or of file that there is not."""
    if what not in KINDS:
        raise Invalid([Problem("what", f"{what[:40]!r} came", f"one of {', '.join(KINDS)}")])
    if what == "all":
        if kind != ".json":
            raise Invalid([Problem("out", f"{kind or 'no ending'} came", "a file that ends in .json: it holds all")])
        return _everything(kept)
    if what == "trades":
        names: Any = exports.TRADE_NAMES
        rows: Any = exports.trade_rows(kept.result, kept.candles.symbol)
    elif what == "equity":
        names, rows = exports.EQUITY_NAMES, exports.equity_rows(kept.result, kept.exposure)
    elif what == "fills":
        names, rows = exports.FILL_NAMES, exports.fill_rows(kept.result, kept.candles.symbol, kept.orders)
    elif what == "orders":
        names = exports.ORDER_NAMES
        rows = exports.order_rows(kept.result, kept.candles.symbol, orders_in(kept))
    else:
        found = measured(kept.result, kept.candles)
        names, rows = exports.PERIOD_NAMES, exports.period_rows(getattr(found, _PERIODS[what]))
    return tabled(names, rows, kind)


def tabled(names: Any, rows: Any, kind: str) -> bytes:
    """Return a table as a file: `.csv` with a byte-order mark, `.json` or `.parquet`. Raises Invalid for another."""
    match kind:
        case ".csv":
            return exports.csv_of(names, rows).encode()
        case ".json":
            told = [dict(zip(names, map(exports.json_cell, row), strict=True)) for row in rows]
            return json.dumps(told, ensure_ascii=False).encode()
        case ".parquet":
            return _parquet(names, rows)
        case _:
            raise Invalid(
                [Problem("out", f"{kind or 'no ending'} came", "a file that ends in .csv, .parquet or .json")]
            )


def _parquet(names: Any, rows: Any) -> bytes:
    columns = {name: _column(name, [row[place] for row in rows]) for place, name in enumerate(names)}
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _column(name: str, cells: list[Any]) -> Any:
    """Return a column; instants as such, in UTC."""
    found = pa.array(cells)
    if name in _INSTANTS:
        return found.cast(pa.timestamp("ms")).cast(pa.timestamp("ms", tz="UTC"))
    return found


def _everything(kept: Kept) -> bytes:
    card = kept.card
    symbol, result = kept.candles.symbol, kept.result
    tables = {
        "trades": (exports.TRADE_NAMES, exports.trade_rows(result, symbol)),
        "fills": (exports.FILL_NAMES, exports.fill_rows(result, symbol, kept.orders)),
        "equity": (exports.EQUITY_NAMES, exports.equity_rows(result, kept.exposure)),
    }
    if kept.orders is not None:
        tables["orders"] = (exports.ORDER_NAMES, exports.order_rows(result, symbol, kept.orders))
    rows = {
        name: [dict(zip(names, map(exports.json_cell, row), strict=True)) for row in found]
        for name, (names, found) in tables.items()
    }
    told = {
        "name": card.name,
        **card.told,
        "digest": card.digest,
        "spec": json.loads(kept.spec),
        "metrics": card.metrics,
    }
    return json.dumps(told | rows, ensure_ascii=False, indent=1).encode()
