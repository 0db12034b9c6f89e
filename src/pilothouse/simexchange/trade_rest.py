"""Trades and candles over REST, as everybody may ask for them."""

from typing import Any

from pilothouse.simexchange.asking import Asking, Route
from pilothouse.simexchange.candles import INTERVALS, SECOND, Candle, closes_at
from pilothouse.simexchange.figures import money
from pilothouse.simexchange.records import PublicTrade
from pilothouse.simexchange.wire_errors import WireError

_CONTRACT_TYPES = frozenset({"PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"})


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


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "trades"): Route(trades, weight=5),
    ("GET", "historicalTrades"): Route(trades, weight=20),
    ("GET", "aggTrades"): Route(aggregate_trades, weight=20),
    ("GET", "klines"): Route(klines, weight=2),
    ("GET", "continuousKlines"): Route(klines, weight=2),
    ("GET", "indexPriceKlines"): Route(klines, weight=2),
    ("GET", "premiumIndexKlines"): Route(premium_klines, weight=2),
    ("GET", "markPriceKlines"): Route(klines, weight=2),
}
