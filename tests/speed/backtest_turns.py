"""How fast a strategy in plain Python turns is: a turn for each minute of a year, averages carried from bar to bar.

It flips on the crossing of the averages of 10 and 50 closes, as the compiled loop does beside it: trades and equity of
both are compared first, for a quick run that says something else is worth nothing.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pilothouse.backtest.result import Result
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Exits
from pilothouse.strategies.sdk import Bar, Happening, Turn, Want
from tests.speed.backtest import FAST, LOT, LOTS, SLOW, ours, spec_of, year

AIM = 400_000
TIMES = SLOW // FAST


class Crossing:
    """Two sums of closes, moved on by one close each bar; leaves and takes the other side where they cross."""

    name: ClassVar[str] = "sma-cross"
    title: ClassVar[str] = "Crossing, turn by turn"
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def begin(self, p: Params) -> dict[str, Any]:
        """Return no closes."""
        return {"closes": [], "fast": 0, "slow": 0, "sign": None}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return two orders where the averages cross, else none."""
        if not isinstance(happening, Bar):
            return Turn(state)
        close, closes = happening.close, state["closes"]
        closes.append(close)
        count = len(closes)
        fast = state["fast"] = state["fast"] + close - (closes[-FAST - 1] if count > FAST else 0)
        slow = state["slow"] = state["slow"] + close - (closes.pop(0) if count > SLOW else 0)
        if count < SLOW:
            return Turn(state)
        apart = fast * TIMES - slow
        sign, before = (apart > 0) - (apart < 0), state["sign"]
        if sign == before:
            return Turn(state)
        state["sign"] = sign
        # The loop, too, begins with the bar behind those that the averages need.
        if not sign or count == SLOW:
            return Turn(state)
        quantity = sign * LOTS * LOT
        out = Want("out", happening.symbol, quantity, reduce_only=True)
        return Turn(state, (out, Want("in", happening.symbol, quantity)))


def in_turns(candles: Candles, spec: BacktestSpec) -> Result:
    """Do the work in turns."""
    return run_turns(spec, candles, Crossing(), Params({}))


def measure(add: Callable[[str, float, str, str], None]) -> None:
    """Measure, and tell the figure."""
    candles = year()
    spec = spec_of(candles)
    loop, _ = ours(candles, spec, Exits())
    turns = in_turns(candles, spec)
    if len(turns.trades) != len(loop.trades) or turns.final != loop.final:
        came = f"{len(turns.trades)} trades, {turns.final}; the loop: {len(loop.trades)}, {loop.final}"
        raise AssertionError(f"turns say something else: {came}")
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        in_turns(candles, spec)
        best = min(best, time.thread_time() - began)
    what = f"{len(turns.trades):,} trades; at least {AIM:,}"
    add("turns in plain Python, a year of minutes", len(candles) / best, "bars/s", what)


if __name__ == "__main__":
    measure(lambda name, figure, unit, aim: print(f"  {name:<58} {figure:>10,.2f} {unit:<10} {aim}", flush=True))
