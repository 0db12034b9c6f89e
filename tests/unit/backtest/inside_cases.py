"""Runs that walk inside their bars: a seed goes in; bars, what is below them, and everything else come out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.inside import Finer, Tape
from pilothouse.backtest.spec import FillAt
from pilothouse.core.candles import Candles, Ints
from tests.unit.backtest.bar_cases import HOUR_MS, Case, random_candles, random_case


@dataclass(frozen=True)
class InsideCase:
    """One run and what is finer than its bars; None for a latency alone."""

    case: Case
    finer: Finer | None


def bars_over(finer: Candles, times: int) -> Candles:
    """Return the bars that candles make, so many to a bar, as long as there is one in it."""
    span = finer.span_ms * times
    bar = finer.opened_ms // span
    begins = np.flatnonzero(np.diff(bar, prepend=-1))
    ends = np.append(begins[1:], len(finer)) - 1
    return Candles(
        finer.symbol, span, bar[begins] * span, finer.open[begins], np.maximum.reduceat(finer.high, begins),
        np.minimum.reduceat(finer.low, begins), finer.close[ends], np.add.reduceat(finer.volume, begins),
        finer.price_digits, finer.volume_digits,
    )  # fmt: skip


def tape_of(rng: np.random.Generator, candles: Candles) -> Tape:
    """Return trades that make these candles: open, the two extremes in either order, close; some of one millisecond."""
    at, price, quantity = [], [], []
    for row in range(len(candles)):
        first, high, low, last = (int(each[row]) for each in (candles.open, candles.high, candles.low, candles.close))
        between = [high, low] if rng.random() < 0.5 else [low, high]
        opened, span = int(candles.opened_ms[row]), candles.span_ms
        moments = np.sort(rng.choice([0, 0, 1, span // 3, span // 2, span // 2, span - 1], 4))
        at += [opened + int(each) for each in moments]
        price += [first, *between, last]
        quantity += [int(each) for each in rng.integers(1, 900, 4)]
    moment, paid, traded = (np.array(each, np.int64) for each in (at, price, quantity))
    return Tape(candles.symbol, moment, paid, traded, candles.price_digits, candles.volume_digits)


def inside_case(seed: int) -> InsideCase:
    """Return the run of a seed: candles or trades with gaps and stretches of another market, with a latency or not."""
    rng = np.random.default_rng(seed)
    times = int(rng.choice([2, 4, 12]))
    fine = random_candles(rng, int(rng.integers(2 * times, 60 * times)), HOUR_MS // times)
    bars = bars_over(fine, times)
    case = random_case(seed, candles=bars)
    kept = rng.random(len(fine)) < 0.97
    finer: Finer | None = chosen(fine, kept)
    named = f"{60 // times}m"
    if rng.random() < 0.4:
        finer, named = tape_of(rng, chosen(fine, kept)), "trades"
    if rng.random() < 0.15:
        finer = None
    fills = replace(case.spec.fills, finer=named if finer is not None else None)
    if fills.at is FillAt.OPEN and (finer is None or rng.random() < 0.5):
        latency = int(rng.choice([1, 250, HOUR_MS // times, HOUR_MS // 2, HOUR_MS, HOUR_MS + 1, 5 * HOUR_MS]))
        fills = replace(fills, latency=0, latency_ms=latency)
    return InsideCase(replace(case, spec=replace(case.spec, fills=fills)), finer)


def chosen(candles: Candles, kept: NDArray[np.bool_]) -> Candles:
    """Return some of the candles."""

    def of(column: Ints) -> Ints:
        found: Ints = column[kept]
        return found

    return replace(
        candles, opened_ms=of(candles.opened_ms), open=of(candles.open), high=of(candles.high), low=of(candles.low),
        close=of(candles.close), volume=of(candles.volume),
    )  # fmt: skip
