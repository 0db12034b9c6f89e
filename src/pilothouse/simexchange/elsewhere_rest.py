"""What is asked of the venue besides trading: market statistics, and what clients look for when they start.

Statistics are drawn from the candles and the seed. Of the wallet family only that is answered which says something
here; for lists of what does not exist (deposits, loans, margin pairs) the answer is an empty one.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from pilothouse.simexchange.candles import INTERVALS, Candle
from pilothouse.simexchange.exchange import Exchange
from pilothouse.simexchange.figures import fixed, money
from pilothouse.simexchange.keys import ApiKey
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.transfers import move
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.contracts import SETTLEMENT
from pilothouse.simulation.delivery import with_basis
from pilothouse.simulation.spot import COMMISSION_PPM

_PLACES = re.compile(r"/(?:sapi|dapi|eapi|papi)/v[0-9]/(.+)")
_STATISTICS = re.compile(r"/futures/data/([A-Za-z]+)")
_PERIODS = frozenset({"5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"})
_ROWS = frozenset(
    {"margin/interestHistory", "asset/transfer", "futures/transfer", "margin/transfer", "simple-earn/flexible/position"}
)
"""Lists that come with a count."""


def answered(exchange: Exchange, request: Request, now_ms: int) -> Any:
    """Answer such a request; raises WireError."""
    statistic = _STATISTICS.fullmatch(request.path)
    if statistic is not None and statistic.group(1) == "basis":
        return _basis(exchange, request)
    if request.path == "/futures/data/delivery-price":
        return _deliveries(exchange, request)
    if statistic is not None:
        handler = _SERIES.get(statistic.group(1))
        if handler is None:
            raise WireError(-1000, f"Path {request.path} not found", status=404)
        return _series(exchange, request, handler)
    found = _PLACES.fullmatch(request.path)
    if found is None:
        raise WireError(-1000, f"Path {request.path} not found", status=404)
    name = found.group(1)
    if name.endswith("exchangeInfo"):
        return {"timezone": "UTC", "serverTime": now_ms, "rateLimits": [], "exchangeFilters": [], "symbols": []}
    if name == "time":
        return {"serverTime": now_ms}
    if name == "ping":
        return {}
    if name == "system/status":
        return {"status": 0, "msg": "normal"}
    key = exchange.keys.signed(request, now_ms)
    if name in {"asset/transfer", "futures/transfer"} and request.method == "POST":
        return {"tranId": move(exchange, key.account_id, request, request.need("type"))}
    return _of_account(exchange, key, name)


def _of_account(exchange: Exchange, key: ApiKey, name: str) -> Any:
    if name == "account/apiRestrictions":
        return {
            "ipRestrict": False,
            "createTime": exchange.started // 1_000,
            "enableReading": True,
            "enableFutures": key.may_trade,
            "enableWithdrawals": key.may_withdraw,
            "enableInternalTransfer": False,
            "enableSpotAndMarginTrading": key.may_trade,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableMargin": False,
            "enablePortfolioMarginTrading": False,
        }
    if name == "account/status":
        return {"data": "Normal"}
    if name == "account/apiTradingStatus":
        return {"data": {"isLocked": not key.may_trade, "plannedRecoverTime": 0, "updateTime": 0}}
    if name == "asset/tradeFee":
        each = fixed(COMMISSION_PPM, 6)
        symbols = exchange.listed(with_quarters=False)
        return [{"symbol": symbol, "makerCommission": each, "takerCommission": each} for symbol in symbols]
    if name == "capital/config/getall":
        return [_coin(exchange, key, asset) for asset in _assets(exchange)]
    return {"total": 0, "rows": []} if name in _ROWS else []


def _assets(exchange: Exchange) -> list[str]:
    bases = (exchange.floor.contracts[each].instrument.base for each in exchange.listed(with_quarters=False))
    return list(dict.fromkeys([SETTLEMENT, *bases]))


def _coin(exchange: Exchange, key: ApiKey, asset: str) -> dict[str, Any]:
    """Return a coin as the wallet shows it; it moves over one network, and in deposits of the control alone."""
    account = exchange.spot.accounts.get(key.account_id)
    free, locked = (account.free, account.locked) if account is not None else ({}, {})
    network = {
        "network": asset,
        "coin": asset,
        "name": asset,
        "isDefault": True,
        "depositEnable": True,
        "withdrawEnable": True,
        "withdrawFee": "0",
        "withdrawMin": "0.00000001",
        "withdrawMax": "1000000",
        "withdrawIntegerMultiple": "0.00000001",
        "depositDust": "0",
        "minConfirm": 1,
        "unLockConfirm": 0,
        "busy": False,
    }
    return {
        "coin": asset,
        "name": asset,
        "depositAllEnable": True,
        "withdrawAllEnable": True,
        "trading": True,
        "isLegalMoney": False,
        "free": money(free.get(asset, 0)),
        "locked": money(locked.get(asset, 0)),
        "freeze": "0",
        "ipoable": "0",
        "ipoing": "0",
        "storage": "0",
        "withdrawing": "0",
        "networkList": [network],
    }


# ── statistics ────────────────────────────────────────────────────────────────────────────────────


def _deliveries(exchange: Exchange, request: Request) -> list[dict[str, Any]]:
    """Return at what prices contracts of a pair were settled, the latest first."""
    pair = request.need("pair").upper()
    if pair not in exchange.floor.contracts:
        raise WireError(-1121)
    return [
        {"deliveryTime": at // 1_000, "deliveryPrice": msgspec.Raw(exchange.grids[symbol].price(ticks).encode())}
        for symbol, (at, ticks) in reversed(exchange.delivered.items())
        if symbol.partition("_")[0] == pair
    ]


Series = Callable[[Exchange, str, Candle, int], dict[str, Any]]


def _series(exchange: Exchange, request: Request, handler: Series) -> list[dict[str, Any]]:
    """Return one row for each period; the newest last."""
    symbol = (request.text("symbol") or request.text("pair")).upper()
    if not symbol:
        raise missing("symbol")
    if symbol not in exchange.floor.contracts:
        raise WireError(-1121)
    period = request.need("period")
    if period not in _PERIODS:
        raise WireError(-1130, "Data sent for parameter 'period' is not valid.")
    candles = exchange.candles[symbol].candles(
        period, request.whole("startTime"), request.whole("endTime"), request.limit(30, 500)
    )
    return [handler(exchange, symbol, each, each.opened + INTERVALS[period]) for each in candles]


def _basis(exchange: Exchange, request: Request) -> list[dict[str, Any]]:
    """Return how far a contract is from its index, by period: nothing for a perpetual, whose mark the index is."""
    pair, kind = request.need("pair").upper(), request.text("contractType", "PERPETUAL").upper()
    quarter = next((each for each in exchange.floor.contracts if each.startswith(f"{pair}_")), pair)
    symbol = pair if kind == "PERPETUAL" else quarter
    if pair not in exchange.floor.contracts or (kind != "PERPETUAL" and quarter == pair):
        raise WireError(-1121)
    asked = Request("GET", request.path, request.query, "", request.headers)
    asked.params = {**request.params, "symbol": pair}

    def row(exchange: Exchange, _symbol: str, candle: Candle, at: int) -> dict[str, Any]:
        grid, index = exchange.grids[pair], candle.close
        ends = exchange.floor.contracts[symbol].delivers_us
        price = index if ends is None else with_basis(index, at * 1_000, ends)
        return {
            "pair": pair,
            "contractType": kind,
            "indexPrice": grid.price(index),
            "futuresPrice": grid.price(price),
            "basis": grid.price(price - index),
            "basisRate": fixed((price - index) * 10_000 // index, 4),
            "annualizedBasisRate": "",
            "timestamp": at,
        }

    return _series(exchange, asked, row)


def _drawn(exchange: Exchange, symbol: str, use: str, at: int) -> int:
    """Return a number below 10,000 that depends on the seed and the arguments alone."""
    text = f"{exchange.seed}|{symbol}|{use}|{at}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") % 10_000


def _open_interest(exchange: Exchange, symbol: str, candle: Candle, at: int) -> dict[str, Any]:
    contract = exchange.floor.contracts[symbol]
    lots = contract.depth_max * (950 + _drawn(exchange, symbol, "interest", at) // 100)
    return {
        "symbol": symbol,
        "sumOpenInterest": exchange.grids[symbol].quantity(lots),
        "sumOpenInterestValue": money(lots * candle.close * contract.unit),
        "CMCCirculatingSupply": "0.00000000",
        "timestamp": at,
    }


def _long_short(use: str) -> Series:
    def row(exchange: Exchange, symbol: str, _candle: Candle, at: int) -> dict[str, Any]:
        longs = 4_000 + _drawn(exchange, symbol, use, at) // 5
        shorts = 10_000 - longs
        return {
            "symbol": symbol,
            "longAccount": fixed(longs, 4),
            "shortAccount": fixed(shorts, 4),
            "longShortRatio": fixed(longs * 10_000 // shorts, 4),
            "timestamp": at,
        }

    return row


def _takers(exchange: Exchange, symbol: str, candle: Candle, at: int) -> dict[str, Any]:
    sold, grid = candle.lots - candle.bought_lots, exchange.grids[symbol]
    return {
        "buySellRatio": fixed(candle.bought_lots * 10_000 // max(1, sold), 4),
        "buyVol": grid.quantity(candle.bought_lots),
        "sellVol": grid.quantity(sold),
        "timestamp": at,
    }


_SERIES: dict[str, Series] = {
    "openInterestHist": _open_interest,
    "topLongShortAccountRatio": _long_short("top accounts"),
    "topLongShortPositionRatio": _long_short("positions"),
    "globalLongShortAccountRatio": _long_short("accounts"),
    "takerlongshortRatio": _takers,
}
