"""The public side of Binance spot over REST: instruments and their filters, books, prices over windows of time."""

import re
from typing import Any

from pilothouse.simexchange import market_rest
from pilothouse.simexchange.asking import Asking, Route
from pilothouse.simexchange.candles import INTERVALS, MINUTE_MS, Candle, joined
from pilothouse.simexchange.figures import fixed, money
from pilothouse.simexchange.limits import rate_limits
from pilothouse.simexchange.order_intake import grid_ticks
from pilothouse.simexchange.records import ASTER, BINANCE
from pilothouse.simexchange.spot_intake import (
    ICEBERG_PARTS_MAX,
    KINDS,
    PRICE_TIMES_MAX,
    TRAIL_BIPS_MAX,
    TRAIL_BIPS_MIN,
)
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import Contract

_WINDOW = re.compile(r"([0-9]{1,2})([mhd])")


def exchange_info(asking: Asking) -> Any:
    """Tell what is traded, and by what rules."""
    contracts = asking.exchange.floor.contracts
    wanted = asking.request.items("permissions")
    shown = asking.symbols() if not wanted or "SPOT" in wanted else []
    if asking.profile == BINANCE:
        routed = [{"baseAsset": contracts[each].instrument.base, "symbols": [each]} for each in shown]
        more: dict[str, Any] = {"sors": routed}
    else:
        names = [one for each in shown for one in (contracts[each].instrument.quote, contracts[each].instrument.base)]
        more = {
            "assets": [
                {"asset": asset, "marginAvailable": False, "autoAssetExchange": "0"} for asset in dict.fromkeys(names)
            ]
        }
    raised = asking.exchange.limits_raised
    return {
        "timezone": "UTC",
        "serverTime": asking.now_ms,
        "rateLimits": rate_limits(raised, is_spot=True) if asking.profile == BINANCE else rate_limits(raised)[:2],
        "exchangeFilters": [],
        "symbols": [_instrument(asking, contracts[symbol]) for symbol in shown],
        **more,
    }


def _instrument(asking: Asking, contract: Contract) -> dict[str, Any]:
    its, grid = contract.instrument, asking.exchange.grids[contract.symbol]
    return {
        "symbol": contract.symbol,
        "status": "TRADING",
        "baseAsset": its.base,
        "baseAssetPrecision": 8,
        "quoteAsset": its.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        **(
            {"pricePrecision": grid.price_digits, "quantityPrecision": grid.lot_digits}
            if asking.profile == ASTER
            else {}
        ),
        "orderTypes": KINDS,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(asking, contract),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _filters(asking: Asking, contract: Contract) -> list[dict[str, Any]]:
    grid = asking.exchange.grids[contract.symbol]
    lots = {
        "minQty": grid.quantity(contract.lots_min), "maxQty": grid.quantity(contract.lots_max),
        "stepSize": grid.quantity(1),
    }  # fmt: skip
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": grid.price(grid_ticks(contract, grid, low=True)),
            "maxPrice": grid.price(grid_ticks(contract, grid, low=False)),
            "tickSize": grid.price(1),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "ICEBERG_PARTS", "limit": ICEBERG_PARTS_MAX},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": TRAIL_BIPS_MIN,
            "maxTrailingAboveDelta": TRAIL_BIPS_MAX,
            "minTrailingBelowDelta": TRAIL_BIPS_MIN,
            "maxTrailingBelowDelta": TRAIL_BIPS_MAX,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": str(PRICE_TIMES_MAX),
            "bidMultiplierDown": f"0.{10 // PRICE_TIMES_MAX}",
            "askMultiplierUp": str(PRICE_TIMES_MAX),
            "askMultiplierDown": f"0.{10 // PRICE_TIMES_MAX}",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": money(contract.notional_min),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 100},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def depth(asking: Asking) -> Any:
    """Tell the book; any depth up to 5,000 may be asked for."""
    asked = asking.request.limit(100, 5_000)
    asking.request.params["limit"] = "1000"
    told = market_rest.depth(asking)
    words = {"lastUpdateId": told["lastUpdateId"], "bids": told["bids"][:asked], "asks": told["asks"][:asked]}
    return words | {"E": told["E"], "T": told["T"]} if asking.profile == ASTER else words


def average_price(asking: Asking) -> Any:
    """Tell the average price of the last five minutes."""
    symbol = asking.symbol()
    five = joined(asking.exchange.candles[symbol].minutes[-5:])
    unit = asking.exchange.floor.contracts[symbol].unit
    price = asking.exchange.grids[symbol].average(five.traded, five.lots, unit)
    return {"mins": 5, "price": price, "closeTime": asking.now_ms}


def ticker(asking: Asking) -> Any:
    """Tell what a window of time was like: minutes, hours or days, as asked."""
    text = asking.request.text("windowSize", "1d")
    found = _WINDOW.fullmatch(text)
    most = {"m": 59, "h": 23, "d": 7}
    if found is None or not 1 <= int(found.group(1)) <= most[found.group(2)]:
        raise WireError(-1130, "Data sent for parameter 'windowSize' is not valid.")
    minutes = int(found.group(1)) * INTERVALS[f"1{found.group(2)}"] // MINUTE_MS
    return _windows(asking, minutes)


def trading_day(asking: Asking) -> Any:
    """Tell what the day was like since midnight."""
    return _windows(asking, asking.now_ms % INTERVALS["1d"] // MINUTE_MS + 1)


def _windows(asking: Asking, minutes: int) -> Any:
    if not asking.request.text("symbol") and not asking.request.text("symbols"):
        raise WireError(-1102, "Either symbol or symbols must be sent.")
    mini = asking.request.text("type").upper() == "MINI"
    found = []
    for symbol in asking.symbols():
        span = joined(asking.exchange.candles[symbol].minutes[-minutes:])
        found.append(_window(asking, symbol, span, mini=mini))
    return found[0] if asking.request.text("symbol") else found


def _window(asking: Asking, symbol: str, span: Candle, *, mini: bool) -> dict[str, Any]:
    grid, last = asking.exchange.grids[symbol], asking.exchange.trades[symbol][-1].number
    change = span.close - span.open
    words = {
        "symbol": symbol,
        "priceChange": ("-" if change < 0 else "") + grid.price(abs(change)),
        "priceChangePercent": ("-" if change < 0 else "") + fixed(abs(change) * 100_000 // span.open, 3),
        "weightedAvgPrice": grid.average(span.traded, span.lots, asking.exchange.floor.contracts[symbol].unit),
        "openPrice": grid.price(span.open),
        "highPrice": grid.price(span.high),
        "lowPrice": grid.price(span.low),
        "lastPrice": grid.price(span.close),
        "volume": grid.quantity(span.lots),
        "quoteVolume": money(span.traded),
        "openTime": span.opened,
        "closeTime": asking.now_ms,
        "firstId": last - span.trades + 1,
        "lastId": last,
        "count": span.trades,
    }
    if mini:
        for name in ("priceChange", "priceChangePercent", "weightedAvgPrice"):
            del words[name]
    return words


def ticker_day(asking: Asking) -> Any:
    """Tell what the last 24 hours were like, with the best prices of now."""
    mini = asking.request.text("type").upper() == "MINI"
    found = []
    for symbol in asking.symbols():
        words, best = market_rest.day_words(asking, symbol), _best(asking, symbol)
        its = asking.exchange.floor.contracts[symbol].instrument
        words |= {name: best[name] for name in ("bidPrice", "bidQty", "askPrice", "askQty")}
        if asking.profile == ASTER:
            words |= {"baseAsset": its.base, "quoteAsset": its.quote}
        if mini:
            words = {name: words[name] for name in words if name in _MINI}
        found.append(words)
    return found[0] if asking.request.text("symbol") else found


def ticker_price(asking: Asking) -> Any:
    """Tell the last prices."""
    told = market_rest.ticker_price(asking)
    return _without(told, {"time"} if asking.profile == BINANCE else set())


def ticker_book(asking: Asking) -> Any:
    """Tell the best bids and offers."""
    found = [_best(asking, symbol) for symbol in asking.symbols()]
    return found[0] if asking.request.text("symbol") else found


def _best(asking: Asking, symbol: str) -> dict[str, Any]:
    gone = {"time", "lastUpdateId"} if asking.profile == BINANCE else {"lastUpdateId"}
    found: dict[str, Any] = _without(market_rest.book_words(asking, symbol), gone)
    return found


def _without(told: Any, gone: set[str]) -> Any:
    """Return an answer, or a list of them, without some of its names."""
    if isinstance(told, list):
        return [_without(each, gone) for each in told]
    return {name: value for name, value in told.items() if name not in gone}


_MINI = frozenset(
    {"symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime",
     "firstId", "lastId", "count"}
)  # fmt: skip
_PUBLIC = ["ping", "time", "trades", "historicalTrades", "aggTrades", "klines"]

ROUTES: dict[tuple[str, str], Route] = {("GET", name): market_rest.ROUTES["GET", name] for name in _PUBLIC} | {
    ("GET", "exchangeInfo"): Route(exchange_info, weight=20),
    ("GET", "depth"): Route(depth, weight=5),
    ("GET", "uiKlines"): market_rest.ROUTES["GET", "klines"],
    ("GET", "avgPrice"): Route(average_price, weight=2),
    ("GET", "ticker/24hr"): Route(ticker_day, weight=2),
    ("GET", "ticker/price"): Route(ticker_price, weight=2),
    ("GET", "ticker/bookTicker"): Route(ticker_book, weight=2),
    ("GET", "ticker"): Route(ticker, weight=4),
    ("GET", "ticker/tradingDay"): Route(trading_day, weight=4),
}
