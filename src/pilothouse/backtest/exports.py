"""Results as tables for other programs: CSV with a byte-order mark, as spreadsheets expect, and JSON. Pure.

Money is written exactly, as decimals; shares and ratios as floats. Text that a spreadsheet would take for a formula is
defused.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from pilothouse.backtest.exposure import Exposure
from pilothouse.backtest.orders import Orders, Outcome
from pilothouse.backtest.periods import Period
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.result_of_many import Portfolio
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


EQUITY_NAMES: Final = (
    "time", "equity", "drawdown", "gross_notional", "net_notional", "gross_exposure", "net_exposure",
)  # fmt: skip
FILL_NAMES: Final = (
    "number", "order", "trade", "symbol", "bar_time", "side", "quantity", "price", "value", "fee", "liquidity",
    "reason",
)  # fmt: skip
ORDER_NAMES: Final = (
    "number", "symbol", "made", "ended", "name", "side", "type", "quantity", "limit_price", "trigger_price", "trail",
    "last_price", "moves", "reduce_only", "reason", "outcome", "filled", "average_price", "fees", "stopped_by",
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


def equity_rows(result: Result, exposure: Exposure | None) -> list[tuple[Any, ...]]:
    """Return rows of EQUITY_NAMES at the close of each bar; money is decimals, exposure shares of equity."""
    unit, span = result.scale.unit, result.span_ms
    columns = [result.opened_ms.tolist(), result.equity.tolist(), result.drawdown().tolist()]
    rows = [(time_of(opened + span), equity * unit, fall) for opened, equity, fall in zip(*columns, strict=True)]
    if exposure is None:
        return [(*row, None, None, None, None) for row in rows]
    shares = [[None if math.isnan(each) else each for each in column] for column in _shares(result, exposure)]
    held = zip(exposure.gross.tolist(), exposure.net.tolist(), *shares, strict=True)
    return [
        (*row, gross * unit, net * unit, *parts) for row, (gross, net, *parts) in zip(rows, held, strict=True)
    ]  # fmt: skip


def _shares(result: Result, exposure: Exposure) -> list[list[float]]:
    gross, net = exposure.shares(result.equity)
    return [gross.tolist(), net.tolist()]


def fill_rows(result: Result, symbol: str, orders: Orders | None, *, most: int | None = None) -> list[tuple[Any, ...]]:
    """Return fills as rows of FILL_NAMES, in their order; `most`: no more than so many.

    `bar_time` is the opening of the bar in which a fill happened.
    """
    fills = result.fills
    of = orders.fill_order if orders is not None else None
    rows = []
    for place in range(len(fills) if most is None else min(most, len(fills))):
        trade, lots, price = int(fills.trade[place]), int(fills.lots[place]), int(fills.price[place])
        scale = result.scale_of(trade)
        rows.append((
            place + 1, None if of is None else int(of[place]) + 1, trade + 1, result.symbol_of(trade, symbol),
            time_of(int(result.opened_ms[fills.bar[place]])), "buy" if lots > 0 else "sell", abs(lots) * scale.lot,
            price * scale.tick, abs(lots) * price * scale.units * scale.unit, int(fills.fee[place]) * scale.unit,
            "maker" if fills.maker[place] else "taker", _reason(int(fills.reason[place])),
        ))  # fmt: skip
    return rows


def order_rows(result: Result, symbol: str, orders: Orders, *, most: int | None = None) -> list[tuple[Any, ...]]:
    """Return orders as rows of ORDER_NAMES, in the order in which they were made; `most`: no more than so many.

    A quantity of None: all that is held, or stopped before it had a size. `ended` of None: it stood in the end.
    """
    fills = result.fills
    value, fees = np.zeros(len(orders), np.int64), np.zeros(len(orders), np.int64)
    np.add.at(value, orders.fill_order, np.abs(fills.lots) * fills.price)
    np.add.at(fees, orders.fill_order, fills.fee)
    rows = []
    for row in range(len(orders) if most is None else min(most, len(orders))):
        market, lots, filled = int(orders.market[row]), int(orders.lots[row]), int(orders.filled[row])
        scale = result.scales[market] if isinstance(result, Portfolio) else result.scale
        prices = [
            int(each) * scale.tick if each else None
            for each in (orders.limit[row], orders.trigger[row], orders.trail[row], orders.last[row])
        ]
        ended, reason = int(orders.ended_ms[row]), int(orders.reason[row])
        rows.append((
            row + 1, result.symbols[market] if isinstance(result, Portfolio) else symbol,
            time_of(int(orders.made_ms[row])),
            None if ended < 0 else time_of(ended), orders.name_of(row), "buy" if orders.sign[row] > 0 else "sell",
            _type(orders, row), lots * scale.lot if lots > 0 else None, *prices, int(orders.moves[row]),
            bool(orders.reduces[row]), _reason(reason), Outcome(int(orders.outcome[row])).name.lower(),
            filled * scale.lot, (int(value[row]) * scale.tick / filled).normalize() if filled else None,
            int(fees[row]) * scale.unit, orders.words_of(row),
        ))  # fmt: skip
    return rows


def _type(orders: Orders, row: int) -> str:
    if int(orders.reason[row]) == Reason.LIQUIDATION:
        return "liquidation"
    if orders.trail[row] or int(orders.reason[row]) == Reason.TRAIL:
        return "trailing_stop"
    if orders.trigger[row]:
        return "stop_limit" if orders.limit[row] else "stop"
    return "limit" if orders.limit[row] else "market"


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
