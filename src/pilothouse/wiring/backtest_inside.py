"""What is finer than the bars of a backtest: words go in; candles or trades below the bars come out, with a note.

Kept candles of the venue where there are any, or a file of candles or of trades. Holes are no error here: a bar below
which nothing is known is walked on the pessimistic path, and the result says how many those were.
"""

from pathlib import Path

from pilothouse.backtest.inside import TRADES, Finer, Tape
from pilothouse.backtest.portfolio import calendar_of
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_columns import candles_of
from pilothouse.marketdata.foreign_candles import read_candles, sound
from pilothouse.marketdata.foreign_series import read_trades
from pilothouse.marketdata.timeframes import timeframe
from pilothouse.wiring.backtest_data import Asked, Found


def is_length(words: str) -> bool:
    """Say whether words name a length such as 1m, so that kept candles are meant and not a file."""
    try:
        return timeframe(words).span_ms > 0
    except Invalid:
        return False


def add_file(found: Found, asked: Asked, words: str) -> None:
    """Put the candles or trades of a file below the bars; `trades:FILE` says that it is trades. Raises Invalid."""
    symbol = next(iter(found.candles))
    told, mark, rest = words.partition(":")
    is_trades = bool(mark) and told == TRADES
    path = Path(rest if is_trades else words)
    if not path.exists():
        allowed = "a length of kept candles such as 1m (with --venue), a file of candles, or trades:FILE"
        raise Invalid([Problem("inside", f"{words[:80]!r} came", allowed, "unknown")])
    if is_trades or "trades" in path.name.lower():
        trades = read_trades(path, zone=asked.zone)
        tape = Tape(
            symbol, trades.at_ms, trades.price, trades.quantity, trades.price_digits, trades.quantity_digits
        )  # fmt: skip
        put(found, tape, TRADES, f"inside the bars: trades of {path.name}")
        return
    clean = sound(read_candles(path, zone=asked.zone), leave_out=asked.leave_out)
    finer = candles_of(symbol, timeframe(clean.timeframe).span_ms, clean.bars)
    put(found, finer, clean.timeframe, f"inside the bars: {clean.timeframe} of {path.name}")


def put(found: Found, finer: Finer, named: str, note: str) -> None:
    """Put finer data below the bars of its market. Raises Invalid."""
    candles = found.candles[finer.symbol]
    if not len(finer):
        raise Invalid([Problem("inside", f"no {named} below the bars", "data of the same time as the bars", "empty")])
    if isinstance(finer, Candles) and (finer.span_ms >= candles.span_ms or candles.span_ms % finer.span_ms):
        allowed = f"a part of {found.timeframe}, such as 1m"
        raise Invalid([Problem("inside", f"{named} came", allowed, "not_finer")])
    found.finer[candles.symbol], found.inside = finer, named
    found.notes.append(f"{note}, {len(finer):,} rows")


def told(found: Found, pessimistic: int | None) -> list[str]:
    """Return what a result says about the way inside its bars."""
    if pessimistic is None:
        return []
    walked = [each for symbol, each in found.candles.items() if symbol in found.finer]
    bars = len(calendar_of(walked or list(found.candles.values())[:1]))
    if not pessimistic:
        return [f"every one of {bars:,} bars was walked along {found.inside}"]
    why = f"no {found.inside} below them tell the same open, high, low and close"
    return [f"{pessimistic:,} of {bars:,} bars took the pessimistic path: {why}"]
