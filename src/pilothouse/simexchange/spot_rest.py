"""Binance spot over REST: the same instruments as coins that are bought and held; order lists of two (OCO)."""

from typing import Any

from pilothouse.simexchange import market_rest
from pilothouse.simexchange.asking import KEYED, SIGNED, Asking, Route
from pilothouse.simexchange.exchange import SPOT
from pilothouse.simexchange.figures import money, parsed
from pilothouse.simexchange.order_intake import CLIENT_ID, grid_ticks, read_number
from pilothouse.simexchange.spot_events import order_words, placed_words, trade_words
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.contracts import SETTLEMENT, UNITS_PER_QUOTE
from pilothouse.simulation.spot import COMMISSION_PPM, LIMITED, SpotAccount, SpotOrder

START_QUOTE = 100_000
_KINDS = [
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
]  # fmt: skip


def exchange_info(asking: Asking) -> Any:
    """Tell what is traded, and by what rules."""
    exchange, wanted = asking.exchange, set(asking.symbols())
    symbols = []
    for contract in exchange.floor.contracts.values():
        if contract.symbol not in wanted:
            continue
        grid, its = exchange.grids[contract.symbol], contract.instrument
        lots = {
            "minQty": grid.quantity(contract.lots_min), "maxQty": grid.quantity(contract.lots_max),
            "stepSize": grid.quantity(1),
        }  # fmt: skip
        symbols.append(
            {
                "symbol": contract.symbol,
                "status": "TRADING",
                "baseAsset": its.base,
                "baseAssetPrecision": 8,
                "quoteAsset": its.quote,
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "baseCommissionPrecision": 8,
                "quoteCommissionPrecision": 8,
                "orderTypes": _KINDS,
                "icebergAllowed": False,
                "ocoAllowed": True,
                "otoAllowed": False,
                "quoteOrderQtyMarketAllowed": True,
                "allowTrailingStop": False,
                "cancelReplaceAllowed": False,
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": grid.price(grid_ticks(contract, grid, low=True)),
                        "maxPrice": grid.price(grid_ticks(contract, grid, low=False)),
                        "tickSize": grid.price(1),
                    },
                    {"filterType": "LOT_SIZE", **lots},
                    {"filterType": "MARKET_LOT_SIZE", **lots},
                    {
                        "filterType": "NOTIONAL",
                        "minNotional": money(contract.notional_min),
                        "applyMinToMarket": True,
                        "maxNotional": "9000000.00000000",
                        "applyMaxToMarket": False,
                        "avgPriceMins": 5,
                    },
                    {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
                ],
                "permissions": [],
                "permissionSets": [["SPOT"]],
                "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
                "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
            }
        )
    limits = market_rest.RATE_LIMITS
    return {
        "timezone": "UTC",
        "serverTime": asking.now_ms,
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": symbols,
    }


def depth(asking: Asking) -> Any:
    """Tell the book; any depth up to 5,000 may be asked for."""
    asked = asking.request.limit(100, 5_000)
    asking.request.params["limit"] = "1000"
    told = market_rest.depth(asking)
    return {
        "lastUpdateId": told["lastUpdateId"], "bids": told["bids"][:asked], "asks": told["asks"][:asked],
    }  # fmt: skip


def average_price(asking: Asking) -> Any:
    """Tell the average price of five minutes; here the last."""
    symbol = asking.symbol()
    price = asking.exchange.grids[symbol].price(asking.exchange.floor.desks[symbol].prices.last)
    return {"mins": 5, "price": price, "closeTime": asking.now_ms}


def account(asking: Asking) -> Any:
    """Tell the balances."""
    its = spot_account(asking)
    assets = dict.fromkeys([SETTLEMENT, *(each.instrument.base for each in asking.exchange.floor.contracts.values())])
    rate = "0.00100000"
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": rate, "taker": rate, "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": asking.now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": one, "free": money(its.free.get(one, 0)), "locked": money(its.locked.get(one, 0))}
            for one in assets
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def spot_account(asking: Asking) -> SpotAccount:
    """Return the spot side of the account that asks, opened at first sight."""
    found = asking.exchange.spot.accounts.get(asking.file.id)
    return found or asking.exchange.spot.open_account(asking.file.id, START_QUOTE * UNITS_PER_QUOTE)


def place(asking: Asking) -> Any:
    """Take an order."""
    order = _read(asking, asking.request.need("type").upper(), "newClientOrderId", "quantity", "price", "stopPrice")
    _place(asking, order, None)
    form = asking.request.text("newOrderRespType", "FULL" if order.kind in {"MARKET", "LIMIT"} else "ACK").upper()
    return placed_words(order, asking.exchange.grids[order.symbol], form)


def try_out(asking: Asking) -> Any:
    """Check an order without placing it."""
    _read(asking, asking.request.need("type").upper(), "newClientOrderId", "quantity", "price", "stopPrice")
    return {}


def place_list(asking: Asking) -> Any:
    """Take two orders of which one cancels the other, in the newer form (above, below) or the older."""
    request, spot = asking.request, asking.exchange.spot
    spot_account(asking)
    if request.text("aboveType"):
        above = _read(
            asking, request.need("aboveType").upper(), "aboveClientOrderId", "quantity", "abovePrice", "aboveStopPrice"
        )
        below = _read(
            asking, request.need("belowType").upper(), "belowClientOrderId", "quantity", "belowPrice", "belowStopPrice"
        )
    else:
        stop_kind = "STOP_LOSS_LIMIT" if request.text("stopLimitPrice") else "STOP_LOSS"
        above = _read(asking, "LIMIT_MAKER", "limitClientOrderId", "quantity", "price", "")
        below = _read(asking, stop_kind, "stopClientOrderId", "quantity", "stopLimitPrice", "stopPrice")
    number, spot.next_list = spot.next_list, spot.next_list + 1
    above.list_id = below.list_id = number
    _place(asking, above, None)
    try:
        _place(asking, below, above)
    except WireError:
        spot.cancel(above, asking.now)
        asking.exchange.settle_spot()
        raise
    return _list_words(asking, number, request.text("listClientOrderId"), reports=True)


def _read(asking: Asking, kind: str, id_name: str, quantity: str, price: str, stop: str) -> SpotOrder:
    request, symbol = asking.request, asking.symbol()
    contract, grid = asking.exchange.floor.contracts[symbol], asking.exchange.grids[symbol]
    side = request.need("side").upper()
    if side not in {"BUY", "SELL"}:
        raise WireError(-1117)
    if kind not in _KINDS:
        raise WireError(-1116)
    client_id = (
        request.text(id_name) or f"sim{asking.exchange.spot.next_number}x{asking.exchange.spot.next_list}{kind[0]}"
    )
    if not CLIENT_ID.fullmatch(client_id):
        raise WireError(-1100, f"Illegal characters found in parameter '{id_name}'.")
    quote = lots = 0
    if kind == "MARKET" and request.text("quoteOrderQty"):
        number = parsed(request.text("quoteOrderQty"))
        if number is None or number[0] <= 0 or number[1] > 8:
            raise missing("quoteOrderQty")
        quote = number[0] * 10 ** (8 - number[1])
    else:
        lots = _filtered(asking, quantity, is_price=False)
        if not contract.lots_min <= lots <= contract.lots_max:
            raise WireError(-1013, "Filter failure: LOT_SIZE")
    ticks = _filtered(asking, price, is_price=True) if kind in LIMITED else None
    trigger = _filtered(asking, stop, is_price=True) if kind not in {"LIMIT", "LIMIT_MAKER", "MARKET"} else None
    tif = request.text("timeInForce", "" if kind == "LIMIT" else "GTC").upper()
    if tif not in {"GTC", "IOC", "FOK"}:
        raise missing("timeInForce") if not tif else WireError(-1115)
    at = ticks or trigger or asking.exchange.floor.desks[symbol].prices.last
    if (quote or lots * at * contract.unit) < contract.notional_min:
        raise WireError(-1013, "Filter failure: NOTIONAL")
    if ticks is not None and ticks > grid_ticks(contract, grid, low=False):
        raise WireError(-1013, "Filter failure: PRICE_FILTER")
    return SpotOrder(
        0, asking.file.id, client_id, symbol, 1 if side == "BUY" else -1, kind, tif, lots, ticks, trigger, quote,
        asking.now, asking.now,
    )  # fmt: skip


def _filtered(asking: Asking, name: str, *, is_price: bool) -> int:
    try:
        return read_number(asking.request, name, asking.exchange.grids[asking.symbol()], is_price=is_price)
    except WireError as error:
        if error.code in {-4014, -4023}:
            raise WireError(-1013, f"Filter failure: {'PRICE_FILTER' if is_price else 'LOT_SIZE'}") from None
        raise


def _place(asking: Asking, order: SpotOrder, tied: SpotOrder | None) -> None:
    spot_account(asking)
    refusal = asking.exchange.spot.place(order, asking.now, tied)
    if refusal is not None:
        raise WireError(int(refusal.code), refusal.message)
    asking.exchange.settle_spot()


def _named(asking: Asking, code: int) -> SpotOrder:
    symbol, request, its = asking.symbol(), asking.request, spot_account(asking)
    number, client_id = request.whole("orderId"), request.text("origClientOrderId")
    if number is None and not client_id:
        raise WireError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    found = its.orders.get(number) if number is not None else its.by_client(client_id)
    if found is None or found.symbol != symbol:
        raise WireError(code)
    return found


def cancel(asking: Asking) -> Any:
    """Cancel an order."""
    order = _named(asking, -2011)
    if not order.is_open:
        raise WireError(-2011)
    asking.exchange.spot.cancel(order, asking.now)
    asking.exchange.settle_spot()
    words = order_words(order, asking.exchange.grids[order.symbol])
    return words | {"origClientOrderId": order.client_id, "transactTime": asking.now_ms}


def cancel_open(asking: Asking) -> Any:
    """Cancel every open order of an instrument; there must be one."""
    symbol = asking.symbol()
    found = [each for each in spot_account(asking).orders.values() if each.is_open and each.symbol == symbol]
    if not found:
        raise WireError(-2011)
    for order in found:
        if order.is_open:
            asking.exchange.spot.cancel(order, asking.now)
    asking.exchange.settle_spot()
    return [order_words(each, asking.exchange.grids[symbol]) for each in found]


def order(asking: Asking) -> Any:
    """Tell of one order."""
    found = _named(asking, -2013)
    return order_words(found, asking.exchange.grids[found.symbol])


def open_orders(asking: Asking) -> Any:
    """Tell of every open order, of one instrument or of all."""
    wanted = set(asking.symbols())
    return [
        order_words(each, asking.exchange.grids[each.symbol])
        for each in spot_account(asking).orders.values()
        if each.is_open and each.symbol in wanted
    ]


def all_orders(asking: Asking) -> Any:
    """Tell of the orders of an instrument, oldest first."""
    symbol, number = asking.symbol(), asking.request.whole("orderId")
    found = [
        order_words(each, asking.exchange.grids[symbol])
        for each in spot_account(asking).orders.values()
        if each.symbol == symbol and (number is None or each.number >= number)
    ]
    limit = asking.request.limit(500, 1_000)
    return found[:limit] if number is not None else found[-limit:]


def my_trades(asking: Asking) -> Any:
    """Tell an account's own trades of an instrument, oldest first."""
    symbol, request = asking.symbol(), asking.request
    number, from_id, start, end = (request.whole(name) for name in ("orderId", "fromId", "startTime", "endTime"))
    found = [
        (fill, each)
        for each in spot_account(asking).orders.values()
        if each.symbol == symbol and (number is None or each.number == number)
        for fill in each.fills
        if (from_id is None or fill.trade >= from_id)
        and (start is None or fill.at // 1_000 >= start)
        and (end is None or fill.at // 1_000 <= end)
    ]
    found.sort(key=lambda pair: pair[0].trade)
    limit = request.limit(500, 1_000)
    chosen = found[:limit] if from_id is not None or start is not None else found[-limit:]
    return [trade_words(fill, each, asking.exchange.grids[symbol]) for fill, each in chosen]


def _list_words(asking: Asking, number: int, name: str = "", *, reports: bool = False) -> dict[str, Any]:
    legs = [each for each in spot_account(asking).orders.values() if each.list_id == number]
    if not legs or not number:
        raise WireError(-2018, "Order list does not exist.")
    standing = any(each.is_open for each in legs)
    words: dict[str, Any] = {
        "orderListId": number,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if standing else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if standing else "ALL_DONE",
        "listClientOrderId": name or f"list{number}",
        "transactionTime": max(each.updated for each in legs) // 1_000,
        "symbol": legs[0].symbol,
        "orders": [{"symbol": each.symbol, "orderId": each.number, "clientOrderId": each.client_id} for each in legs],
    }
    if reports:
        grid = asking.exchange.grids[legs[0].symbol]
        words["orderReports"] = [placed_words(each, grid, "RESULT") for each in legs]
    return words


def order_list(asking: Asking) -> Any:
    """Tell of one list."""
    return _list_words(asking, asking.request.need_whole("orderListId"))


def open_lists(asking: Asking) -> Any:
    """Tell of the lists that stand."""
    numbers = {each.list_id for each in spot_account(asking).orders.values() if each.is_open and each.list_id}
    return [_list_words(asking, number) for number in sorted(numbers)]


def cancel_list(asking: Asking) -> Any:
    """Cancel both orders of a list."""
    number = asking.request.need_whole("orderListId")
    legs = [each for each in spot_account(asking).orders.values() if each.list_id == number and each.is_open]
    if not legs:
        raise WireError(-2011)
    asking.exchange.spot.cancel(legs[0], asking.now)
    asking.exchange.settle_spot()
    return _list_words(asking, number, reports=True)


def commission(asking: Asking) -> Any:
    """Tell the commissions."""
    rate = money(COMMISSION_PPM * 100)
    each = {"maker": rate, "taker": rate, "buyer": "0.00000000", "seller": "0.00000000"}
    return {"symbol": asking.symbol(), "standardCommission": each, "taxCommission": dict.fromkeys(each, "0.00000000")}


def listen_key(asking: Asking) -> Any:
    """Give the listen key of the spot side."""
    spot_account(asking)
    return {"listenKey": asking.exchange.listen_key(SPOT + asking.file.id)}


def keep_listen_key(asking: Asking) -> Any:
    """Keep it alive for another hour."""
    if asking.exchange.listen_keys.get(asking.request.need("listenKey"), ("", 0))[0] != SPOT + asking.file.id:
        raise WireError(-1125)
    asking.exchange.listen_key(SPOT + asking.file.id)
    return {}


def close_listen_key(asking: Asking) -> Any:
    """End it."""
    asking.exchange.listen_keys.pop(asking.request.need("listenKey"), None)
    return {}


_PUBLIC = ["ping", "time", "trades", "historicalTrades", "aggTrades", "klines"]
_PUBLIC += ["ticker/24hr", "ticker/price", "ticker/bookTicker"]

ROUTES: dict[tuple[str, str], Route] = {("GET", name): market_rest.ROUTES["GET", name] for name in _PUBLIC} | {
    ("GET", "exchangeInfo"): Route(exchange_info, weight=20),
    ("GET", "depth"): Route(depth, weight=5),
    ("GET", "uiKlines"): market_rest.ROUTES["GET", "klines"],
    ("GET", "avgPrice"): Route(average_price),
    ("GET", "account"): Route(account, SIGNED, 20),
    ("GET", "account/commission"): Route(commission, SIGNED, 20),
    ("POST", "order"): Route(place, SIGNED, 1, orders=1),
    ("POST", "order/test"): Route(try_out, SIGNED),
    ("GET", "order"): Route(order, SIGNED, 4),
    ("DELETE", "order"): Route(cancel, SIGNED),
    ("GET", "openOrders"): Route(open_orders, SIGNED, 6),
    ("DELETE", "openOrders"): Route(cancel_open, SIGNED),
    ("GET", "allOrders"): Route(all_orders, SIGNED, 20),
    ("GET", "myTrades"): Route(my_trades, SIGNED, 20),
    ("POST", "orderList/oco"): Route(place_list, SIGNED, 1, orders=2),
    ("POST", "order/oco"): Route(place_list, SIGNED, 1, orders=2),
    ("GET", "orderList"): Route(order_list, SIGNED, 4),
    ("DELETE", "orderList"): Route(cancel_list, SIGNED),
    ("GET", "openOrderList"): Route(open_lists, SIGNED, 6),
    ("POST", "userDataStream"): Route(listen_key, KEYED),
    ("PUT", "userDataStream"): Route(keep_listen_key, KEYED),
    ("DELETE", "userDataStream"): Route(close_listen_key, KEYED),
}
