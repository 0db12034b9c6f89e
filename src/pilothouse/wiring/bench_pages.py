"""Tables of a kept run, a page at a time: what a bench answers with when a result is looked at; plain data out."""

from collections.abc import Sequence
from typing import Any

from pilothouse.backtest.contents import orders_in
from pilothouse.backtest.exports import (
    EQUITY_NAMES,
    FILL_NAMES,
    ORDER_NAMES,
    TRADE_NAMES,
    equity_rows,
    fill_rows,
    json_cell,
    order_rows,
    trade_rows,
)
from pilothouse.backtest.shelf import Kept

Page = dict[str, Any]


def trades(kept: Kept, *, after: int, limit: int) -> Page:
    """Return trades in the order in which they ended."""
    return _paged(TRADE_NAMES, trade_rows(kept.result, kept.candles.symbol), after, limit)


def orders(kept: Kept, *, after: int, limit: int) -> Page:
    """Return orders in the order in which they were made. Raises NoOrders."""
    return _paged(ORDER_NAMES, order_rows(kept.result, kept.candles.symbol, orders_in(kept)), after, limit)


def fills(kept: Kept, *, after: int, limit: int) -> Page:
    """Return fills in their order."""
    return _paged(FILL_NAMES, fill_rows(kept.result, kept.candles.symbol, kept.orders), after, limit)


def equity(kept: Kept, *, after: int, limit: int, every: int) -> Page:
    """Return rows of the equity curve; of each `every` bars the last."""
    rows = equity_rows(kept.result, kept.exposure)
    thinned = rows[every - 1 :: every] if every > 1 else rows
    if every > 1 and rows and len(rows) % every:
        thinned = [*thinned, rows[-1]]
    return _paged(EQUITY_NAMES, thinned, after, limit)


def _paged(names: Sequence[str], rows: list[tuple[Any, ...]], after: int, limit: int) -> Page:
    """Return a page of a table, and what the next one begins behind."""
    shown = [dict(zip(names, map(json_cell, row), strict=True)) for row in rows[after : after + limit]]
    return {"items": shown, "next_cursor": str(after + limit) if len(rows) > after + limit else None}
