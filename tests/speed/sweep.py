"""How fast many runs are on all cores, beside the same plain C loop for each of them, on all cores too.

400 pairs of averages over 100,000 bars, each from arrays in memory to trades, equity and the eight numbers, in two
threads: the loops let go of the interpreter. What some pairs lead to is compared with C first. The clock is the wall's,
because the work of two threads is looked at, so other work on the machine
spoils it; the best of some runs counts.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import simulate
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.core.candles import Candles
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.rules import Exits, Rules, Size, SizeBy
from pilothouse.strategies.sdk import Signals, crossings
from pilothouse.strategies.view import View
from tests.speed.backtest import LOT, LOTS, PlainLoop, differs, spec_of, year

BARS = 100_000
PAIRS = [(fast, slow) for fast in range(5, 25) for slow in range(30, 130, 5)]
RULES = Rules(Exits(), Size(float(LOTS * LOT), SizeBy.FIXED))
TURNS = 3


def ours(candles: Candles, spec: BacktestSpec, pair: tuple[int, int]) -> tuple[Result, dict[str, float | None]]:
    """Run one pair in the house's way."""
    close = View(candles).close
    above, below = crossings(sma(close, pair[0]), sma(close, pair[1]))
    signals = Signals(long=above, short=below)
    result = simulate(spec, spec.markets[0], candles, signals, RULES, warm_up=pair[1])
    return result, result.core()


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    candles = year().before(BARS)
    spec = spec_of(candles)
    result, _ = ours(candles, spec, PAIRS[0])
    units, capital = result.scale.units, result.capital
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name:
        floor = PlainLoop(Path(name), ("-O2",))

        def by_floor(pair: tuple[int, int]) -> object:
            return floor.run(candles, units, capital, (0, 0, 0), pair)[2]

        def by_us(pair: tuple[int, int]) -> object:
            return ours(candles, spec, pair)[1]

        for pair in PAIRS[::57]:
            wrong = differs(*ours(candles, spec, pair), floor.run(candles, units, capital, (0, 0, 0), pair))
            if wrong:
                raise AssertionError(f"sweep, {pair}: the floor says something else: {wrong}")
        cores = min(2, os.cpu_count() or 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        both, cpu = (min(each) for each in zip(*(_seconds(by_us, cores) for _ in range(TURNS)), strict=True))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
        alone = min(_seconds(by_us, 1)[0] for _ in range(TURNS))
        plain, plain_cpu = (min(each) for each in zip(*(_seconds(by_floor, cores) for _ in range(TURNS)), strict=True))
    add(f"sweep of 400 pairs over 100,000 bars, {cores} threads", both, "s", "")
    add("  the floor: the plain C loop for each pair, as many threads", plain, "s", "")
    add("  times the floor", both / plain, "x", "at most 2")
    add("  processor, times that of the floor", cpu / plain_cpu, "x", "")
    add("  one thread, times as long as so many", alone / both, "x", "at least 1.8")
    add("  memory that it took besides", grown, "MB", "under 500")


def _seconds(work: Callable[[tuple[int, int]], object], threads: int) -> tuple[float, float]:
    """Return how long all pairs took, and for how long a processor was used."""
    began, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, PAIRS):
            pass
    return time.perf_counter() - began, time.process_time() - used


if __name__ == "__main__":
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
