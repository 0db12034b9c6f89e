"""Orders on their way to Binance: requests of the house go in, parameters of its endpoints come out."""

from typing import Final

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.core.rounding import plain
from pilothouse.venues.port import OrderRequest

SPOT_WORDS: Final = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_MARKET: "STOP_LOSS",
    OrderType.STOP: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT_MARKET: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT_LIMIT",
}


def order_params(request: OrderRequest) -> dict[str, str]:
    """Return an order of the futures as parameters; one that waits for a trigger goes to an endpoint of its own.

    Stops compare with the mark price, as OrderTerms says.
    """
    terms = request.terms
    params = {"symbol": terms.symbol, "side": terms.side.value, "type": terms.type.value}
    if not terms.type.is_conditional:
        params |= {"newClientOrderId": request.client_order_id, "newOrderRespType": "RESULT"}
    else:
        params |= {"algoType": "CONDITIONAL", "clientAlgoId": request.client_order_id, "workingType": "MARK_PRICE"}
        if terms.stop_price is not None:
            params["activatePrice" if terms.trail_percent else "triggerPrice"] = plain(terms.stop_price)
        if terms.trail_percent is not None:
            params["callbackRate"] = plain(terms.trail_percent)
    if request.close_position:
        params["closePosition"] = "true"
    else:
        params["quantity"] = plain(terms.quantity)
        if terms.reduce_only:
            params["reduceOnly"] = "true"
    if terms.price is not None:
        params |= {"price": plain(terms.price), "timeInForce": terms.time_in_force.value}
    return params


def spot_params(request: OrderRequest) -> dict[str, str]:
    """Return an order of spot as parameters. Nothing there is reduce-only: what is sold is held."""
    terms = request.terms
    kind, time = SPOT_WORDS[terms.type], terms.time_in_force.value
    if kind == "LIMIT" and terms.time_in_force is TimeInForce.GTX:
        kind, time = "LIMIT_MAKER", ""
    params = {
        "symbol": terms.symbol,
        "side": terms.side.value,
        "type": kind,
        "newClientOrderId": request.client_order_id,
        "newOrderRespType": "FULL",
        "quantity": plain(terms.quantity),
    }
    if terms.price is not None:
        params["price"] = plain(terms.price)
        if time:
            params["timeInForce"] = time
    if terms.stop_price is not None:
        params["stopPrice"] = plain(terms.stop_price)
    return params


def pair_params(stop: OrderRequest, target: OrderRequest) -> dict[str, str]:
    """Return a pair of spot as parameters: whichever fires, or is cancelled, ends the other.

    What lies above the market and what lies below it have names of their own there.
    """
    sells = stop.terms.side is Side.SELL
    params = {
        "symbol": stop.terms.symbol,
        "side": stop.terms.side.value,
        "quantity": plain(stop.terms.quantity),
        "listClientOrderId": list_name(stop.client_order_id),
        "newOrderRespType": "FULL",
    }
    for request, above in ((target, sells), (stop, not sells)):
        alone, name = spot_params(request), "above" if above else "below"
        params |= {
            f"{name}{word[0].upper()}{word[1:]}": alone[word]
            for word in ("type", "price", "stopPrice", "timeInForce")
            if word in alone
        }
        params[f"{name}ClientOrderId"] = request.client_order_id
    return params


def list_name(stop: str) -> str:
    """Return what a pair is called, by the client id of its stop."""
    return f"{stop}L"
