"""The steps of a run in turns: candles of all instruments, or their pieces, go in; when each step is comes out. Pure.

A step is a moment at which at least one instrument has a bar or a piece of one. Trades of one millisecond are steps of
their own, the first of each instrument together, then the second of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pilothouse.backtest.inside import Finer, Pieces, pieces_of, told_bars
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid, Problem

_TOGETHER_BITS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """When everything happens; int64 each.

    opened_ms, closed_ms   of each step, never falling; a step that is followed within its bar closes no later than the
                           next one
    bars_ms                when each bar opens, of all instruments
    bar                    of each step the bar that it is in
    last                   of each bar its last step: then it has closed
    places                 by symbol, the step of each bar or piece
    ends                   of each step when it is over: from then on its closes, and what was met inside, are known
    thin                   in how many bars the pessimistic path is taken although a walk inside was wanted; None where
                           each step is a bar
    """

    opened_ms: Ints
    closed_ms: Ints
    bars_ms: Ints
    bar: Ints
    last: Ints
    places: Mapping[str, Ints]
    ends: Ints
    thin: int | None = None

    @property
    def first(self) -> Ints:
        """Return the first step of each bar."""
        found: Ints = np.concatenate((np.zeros(1, np.int64)[: len(self.last)], self.last[:-1] + 1))
        return found

    @property
    def overlap(self) -> bool:
        """Say whether some bar opens while one of another instrument is under way."""
        return bool((self.ends[:-1] > self.opened_ms[1:]).any())

    def __len__(self) -> int:
        return len(self.opened_ms)


def pieces_by_symbol(
    spec: BacktestSpec, data: Mapping[str, Candles], finer: Mapping[str, Finer]
) -> dict[str, Pieces] | None:
    """Return the pieces of the bars of every market; None where the bars themselves are walked.

    Where several share an account a bar is walked inside only if what is finer tells it of every instrument that has
    it: else the close of one would be known before the others have come to theirs.
    Raises Invalid for bars that overlap, and for what is finer than them in one instrument and not in another.
    """
    if spec.fills.finer is None and not spec.fills.latency_ms:
        return None
    bars = {market.symbol: data[market.symbol] for market in spec.markets}
    if len(bars) == 1:
        return {symbol: pieces_of(each, finer.get(symbol)) for symbol, each in bars.items()}
    _one_way(bars, finer)
    untold = [each.opened_ms[~told_bars(each, finer.get(symbol))] for symbol, each in bars.items()]
    whole = np.unique(np.concatenate(untold))
    return {
        symbol: pieces_of(each, finer.get(symbol), whole=np.isin(each.opened_ms, whole))
        for symbol, each in bars.items()
    }


def steps_of(bars: Mapping[str, Candles], pieces: Mapping[str, Pieces] | None = None) -> Steps:
    """Return the steps of all instruments."""
    spans = [each.span_ms for each in bars.values()]
    openings = [each.opened_ms for each in bars.values()]
    bars_ms: Ints = openings[0] if len(openings) == 1 else np.unique(np.concatenate(openings))
    if pieces is None:
        every = np.arange(len(bars_ms), dtype=np.int64)
        places = {symbol: np.searchsorted(bars_ms, each.opened_ms) for symbol, each in bars.items()}
        ends = ends_of(bars_ms, list(bars.values()))
        return Steps(bars_ms, bars_ms + spans[0], bars_ms, every, every, places, ends)
    keys = {symbol: _keys(each.opened_ms) for symbol, each in pieces.items()}
    steps: Ints = np.unique(np.concatenate(list(keys.values())))
    places = {symbol: np.searchsorted(steps, each) for symbol, each in keys.items()}
    opened = steps >> _TOGETHER_BITS
    closed = np.zeros(len(steps), np.int64)
    for symbol, place in places.items():
        closed[place] = np.maximum(closed[place], pieces[symbol].closed_ms)
    closed = np.minimum.accumulate(closed[::-1])[::-1]
    bar = np.searchsorted(bars_ms, opened, side="right") - 1
    last = np.append(np.flatnonzero(np.diff(bar)), len(steps) - 1)
    whole = [bars[symbol].opened_ms[each.whole] for symbol, each in pieces.items()]
    return Steps(opened, closed, bars_ms, bar, last, places, opened, len(np.unique(np.concatenate(whole))))


def ends_of(calendar: Ints, bars: Sequence[Candles]) -> Ints:
    """Return when the bars that open at each moment of a calendar are over, milliseconds since 1970, never falling.

    That is when they are as old as they are long, or when their instrument's next bar opens, if that comes before.
    Raises Invalid where bars that open together are not over together, or those that open first not first.
    """
    span = bars[0].span_ms
    ends: Ints = calendar + span
    if len(calendar) < 2 or int(np.diff(calendar).min()) >= span:
        return ends
    for each in bars:
        opened = each.opened_ms
        if len(opened) > 1 and int(np.diff(opened).min()) < span:
            place = np.searchsorted(calendar, opened[:-1])
            ends[place] = np.minimum(ends[place], opened[1:])
    problems = []
    for each in bars:
        follow = np.minimum(each.opened_ms[:-1] + span, each.opened_ms[1:])
        early = np.flatnonzero(ends[np.searchsorted(calendar, each.opened_ms[:-1])] < follow)
        if len(early):
            came = f"a bar of {each.symbol} at {int(each.opened_ms[early[0]])} that lasts longer than one beside it"
            problems.append(Problem("markets", came, "bars that open together and end together", "overlapping"))
    falls = np.flatnonzero(np.diff(ends) < 0)
    if len(falls) and not problems:
        came = f"a bar at {int(calendar[falls[0]])} that is over after one that opens later"
        problems.append(Problem("markets", came, "bars that end in the order in which they open", "overlapping"))
    if problems:
        raise Invalid(problems)
    return ends


def _keys(opened_ms: Ints) -> Ints:
    """Return numbers that rise with time, and for pieces of one millisecond one after the other."""
    first = np.searchsorted(opened_ms, opened_ms, side="left")
    found: Ints = opened_ms << _TOGETHER_BITS | (np.arange(len(opened_ms), dtype=np.int64) - first)
    return found


def _one_way(bars: Mapping[str, Candles], finer: Mapping[str, Finer]) -> None:
    """Refuse what could not be walked side by side without knowing one instrument's future."""
    problems = []
    opened = np.unique(np.concatenate([each.opened_ms for each in bars.values()]))
    span = next(iter(bars.values())).span_ms
    if len(opened) > 1 and int(np.diff(opened).min()) < span:
        allowed = "bars that begin together, where they are walked inside or reached after milliseconds"
        problems.append(Problem("markets", "bars of different beginnings", allowed, "overlapping"))
    lengths = {each.span_ms if isinstance(each, Candles) else 0 for each in finer.values()}
    missing = [symbol for symbol in bars if finer and symbol not in finer]
    if missing:
        came, allowed = f"nothing finer for {', '.join(missing)}", "something for each market"
        problems.append(Problem("fills.finer", came, allowed, "missing"))
    if len(lengths) > 1:
        came, allowed = "candles of different lengths, or beside trades", "one timeframe for all markets, or trades"
        problems.append(Problem("fills.finer", came, allowed, "different"))
    if problems:
        raise Invalid(problems)
