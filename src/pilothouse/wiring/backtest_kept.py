"""Candles for a backtest from what the data folder keeps; holes that nobody asked the venue about are refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pilothouse.core.clock import millis
from pilothouse.core.errors import Invalid, Problem
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.candle_columns import candles_of
from pilothouse.marketdata.candles import Why, load
from pilothouse.marketdata.funding_kept import KeptRates, load_rates
from pilothouse.wiring.backtest_data import Asked, Found, whole
from pilothouse.wiring.backtest_funding import add_funding
from pilothouse.wiring.backtest_inside import put
from pilothouse.wiring.candle_desk import files_of, kept_series, overview
from pilothouse.wiring.funding_desk import kept_funding, rate_files


def of_folder(database: Database, settings: Settings, asked: Asked) -> Found:
    """Return the candles that the data folder keeps. Raises Invalid, CandlesMissing."""
    if not asked.symbols or not asked.timeframe:
        raise Invalid([Problem("symbol", "none", "--symbol and --timeframe beside --venue", "missing")])
    found = Found(venue=asked.venue, timeframe=asked.timeframe, traded=asked.traded)
    for symbol in asked.symbols:
        series = kept_series(asked.venue, symbol, asked.timeframe)
        first, last = _kept_span(overview(database, venue=series.venue, symbol=symbol))
        columns = load(database, files_of(settings), series, max(asked.start_ms, first), min(asked.until_ms, last))
        lost = sum(each.until_ms - each.start_ms for each in columns.missing if each.why is not Why.VENUE_HAS_NONE)
        if lost:
            allowed = "candles without holes: pilothouse data download fetches them, data check names them"
            raise Invalid([Problem("data", f"{symbol} lacks {lost // 60_000} minutes", allowed, "holes")])
        found.candles[symbol] = candles_of(symbol, series.each.span_ms, columns.bars)
        gaps = len(columns.missing)
        found.notes.append(f"{series}: {gaps} gaps that the venue has itself" if gaps else f"{series}: no gaps")
    return whole(found)


def add_kept(database: Database, settings: Settings, found: Found, length: str) -> None:
    """Put kept candles of this length below the bars of the market that is traded, or of several. Raises Invalid."""
    for symbol in found.traded or tuple(found.candles)[:1]:
        candles, series = found.candles[symbol], kept_series(found.venue, symbol, length)
        first, last = int(candles.opened_ms[0]), int(candles.closed_ms[-1])
        columns = load(database, files_of(settings), series, first, last)
        put(found, candles_of(symbol, series.each.span_ms, columns.bars), length, f"inside the bars: {series}")


def add_kept_funding(database: Database, settings: Settings, found: Found, asked: Asked, words: Sequence[str]) -> None:
    """Put rates beside kept candles: those of files that `words` name, and the kept ones of all else that is traded.

    Raises Invalid, CandlesDamaged.
    """

    def kept(symbol: str) -> KeptRates:
        candles = found.candles[symbol]
        span = (int(candles.opened_ms[0]), int(candles.closed_ms[-1]))
        return load_rates(database, rate_files(settings), kept_funding(found.venue, symbol), *span)

    add_funding(found, asked, words, kept)


def _kept_span(rows: list[dict[str, Any]]) -> tuple[int, int]:
    begins = [millis(datetime.fromisoformat(row["start"])) for row in rows if row["start"] is not None]
    ends = [millis(datetime.fromisoformat(row["until"])) for row in rows if row["until"] is not None]
    return min(begins, default=0), max(ends, default=0)
