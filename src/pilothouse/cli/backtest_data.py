"""Candles for a backtest: a file, or what the data folder keeps, goes in; candles and what to know of them come out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilothouse.core.candles import Candles
    from pilothouse.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """Where candles are to come from: files, or venue and symbols.

    files        the first is traded, the others may be looked at; `SYMBOL=FILE` names one
    zone, span   for files, see `foreign_candles.read_candles`
    leave_out    kinds of faulty rows of files that may be left out
    since, until as they were typed
    """

    files: tuple[str, ...] = ()
    venue: str = ""
    symbols: tuple[str, ...] = ()
    timeframe: str = ""
    zone: str | None = None
    span: str | None = None
    leave_out: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    @classmethod
    def of(
        cls, data: list[str] | None, venue: str, symbols: list[str] | None, length: str, *more: str | None,
        leave_out: list[str] | None,
    ) -> "Asked":  # fmt: skip
        """Return what was typed; `more` are zone, span, since and until, in this order."""
        zone, span, since, until = more
        files, kinds = tuple(data or ()), tuple(leave_out or ())
        return cls(files, venue, tuple(symbols or ()), length, zone, span, kinds, since, until)


@dataclass(slots=True)
class Found:
    """Candles by symbol, the first one traded; notes for people."""

    candles: "dict[str, Candles]" = field(default_factory=dict)
    timeframe: str = ""
    venue: str = ""
    notes: list[str] = field(default_factory=list)


def find(settings: "Settings", asked: Asked) -> Found:
    """Return the candles. Raises Invalid, CandlesUnsound, CandlesMissing, Refused."""
    from pilothouse.core.errors import Invalid, Problem

    if bool(asked.files) == bool(asked.venue):
        raise Invalid([Problem("data", "both" if asked.files else "neither", "--data FILE, or --venue with --symbol")])
    found = _of_files(asked) if asked.files else _of_folder(settings, asked)
    for symbol, candles in found.candles.items():
        if not len(candles):
            raise Invalid([Problem("data", f"no candle of {symbol}", "candles between --from and --until", "empty")])
    return found


def _of_files(asked: Asked) -> Found:
    from pilothouse.core.errors import Invalid, Problem
    from pilothouse.marketdata.candles import candles_of
    from pilothouse.marketdata.foreign_candles import read_candles, sound, symbol_of
    from pilothouse.marketdata.timeframes import timeframe

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
        start, until = _between(asked)
        bars = clean.bars.between(start, until)
        if symbol in found.candles:
            raise Invalid([Problem("data", f"{symbol} twice", "a symbol of its own for each: SYMBOL=FILE", "twice")])
        found.candles[symbol] = candles_of(symbol, span.span_ms, bars)
        found.timeframe = found.timeframe or clean.timeframe
        found.notes.append(f"{path.name}: {clean.layout} layout, {clean.timeframe}; {faults}")
        if not clean.has_volume:
            found.notes.append(f"{path.name} has no volume: rules on volume find none")
    return found


def _of_folder(settings: "Settings", asked: Asked) -> Found:
    from pilothouse.cli.candle_reach import opened
    from pilothouse.core.errors import Invalid, Problem
    from pilothouse.marketdata.candles import Why, candles_of, load
    from pilothouse.wiring.candle_desk import files_of, kept_series, overview

    if not asked.symbols or not asked.timeframe:
        raise Invalid([Problem("symbol", "none", "--symbol and --timeframe beside --venue", "missing")])
    found = Found(venue=asked.venue, timeframe=asked.timeframe)
    start, until = _between(asked)
    with opened(settings) as (house, _):
        for symbol in asked.symbols:
            series = kept_series(asked.venue, symbol, asked.timeframe)
            rows = overview(house.database, venue=series.venue, symbol=symbol)
            first, last = _kept_span(rows)
            columns = load(house.database, files_of(settings), series, max(start, first), min(until, last))
            lost = sum(each.until_ms - each.start_ms for each in columns.missing if each.why is not Why.VENUE_HAS_NONE)
            if lost:
                allowed = "candles without holes: pilothouse data download fetches them, data check names them"
                raise Invalid([Problem("data", f"{symbol} lacks {lost // 60_000} minutes", allowed, "holes")])
            found.candles[symbol] = candles_of(symbol, series.each.span_ms, columns.bars)
            gaps = len(columns.missing)
            found.notes.append(f"{series}: {gaps} gaps that the venue has itself" if gaps else f"{series}: no gaps")
    return found


def _kept_span(rows: "list[dict[str, object]]") -> tuple[int, int]:
    from pilothouse.cli import show
    from pilothouse.core.clock import millis

    begins = [millis(at) for row in rows if (at := show.instant(row["start"])) is not None]
    ends = [millis(at) for row in rows if (at := show.instant(row["until"])) is not None]
    return min(begins, default=0), max(ends, default=0)


def _between(asked: Asked) -> tuple[int, int]:
    from pilothouse.cli import show
    from pilothouse.cli.candle_reach import since_when
    from pilothouse.core.clock import millis

    start = millis(since_when(asked.since, show.now())) if asked.since else 0
    until = millis(since_when(asked.until, show.now())) if asked.until else 2**62
    return start, until
