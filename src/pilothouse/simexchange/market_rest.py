"""Public market data over REST: instruments, books, trades, candles, tickers, funding."""

import hashlib
from typing import Any

from pilothouse.simexchange.asking import Asking, Route
from pilothouse.simexchange.candles import INTERVALS, SECOND, Candle, closes_at
from pilothouse.simexchange.figures import fixed, money, short
from pilothouse.simexchange.limits import rate_limits
from pilothouse.simexchange.order_intake import PRICE_DOWN_PPM, PRICE_UP_PPM, grid_ticks
from pilothouse.simexchange.records import BINANCE, PublicTrade
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import SETTLEMENT, Contract
from pilothouse.simulation.funding import INTERVAL_US, rate

_KINDS = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
_CONTRACT_TYPES = frozenset({"PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"})
_DEPTHS = (5, 10, 20, 50, 100, 500, 1_000)


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


def depth(asking: Asking) -> Any:
    """Tell the book."""
    symbol = asking.symbol()
    limit = asking.request.whole("limit", 500)
    if limit not in _DEPTHS:
        raise WireError(-4021, f"{limit} is not valid depth limit.")
    grid, view = asking.exchange.grids[symbol], asking.exchange.look(symbol)
    bids = sorted(view.bids.items(), reverse=True)[:limit]
    asks = sorted(view.asks.items())[:limit]
    return {
        "lastUpdateId": view.last,
        "E": asking.now_ms,
        "T": asking.now_ms,
        "bids": [[grid.price(ticks), grid.quantity(lots)] for ticks, lots in bids],
        "asks": [[grid.price(ticks), grid.quantity(lots)] for ticks, lots in asks],
    }


def trades(asking: Asking) -> Any:
    """Tell the latest trades."""
    symbol, limit = asking.symbol(), asking.request.limit(500, 1_000)
    grid, contract = asking.exchange.grids[symbol], asking.exchange.floor.contracts[symbol]
    from_id = asking.request.whole("fromId")
    found = [each for each in asking.exchange.trades[symbol] if from_id is None or each.number >= from_id]
    chosen = found[:limit] if from_id is not None else found[-limit:]
    return [
        {
            "id": each.number,
            "price": grid.price(each.ticks),
            "qty": grid.quantity(each.lots),
            "quoteQty": money(each.ticks * each.lots * contract.unit),
            "time": each.at,
            "isBuyerMaker": not each.is_buy,
            **({"isBestMatch": True} if asking.is_spot else {"isRPITrade": False}),
        }
        for each in chosen
    ]


def aggregate_trades(asking: Asking) -> Any:
    """Tell the latest trades in the short form; here each stands for itself."""
    symbol, limit, request = asking.symbol(), asking.request.limit(500, 1_000), asking.request
    grid = asking.exchange.grids[symbol]
    start, end, from_id = request.whole("startTime"), request.whole("endTime"), request.whole("fromId")
    found = [
        each
        for each in asking.exchange.trades[symbol]
        if (from_id is None or each.number >= from_id)
        and (start is None or each.at >= start)
        and (end is None or each.at <= end)
    ]
    chosen = found[:limit] if from_id is not None or start is not None else found[-limit:]
    more = {"M": True} if asking.is_spot else {}
    return [aggregate_words(each, grid.price(each.ticks), grid.quantity(each.lots)) | more for each in chosen]


def aggregate_words(trade: PublicTrade, price: str, quantity: str) -> dict[str, Any]:
    """Return a trade in the short form."""
    return {
        "a": trade.number, "p": price, "q": quantity, "nq": quantity, "f": trade.number, "l": trade.number,
        "T": trade.at, "m": not trade.is_buy,
    }  # fmt: skip


def klines(asking: Asking) -> Any:
    """Tell candles, the open one last."""
    if not asking.request.text("symbol") and asking.request.text("pair"):
        asking.request.params["symbol"] = _of_pair(asking)
    symbol, request = asking.symbol(), asking.request
    interval = request.need("interval")
    if interval not in INTERVALS or (interval == SECOND and not asking.is_spot):
        raise WireError(-1120)
    found = asking.exchange.candles[symbol].candles(
        interval, request.whole("startTime"), request.whole("endTime"), request.limit(500, 1_500)
    )
    return [candle_row(asking, symbol, interval, candle) for candle in found]


def _of_pair(asking: Asking) -> str:
    """Return the instrument that a pair and a type of contract name."""
    pair, kind = asking.request.text("pair").upper(), asking.request.text("contractType", "PERPETUAL").upper()
    if kind == "PERPETUAL":
        return pair
    quarters = [each for each in asking.listed if each.startswith(f"{pair}_")]
    if kind != "CURRENT_QUARTER" or not quarters:
        raise WireError(-1135, "Invalid contractType.") if kind not in _CONTRACT_TYPES else WireError(-1121)
    return quarters[0]


def premium_klines(asking: Asking) -> Any:
    """Tell candles of the premium: none here, where mark and index are one."""
    nothing = "0.00000000"
    return [
        [row[0], nothing, nothing, nothing, nothing, "0", row[6], "0", row[8], "0", "0", "0"] for row in klines(asking)
    ]


def candle_row(asking: Asking, symbol: str, interval: str, candle: Candle) -> list[Any]:
    """Return the twelve elements of a candle."""
    grid = asking.exchange.grids[symbol]
    return [
        candle.opened,
        *(grid.price(each) for each in (candle.open, candle.high, candle.low, candle.close)),
        grid.quantity(candle.lots),
        closes_at(interval, candle.opened),
        money(candle.traded),
        candle.trades,
        grid.quantity(candle.bought_lots),
        money(candle.bought),
        "0",
    ]


def ticker_day(asking: Asking) -> Any:
    """Tell what the last 24 hours were like."""
    return _one_or_all(asking, [day_words(asking, symbol) for symbol in asking.symbols()])


def day_words(asking: Asking, symbol: str) -> dict[str, Any]:
    """Return the last 24 hours of one instrument."""
    exchange = asking.exchange
    grid, contract = exchange.grids[symbol], exchange.floor.contracts[symbol]
    day, latest = exchange.candles[symbol].day(asking.now_ms), exchange.trades[symbol][-1]
    last = latest.ticks
    change = last - day.open
    sign = "-" if change < 0 else ""
    return {
        "symbol": symbol,
        "priceChange": ("-" if change < 0 else "") + grid.price(abs(change)),
        "priceChangePercent": sign + fixed(abs(change) * 100_000 // day.open, 3),
        "weightedAvgPrice": grid.average(day.traded, day.lots, contract.unit),
        "prevClosePrice": grid.price(day.open),
        "lastPrice": grid.price(last),
        "lastQty": grid.quantity(latest.lots),
        "openPrice": grid.price(day.open),
        "highPrice": grid.price(max(day.high, last)),
        "lowPrice": grid.price(min(day.low, last)),
        "volume": grid.quantity(day.lots),
        "quoteVolume": money(day.traded),
        "openTime": day.opened,
        "closeTime": asking.now_ms,
        "firstId": latest.number - day.trades + 1,
        "lastId": latest.number,
        "count": day.trades,
    }


def ticker_price(asking: Asking) -> Any:
    """Tell the last prices."""
    trades, grids = asking.exchange.trades, asking.exchange.grids
    return _one_or_all(
        asking,
        [
            {"symbol": symbol, "price": grids[symbol].price(trades[symbol][-1].ticks), "time": asking.now_ms}
            for symbol in asking.symbols()
        ],
    )


def ticker_book(asking: Asking) -> Any:
    """Tell the best bids and offers."""
    return _one_or_all(asking, [book_words(asking, symbol) for symbol in asking.symbols()])


def book_words(asking: Asking, symbol: str) -> dict[str, Any]:
    """Return the best bid and offer of one instrument."""
    view, grid = asking.exchange.look(symbol), asking.exchange.grids[symbol]
    bid, ask = max(view.bids, default=0), min(view.asks, default=0)
    return {
        "symbol": symbol,
        "bidPrice": grid.price(bid),
        "bidQty": grid.quantity(view.bids.get(bid, 0)),
        "askPrice": grid.price(ask),
        "askQty": grid.quantity(view.asks.get(ask, 0)),
        "time": asking.now_ms,
        "lastUpdateId": view.last,
    }


def premium_index(asking: Asking) -> Any:
    """Tell mark, index and funding."""
    exchange = asking.exchange
    found: list[dict[str, Any]] = []
    for symbol in asking.symbols():
        desk, grid = exchange.floor.desks[symbol], exchange.grids[symbol]
        found.append(
            {
                "symbol": symbol,
                "markPrice": grid.price(desk.prices.mark),
                "indexPrice": grid.price(exchange.floor.desks[symbol.partition("_")[0]].prices.mark),
                "estimatedSettlePrice": grid.price(desk.prices.mark),
                "lastFundingRate": "" if desk.contract.delivers_us else fixed(rate(desk.state), 8),
                "interestRate": "" if desk.contract.delivers_us else "0.00010000",
                "nextFundingTime": 0 if desk.contract.delivers_us else next_funding(asking.now) // 1_000,
                "time": asking.now_ms,
            }
        )
    return _one_or_all(asking, found)


def next_funding(now: int) -> int:
    """Return the next funding instant, microseconds."""
    return now - now % INTERVAL_US + INTERVAL_US


def funding_rates(asking: Asking) -> Any:
    """Tell past funding rates, oldest first: what was paid here, and made-up ones from before the exchange began."""
    request = asking.request
    end = min((request.whole("endTime") or asking.now_ms) * 1_000, asking.now)
    start = (request.whole("startTime") or 0) * 1_000
    limit = request.limit(100, 1_000)
    found: list[dict[str, Any]] = []
    for symbol in asking.symbols():
        if asking.exchange.floor.contracts[symbol].delivers_us is not None:
            continue
        grid, candles = asking.exchange.grids[symbol], asking.exchange.candles[symbol]
        first = max(start, candles.first_ms * 1_000)
        at = first + -first % INTERVAL_US
        paid: dict[int, tuple[int, int | None]] = {
            due: (its_rate, mark) for due, its_rate, mark in asking.exchange.funding[symbol]
        }
        while at <= end:
            drawn = hashlib.blake2b(f"{asking.exchange.seed}|{symbol}|{at}".encode(), digest_size=2).digest()
            then = candles.candles("1m", None, at // 1_000, 1) if at not in paid else []
            its_rate, mark = paid.get(at) or (int.from_bytes(drawn, "big") % 10_000, then[0].close if then else None)
            if at in paid or at <= asking.exchange.started:
                found.append(
                    {
                        "symbol": symbol,
                        "fundingTime": at // 1_000,
                        "fundingRate": fixed(its_rate, 8),
                        "markPrice": "" if mark is None else grid.price(mark),
                        "rateType": "Regular",
                    }
                )
            at += INTERVAL_US
    found.sort(key=lambda row: row["fundingTime"])
    return found[:limit] if start else found[-limit:]


def funding_info(asking: Asking) -> Any:
    """Tell the bounds of funding."""
    return [
        {
            "symbol": symbol,
            "adjustedFundingRateCap": "0.00300000",
            "adjustedFundingRateFloor": "-0.00300000",
            "fundingIntervalHours": 8,
            "interestRate": "0.00010000",
            "disclaimer": False,
        }
        for symbol in asking.listed
        if asking.exchange.floor.contracts[symbol].delivers_us is None
    ]


def open_interest(asking: Asking) -> Any:
    """Tell how many contracts are open: those of accounts here, and as many of the crowd's as make a market."""
    symbol = asking.symbol()
    floor = asking.exchange.floor
    held = sum(
        holding.lots
        for account in floor.accounts.values()
        for key, holding in account.holdings.items()
        if key.partition("|")[0] == symbol and holding.lots > 0
    )
    crowd = floor.contracts[symbol].depth_max * 1_000
    quantity = asking.exchange.grids[symbol].quantity(crowd + held)
    return {"symbol": symbol, "openInterest": quantity, "time": asking.now_ms}


def asset_index(asking: Asking) -> Any:
    """Tell what assets count as margin; here the settlement currency alone."""
    return [{"symbol": "USDTUSD", "time": asking.now_ms, "index": "1.00000000", "bidRate": "1", "askRate": "1"}]


def adl_risk(asking: Asking) -> Any:
    """Tell how near instruments are to deleveraging: near once the insurance fund is used up."""
    spent = asking.exchange.floor.insurance is not None and asking.exchange.floor.insurance <= 0
    found = [
        {"symbol": symbol, "adlRisk": "high" if spent else "low", "updateTime": asking.now_ms}
        for symbol in asking.symbols()
    ]
    return _one_or_all(asking, found)


def insurance(asking: Asking) -> Any:
    """Tell what the insurance fund holds, where it has an end."""
    left = asking.exchange.floor.insurance
    assets = [] if left is None else [{"asset": SETTLEMENT, "marginBalance": money(left), "updateTime": asking.now_ms}]
    found = {"symbols": asking.symbols(), "assets": assets}
    return found if asking.request.text("symbol") else [found]


def constituents(asking: Asking) -> Any:
    """Tell what an index is made of: the price of this exchange alone."""
    symbol = asking.symbol()
    price = asking.exchange.grids[symbol].price(asking.exchange.floor.desks[symbol].prices.mark)
    only = {"exchange": "simexchange", "symbol": symbol, "price": price, "weight": "1.00000000"}
    return {"symbol": symbol, "time": asking.now_ms, "constituents": [only]}


def nothing(_asking: Asking) -> Any:
    """Tell that there is none of it here."""
    return []


def schedules(asking: Asking) -> Any:
    """Tell when contracts on shares and goods are traded: there are none here."""
    return {"updateTime": asking.now_ms, "marketSchedules": {}}


def _one_or_all(asking: Asking, found: list[dict[str, Any]]) -> Any:
    return found[0] if asking.request.text("symbol") else found


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "ping"): Route(ping),
    ("GET", "time"): Route(time),
    ("GET", "exchangeInfo"): Route(exchange_info),
    ("GET", "depth"): Route(depth, weight=5),
    ("GET", "trades"): Route(trades, weight=5),
    ("GET", "historicalTrades"): Route(trades, weight=20),
    ("GET", "aggTrades"): Route(aggregate_trades, weight=20),
    ("GET", "klines"): Route(klines, weight=2),
    ("GET", "continuousKlines"): Route(klines, weight=2),
    ("GET", "indexPriceKlines"): Route(klines, weight=2),
    ("GET", "premiumIndexKlines"): Route(premium_klines, weight=2),
    ("GET", "rpiDepth"): Route(depth, weight=20),
    ("GET", "markPriceKlines"): Route(klines, weight=2),
    ("GET", "premiumIndex"): Route(premium_index),
    ("GET", "fundingRate"): Route(funding_rates),
    ("GET", "fundingInfo"): Route(funding_info),
    ("GET", "ticker/24hr"): Route(ticker_day),
    ("GET", "ticker/price"): Route(ticker_price),
    ("GET", "ticker/bookTicker"): Route(ticker_book, weight=2),
    ("GET", "openInterest"): Route(open_interest),
    ("GET", "symbolAdlRisk"): Route(adl_risk),
    ("GET", "insuranceBalance"): Route(insurance),
    ("GET", "constituents"): Route(constituents, weight=2),
    ("GET", "assetIndex"): Route(asset_index),
    ("GET", "indexInfo"): Route(nothing),
    ("GET", "tradingSchedule"): Route(schedules),
}
