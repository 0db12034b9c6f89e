"""Results as tables for other programs: CSV with a byte-order mark, as spreadsheets expect, and JSON. Pure.

Money is written exactly, as decimals; shares and ratios as floats. Text that a spreadsheet would take for a formula is
defused.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pilothouse.backtest.periods import Period
from pilothouse.backtest.result import Reason, Result
from pilothouse.core.rounding import plain

BYTE_ORDER_MARK: Final = "\ufeff"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

PERIOD_NAMES: Final = (
    "period", "equity_start", "equity_end", "return", "drawdown", "trades", "wins", "win_rate", "result", "fees",
)  # fmt: skip
TRADE_NAMES: Final = (
    "number", "symbol", "side", "entry_time", "exit_time", "bars", "quantity", "entry_price", "exit_price",
    "result", "result_share", "fees", "funding", "entry_reason", "exit_reason", "worst_price", "best_price", "tag",
)  # fmt: skip


def csv_of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV (RFC 4180) with a byte-order mark."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return BYTE_ORDER_MARK + sink.getvalue()


def period_rows(periods: Iterable[Period]) -> list[tuple[Any, ...]]:
    """Return periods as rows of PERIOD_NAMES."""
    return [
        (
            each.name, each.began, each.ended, each.change, each.drawdown, each.trades, each.wins,
            each.wins / each.trades if each.trades else None, each.result, each.fees,
        )
        for each in periods
    ]  # fmt: skip


def trade_rows(result: Result, symbol: str) -> list[tuple[Any, ...]]:
    """Return trades as rows of TRADE_NAMES, in the order in which they ended; money, prices and sizes are decimals."""
    trades = result.trades
    rows = []
    for place in range(len(trades)):
        scale = result.scale_of(place)
        per_lot = scale.unit / scale.lot  # value over size: the average price of several fills
        lots = int(trades.lots[place])
        opened, closed = int(trades.opened_value[place]), int(trades.closed_value[place])
        result_units, tag = int(trades.pnl[place]), int(trades.tag[place])
        rows.append((
            place + 1, result.symbol_of(place, symbol), "long" if trades.side[place] > 0 else "short",
            time_of(int(result.opened_ms[trades.opened_bar[place]])),
            time_of(int(result.opened_ms[trades.closed_bar[place]]) + result.span_ms),
            int(trades.closed_bar[place] - trades.opened_bar[place]), lots * scale.lot,
            (opened * per_lot / lots).normalize(), (closed * per_lot / lots).normalize(),
            result_units * scale.unit, result_units / opened if opened else None,
            int(trades.fees[place]) * scale.unit, int(trades.funding[place]) * scale.unit,
            _reason(int(trades.reason_in[place])), _reason(int(trades.reason_out[place])),
            int(trades.worst[place]) * scale.tick, int(trades.best[place]) * scale.tick,
            result.tags[tag] if 0 <= tag < len(result.tags) else "",
        ))  # fmt: skip
    return rows


def equity_rows(result: Result) -> list[tuple[Any, ...]]:
    """Return (time, equity, drawdown) at the close of each bar; equity is a decimal."""
    falls = result.drawdown()
    return [
        (time_of(int(opened) + result.span_ms), int(equity) * result.scale.unit, float(fall))
        for opened, equity, fall in zip(result.opened_ms, result.equity, falls, strict=True)
    ]


def time_of(at_ms: int) -> str:
    """Return an instant as every spreadsheet reads it: 2024-01-31 23:59:00, UTC."""
    return f"{_EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M:%S}"


def json_cell(cell: Any) -> Any:
    """Return a cell for JSON: decimals as text, so that no digit is lost; shares to the millionth."""
    if isinstance(cell, float):
        return f"{cell:.6f}"
    return plain(cell) if hasattr(cell, "as_tuple") else cell


def _reason(number: int) -> str:
    return Reason(number).name.lower() if number else ""


def _cell(cell: Any) -> Any:
    if cell is None:
        return ""
    if hasattr(cell, "as_tuple"):
        return plain(cell)
    if isinstance(cell, float):
        return f"{cell:.12g}"
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell
