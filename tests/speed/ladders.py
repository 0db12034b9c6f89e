"""How fast the compiled loops for grids and averaging entries are: bars a second over a year of minutes.

From candles in memory to trades, fills, equity and the eight numbers. The same strategy turn by turn is run over the
first bars and compared first, to the last byte: a quick loop that says something else is worth nothing.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from pilothouse.backtest.ladders import COMPILED, run_ladders
from pilothouse.backtest.turns import run_turns
from pilothouse.strategies.builtin.averaging import Averaging
from pilothouse.strategies.builtin.grid import Grid
from pilothouse.strategies.parameters import resolve
from tests.speed.backtest import spec_of, year

COMPARED = 10_000
WORK = (
    ("a grid of 20 levels", Grid(), {"side": "neutral", "levels": 10, "step": 0.5, "order": 1_000.0, "stop_loss": 0.0}),
    ("averaging in, 5 safety orders", Averaging(), {"base": 1_000.0, "safety": 1_000.0}),
)


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell each figure."""
    candles = year()
    for name, strategy, chosen in WORK:
        p = resolve(strategy.parameters, chosen)
        spec = replace(spec_of(candles), strategy=strategy.name, params=dict(p))
        first = candles.before(COMPARED)
        begins = replace(spec, until_ms=int(first.closed_ms[-1]))
        quick, engine = run_ladders(begins, first, strategy, p)
        if engine != COMPILED or quick.digest() != run_turns(begins, first, strategy, p).digest():
            raise AssertionError(f"{name}: {engine}, and turn by turn something else")
        best = float("inf")
        for _ in range(10):
            began = time.thread_time()
            result, _ = run_ladders(spec, candles, strategy, p)
            result.core()
            best = min(best, time.thread_time() - began)
        add(f"{name}, a year of minutes, compiled", len(candles) / best, "bars/s", f"{len(result.fills):,} fills")


if __name__ == "__main__":
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
