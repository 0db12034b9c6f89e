"""Searches over parameters for every door: what stays the same and what is tried go in; plain data to show come out."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pilothouse.backtest import space
from pilothouse.backtest.guided import guided
from pilothouse.backtest.request import Wish
from pilothouse.backtest.search import TOLD, Outcome, Task
from pilothouse.backtest.search_files import search_name
from pilothouse.backtest.verdict import Verdict
from pilothouse.backtest.walk import Walk
from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.registry import Described
from pilothouse.wiring.backtest_data import Found
from pilothouse.wiring.backtest_run import Changed, prepare

SHOWN_MOST = 20


@dataclass(frozen=True, slots=True)
class Tried:
    """What a search tries.

    over    words such as fast=5..50:5; every parameter by its declared steps, if empty
    draws   so many combinations are drawn by `seed`; 0 tries all
    score   what is searched for
    guided  so many are chosen by Optuna, which learns by `seed`; 0: none, see `backtest/guided.py`
    """

    over: tuple[str, ...] = ()
    draws: int = 0
    seed: int = 0
    score: str = "sharpe"
    guided: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A search that is ready: what stays the same, what is tried, and how many that are."""

    task: Task
    words: str
    count: int
    combinations: Iterator[Params]
    notes: list[str]
    over: space.Over
    tried: Tried

    @property
    def name(self) -> str:
        """Return what the search is called: the same search goes on where it stopped."""
        return search_name(replace(self.task.spec, params={}).canonical(), self.words)

    @property
    def bars(self) -> int:
        """Return how many bars each trial runs over."""
        return len(self.task.data[self.task.spec.markets[0].symbol])


def plan(described: Described, wish: Wish, found: Found, changed: Changed, tried: Tried) -> Plan:
    """Return a search that is ready; nothing is run. Raises Refused for rules beside a strategy in turns, Invalid."""
    strategy = described.strategy
    if tried.score not in TOLD:
        raise Invalid([Problem("score", f"{tried.score[:40]!r} came", f"one of {', '.join(TOLD)}", "unknown")])
    over = space.space(tried.over or list(strategy.parameters), strategy.parameters)
    if tried.guided and tried.draws:
        raise Invalid([Problem("optuna", "beside --random", "one of the two: chosen, or drawn", "both")])
    each: Iterator[Params]
    if tried.guided:
        count, each = tried.guided, iter(())
    elif tried.draws:
        drawn = space.drawn(strategy.parameters, over, tried.draws, tried.seed)
        count, each = len(drawn), iter(drawn)
    else:
        count, each = space.grid(strategy.parameters, over)
    spec, _ = prepare(described, wish, found, changed)
    words = f"{sorted(over.items())} {tried.draws} {tried.seed}"
    if tried.guided:
        # Not how many: whoever wants more goes on where the search stopped.
        words = f"optuna {tried.over} {tried.score} {tried.seed}"
    return Plan(Task(spec, strategy, found.candles, finer=found.finer), words, count, each, found.notes, over, tried)


def chosen(ready: Plan, known: dict[str, Outcome], *, workers: int) -> Iterator[Outcome]:
    """Yield the trials that Optuna asks for, those that are known already as well. Raises NoOptuna."""
    tried = ready.tried
    words = tried.over or tuple(ready.task.strategy.parameters)
    return guided(
        ready.task, ready.over, words, tried.score, trials=tried.guided, seed=tried.seed, workers=workers, known=known
    )  # fmt: skip


def fresh(ready: Plan, known: dict[str, Outcome], told: Callable[[int], None]) -> Iterator[Params]:
    """Yield the combinations whose trials are not known yet; `told` is called with 1 for each that is."""
    for params in ready.combinations:
        if ready.task.spec_of(params).name in known:
            told(1)
        else:
            yield params


def told_search(verdict: Verdict, score: str, ready: Plan, *, stopped: bool) -> dict[str, Any]:
    """Return what a search found as plain data."""
    luck, fitted = verdict.luck, verdict.overfit
    return {
        "trials": len(verdict.best),
        "combinations": ready.count,
        "stopped": stopped,
        "score": score,
        "best": [
            {"name": each.name, "params": each.params, "metrics": each.metrics} for each in verdict.best[:SHOWN_MOST]
        ],
        "failed": sum(bool(each.error) for each in verdict.best),
        "luck": luck.sentence if luck else None,
        "luck_sharpe": luck.luck_sharpe if luck else None,
        "deflated_sharpe": luck.deflated if luck else None,
        "trials_ever": luck.trials if luck else None,
        "overfit_probability": fitted.probability if fitted else None,
        "overfit_loss": fitted.loss if fitted else None,
        "steadiness": verdict.steadiness if verdict.steadiness == verdict.steadiness else None,
        "engines": dict(sorted(Counter(each.engine for each in verdict.best if each.engine).items())),
        "notes": ready.notes,
    }


def told_walk(found: Walk, score: str) -> dict[str, Any]:
    """Return what a walk forward found as plain data."""
    total = float(np.prod(1.0 + found.returns)) - 1.0 if len(found.returns) else None
    return {
        "score": score,
        "total_return": total,
        "efficiency": found.efficiency,
        "steps": [
            {
                "train": step.split.train[0], "test": step.split.test[0], "params": step.learned.params,
                "tried": step.tried, "learned": step.learned.metrics, "examined": step.examined.metrics,
            }
            for step in found.steps
        ],
    }  # fmt: skip
