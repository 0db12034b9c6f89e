"""Walk forward: search in each lesson, trade what was found in the time behind it, and chain what that earned.

Nothing that is traded was known in the lesson; between the two lies a purge, so that no open trade reaches over.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pilothouse.backtest.curves import Floats
from pilothouse.backtest.search import Outcome, Task, search, trial
from pilothouse.backtest.spec import BacktestSpec, inside_key
from pilothouse.backtest.splits import Split
from pilothouse.backtest.verdict import ranked
from pilothouse.core.candles import Candles
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.sdk import Columns


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One lesson and its examination.

    learned, examined   the winner of the lesson, in the lesson and behind it
    tried               how many combinations the lesson had
    """

    split: Split
    learned: Outcome
    examined: Outcome
    tried: int


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """All steps.

    returns      float64[k], of the examinations one behind the other
    efficiency   mean return per year behind the lessons over that in them; None where they earned nothing
    """

    steps: tuple[Step, ...]
    returns: Floats
    efficiency: float | None


def walk(
    task: Task, combinations: Sequence[Params], splits: Sequence[Split], score: str, *, workers: int = 1,
    told: Callable[[int], None] = lambda _: None,
) -> Walk:  # fmt: skip
    """Return what would have been earned by always trading the winner of the lesson before.

    told   is called with 1 for each trial that is done
    """
    steps = [step for split in splits for step in _step(task, combinations, split, score, workers, told)]
    returns = np.concatenate([step.examined.returns for step in steps]) if steps else np.zeros(0)
    inside = [step.learned.metrics["cagr"] for step in steps]
    behind = [step.examined.metrics["cagr"] for step in steps]
    pairs = [(one, other) for one, other in zip(inside, behind, strict=True) if one is not None and other is not None]
    before = sum(one for one, _ in pairs)
    efficiency = sum(other for _, other in pairs) / before if before > 0 else None
    return Walk(tuple(steps), returns.astype(np.float64), efficiency)


def _step(
    task: Task, combinations: Sequence[Params], split: Split, score: str, workers: int, told: Callable[[int], None]
) -> Iterator[Step]:
    (first, end), (begins, ends) = split.train[0], split.test[0]
    lesson = part(task, first, end)
    outcomes = []
    for outcome in search(lesson, combinations, workers=workers):
        outcomes.append(outcome)
        told(1)
    best = ranked(outcomes, score)[0]
    if best.error or best.metrics.get(score) is None:
        return  # nothing traded in this lesson, so nothing is traded behind it
    params = resolve(task.strategy.parameters, best.params)
    # The examination needs the bars before it to warm up in; nothing that is decided in them counts.
    warm_up = task.strategy.warm_up(params) if isinstance(task.strategy, Columns) else 0
    examined = trial(part(task, max(0, begins - warm_up), ends), params)
    yield Step(split, best, examined, len(outcomes))


def part(task: Task, first: int, end: int) -> Task:
    """Return the task over some of its bars; other instruments are cut at the same instants."""
    symbol = task.spec.markets[0].symbol
    candles = task.data[symbol].rows(slice(first, end))
    begins, ends = int(candles.opened_ms[0]), int(candles.closed_ms[-1])
    data = {symbol: candles} | {
        name: _between(other, begins, ends) for name, other in task.data.items() if name != symbol
    }
    spec = _spec_of(task.spec, data, begins, ends)
    # What is below the bars stays whole: each bar takes its own part of it.
    below = {inside_key(name): finer.fingerprint() for name, finer in task.finer.items()}
    return replace(task, spec=replace(spec, data={**spec.data, **below}), data=data)


def _between(candles: Candles, begins: int, ends: int) -> Candles:
    first = int(np.searchsorted(candles.opened_ms, begins))
    last = int(np.searchsorted(candles.closed_ms, ends, side="right"))
    return candles.rows(slice(first, last))


def _spec_of(spec: BacktestSpec, data: dict[str, Candles], begins: int, ends: int) -> BacktestSpec:
    prints: dict[str, Any] = {symbol: candles.fingerprint() for symbol, candles in data.items()}
    return replace(spec, start_ms=begins, until_ms=ends, data=prints)
