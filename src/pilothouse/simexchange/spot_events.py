"""Spot orders as REST answers and user streams show them."""

from typing import Any

from pilothouse.simexchange.figures import Grid, money
from pilothouse.simulation.contracts import SETTLEMENT, Contract
from pilothouse.simulation.orders import Status
from pilothouse.simulation.spot import COMMISSION_PPM
from pilothouse.simulation.spot_orders import SpotAccount, SpotFill, SpotList, SpotOrder

COMMISSION_RATE = money(COMMISSION_PPM * 100)
NO_DISCOUNT = {
    "enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB", "discount": "0.00000000",
}  # fmt: skip


def side_of(sign: int) -> str:
    """Return BUY or SELL."""
    return "BUY" if sign > 0 else "SELL"


def order_words(order: SpotOrder, grid: Grid) -> dict[str, Any]:
    """Return an order as it is asked for."""
    words: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.number,
        "orderListId": order.list_id or -1,
        "clientOrderId": order.client_id,
        "price": grid.price(order.price or 0),
        "origQty": grid.quantity(order.lots),
        "executedQty": grid.quantity(order.filled),
        "origQuoteOrderQty": money(order.quote),
        "cummulativeQuoteQty": money(order.traded),
        "status": order.word,
        "timeInForce": order.tif,
        "type": order.kind,
        "side": side_of(order.sign),
        "stopPrice": grid.price(order.stop or 0),
        "icebergQty": grid.quantity(order.shown),
        "time": order.at // 1_000,
        "updateTime": order.updated // 1_000,
        "workingTime": order.at // 1_000,
        "isWorking": not order.waits and not order.after,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    words |= {name: value for name, value in zip(("strategyId", "strategyType"), order.strategy, strict=True) if value}
    if order.trail is not None:
        words |= {"trailingDelta": order.trail.callback_ppm // 100, "trailingTime": order.at // 1_000 * _begun(order)}
    return words


def _begun(order: SpotOrder) -> int:
    """Return 1 if a trail follows the market already, else 0."""
    return int(order.trail is not None and order.trail.best is not None)


def placed_words(order: SpotOrder, grid: Grid, form: str) -> dict[str, Any]:
    """Return the answer to placing an order: ACK, RESULT or FULL, each more than the one before."""
    words = order_words(order, grid) | {"transactTime": order.updated // 1_000}
    if form == "ACK":
        return {name: words[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")}
    for name in ("time", "updateTime", "isWorking", *([] if order.shown else ["icebergQty"])):
        del words[name]
    if not order.stop:
        del words["stopPrice"]
    if form == "FULL":
        words["fills"] = [
            {
                "price": grid.price(fill.ticks),
                "qty": grid.quantity(fill.lots),
                "commission": money(fill.commission),
                "commissionAsset": fill.asset,
                "tradeId": fill.trade,
            }
            for fill in order.fills
        ]
    return words


def cancelled_words(order: SpotOrder, grid: Grid) -> dict[str, Any]:
    """Return the answer to cancelling an order: it goes by the name of the request that cancelled it."""
    words = placed_words(order, grid, "RESULT")
    del words["workingTime"]
    return words | {"origClientOrderId": order.client_id, "clientOrderId": order.cancel_id or order.client_id}


def amended_words(order: SpotOrder, grid: Grid) -> dict[str, Any]:
    """Return an order that was made smaller, in the words that only this answer uses."""
    words = order_words(order, grid)
    kept = (
        "symbol", "orderId", "orderListId", "clientOrderId", "price", "executedQty", "status", "timeInForce", "type",
        "side", "workingTime", "selfTradePreventionMode",
    )  # fmt: skip
    return {name: words[name] for name in kept} | {
        "origClientOrderId": order.client_id,
        "qty": grid.quantity(order.lots),
        "preventedQty": grid.quantity(0),
        "quoteOrderQty": money(order.quote),
        "cumulativeQuoteQty": money(order.traded),
    }


def list_words(account: SpotAccount, made: SpotList, grid: Grid, *, reports: bool) -> dict[str, Any]:
    """Return a list and its orders; `reports`: with what is known of each."""
    legs, stands = account.of_list(made), account.stands(made)
    words: dict[str, Any] = {
        "orderListId": made.number,
        "contingencyType": made.kind,
        "listStatusType": "EXEC_STARTED" if stands else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if stands else "ALL_DONE",
        "listClientOrderId": made.name,
        "transactionTime": max((each.updated for each in legs), default=made.at) // 1_000,
        "symbol": made.symbol,
        "orders": [{"symbol": each.symbol, "orderId": each.number, "clientOrderId": each.client_id} for each in legs],
    }
    if reports:
        words["orderReports"] = [placed_words(each, grid, "RESULT") for each in legs]
    return words


def list_status(account: SpotAccount, made: SpotList, now: int) -> dict[str, Any]:
    """Return a listStatus event."""
    legs, stands = account.of_list(made), account.stands(made)
    return {
        "e": "listStatus",
        "E": now,
        "s": made.symbol,
        "g": made.number,
        "c": made.kind,
        "l": "EXEC_STARTED" if stands else "ALL_DONE",
        "L": "EXECUTING" if stands else "ALL_DONE",
        "r": "NONE",
        "C": made.name,
        "T": max((each.updated for each in legs), default=made.at) // 1_000,
        "O": [{"s": each.symbol, "i": each.number, "c": each.client_id} for each in legs],
    }


def trade_words(fill: SpotFill, order: SpotOrder, grid: Grid) -> dict[str, Any]:
    """Return one of an account's own trades."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade,
        "orderId": fill.number,
        "orderListId": order.list_id or -1,
        "price": grid.price(fill.ticks),
        "qty": grid.quantity(fill.lots),
        "quoteQty": money(fill.worth),
        "commission": money(fill.commission),
        "commissionAsset": fill.asset,
        "time": fill.at // 1_000,
        "isBuyer": fill.sign > 0,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def execution_report(order: SpotOrder, fill: SpotFill | None, grid: Grid, now: int, execution: int) -> dict[str, Any]:
    """Return an executionReport; what an order had traded later than this trade is left out of it.

    execution   the number of this report
    """
    told = [each for each in order.fills if fill is None or each.trade <= fill.trade]
    filled, traded = sum(each.lots for each in told), sum(each.worth for each in told)
    if fill is not None:
        kind = "TRADE"
        status = "FILLED" if filled == order.lots else "PARTIALLY_FILLED"
    elif order.status in {Status.CANCELED, Status.EXPIRED}:
        kind = status = order.status.value
    elif order.amended and order.amended[-1][0] == order.updated:
        kind, status = "REPLACED", order.status.value
    else:
        kind, status, filled, traded = "NEW", ("PENDING_NEW" if order.after else "NEW"), 0, 0
    works = not order.waits and order.is_open and not order.after
    more: dict[str, Any] = {"W": order.at // 1_000} if works else {}
    if order.trail is not None:
        more["d"] = order.trail.callback_ppm // 100
        if order.trail.best is not None:
            more["D"] = order.at // 1_000
    more |= {name: value for name, value in zip("jJ", order.strategy, strict=True) if value}
    gone_by = order.cancel_id if kind == "CANCELED" else ""
    return {
        "e": "executionReport",
        "E": now,
        "s": order.symbol,
        "c": gone_by or order.client_id,
        "S": side_of(order.sign),
        "o": order.kind,
        "f": order.tif,
        "q": grid.quantity(order.lots),
        "p": grid.price(order.price or 0),
        "P": grid.price(order.stop or 0),
        "F": grid.quantity(order.shown),
        "g": order.list_id or -1,
        "C": order.client_id if kind == "CANCELED" else "",
        "x": kind,
        "X": status,
        "r": "NONE",
        "i": order.number,
        "l": grid.quantity(fill.lots if fill else 0),
        "z": grid.quantity(filled),
        "L": grid.price(fill.ticks if fill else 0),
        "n": money(fill.commission) if fill else "0",
        "N": fill.asset if fill else None,
        "T": order.updated // 1_000,
        "t": fill.trade if fill else -1,
        "I": execution,
        "w": works,
        "m": fill.maker if fill else False,
        "M": False,
        "O": order.at // 1_000,
        "Z": money(traded),
        "Y": money(fill.worth if fill else 0),
        "Q": money(order.quote),
        "V": "EXPIRE_MAKER",
        **more,
    }


def account_position(account: SpotAccount, contract: Contract, now: int) -> dict[str, Any]:
    """Return an outboundAccountPosition with the two assets of an instrument."""
    return {
        "e": "outboundAccountPosition",
        "E": now,
        "u": now,
        "B": [
            {"a": asset, "f": money(account.free.get(asset, 0)), "l": money(account.locked.get(asset, 0))}
            for asset in (contract.instrument.base, SETTLEMENT)
        ],
    }
