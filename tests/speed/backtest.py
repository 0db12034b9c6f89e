"""How fast a backtest is, beside the same work as a plain C loop that is compiled and run in the same process.

From arrays in memory to trades, equity and the eight numbers: averages, crossings, fills, fees, excursions. Trades and
equity of both are compared first: a quick loop that says something else is no floor. The best of forty runs counts, by
the clock of the thread, because other work on the machine is nobody's here; they take turns, so that neither finds the
columns in the cache where it has just put them itself.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import simulate
from pilothouse.backtest.spec import BacktestSpec, Costs, Market
from pilothouse.core.candles import Candles
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.rules import Distance, Exits, Rules, Size, SizeBy, Target
from pilothouse.strategies.sdk import Signals, crossings
from pilothouse.strategies.view import View

MINUTES = 525_600
START_MS = 1_735_689_600_000  # 2025-01-01
SOURCE = Path(__file__).with_name("plain_loop.c")
FAST, SLOW = 10, 50
LOT = Decimal("0.001")
LOTS = 1_000
CAPITAL = Decimal(10_000_000)
FEE_PPM = 400
TRADE = np.dtype([(name, np.int64) for name in (
    "opened", "closed", "side", "entry", "exit", "fees", "pnl", "worst", "best", "reason",
)])  # fmt: skip
STOP = Exits(stop=Distance(2.0), targets=(Target(Distance(4.0)),), trail=Distance(1.5))
WORK = (
    ("SMA 10/50 flip", Exits(), (0, 0, 0), 1.5),
    ("with stop, target and trail", STOP, (20_000, 40_000, 15_000), 2.0),
)


def year() -> Candles:
    """Return a seeded walk: a minute each for a year, moving some 2 % in an hour."""
    draw = np.random.default_rng(11)
    steps = draw.normal(0.0, 0.0025, MINUTES)
    close = np.rint(3_000_000 * np.exp(np.cumsum(steps - steps.mean()))).astype(np.int64)
    first = np.concatenate(([3_000_000], close[:-1]))
    high = np.maximum(first, close) + draw.integers(0, 3_000, MINUTES)
    low = np.maximum(np.minimum(first, close) - draw.integers(0, 3_000, MINUTES), 1)
    opened = START_MS + np.arange(MINUTES, dtype=np.int64) * 60_000
    return Candles("BTCUSDT", 60_000, opened, first, high, low, close, np.full(MINUTES, 10**6, np.int64), 2, 3)


def spec_of(candles: Candles) -> BacktestSpec:
    """Return the spec of the work; the fingerprint is not asked here."""
    until = int(candles.closed_ms[-1])
    return BacktestSpec(
        "sma-cross", "0", {}, (Market("bench", "BTCUSDT", LOT),), "1m", START_MS, until, {"BTCUSDT": "0"}, CAPITAL,
        costs=Costs(FEE_PPM, FEE_PPM),
    )  # fmt: skip


def ours(candles: Candles, spec: BacktestSpec, exits: Exits) -> tuple[Result, dict[str, float | None]]:
    """Do the work in the house's way: a view, signals, the loop, the numbers. Nothing is kept from run to run."""
    close = View(candles).close
    above, below = crossings(sma(close, FAST), sma(close, SLOW))
    signals = Signals(long=above, short=below)
    rules = Rules(exits, Size(float(LOTS * LOT), SizeBy.FIXED))
    result = simulate(spec, spec.markets[0], candles, signals, rules, warm_up=SLOW)
    return result, result.core()


class PlainLoop:
    """The same as C."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        """Compile it."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise FileNotFoundError("there is no C compiler: the floor of the backtest cannot be measured")
        library = folder / f"plain_loop{'_'.join(flags).replace('=', '_')}.so"
        subprocess.run([compiler, *flags, "-shared", "-fPIC", "-o", library, SOURCE, "-lm"], check=True)
        self._call: Any = ctypes.CDLL(str(library)).backtest
        self._call.restype = ctypes.c_int64
        self._call.argtypes = [ctypes.c_int64, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 9, *[ctypes.c_void_p] * 3]

    def run(
        self, candles: Candles, units: int, capital: int, distances: tuple[int, int, int],
        pair: tuple[int, int] = (FAST, SLOW),
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        """Return trades, equity and the eight numbers."""
        equity, numbers = np.empty(len(candles), np.int64), np.empty(8)
        trades = np.empty(len(candles) // 4, TRADE)
        columns = (candles.opened_ms, candles.open, candles.high, candles.low, candles.close)
        count = self._call(
            len(candles), *(column.ctypes.data for column in columns), *pair, LOTS, units, FEE_PPM, *distances,
            capital, equity.ctypes.data, trades.ctypes.data, numbers.ctypes.data,
        )  # fmt: skip
        return trades[:count], equity, numbers


def differs(result: Result, numbers: dict[str, float | None], floor: tuple[Any, Any, Any]) -> str:
    """Return in words where the two differ, nothing if they say the same."""
    trades, equity, core = floor
    found = result.trades
    if len(found) != len(trades):
        return f"{len(found)} trades and {len(trades)}"
    pairs = {"opened_bar": "opened", "closed_bar": "closed", "side": "side", "first_price": "entry",
             "last_price": "exit", "fees": "fees", "pnl": "pnl", "worst": "worst", "best": "best"}  # fmt: skip
    for name, theirs in pairs.items():
        rows = np.flatnonzero(getattr(found, name) != trades[theirs])
        if len(rows):
            return f"{name} of trade {rows[0]}: {getattr(found, name)[rows[0]]} and {trades[theirs][rows[0]]}"
    if not np.array_equal(result.equity, equity):
        return "equity"
    told = [np.nan if value is None else value for value in numbers.values()]
    return "" if np.allclose(told, core, rtol=1e-6, equal_nan=True) else f"numbers: {told} and {core.tolist()}"


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    candles = year()
    spec = spec_of(candles)
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name:
        floors = {"-O2": PlainLoop(Path(name), ("-O2",)), "-O3 native": PlainLoop(Path(name), ("-O3", "-march=native"))}
        for name_of, exits, distances, aim in WORK:
            began = time.perf_counter()
            result, numbers = ours(candles, spec, exits)
            first = time.perf_counter() - began
            units, capital = result.scale.units, result.capital
            for flags, floor in floors.items():
                wrong = differs(result, numbers, floor.run(candles, units, capital, distances))
                if wrong:
                    raise AssertionError(f"{name_of}, {flags}: the floor says something else: {wrong}")
            best = dict.fromkeys((*floors, "ours"), float("inf"))
            turns: dict[str, Callable[[], object]] = {
                flags: partial(floor.run, candles, units, capital, distances) for flags, floor in floors.items()
            }
            turns["ours"] = partial(ours, candles, spec, exits)
            best = dict.fromkeys(turns, float("inf"))
            for _ in range(40):
                for who in ("ours", "-O2", "ours", "-O3 native"):
                    best[who] = min(best[who], _ms(turns[who]))
            add(f"backtest of a year of minutes, {name_of}", best["ours"], "ms", f"{len(result.trades):,} trades")
            for flags in floors:
                add(f"  the floor: a plain C loop, cc {flags}", best[flags], "ms", "")
            quickest = min(best[flags] for flags in floors)
            add("  times the quicker floor", best["ours"] / quickest, "x", f"at most {aim}")
            add("  first run, with loading or compiling", first * 1e3, "ms", "")


def _ms(work: Callable[[], object]) -> float:
    # The clock of this thread: both work in one, and what others do on the machine meanwhile is not theirs.
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1e3


if __name__ == "__main__":
    if "OPENBLAS_CORETYPE" in os.environ:
        print("OPENBLAS_CORETYPE is set: unset it, it slows numpy down")
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
