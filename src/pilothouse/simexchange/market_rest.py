"""Public market data over REST: books, tickers, marks and funding; rules and trades have files of their own."""

import hashlib
from typing import Any

from pilothouse.simexchange import rules_rest, trade_rest
from pilothouse.simexchange.asking import Asking, Route
from pilothouse.simexchange.figures import fixed, money
from pilothouse.simexchange.wire_errors import WireError
from pilothouse.simulation.contracts import SETTLEMENT
from pilothouse.simulation.funding import INTERVAL_US, rate

_DEPTHS = (5, 10, 20, 50, 100, 500, 1_000)


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


ROUTES: dict[tuple[str, str], Route] = (
    rules_rest.ROUTES
    | trade_rest.ROUTES
    | {
        ("GET", "depth"): Route(depth, weight=5),
        ("GET", "rpiDepth"): Route(depth, weight=20),
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
)
