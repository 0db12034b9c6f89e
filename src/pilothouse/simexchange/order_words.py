"""Orders, fills and conditional orders as REST answers show them."""

from typing import Any

from pilothouse.simexchange.figures import Grid, fixed, money
from pilothouse.simexchange.keccak import keccak256
from pilothouse.simexchange.records import ASTER, Algo, Fill, Told
from pilothouse.simexchange.user_events import kind_now, status_word
from pilothouse.simulation.contracts import SETTLEMENT, Contract
from pilothouse.simulation.orders import Status


def side_text(sign: int) -> str:
    """Return BUY or SELL."""
    return "BUY" if sign > 0 else "SELL"


def order_words(
    told: Told, contract: Contract, grid: Grid, profile: str, *, acknowledged: bool = False, asked_for: bool = True
) -> dict[str, Any]:
    """Return an order.

    acknowledged   as the short answer to placing it shows it, before anything traded
    asked_for      somebody asks for it; else it answers what was just done to it, and says nothing of when it came
    """
    order = told.order
    filled = 0 if acknowledged else order.filled
    traded = 0 if acknowledged else order.traded
    words: dict[str, Any] = {
        "orderId": order.number,
        "symbol": order.symbol,
        "status": "NEW" if acknowledged else status_word(order, order.status, profile),
        "clientOrderId": order.client_id,
        "price": grid.price(order.price),
        "avgPrice": grid.average(traded, filled, contract.unit),
        "origQty": grid.quantity(order.lots),
        "executedQty": grid.quantity(filled),
        "cumQty": grid.quantity(filled),
        "cumQuote": money(traded),
        "timeInForce": order.tif.value if not told.good_till else "GTD",
        "type": kind_now(told),
        "reduceOnly": order.reduce_only and not order.closes,
        "closePosition": order.closes,
        "side": side_text(order.sign),
        "positionSide": order.side,
        "stopPrice": grid.price(order.stop),
        "workingType": told.working,
        "priceProtect": told.protect,
        "origType": told.kind,
        **({"time": order.at // 1_000} if asked_for else {}),
        "updateTime": order.updated // 1_000,
    }
    if order.trail is not None:
        words["activatePrice"] = grid.price(order.trail.activation or order.trail.best)
        words["priceRate"] = fixed(order.trail.callback_ppm, 4).rstrip("0").rstrip(".")
    if profile == ASTER:
        digest = keccak256(f"{order.number}|{order.client_id}".encode()).hex() if acknowledged else ""
        words["newChainData"] = {"hash": f"0x{digest}" if digest else ""}
    else:
        words |= {"priceMatch": told.match, "selfTradePreventionMode": told.stp, "goodTillDate": told.good_till}
    return words


def is_listed(told: Told, now: int) -> bool:
    """Say whether an order is still shown: one that ended without a trade is gone after seven days."""
    order = told.order
    gone = order.status in {Status.CANCELED, Status.EXPIRED} and not order.filled
    return not gone or now - order.updated < 7 * 86_400 * 1_000_000


def fill_words(fill: Fill, contract: Contract, grid: Grid) -> dict[str, Any]:
    """Return one of an account's own trades."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade,
        "orderId": fill.number,
        "side": side_text(fill.sign),
        "price": grid.price(fill.price),
        "qty": grid.quantity(fill.lots),
        "realizedPnl": money(fill.realised),
        "quoteQty": money(fill.price * fill.lots * contract.unit),
        "commission": money(fill.commission),
        "commissionAsset": SETTLEMENT,
        "time": fill.at // 1_000,
        "positionSide": fill.side,
        "buyer": fill.sign > 0,
        "maker": fill.maker,
        "marginAsset": SETTLEMENT,
    }


def algo_words(algo: Algo, contract: Contract, grid: Grid) -> dict[str, Any]:
    """Return a conditional order of the Binance kind."""
    actual = algo.actual
    words: dict[str, Any] = {
        "algoId": algo.number,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.kind,
        "symbol": algo.symbol,
        "side": side_text(algo.sign),
        "positionSide": algo.side,
        "timeInForce": algo.tif,
        "quantity": grid.quantity(algo.lots),
        "algoStatus": algo.status,
        "actualOrderId": str(actual.number) if actual else "",
        "actualType": actual.type.value if actual else "",
        "actualQty": grid.quantity(actual.filled if actual else 0),
        "actualPrice": grid.average(actual.traded, actual.filled, contract.unit) if actual else "0.00000",
        "triggerPrice": grid.price(algo.stop),
        "price": grid.price(algo.price),
        "icebergQuantity": None,
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
        "selfTradePreventionMode": algo.stp,
        "workingType": algo.working,
        "priceMatch": algo.match,
        "closePosition": algo.closes,
        "priceProtect": algo.protect,
        "reduceOnly": algo.reduce_only,
        "createTime": algo.created // 1_000,
        "updateTime": algo.updated // 1_000,
        "triggerTime": algo.triggered // 1_000,
        "goodTillDate": algo.good_till,
        "callbackRate": "",
        "activatePrice": "",
    }
    if algo.trail is not None:
        words["callbackRate"] = fixed(algo.trail.callback_ppm, 4).rstrip("0").rstrip(".")
        words["activatePrice"] = grid.price(algo.trail.activation)
    return words
