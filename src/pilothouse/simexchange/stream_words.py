"""What market streams say of candles, windows, marks and days: an instrument goes in, words of the venue come out."""

from typing import Any

from pilothouse.simexchange.asking import Asking
from pilothouse.simexchange.candles import Candle, closes_at, joined
from pilothouse.simexchange.exchange import Exchange
from pilothouse.simexchange.figures import fixed, money
from pilothouse.simexchange.market_rest import day_words, next_funding
from pilothouse.simexchange.records import BINANCE
from pilothouse.simexchange.requests import Request
from pilothouse.simulation.funding import rate


def now_ms(exchange: Exchange) -> int:
    """Return the exchange's time in milliseconds."""
    return exchange.clock.now() // 1_000


def kline(
    exchange: Exchange, symbol: str, interval: str, kind: str, candle: Candle, last: int, *, closed: bool
) -> dict[str, Any]:
    """Return a candle; `last` is the number of its last trade."""
    grid = exchange.grids[symbol]
    inner = {
        "t": candle.opened,
        "T": closes_at(interval, candle.opened),
        "s": symbol,
        "i": interval,
        "f": last - candle.trades + 1 if candle.trades else -1,
        "L": last if candle.trades else -1,
        "o": grid.price(candle.open),
        "c": grid.price(candle.close),
        "h": grid.price(candle.high),
        "l": grid.price(candle.low),
        "v": grid.quantity(candle.lots),
        "n": candle.trades,
        "x": closed,
        "q": money(candle.traded),
        "V": grid.quantity(candle.bought_lots),
        "Q": money(candle.bought),
        "B": "0",
    }
    if kind.startswith("continuousKline"):
        of = "PERPETUAL" if exchange.floor.contracts[symbol].delivers_us is None else "CURRENT_QUARTER"
        pair = symbol.partition("_")[0]
        return {"e": "continuous_kline", "E": now_ms(exchange), "ps": pair, "ct": of, "k": inner}
    return {"e": "kline", "E": now_ms(exchange), "s": symbol, "k": inner}


def window(exchange: Exchange, symbol: str, name: str, minutes: int, now: int) -> dict[str, Any]:
    """Return what the last so many minutes were like, under the name of that window."""
    grid, span = exchange.grids[symbol], joined(exchange.candles[symbol].minutes[-minutes:])
    change, last = span.close - span.open, exchange.trades[symbol][-1].number
    sign = "-" if change < 0 else ""
    return {
        "e": f"{name}Ticker", "E": now, "s": symbol, "p": sign + grid.price(abs(change)),
        "P": sign + fixed(abs(change) * 10_000 // span.open, 2), "o": grid.price(span.open),
        "h": grid.price(span.high), "l": grid.price(span.low), "c": grid.price(span.close),
        "w": grid.average(span.traded, span.lots, exchange.floor.contracts[symbol].unit), "v": grid.quantity(span.lots),
        "q": money(span.traded), "O": span.opened, "C": now, "F": last - span.trades + 1, "L": last,
        "n": span.trades,
    }  # fmt: skip


def mark(exchange: Exchange, symbol: str) -> dict[str, Any]:
    """Return the mark price, and the funding that comes next."""
    desk, grid = exchange.floor.desks[symbol], exchange.grids[symbol]
    price = grid.price(desk.prices.mark)
    return {
        "e": "markPriceUpdate", "E": now_ms(exchange), "s": symbol, "p": price, "ap": price, "i": price, "P": price,
        "r": "" if desk.contract.delivers_us else fixed(rate(desk.state), 8),
        "T": 0 if desk.contract.delivers_us else next_funding(exchange.clock.now()) // 1_000,
    }  # fmt: skip


def tickers(exchange: Exchange, symbol: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the day of an instrument, whole and in short."""
    asking = Asking(exchange, Request("GET", "", "", "", {}), BINANCE, "", 1)
    day, now = day_words(asking, symbol), now_ms(exchange)
    mini = {
        "E": now, "s": symbol, "c": day["lastPrice"], "o": day["openPrice"], "h": day["highPrice"],
        "l": day["lowPrice"], "v": day["volume"], "q": day["quoteVolume"],
    }  # fmt: skip
    ticker = mini | {
        "e": "24hrTicker", "p": day["priceChange"], "P": day["priceChangePercent"], "w": day["weightedAvgPrice"],
        "Q": day["lastQty"], "O": day["openTime"], "C": day["closeTime"], "F": day["firstId"], "L": day["lastId"],
        "n": day["count"],
    }  # fmt: skip
    return ticker, mini | {"e": "24hrMiniTicker"}
