"""What a bench reads of a file of candles that a user sends: layout, span, and what is wrong with it."""

from pathlib import Path
from typing import Any, Final

from pilothouse.core.clock import from_micros, iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_columns import candles_of
from pilothouse.marketdata.foreign_candles import Foreign, read_candles, sound, symbol_of
from pilothouse.marketdata.foreign_series import read_funding
from pilothouse.marketdata.foreign_times import known_zone
from pilothouse.marketdata.funding_columns import gaps_of
from pilothouse.marketdata.timeframes import timeframe
from pilothouse.wiring.backtest_funding import in_ppb, refuse_large

_SHOWN: Final = 5
_UNPACKED_TIMES: Final = 20
_UNPACKED_LEAST, _UNPACKED_MOST = 2**28, 2**31
"""A packed file may hold 20 times its own size, and at least and at most so many bytes."""


def read(path: str, symbol: str, timezone: str | None, bar: str | None) -> dict[str, Any]:
    """Return what a file tells, as plain data; gaps and faulty rows are named, and are no reason to refuse it.

    symbol   empty: as the name of the file tells
    Raises Invalid for what is no table of candles, with the field.
    """
    file = Path(path)
    if timezone is not None:
        known_zone(timezone)
    try:
        found = read_candles(file, zone=timezone, span=bar, most_bytes=_most_bytes(file))
    except Invalid as wrong:
        raise Invalid([_without(path, problem) for problem in wrong.problems]) from wrong
    span = timeframe(found.timeframe)
    if not span.span_ms:
        raise Invalid([Problem("bar", found.timeframe, "candles of one length; months have none", "months")])
    symbol = symbol or symbol_of(file) or file.name.split(".")[0]
    kinds = found.faults.kinds
    rest = sound(found, leave_out=tuple(kinds))
    candles = candles_of(symbol, span.span_ms, rest.bars)
    if not len(candles):
        raise Invalid([Problem("file", "no sound row", "one or more", "empty")])
    return {
        "symbol": symbol, "layout": found.layout, "timeframe": found.timeframe, "bars": len(candles),
        "start": _at(candles.opened_ms[0]), "until": _at(candles.closed_ms[-1]), "has_volume": found.has_volume,
        "extra": sorted(found.extra), "gaps": _gaps(found), "timezone": timezone, "bar": bar,
        "faults": {name: {"rows": len(rows), "first": list(rows[:_SHOWN])} for name, rows in kinds.items()},
        "leave_out": sorted(kinds), "fingerprint": candles.fingerprint(),
    }  # fmt: skip


def read_rates(path: str, symbol: str, timezone: str | None) -> dict[str, Any]:
    """Return what a file of funding rates tells, as plain data; gaps are named, and are no reason to refuse it.

    symbol   empty: as the name of the file tells
    Raises Invalid for what is no table of rates, with the field.
    """
    file = Path(path)
    if timezone is not None:
        known_zone(timezone)
    try:
        found = read_funding(file, zone=timezone, most_bytes=_most_bytes(file))
    except Invalid as wrong:
        raise Invalid([_without(path, problem) for problem in wrong.problems]) from wrong
    if not len(found):
        raise Invalid([Problem("file", "no rate", "one or more", "empty")])
    rates, _ = in_ppb(found)
    refuse_large(rates, file)
    first, last = int(found.at_ms[0]), int(found.at_ms[-1])
    gaps = gaps_of(found.at_ms, [(first, last + 1)])
    return {
        "symbol": symbol or symbol_of(file) or file.name.split(".")[0], "rates": len(found), "timezone": timezone,
        "bar": None, "start": _at(first), "until": _at(last), "fingerprint": rates.fingerprint(),
        "gaps": [{"start": _at(start), "until": _at(until)} for start, until in gaps[:_SHOWN]],
        "gaps_count": len(gaps),
    }  # fmt: skip


def _most_bytes(file: Path) -> int:
    return min(max(file.stat().st_size * _UNPACKED_TIMES, _UNPACKED_LEAST), _UNPACKED_MOST)


def _gaps(found: Foreign) -> dict[str, Any]:
    gaps = found.faults.gaps
    first = [{"start": _at(gap.start_ms), "until": _at(gap.until_ms), "candles": gap.missing} for gap in gaps[:_SHOWN]]
    return {"count": len(gaps), "candles": sum(gap.missing for gap in gaps), "first": first}


def _at(at_ms: Any) -> str:
    return iso(from_micros(int(at_ms) * 1_000))


def _without(path: str, problem: Problem) -> Problem:
    """Return what is wrong without the folder in which the file lies: that is nobody's business."""
    folder = f"{Path(path).parent}/"
    return Problem(problem.field, problem.came.replace(folder, ""), problem.allowed.replace(folder, ""), problem.code)
