"""How fast many runs are on all cores: `search`, as every sweep uses it, beside the same sweep as quick plain C.

400 pairs of averages over 100,000 bars, each from arrays in memory to trades, equity and the numbers of a search. The
floor (`plain_sweep.c`) makes each average once, passes once over the bars for each pair and runs in two threads too. A
pair's trades and equity are those of a single run, which is compared with C for every trade and every bar; number of
trades, final equity and drawdown of all pairs are compared. The clock is the wall's, because the work of two threads
is looked at, so other work on the machine spoils it; the best of some runs counts.

Then what a search holds: 10,000 combinations, whose outcomes are kept as a sweep keeps them, and 200 whole runs with
all metrics in one process; each in a process of its own, whose memory is read from the kernel.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pilothouse.backtest.measured import measured
from pilothouse.backtest.run import run
from pilothouse.backtest.search import Outcome, Runner, Task, search, trial
from pilothouse.backtest.search_files import SearchFile
from pilothouse.core.candles import Candles
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.parameters import Parameter, Params, combinations, whole
from pilothouse.strategies.rules import By, Distance, Exits, Rules, Size, SizeBy, Target
from pilothouse.strategies.sdk import Columns, Signals, crossings
from pilothouse.strategies.view import View
from tests.speed.backtest import CAPITAL, FEE_PPM, LOT, LOTS, TRADE, differs, spec_of, year

BARS = 100_000
FAST, SLOW = tuple(range(5, 25)), tuple(range(30, 130, 5))
RULES = Rules(Exits(), Size(float(LOTS * LOT), SizeBy.FIXED))
TURNS = 5
SOURCE = Path(__file__).with_name("plain_sweep.c")


class Crossing(Columns):
    """Flips where two averages of the close cross."""

    name: ClassVar[str] = "sma-cross"
    title: ClassVar[str] = "Two averages cross"
    parameters: ClassVar[Mapping[str, Parameter]] = {"fast": whole(10, 2, 500), "slow": whole(50, 3, 1_000)}

    def warm_up(self, p: Params) -> int:
        """Return the bars of the longer average."""
        return int(p.slow)

    def signals(self, view: View, p: Params) -> Signals:
        """Return the crosses."""
        above, below = crossings(view.once(sma, view.close, p.fast), view.once(sma, view.close, p.slow))
        return Signals(long=above, short=below)

    def rules(self, p: Params) -> Rules:
        """Return one quantity and no further exit."""
        return RULES


class Ranged(Crossing):
    """The same with a stop at true ranges and two targets."""

    def rules(self, p: Params) -> Rules:
        """Return a stop that is further away the longer the average is."""
        targets = tuple(Target(Distance(times, By.ATR), 0.5) for times in (2.0, 4.0))
        return replace(RULES, exits=Exits(stop=Distance(1.0 + p.slow / 100, By.ATR), targets=targets))


def task_over(candles: Candles) -> Task:
    """Return the search."""
    spec = replace(spec_of(candles), data={candles.symbol: candles.fingerprint()})
    return Task(spec, Crossing(), {candles.symbol: candles})


def pairs(fast: tuple[int, ...] = FAST, slow: tuple[int, ...] = SLOW) -> list[Params]:
    """Return the combinations."""
    return list(combinations(Crossing.parameters, {"fast": fast, "slow": slow}))


class PlainSweep:
    """The same as C."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        """Compile it."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise FileNotFoundError("there is no C compiler: the floor of the sweep cannot be measured")
        library = folder / f"plain_sweep{'_'.join(flags).replace('=', '_')}.so"
        subprocess.run([compiler, *flags, "-shared", "-fPIC", "-pthread", "-o", library, SOURCE, "-lm"], check=True)
        self._call: Any = ctypes.CDLL(str(library)).sweep
        self._call.argtypes = [
            ctypes.c_int64, *[ctypes.c_void_p] * 5, ctypes.c_int64, ctypes.c_void_p, *[ctypes.c_int64] * 5,
            *[ctypes.c_void_p] * 2, ctypes.c_int64, *[ctypes.c_void_p] * 2,
        ]  # fmt: skip

    def run(self, candles: Candles, units: int, capital: int, of: list[Params], threads: int) -> tuple[Any, ...]:
        """Return how many trades each pair made and its final equity, the numbers; trades and equity of the last."""
        count, room = len(candles), len(candles) // 4
        wanted = np.array([(p.fast, p.slow) for p in of], np.int64)
        equity, trades = np.empty((threads, count), np.int64), np.empty((threads, room), TRADE)
        told, numbers = np.empty((len(of), 2), np.int64), np.empty((len(of), 8))
        columns = (candles.opened_ms, candles.open, candles.high, candles.low, candles.close)
        self._call(
            count, *(column.ctypes.data for column in columns), len(of), wanted.ctypes.data, LOTS, units, FEE_PPM,
            capital, threads, equity.ctypes.data, trades.ctypes.data, room, told.ctypes.data, numbers.ctypes.data,
        )  # fmt: skip
        return told, numbers, trades[0], equity[0]


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    candles, every = year().before(BARS), pairs()
    task = task_over(candles)
    scale = run(task.spec_of(every[0]), task.data, Crossing(), known=True).scale
    units, capital = scale.units, int(CAPITAL / scale.unit)
    cores = min(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name:
        flags = {"-O2": ("-O2",), "-O3 native": ("-O3", "-march=native")}
        floors = {told: PlainSweep(Path(name), each) for told, each in flags.items()}
        for told, floor in floors.items():
            _compare(told, floor, task, units, capital)
        best: dict[tuple[str, int], float] = {}
        for _ in range(TURNS):
            for threads in (cores, 1):
                best["ours", threads] = min(best.get(("ours", threads), 1e9), _ours(task, every, threads))
                for told, floor in floors.items():
                    began = time.perf_counter()
                    floor.run(candles, units, capital, every, threads)
                    took = time.perf_counter() - began
                    best[told, threads] = min(best.get((told, threads), 1e9), took)
    add(f"sweep of 400 pairs over 100,000 bars, {cores} threads", best["ours", cores], "s", "")
    for told in floors:
        add(f"  the floor: quick plain C, {cores} threads, cc {told}", best[told, cores], "s", "")
    add("  times the quicker floor", best["ours", cores] / min(best[told, cores] for told in floors), "x", "at most 2")
    add("the same in one thread", best["ours", 1], "s", "")
    add("  times the quicker floor in one thread", best["ours", 1] / min(best[told, 1] for told in floors), "x", "")
    add(f"  times as long as {cores} threads", best["ours", 1] / best["ours", cores], "x", "at least 1.8")
    floor_scales = max(best[told, 1] / best[told, cores] for told in floors)
    add(f"  the floor in one thread, times as long as in {cores}", floor_scales, "x", "what the machine allows")
    ranged, alone = _ranged(replace(task, strategy=Ranged()), every[::8])
    add("a trial with a stop at true ranges and two targets, processor time", ranged, "ms", "")
    add("  the same as a run alone, times as long", alone / ranged, "x", "")
    add("sweep of 400 pairs: the process, all in all", _held("sweep"), "MB", "under 500")
    add("sweep of 10,000 combinations: the process, all in all", _held("many"), "MB", "under 500")
    add("200 runs with all metrics in one process: memory grows by", _held("runs"), "MB", "under 5")


def _ours(task: Task, every: list[Params], threads: int) -> float:
    began = time.perf_counter()
    outcomes = list(search(task, every, workers=threads))
    took = time.perf_counter() - began
    assert len(outcomes) == len(every)
    return took


def _ranged(task: Task, every: list[Params]) -> tuple[float, float]:
    """Return what a trial of a search takes, and one that shares nothing, milliseconds; both must tell the same."""
    best, alone = [1e9, 1e9], partial(trial, task, known=True)
    ways: tuple[Callable[[Params], Outcome], ...] = (Runner(task), alone)
    for _ in range(TURNS):
        told = []
        for place, run_one in enumerate(ways):
            began = time.process_time()
            told.append([run_one(params).metrics for params in every])
            best[place] = min(best[place], (time.process_time() - began) / len(every) * 1_000)
        assert told[0] == told[1], "a trial is the run of its combination"
    return best[0], best[1]


def _compare(told: str, floor: PlainSweep, task: Task, units: int, capital: int) -> None:
    """Hold some single runs to the floor for each trade and bar, and all outcomes for what both tell of them."""
    candles, every = task.data["BTCUSDT"], pairs()
    for params in every[::57]:
        result = run(task.spec_of(params), task.data, Crossing(), known=True)
        made, numbers, trades, equity = floor.run(candles, units, capital, [params], 1)
        wrong = differs(result, result.core(), (trades[: made[0, 0]], equity, numbers[0]))
        if wrong:
            raise AssertionError(f"sweep, {params}, {told}: the floor says something else: {wrong}")
    made, numbers, _, _ = floor.run(candles, units, capital, every, 2)
    runner, tied = Runner(task), 0
    for number, params in enumerate(every):
        outcome = runner(params)
        assert runner.is_quick, outcome
        ours = [outcome.metrics[name] for name in ("trades", "total_return", "max_drawdown", "sharpe", "win_rate")]
        theirs = [made[number, 0], *numbers[number, [0, 5, 3, 7]]]
        # Where two averages are equal in whole numbers, one of floats may stand above the other by its last digit.
        tied += not np.allclose(np.array(ours, float), theirs, rtol=1e-9)
        if not np.allclose(np.array(ours, float), theirs, rtol=0.01):
            raise AssertionError(f"sweep, {params}, {told}: {ours} and {theirs}")
    if tied > len(every) // 20:
        raise AssertionError(f"sweep, {told}: {tied} pairs differ by more than a digit")


def _held(what: str) -> float:
    """Return what a process of its own says of its memory, MB."""
    told = subprocess.run([sys.executable, "-m", "tests.speed.sweep", what], check=True, capture_output=True, text=True)
    return float(told.stdout)


def _memory_mb(what: str) -> float:
    """Return VmRSS or VmHWM of this process; what `getrusage` tells may be that of the process that started it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1_024
    raise AssertionError(f"the kernel tells no {what}")


def _sweep_mb(task: Task, every: list[Params]) -> float:
    """Return the most memory that the process held, the outcomes kept in a file and known as a sweep knows them."""
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name, SearchFile(Path(name), "bench") as file:
        for outcome in search(task, every, workers=2):
            file.add(outcome)
        assert len(file.known) == len(every)
    return _memory_mb("VmHWM")


def _runs_mb(task: Task) -> float:
    """Return how much memory 200 runs leave behind, after some that fill what is kept for ever."""
    every = pairs()
    candles = task.data["BTCUSDT"]

    def one(params: Params) -> None:
        measured(run(task.spec_of(params), task.data, Crossing()), candles)

    for params in every[:40]:
        one(params)
    before = _memory_mb("VmRSS")
    for params in every[100:300]:
        one(params)
    return _memory_mb("VmRSS") - before


def _tell(what: str) -> None:
    task = task_over(year().before(BARS))
    many = pairs(tuple(range(2, 102)), tuple(range(110, 210)))
    work: dict[str, Callable[[], float]] = {
        "sweep": lambda: _sweep_mb(task, pairs()),
        "many": lambda: _sweep_mb(task, many),
        "runs": lambda: _runs_mb(task),
    }
    print(work[what]())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _tell(sys.argv[1])
    else:
        measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
