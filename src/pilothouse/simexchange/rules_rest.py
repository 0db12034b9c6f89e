"""What an exchange trades, and by which rules, over REST; and what time it is there."""

from typing import Any

from pilothouse.simexchange.asking import Asking, Route
from pilothouse.simexchange.figures import fixed, short
from pilothouse.simexchange.limits import rate_limits
from pilothouse.simexchange.order_intake import PRICE_DOWN_PPM, PRICE_UP_PPM, grid_ticks
from pilothouse.simexchange.records import BINANCE
from pilothouse.simulation.contracts import SETTLEMENT, Contract

_KINDS = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]


def ping(_asking: Asking) -> Any:
    """Answer."""
    return {}


def time(asking: Asking) -> Any:
    """Tell the time."""
    return {"serverTime": asking.now_ms}


def exchange_info(asking: Asking) -> Any:
    """Tell what is traded, and by what rules."""
    binance = asking.profile == BINANCE
    limits = rate_limits(asking.exchange.limits_raised)
    return {
        "timezone": "UTC",
        "serverTime": asking.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": limits if binance else limits[:2],
        "exchangeFilters": [],
        "assets": [{"asset": SETTLEMENT, "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [
            _instrument(asking, asking.exchange.floor.contracts[symbol], binance=binance)
            for symbol in asking.listed
            if not asking.request.text("symbol") or asking.request.text("symbol").upper() == symbol
        ],
    }


def _instrument(asking: Asking, contract: Contract, *, binance: bool) -> dict[str, Any]:
    its, grid = contract.instrument, asking.exchange.grids[contract.symbol]
    tick, lot = grid.price(1), grid.quantity(1)
    lots = {"minQty": grid.quantity(contract.lots_min), "maxQty": grid.quantity(contract.lots_max), "stepSize": lot}
    filters: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": grid.price(grid_ticks(contract, grid, low=True)),
            "maxPrice": grid.price(grid_ticks(contract, grid, low=False)),
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": short(contract.notional_min, 8)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": fixed(PRICE_UP_PPM // 100, 4),
            "multiplierDown": fixed(PRICE_DOWN_PPM // 100, 4),
            "multiplierDecimal": "4",
        },
    ]
    if not binance:
        filters.insert(4, {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 100})
    maintenance, required = contract.brackets[0].maintenance_ppm, 1_000_000 // contract.instrument.leverage_max
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol.partition("_")[0],
        "contractType": "PERPETUAL" if contract.delivers_us is None else "CURRENT_QUARTER",
        "deliveryDate": 4_133_404_800_000 if contract.delivers_us is None else contract.delivers_us // 1_000,
        "onboardDate": asking.exchange.candles[contract.symbol].first_ms,
        "status": "TRADING",
        "settlePlan": 50_000,
        "maintMarginPercent": fixed(maintenance, 4),
        "requiredMarginPercent": fixed(required, 4),
        "baseAsset": its.base,
        "quoteAsset": its.quote,
        "marginAsset": its.quote,
        "pricePrecision": grid.price_digits,
        "quantityPrecision": grid.lot_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"] if its.base == "BTC" else ["Layer-1"],
        "triggerProtect": "0.0500",
        "liquidationFee": fixed(contract.liquidation_ppm, 6),
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": filters,
        "orderTypes": _KINDS,
        "OrderType": _KINDS,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", *(["GTD"] if binance else [])],
        "permissionSets": ["GRID", "COPY"],
    }


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "ping"): Route(ping),
    ("GET", "time"): Route(time),
    ("GET", "exchangeInfo"): Route(exchange_info),
}
