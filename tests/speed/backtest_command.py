"""How long `pilothouse backtest run` takes as a user sees it: a process of its own, from the words to the result.

Started fresh each time with machine code that is kept on disk, over a year of minutes in a Parquet file; it reads,
runs, measures, keeps and prints. Once for a strategy of the product, and once for the flip of SMA 10 and 50 in a file
of the user, which runs in a second process behind walls. What was traded is compared with the loop first.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pilothouse.core.candles import Candles
from pilothouse.strategies.rules import Exits
from tests.speed.backtest import CAPITAL, FAST, SLOW, ours, spec_of, year

AIM_S = 1.5
RUNS = 5
FLIP = f'''
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.rules import Rules, Size, SizeBy
from pilothouse.strategies.sdk import Columns, Signals, crossings


class SmaFlip(Columns):
    """Long when the average of {FAST} closes crosses above that of {SLOW}, short when it crosses below."""

    name, title = "sma-flip", "SMA flip"

    def warm_up(self, p):
        return {SLOW}

    def signals(self, view, p):
        above, below = crossings(sma(view.close, {FAST}), sma(view.close, {SLOW}))
        return Signals(long=above, short=below)

    def rules(self, p):
        return Rules(size=Size(1.0, SizeBy.FIXED))
'''
WORK = (
    ("sma_flip, a file behind walls", ("sma_flip",)),
    ("ema-cross, built in", ("ema-cross", "-p", f"fast={FAST}", "-p", f"slow={SLOW}", "--size", "1 base")),
)
COSTS = ("--maker", "0.04", "--taker", "0.04", "--slippage", "0", "--capital", str(CAPITAL))


def file_of(candles: Candles, path: Path) -> None:
    """Write candles as a table of doubles, as most people have them."""
    price, volume = float(candles.price_step), float(candles.volume_step)
    columns = {name: getattr(candles, name) * price for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"time": candles.opened_ms, **columns, "volume": candles.volume * volume}), path)


def run(place: Path, words: tuple[str, ...], *more: str) -> tuple[float, str]:
    """Run the command without a kept result; return the seconds that it took and what it printed."""
    shutil.rmtree(place / "backtests", ignore_errors=True)
    file = f"BTCUSDT={place / 'year.parquet'}"
    command = (sys.executable, "-m", "pilothouse.cli.main", "backtest", "run", *words, "--data", file, "--bar", "1m")
    # Modules are read as compiled ones, as they are wherever the product is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    done = subprocess.run(
        (*command, *COSTS, *more), env=environment | {"PILOTHOUSE_DATA": str(place)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    taken = time.perf_counter() - began
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return taken, done.stdout


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    candles = year()
    with tempfile.TemporaryDirectory(prefix="pilothouse-bench-") as name:
        place = Path(name)
        (place / "strategies").mkdir()
        (place / "strategies" / "sma_flip.py").write_text(FLIP)
        file_of(candles, place / "year.parquet")
        loop, _ = ours(candles, spec_of(candles), Exits())
        for title, words in WORK:
            told = json.loads(run(place, words, "--json")[1])
            run(place, words)
            trades = told["metrics"]["trades"]
            if words[0] == "sma_flip" and trades != len(loop.trades):
                raise AssertionError(f"the command says something else: {trades} trades; the loop: {len(loop.trades)}")
            best = min(run(place, words)[0] for _ in range(RUNS))
            add(f"backtest run, the whole process: {title}", best, "s", f"{trades:,} trades; at most {AIM_S}")


if __name__ == "__main__":
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
