"""A kept run as a file: CSV, Parquet, JSON, or a page."""

import io
import json
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from pilothouse.backtest import exports
from pilothouse.backtest.measured import measured
from pilothouse.backtest.report import Told, page
from pilothouse.backtest.shelf import Kept
from pilothouse.core.errors import Invalid, Problem

_PERIODS: Final = {"daily": "days", "monthly": "months", "yearly": "years"}
KINDS: Final = ("trades", *_PERIODS, "equity", "all")


def page_of(kept: Kept) -> str:
    """Return the page of a run as HTML."""
    told, found = kept.card.told, measured(kept.result, kept.candles)
    title = f"{told['title']}: {told['params']}" if told.get("params") else str(told["title"])
    subtitle = f"{told['symbol']}, {told['timeframe']}, {told['span']}"
    shown = Told(title, subtitle, kept.spec, kept.candles.fingerprint(), tuple(told["notes"]), told.get("luck", ""))
    return page(kept.result, kept.candles, found.metrics, found.months, found.kinds, shown)


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
        names, rows = ("time", "equity", "drawdown"), exports.equity_rows(kept.result)
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

    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _everything(kept: Kept) -> bytes:

    card = kept.card
    trades = [
        dict(zip(exports.TRADE_NAMES, map(exports.json_cell, row), strict=True))
        for row in exports.trade_rows(kept.result, kept.candles.symbol)
    ]
    told = {
        "name": card.name,
        **card.told,
        "digest": card.digest,
        "spec": json.loads(kept.spec),
        "metrics": card.metrics,
    }
    return json.dumps(told | {"trades": trades}, ensure_ascii=False, indent=1).encode()
