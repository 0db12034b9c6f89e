"""How fast a portfolio is, beside the same work as a plain C loop that is compiled and run in the same process.

Fifty instruments of 50,000 bars, one account, ten positions of a tenth of equity each: from arrays in memory to trades,
equity and the eight numbers. Trades and equity of both are compared first; the best of many runs counts, by the clock
of the thread.
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pilothouse.backtest.portfolio import simulate_many
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.spec import BacktestSpec, Costs, Market
from pilothouse.core.candles import Candles
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.rules import Rules, Side, Size
from pilothouse.strategies.sdk import Signals, crossings
from pilothouse.strategies.view import View
from tests.speed.backtest import CAPITAL, FAST, FEE_PPM, LOT, SLOW, START_MS

SOURCE = Path(__file__).with_name("plain_portfolio.c")
INSTRUMENTS, BARS, PLACES = 50, 50_000, 10
SHARE_PPM = 100_000
RULES = Rules(size=Size(SHARE_PPM / 10_000), side=Side.LONG)
TRADE = np.dtype([(name, np.int64) for name in (
    "leg", "opened", "closed", "lots", "entry", "exit", "fees", "pnl", "worst", "best",
)])  # fmt: skip


def markets() -> dict[str, Candles]:
    """Return seeded walks of a minute each."""
    found = {}
    opened = START_MS + np.arange(BARS, dtype=np.int64) * 60_000
    for number in range(INSTRUMENTS):
        draw = np.random.default_rng(100 + number)
        steps = draw.normal(0.0, 0.0025, BARS)
        close = np.rint(300_000 * np.exp(np.cumsum(steps - steps.mean()))).astype(np.int64)
        first = np.concatenate(([300_000], close[:-1]))
        high = np.maximum(first, close) + draw.integers(0, 300, BARS)
        low = np.maximum(np.minimum(first, close) - draw.integers(0, 300, BARS), 1)
        symbol = f"C{number:02}USDT"
        found[symbol] = Candles(symbol, 60_000, opened, first, high, low, close, np.full(BARS, 10**6, np.int64), 2, 3)
    return found


def spec_of(data: dict[str, Candles]) -> BacktestSpec:
    """Return the spec of the work; the fingerprints are not asked here."""
    return BacktestSpec(
        "sma-cross", "0", {}, tuple(Market("bench", symbol, LOT) for symbol in data), "1m", START_MS,
        START_MS + BARS * 60_000, dict.fromkeys(data, "0"), CAPITAL, costs=Costs(FEE_PPM, FEE_PPM),
        positions_most=PLACES,
    )  # fmt: skip


def signals_of(data: dict[str, Candles]) -> dict[str, Signals]:
    """Return what is wished of each."""
    signals = {}
    for symbol, candles in data.items():
        close = View(candles).close
        above, below = crossings(sma(close, FAST), sma(close, SLOW))
        signals[symbol] = Signals(long=above, leave_long=below)
    return signals


def ours(
    data: dict[str, Candles], spec: BacktestSpec, *, quick: bool = True
) -> tuple[Portfolio, dict[str, float | None]]:
    """Do the work in the house's way: views, signals, the loop, the numbers."""
    result = simulate_many(spec, data, signals_of(data), RULES, warm_up=SLOW, quick=quick)
    return result, result.core()


class PlainPortfolio:
    """The same as C."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        """Compile it."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise FileNotFoundError("there is no C compiler: the floor of the portfolio cannot be measured")
        library = folder / f"plain_portfolio{'_'.join(flags).replace('=', '_')}.so"
        subprocess.run([compiler, *flags, "-shared", "-fPIC", "-o", library, SOURCE, "-lm"], check=True)
        self._call: Any = ctypes.CDLL(str(library)).portfolio
        self._call.restype = ctypes.c_int64
        self._call.argtypes = [
            *[ctypes.c_int64] * 2,
            *[ctypes.c_void_p] * 5,
            *[ctypes.c_int64] * 7,
            *[ctypes.c_void_p] * 4,
        ]

    def run(self, data: dict[str, Candles], units: int, capital: int) -> tuple[Any, Any, Any]:
        """Return trades, equity and the eight numbers."""
        bars = list(data.values())
        columns = [
            np.array([getattr(each, name).ctypes.data for each in bars], np.int64)
            for name in ("open", "high", "low", "close")
        ]
        wishes = np.empty(INSTRUMENTS * BARS, np.uint8)
        equity, numbers, trades = np.empty(BARS, np.int64), np.empty(8), np.empty(BARS * 2, TRADE)
        count = self._call(
            INSTRUMENTS, BARS, bars[0].opened_ms.ctypes.data, *(column.ctypes.data for column in columns), FAST, SLOW,
            units, FEE_PPM, SHARE_PPM, PLACES, capital, wishes.ctypes.data, equity.ctypes.data, trades.ctypes.data,
            numbers.ctypes.data,
        )  # fmt: skip
        return trades[:count], equity, numbers


def differs(result: Portfolio, numbers: dict[str, float | None], floor: tuple[Any, Any, Any]) -> str:
    """Return in words where the two differ, nothing if they say the same."""
    trades, equity, core = floor
    found = result.trades
    if len(found) != len(trades):
        return f"{len(found)} trades and {len(trades)}"
    pairs = {"opened_bar": "opened", "closed_bar": "closed", "lots": "lots", "first_price": "entry",
             "last_price": "exit", "fees": "fees", "pnl": "pnl", "worst": "worst", "best": "best"}  # fmt: skip
    columns = {theirs: getattr(found, name) for name, theirs in pairs.items()} | {"leg": result.trade_market}
    for name, column in columns.items():
        rows = np.flatnonzero(column != trades[name])
        if len(rows):
            return f"{name} of trade {rows[0]}: {column[rows[0]]} and {trades[name][rows[0]]}"
    if not np.array_equal(result.equity, equity):
        return "equity"
    told = [np.nan if value is None else value for value in numbers.values()]
    return "" if np.allclose(told, core, rtol=1e-6, equal_nan=True) else f"numbers: {told} and {core.tolist()}"


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    data = markets()
    spec = spec_of(data)
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name:
        floors = {
            "-O2": PlainPortfolio(Path(name), ("-O2",)),
            "-O3 native": PlainPortfolio(Path(name), ("-O3", "-march=native")),
        }
        began = time.perf_counter()
        result, numbers = ours(data, spec)
        first = time.perf_counter() - began
        for flags, floor in floors.items():
            wrong = differs(result, numbers, floor.run(data, result.scale.units, result.capital))
            if wrong:
                raise AssertionError(f"portfolio, {flags}: the floor says something else: {wrong}")
        turns: dict[str, Callable[[], object]] = {
            flags: partial(floor.run, data, result.scale.units, result.capital) for flags, floor in floors.items()
        }
        turns["ours"] = partial(ours, data, spec)
        best = dict.fromkeys(turns, float("inf"))
        for _ in range(15):
            for who in ("ours", "-O2", "ours", "-O3 native"):
                best[who] = min(best[who], _ms(turns[who]))
        told = f"{len(result.trades):,} trades, {result.crowded:,} without a place"
        general = simulate_many(spec, data, signals_of(data), RULES, warm_up=SLOW, quick=False)
        if general.digest() != result.digest():
            raise AssertionError("portfolio: the general loop says something else than the one for rotations")
        slow = min(_ms(partial(ours, data, spec, quick=False)) for _ in range(3))
        add("portfolio, 50 instruments of 50,000 bars, 10 positions", best["ours"], "ms", f"rotation loop; {told}")
        for flags in floors:
            add(f"  the floor: a plain C loop, cc {flags}", best[flags], "ms", "")
        quickest = min(best[flags] for flags in floors)
        add("  times the quicker floor", best["ours"] / quickest, "x", "at most 2")
        add("  the same by the general loop (leverage, stops, shorts)", slow, "ms", "")
        add("    times the quicker floor", slow / quickest, "x", "")
        add("  first run, with loading or compiling", first * 1e3, "ms", "")


def _ms(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1e3


if __name__ == "__main__":
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
