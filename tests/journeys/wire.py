"""What the wire contract consists of, as the tests of it name it."""

import re
from decimal import Decimal
from typing import Any

import httpx

from tests.house_process import HouseProcess, fresh

MISSING = "Webhook secret required but not provided"
WRONG = "Invalid webhook secret"
NO_SECRET = "not-the-secret-of-any-hook-at-all"
ANSWER = {"success", "message", "signal_id", "state", "duplicate", "order", "position"}
ERROR = {"error", "detail", "code", "timestamp", "validation_errors", "request_id"}

ORDER_FIELDS = {
    "orderId", "order_id", "clientOrderId", "client_order_id", "symbol", "side", "type", "status", "origQty",
    "orig_qty", "price", "executedQty", "executed_qty", "avgPrice", "avg_price", "timeInForce", "time_in_force",
    "positionSide", "position_side", "reduceOnly", "reduce_only", "closePosition", "close_position", "stopPrice",
    "stop_price", "time", "updateTime", "update_time", "id", "purpose", "state",
}  # fmt: skip
POSITION_FIELDS = {
    "symbol", "positionSide", "position_side", "positionAmt", "position_amt", "entryPrice", "entry_price",
    "markPrice", "mark_price", "unRealizedProfit", "un_realized_profit", "leverage", "marginType", "margin_type",
    "liquidationPrice", "liquidation_price", "isolatedMargin", "isolated_margin", "notional",
}  # fmt: skip
BALANCE_FIELDS = {
    "asset", "walletBalance", "wallet_balance", "availableBalance", "available_balance", "crossWalletBalance",
    "cross_wallet_balance", "unrealizedProfit", "unrealized_profit", "crossUnPnl", "cross_un_pnl",
}  # fmt: skip
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")

BUY = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}


def snake(name: str) -> str:
    """Return a camelCase name in snake_case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def new_hook(house: HouseProcess, **fields: Any) -> dict[str, Any]:
    """Make a hook and return it, with its `path`, its `token` and its `secret`."""
    made: dict[str, Any] = house.post("/api/v1/hooks", {"name": f"hook {fresh()}", **fields})
    return {**made, "path": f"/hooks/{made['token']}"}


def named_in(answer: httpx.Response) -> set[str]:
    """Return the fields that a 400 names, after checking its form."""
    told = answer.json()
    assert answer.status_code == 400, answer.text
    assert set(told) >= ERROR, told
    assert told["code"] == "VALIDATION_ERROR"
    assert told["success"] is False
    assert all(set(one) >= {"field", "message", "type"} and one["message"] for one in told["validation_errors"])
    return {one["field"] for one in told["validation_errors"]}


def price_below(house: HouseProcess, share: str = "0.95") -> str:
    """Return a limit price below the market, on the tick."""
    return str((house.mark() * Decimal(share)).quantize(Decimal("0.1")))
