"""What is finer than the bars of a backtest: words go in; candles or trades below the bars come out, with a note.

Kept candles of the venue where there are any, or a file of candles or of trades. Holes are no error here: a bar below
which nothing is known is walked on the pessimistic path, and the result says how many those were.
"""

from collections.abc import Sequence
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
from pilothouse.wiring.backtest_funding import market_of


def is_length(words: str) -> bool:
    """Say whether words name a length such as 1m, so that kept candles are meant and not a file."""
    try:
        return timeframe(words).span_ms > 0
    except Invalid:
        return False


def words_of(asked: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return what was asked for as words: none, one, or one for each market."""
    if asked is None:
        return ()
    return (asked,) if isinstance(asked, str) else tuple(asked)


def length_of(words: Sequence[str], *, has_files: bool) -> str:
    """Return the length of the kept candles that are meant, empty where files are.

    has_files   whether the bars themselves come from files
    Raises Invalid for a length beside files, or beside another word.
    """
    lengths = [each for each in words if is_length(each)]
    if lengths and has_files:
        allowed = "a file of finer candles or trades:FILE; kept candles stand below kept ones (a venue)"
        raise Invalid([Problem("inside", f"{lengths[0]} came beside files of candles", allowed, "no_venue")])
    if lengths and len(words) > 1:
        allowed = "one length for all markets, or a file for each: SYMBOL=FILE"
        raise Invalid([Problem("inside", f"{' and '.join(words)[:120]} came", allowed, "both")])
    return lengths[0] if lengths else ""


def add_files(found: Found, asked: Asked, words: Sequence[str]) -> None:
    """Put the candles or trades of files below the bars of what is traded. Raises Invalid.

    words   FILE, trades:FILE, SYMBOL=FILE or SYMBOL=trades:FILE; without a symbol the market is the one that the name
            of the file tells, or the only one
    """
    traded = found.traded or asked.traded or tuple(found.candles)[:1]
    for given in words:
        symbol, named, rest = given.partition("=")
        told, mark, behind = (rest if named else given).partition(":")
        is_trades = bool(mark) and told == TRADES
        path = Path(behind if is_trades else rest if named else given)
        if not path.exists():
            allowed = "a length of kept candles such as 1m (with --venue), a file of candles, or trades:FILE"
            raise Invalid([Problem("inside", f"{given[:80]!r} came", allowed, "unknown")])
        symbol = symbol if named else market_of(path, traded, "inside", "SYMBOL=FILE")
        if symbol not in traded:
            allowed = f"one of what is traded: {', '.join(traded)}"
            raise Invalid([Problem("inside", f"{symbol[:40]!r} came", allowed, "unknown")])
        if symbol in found.finer:
            raise Invalid([Problem("inside", f"{symbol} twice", "one file for each market", "twice")])
        _add_file(found, asked, symbol, path, is_trades=is_trades)
    missing = [each for each in traded if each not in found.finer]
    if missing:
        allowed = f"one for each market that is traded: {missing[0]}=FILE"
        raise Invalid([Problem("inside", f"nothing finer for {', '.join(missing)}", allowed, "missing")])


def _add_file(found: Found, asked: Asked, symbol: str, path: Path, *, is_trades: bool) -> None:
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
    if found.inside and found.inside != named:
        came, allowed = f"{named} below {candles.symbol}, {found.inside} below another", "one kind below all markets"
        raise Invalid([Problem("inside", came, allowed, "different")])
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
