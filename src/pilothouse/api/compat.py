"""The routes that clients of the older wire format call, with its names, behind the operator token."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import shapes, wire
from pilothouse.api.asked import Since, Symbol, SymbolInPath, Until
from pilothouse.api.compat_shapes import (
    OLD_ACTING,
    OLD_LOOKING,
    AccountInfo,
    LeverageAsked,
    LeverageSet,
    MarginTypeAsked,
    MarginTypeSet,
    OldBalances,
    OldOrders,
    OldPosition,
    OldPositions,
)
from pilothouse.api.deps import AccountName, Guarded, Reading, Trading
from pilothouse.bots.follow import PositionNotFound
from pilothouse.core.clock import millis
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import plain
from pilothouse.execution import portfolio, store
from pilothouse.execution.portfolio import find
from pilothouse.execution.store import OrderFilter

router = APIRouter(tags=["compatible"], route_class=Guarded)


@router.get("/positions", summary="List positions", response_model=OldPositions, responses=OLD_LOOKING)
def positions(caller: Reading, account: AccountName = None) -> Response:
    """List the positions that are not flat."""
    trader = caller.read(lambda tx: caller.trader(tx, account))
    views = portfolio.positions(caller.house.desk, trader)
    return shapes.answer([wire.position_object(each) for each in views])


@router.get("/positions/{symbol}", summary="Show a position", response_model=OldPosition, responses=OLD_LOOKING)
def position(caller: Reading, symbol: SymbolInPath, account: AccountName = None) -> Response:
    """Show the position in one instrument; 404 when flat."""
    trader = caller.read(lambda tx: caller.trader(tx, account))
    instrument = find(caller.house.desk, trader, symbol)
    view = portfolio.position(caller.house.desk, trader, instrument.symbol)
    if view is None:
        raise PositionNotFound(f"No open position found for {instrument.symbol}")
    return shapes.answer(wire.position_object(view))


@router.post(
    "/positions/{symbol}/leverage", summary="Set the leverage", response_model=LeverageSet, responses=OLD_ACTING
)
def leverage(caller: Trading, symbol: SymbolInPath, asked: LeverageAsked, account: AccountName = None) -> Response:
    """Set the leverage in one instrument."""
    desk, trader = caller.house.desk, caller.read(lambda tx: caller.trader(tx, account))
    instrument = find(desk, trader, symbol)
    now_is = portfolio.set_leverage(desk, trader, instrument, asked.leverage)
    return shapes.answer(
        {
            "success": True,
            "message": f"Leverage set to {now_is}x for {instrument.symbol}",
            "symbol": instrument.symbol,
            "leverage": now_is,
            "result": {"symbol": instrument.symbol, "leverage": now_is},
        }
    )


@router.post(
    "/positions/{symbol}/margin-type",
    summary="Set the margin type",
    response_model=MarginTypeSet,
    responses=OLD_ACTING,
)
def margin_type(caller: Trading, symbol: SymbolInPath, asked: MarginTypeAsked, account: AccountName = None) -> Response:
    """Set the margin type in one instrument; what stands already is success."""
    desk, trader = caller.house.desk, caller.read(lambda tx: caller.trader(tx, account))
    instrument = find(desk, trader, symbol)
    now_is = portfolio.set_margin_type(desk, trader, instrument, asked.margin_type)
    return shapes.answer(
        {
            "success": True,
            "message": f"Margin type set to {now_is} for {instrument.symbol}",
            "symbol": instrument.symbol,
            "margin_type": now_is,
            "marginType": now_is,
            "result": {"symbol": instrument.symbol, "marginType": now_is},
        }
    )


@router.get("/account/balance", summary="Show balances", response_model=OldBalances, responses=OLD_LOOKING)
def balance(caller: Reading, account: AccountName = None) -> Response:
    """Show what the account has."""
    trader = caller.read(lambda tx: caller.trader(tx, account))
    return shapes.answer([wire.balance_object(portfolio.balance(caller.house.desk, trader))])


@router.get("/account/info", summary="Show the account", response_model=AccountInfo, responses=OLD_LOOKING)
def info(caller: Reading, account: AccountName = None) -> Response:
    """Show the account as exchanges show one: totals, assets and positions."""
    desk, trader = caller.house.desk, caller.read(lambda tx: caller.trader(tx, account))
    worth, held = portfolio.balance(desk, trader), portfolio.positions(desk, trader)
    venue = worth.venue
    names: dict[str, Any] = {
        "totalWalletBalance": plain(venue.wallet),
        "totalUnrealizedProfit": plain(venue.unrealised),
        "totalMarginBalance": plain(venue.margin_balance),
        "totalInitialMargin": plain(venue.initial_margin),
        "totalMaintMargin": plain(venue.maintenance_margin),
        "availableBalance": plain(venue.available),
        "updateTime": millis(caller.house.clock.now()),
    }
    twins = {wire.snake(name): value for name, value in names.items()}
    return shapes.answer(
        {
            **names,
            **twins,
            "accountId": trader.account_id,
            "account_id": trader.account_id,
            "canTrade": True,
            "can_trade": True,
            "simulated": desk.venue(trader.venue).card.simulated,
            "assets": [wire.balance_object(worth)],
            "positions": [wire.position_object(each) for each in held],
        }
    )


@router.get("/orders", summary="List orders", response_model=OldOrders, responses=OLD_LOOKING)
def orders(
    caller: Reading,
    *,
    symbol: Symbol = None,
    start_time: Since = None,
    end_time: Until = None,
    start_time_camel: Annotated[Since, Query(alias="startTime", description="As start_time.")] = None,
    end_time_camel: Annotated[Until, Query(alias="endTime", description="As end_time.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="How many rows at most.")] = 50,
    account: AccountName = None,
) -> Response:
    """List the orders of one instrument, newest first; `symbol` is needed."""
    if symbol is None:
        raise Invalid([Problem("symbol", "nothing", "an instrument such as BTCUSDT", "missing")])
    trader = caller.read(lambda tx: caller.trader(tx, account))
    narrow = OrderFilter(
        account_id=trader.account_id,
        symbol=find(caller.house.desk, trader, symbol).symbol,
        since=start_time or start_time_camel,
        until=end_time or end_time_camel,
    )
    found = caller.read(lambda tx: store.page(tx, caller.owner_id, narrow, before=None, limit=limit))
    return shapes.answer([wire.order_object(each) for each in found])


@router.get("/orders/open", summary="List open orders", response_model=OldOrders, responses=OLD_LOOKING)
def open_orders(caller: Reading, symbol: Symbol = None, account: AccountName = None) -> Response:
    """List the orders that are not final, of one instrument or of all."""
    trader = caller.read(lambda tx: caller.trader(tx, account))
    named = find(caller.house.desk, trader, symbol).symbol if symbol is not None else None
    narrow = OrderFilter(account_id=trader.account_id, symbol=named, live=True)
    found = caller.read(lambda tx: store.page(tx, caller.owner_id, narrow, before=None, limit=1_000))
    return shapes.answer([wire.order_object(each) for each in found])
