"""What an account holds: positions, balances, equity, fills; and closing one position or all."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from pilothouse.api import shapes, shown
from pilothouse.api.asked import Cursor, Limit, OrderId, Since, Symbol, SymbolInPath, page_of, symbol_named
from pilothouse.api.deps import AccountName, Caller, Guarded, Reading
from pilothouse.api.once import OnceOnly
from pilothouse.bots.follow import PositionNotFound
from pilothouse.execution import portfolio
from pilothouse.fleet import manual, protect
from pilothouse.kit.db import Tx
from pilothouse.ledger import equity, statement

router = APIRouter(prefix="/api/v1", tags=["portfolio"], route_class=Guarded)

CSV_ROWS_AT_ONCE = 1_000


# ── Positions ─────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "/positions",
    summary="List positions",
    response_model=shapes.Page[shapes.PositionShown],
    responses=shapes.LOOKING,
)
def list_positions(caller: Reading, account: AccountName = None) -> Response:
    """List what is held at the price of now; 503 if the venue does not answer, which is never shown as flat."""
    trader = caller.read(lambda tx: caller.trader(tx, account))
    views = portfolio.positions(caller.house.desk, trader)
    simulated = caller.house.desk.venue(trader.venue).card.simulated
    guarded = caller.read(
        lambda tx: {one.symbol: one for one in protect.every_standing(tx, caller.house.desk, [trader])}
    )
    rows = [
        shown.position(trader.account_id, each, simulated=simulated, guarded=guarded.get(each.symbol)) for each in views
    ]
    return shapes.answer({"items": rows, "next_cursor": None})


@router.get(
    "/positions/{symbol}",
    summary="Show a position",
    response_model=shapes.PositionShown,
    responses=shapes.LOOKING,
)
def get_position(caller: Reading, symbol: SymbolInPath, account: AccountName = None) -> Response:
    """Show the position in one instrument; 404 when flat."""
    trader = caller.read(lambda tx: caller.trader(tx, account))
    instrument = portfolio.find(caller.house.desk, trader, symbol)
    view = portfolio.position(caller.house.desk, trader, instrument.symbol)
    if view is None:
        raise PositionNotFound(f"No open position found for {instrument.symbol}")
    simulated = caller.house.desk.venue(trader.venue).card.simulated
    guarded = caller.read(lambda tx: protect.standing(tx, caller.house.desk, trader, instrument.symbol))
    return shapes.answer(shown.position(trader.account_id, view, simulated=simulated, guarded=guarded))


@router.post(
    "/positions/close-all",
    summary="Close all positions",
    response_model=shapes.Page[shapes.OrderShown],
    responses=shapes.ACTING,
)
def close_all(once: OnceOnly, account: AccountName = None) -> Response:
    """Cancel what rests and close every position of the account at the market; answers with the closing orders."""
    caller = once.caller

    def work(tx: Tx) -> dict[str, Any]:
        closing = manual.close_all(tx, caller.house.desk, caller.trader(tx, account), by=caller.name)
        return {"items": [shown.order(each) for each in closing], "next_cursor": None}

    return once.do(work, "close all")


@router.post(
    "/positions/{symbol}/close",
    summary="Close a position",
    response_model=shapes.OrderShown,
    responses=shapes.ACTING,
)
def close(once: OnceOnly, symbol: SymbolInPath, account: AccountName = None) -> Response:
    """Close one position with a reduce-only market order; 404 when flat."""
    caller = once.caller

    def work(tx: Tx) -> dict[str, Any]:
        desk, trader = caller.house.desk, caller.trader(tx, account)
        instrument = portfolio.find(desk, trader, symbol)
        return shown.order(manual.close(tx, desk, trader, instrument.symbol, by=caller.name))

    return once.do(work, "close")


# ── Money ─────────────────────────────────────────────────────────────────────────────────────────


@router.get(
    "/balances", summary="Show balances", response_model=shapes.Page[shapes.BalanceShown], responses=shapes.LOOKING
)
def balances(caller: Reading, account: AccountName = None) -> Response:
    """Show what the account is worth; 503 if the venue does not answer."""
    desk, trader = caller.house.desk, caller.read(lambda tx: caller.trader(tx, account))
    simulated = desk.venue(trader.venue).card.simulated
    row = shown.balance(trader.account_id, portfolio.balance(desk, trader), simulated=simulated)
    return shapes.answer({"items": [row], "next_cursor": None})


@router.get(
    "/equity", summary="Show the equity curve", response_model=shapes.Page[shapes.EquityShown], responses=shapes.LOOKING
)
def curve(caller: Reading, *, account: AccountName = None, since: Since = None, limit: Limit = 1_000) -> Response:
    """Show what the account was worth, oldest first: the latest snapshots at or behind `since`."""

    def work(tx: Tx) -> list[dict[str, Any]]:
        chosen = caller.account(tx, account)
        points = equity.curve(tx, caller.owner_id, chosen.id, since=since, limit=limit)
        return [
            {"at": p.at, "wallet": p.equity.wallet, "unrealised": p.equity.unrealised, "equity": p.equity.equity}
            for p in points
        ]

    return shapes.answer({"items": caller.read(work), "next_cursor": None})


# ── Fills ─────────────────────────────────────────────────────────────────────────────────────────

_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of fills, or all of them as a CSV file (UTF-8 with byte order mark).",
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": ",".join(statement.CSV_COLUMNS) + "\r\n"},
        },
    }
}


@router.get(
    "/fills",
    summary="List fills",
    response_model=shapes.Page[shapes.FillShown],
    responses={**shapes.LOOKING, **_CSV},
)
def list_fills(
    caller: Reading,
    *,
    account: AccountName = None,
    symbol: Symbol = None,
    order_id: OrderId = None,
    cursor: Cursor = None,
    limit: Annotated[
        int | None, Query(ge=1, le=100_000, description="How many rows at most: 50 for a page, all for CSV.")
    ] = None,
    form: Annotated[Literal["json", "csv"] | None, Query(alias="format", description="json or csv.")] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """List fills as they are booked, newest first; with `format=csv` or `Accept: text/csv` as a file."""
    wanted = _Wanted(caller, account, symbol_named(caller, symbol), order_id)
    if form == "csv" or (form is None and "text/csv" in (accept or "")):
        lines = statement.fills_csv(wanted.all(cursor, limit))
        headers = {"Content-Disposition": 'attachment; filename="fills.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
    most = min(limit or 50, 1_000)
    rows = [_fill(each) for each in wanted.page(cursor, most + 1)]
    return shapes.answer(page_of(rows, most))


class _Wanted:
    """Which fills are asked for."""

    def __init__(self, caller: Caller, account_id: str | None, symbol: str | None, order_id: str | None) -> None:
        self._caller = caller
        self._narrow = {"account_id": account_id, "symbol": symbol, "order_id": order_id}

    def page(self, before: str | None, limit: int) -> list[statement.BookedFill]:
        owner_id = self._caller.owner_id
        return self._caller.read(
            lambda tx: statement.list_fills(tx, owner_id, **self._narrow, before=before, limit=limit)
        )

    def all(self, before: str | None, most: int | None) -> Iterator[statement.BookedFill]:
        """Yield fills, a few pages of them in memory at a time; at most `most`."""
        left = most
        while left is None or left > 0:
            rows = self.page(before, CSV_ROWS_AT_ONCE if left is None else min(left, CSV_ROWS_AT_ONCE))
            yield from rows
            if len(rows) < CSV_ROWS_AT_ONCE:
                return
            before = rows[-1].id
            left = None if left is None else left - len(rows)


def _fill(row: statement.BookedFill) -> dict[str, Any]:
    return {name: getattr(row, name) for name in statement.CSV_COLUMNS}
