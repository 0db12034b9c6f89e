"""Candles for a backtest, from files or from what the data folder keeps, and what is to be known of them.

The command line and the API take their candles here, so that the same words mean the same bars.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.simulate import Funding
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_columns import candles_of
from pilothouse.marketdata.foreign_candles import read_candles, sound, symbol_of
from pilothouse.marketdata.timeframes import timeframe


@dataclass(frozen=True, slots=True)
class Asked:
    """Where candles are to come from: files, or venue and symbols.

    files               the first is traded, the others may be looked at; `SYMBOL=FILE` names one
    zone, span          for files, see `foreign_candles.read_candles`
    leave_out           kinds of faulty rows of files that may be left out
    traded              symbols that share an account; none: the first alone is traded
    start_ms, until_ms  milliseconds since 1970; as far as there are candles, unless told otherwise
    """

    files: tuple[str, ...] = ()
    venue: str = ""
    symbols: tuple[str, ...] = ()
    timeframe: str = ""
    zone: str | None = None
    span: str | None = None
    leave_out: tuple[str, ...] = ()
    start_ms: int = 0
    until_ms: int = 2**62
    traded: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """Candles by symbol, the first one traded; notes for people.

    traded          symbols that share an account; none: the first alone is traded
    finer, inside   what is below the bars of what is traded, and what it is called; none, unless asked for
    funding         rates of what is traded, by symbol; none, unless asked for
    unpaid          symbols of which was said that they pay no funding
    """

    candles: dict[str, Candles] = field(default_factory=dict)
    timeframe: str = ""
    venue: str = ""
    notes: list[str] = field(default_factory=list)
    traded: tuple[str, ...] = ()
    finer: dict[str, Finer] = field(default_factory=dict)
    inside: str = ""
    funding: dict[str, Funding] = field(default_factory=dict)
    unpaid: set[str] = field(default_factory=set)


def whole(found: Found) -> Found:
    """Return what was found. Raises Invalid where nothing was."""
    for symbol, candles in found.candles.items():
        if not len(candles):
            raise Invalid([Problem("data", f"no candle of {symbol}", "candles between --from and --until", "empty")])
    return found


def of_files(asked: Asked) -> Found:
    """Return the candles of files. Raises Invalid, CandlesUnsound."""
    found = Found(venue="file")
    for given in asked.files:
        name, named, rest = given.partition("=")
        path = Path(rest if named else given)
        symbol = name if named else symbol_of(path) or path.stem
        read = read_candles(path, zone=asked.zone, span=asked.span)
        faults = str(read.faults)
        clean = sound(read, leave_out=asked.leave_out)
        span = timeframe(clean.timeframe)
        if not span.span_ms:
            raise Invalid([Problem("timeframe", clean.timeframe, "candles of one length; months have none", "months")])
        bars = clean.bars.between(asked.start_ms, asked.until_ms)
        if symbol in found.candles:
            raise Invalid([Problem("data", f"{symbol} twice", "a symbol of its own for each: SYMBOL=FILE", "twice")])
        found.candles[symbol] = candles_of(symbol, span.span_ms, bars)
        found.timeframe = found.timeframe or clean.timeframe
        found.notes.append(f"{path.name}: {clean.layout} layout, {clean.timeframe}; {faults}")
        if not clean.has_volume:
            found.notes.append(f"{path.name} has no volume: rules on volume find none")
    return whole(found)
