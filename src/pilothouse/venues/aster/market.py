"""Prices at AsterDEX: quotes, candles and depth by request, and quotes put together from what the streams tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pilothouse.core.candle import Candle
from pilothouse.core.clock import from_micros, millis
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.quote import Quote
from pilothouse.venues.aster import wire
from pilothouse.venues.aster.rest import Call, Rest

TIMEFRAMES: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
"""How long a candle may be."""

CANDLES_MOST: Final = 1_500
RATES_MOST: Final = 1_000
"""Of funding, in one answer."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The best levels of a book, best first: (price, quantity)."""

    update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    at: datetime


@dataclass(slots=True)
class _Parts:
    """What is known of one instrument so far."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    mark: Decimal | None = None
    last: Decimal | None = None
    at: datetime | None = None
    bid_quantity: Decimal | None = None
    ask_quantity: Decimal | None = None
    funding_rate: Decimal | None = None
    funding_at: datetime | None = None
    book_at: datetime | None = None
    mark_at: datetime | None = None
    last_at: datetime | None = None


class Prices:
    """Puts quotes together: best prices, mark and last come in messages of their own. Used by one thread at a time."""

    def __init__(self, source: str) -> None:
        """Name `source` in every quote."""
        self._source = source
        self._parts: dict[str, _Parts] = {}

    def take(self, message: wire.Row) -> Quote | None:
        """Take in one message of a stream; return the quote of its instrument if all of it is known."""
        kind = message.get("e")
        at = wire.instant(message, "T", "E") if kind == "bookTicker" else None
        if at is not None:
            parts = self._of(message)
            parts.book_at = max(parts.book_at or at, at)
            parts.bid, parts.ask = wire.number(message, "b"), wire.number(message, "a")
            parts.bid_quantity, parts.ask_quantity = _size(message, "B"), _size(message, "A")
        elif kind == "markPriceUpdate":
            parts = self._of(message)
            parts.mark, parts.mark_at = wire.number(message, "p"), wire.instant(message, "E")
            parts.funding_rate, parts.funding_at = _funding(message, "r", "T")
        elif kind in {"24hrMiniTicker", "24hrTicker"}:
            parts = self._of(message)
            parts.last, parts.last_at = wire.number(message, "c"), wire.instant(message, "E")
        elif kind == "aggTrade":
            parts = self._of(message)
            parts.last, parts.last_at = wire.number(message, "p"), wire.instant(message, "E")
        else:
            return None
        at = at or wire.instant(message, "E")
        parts.at = max(parts.at or at, at)
        return self._quote(wire.text(message, "s"), parts)

    def put(self, quotes: Iterable[Quote]) -> None:
        """Begin with quotes that were asked for."""
        for quote in quotes:
            self._parts[quote.symbol] = _Parts(
                quote.bid, quote.ask, quote.mark, quote.last, quote.at, quote.bid_quantity, quote.ask_quantity,
                quote.funding_rate, quote.funding_at, quote.book_at or quote.at, quote.mark_at or quote.at,
                quote.last_at or quote.at,
            )  # fmt: skip

    def _of(self, message: wire.Row) -> _Parts:
        return self._parts.setdefault(wire.text(message, "s"), _Parts())

    def _quote(self, symbol: str, parts: _Parts) -> Quote | None:
        if parts.bid is None or parts.ask is None or parts.mark is None or parts.last is None or parts.at is None:
            return None
        if not 0 < parts.bid < parts.ask or parts.mark <= 0 or parts.last <= 0:
            return None  # an empty or a crossed book has no price to go by
        return Quote(
            symbol, parts.bid, parts.ask, parts.mark, parts.last, parts.at, self._source,
            parts.bid_quantity, parts.ask_quantity, parts.funding_rate, parts.funding_at, parts.book_at, parts.mark_at,
            parts.last_at,
        )  # fmt: skip


def quotes_of(rest: Rest, symbols: Iterable[str]) -> list[Quote]:
    """Ask for present prices, the best prices last: they are not older than the mark. Raises Unavailable."""
    marks = _by_symbol(rest, "/fapi/v3/premiumIndex", 1)
    lasts = _by_symbol(rest, "/fapi/v3/ticker/price", 2)
    books = _by_symbol(rest, "/fapi/v3/ticker/bookTicker", 2)
    quotes = []
    for symbol in symbols:
        book, mark, last = books.get(symbol), marks.get(symbol), lasts.get(symbol)
        if book is None or mark is None or last is None:
            continue
        bid, ask = wire.number(book, "bidPrice"), wire.number(book, "askPrice")
        if 0 < bid < ask:
            at = wire.instant(book, "time") if book.get("time") else wire.instant(mark, "time")
            marked, traded = wire.number(mark, "markPrice"), wire.number(last, "price")
            sizes = _size(book, "bidQty"), _size(book, "askQty")
            funding = _funding(mark, "lastFundingRate", "nextFundingTime")
            quotes.append(Quote(symbol, bid, ask, marked, traded, at, rest.endpoint.venue, *sizes, *funding))
    return quotes


def candles_of(rest: Rest, symbol: str, timeframe: str, start: datetime, end: datetime, now: datetime) -> list[Candle]:
    """Ask for candles that open from `start` to `end`, oldest first, up to 1,500 of them. Raises Unavailable.

    timeframe   one of TIMEFRAMES
    """
    assert timeframe in TIMEFRAMES, "ask for a timeframe that the venue has"
    params = (
        ("symbol", symbol),
        ("interval", timeframe),
        ("startTime", str(millis(start))),
        ("endTime", str(millis(end))),
        ("limit", str(CANDLES_MOST)),
    )
    answer = rest.read(Call("GET", "/fapi/v3/klines", params, weight=10, public=True))
    if not isinstance(answer, list):
        raise wire.NotUnderstood("candles should be a list")
    return [_candle(row, now) for row in answer]


def funding_of(rest: Rest, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
    """Ask for the funding rates from `start` to `end`, oldest first, up to 1,000 of them. Raises Unavailable."""
    params = (
        ("symbol", symbol),
        ("startTime", str(millis(start))),
        ("endTime", str(millis(end))),
        ("limit", str(RATES_MOST)),
    )
    told = wire.rows(rest.read(Call("GET", "/fapi/v3/fundingRate", params, public=True)))
    return [FundingRate(wire.instant(row, "fundingTime"), wire.number(row, "fundingRate")) for row in told]


def depth_of(rest: Rest, symbol: str, levels: int = 100) -> Depth:
    """Ask for the best levels of a book: 5, 10, 20, 50, 100, 500 or 1000 of them. Raises Unavailable."""
    call = Call("GET", "/fapi/v3/depth", (("symbol", symbol), ("limit", str(levels))), weight=20, public=True)
    book = wire.row(rest.read(call))
    at = wire.instant(book, "T", "E")
    return Depth(int(wire.number(book, "lastUpdateId")), _levels(book.get("bids")), _levels(book.get("asks")), at)


def _size(told: wire.Row, name: str) -> Decimal | None:
    """Return what stands at a price, if it is told."""
    return wire.number(told, name) if told.get(name) is not None else None


def _funding(told: wire.Row, rate: str, at: str) -> tuple[Decimal | None, datetime | None]:
    """Return the funding rate and when it is paid next; nothing for what has no funding."""
    if not told.get(rate) or not told.get(at):
        return None, None
    return wire.number(told, rate), wire.instant(told, at)


def _by_symbol(rest: Rest, path: str, weight: int) -> dict[str, wire.Row]:
    answer = rest.read(Call("GET", path, weight=weight, public=True))
    found = wire.rows(answer) if isinstance(answer, list) else [wire.row(answer)]
    return {wire.text(row, "symbol"): row for row in found}


def _candle(row: Any, now: datetime) -> Candle:
    if not isinstance(row, list) or len(row) < 7:
        raise wire.NotUnderstood("a candle should be a list of twelve")
    told = {str(index): value for index, value in enumerate(row)}
    opened, closes = (from_micros(int(wire.number(told, index)) * 1_000) for index in "06")
    first, high, low, last, volume = (wire.number(told, index) for index in "12345")
    return Candle(opened, first, high, low, last, volume, closed=closes + timedelta(milliseconds=1) <= now)


def _levels(side: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    if not isinstance(side, list) or not all(isinstance(level, list) and len(level) >= 2 for level in side):
        raise wire.NotUnderstood("a side of a book should be a list of pairs")
    named = [{"price": level[0], "quantity": level[1]} for level in side]
    return tuple((wire.number(level, "price"), wire.number(level, "quantity")) for level in named)
