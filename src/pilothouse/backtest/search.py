"""Many runs of one strategy: a spec and combinations go in; a trial for each comes out as soon as it is done.

On all cores, in processes of their own; each has the data once. Whoever stops in the middle keeps what is done: trials
are handed out one by one, and those that are known already are not made again.
"""

import math
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

import numpy as np

from pilothouse.backtest.curves import Curve, Floats, returns_of
from pilothouse.backtest.inside import Finer
from pilothouse.backtest.luck import moments
from pilothouse.backtest.metrics import measure
from pilothouse.backtest.run import run_any
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.core.candles import Candles
from pilothouse.core.errors import PilothouseError
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Turns

TOLD: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar", "profit_factor", "win_rate", "trades",
    "time_in_market", "fees", "sqn",
)  # fmt: skip
"""What is told of each trial, and may be searched for."""

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One trial.

    name      SHA-256 of its spec
    metrics   those of TOLD; None where not defined
    sharpe    per observation; NaN where there is none
    returns   float32[k], per day or bar, see `curves.returns_of`
    error     why it could not be run; empty where it could
    engine    which engine ran it, see `run.run_any`; empty where none did
    """

    name: str
    params: dict[str, Any]
    metrics: dict[str, float | None]
    sharpe: float
    per_year: float
    returns: Floats
    error: str = ""
    engine: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What stays the same over a search: a spec whose parameters are replaced, the strategy, its candles.

    changes   rules to be used instead of the strategy's own: (what is replaced by name); empty: its own
    finer     what is below the bars by symbol, where the spec walks inside them
    """

    spec: BacktestSpec
    strategy: Columns | Turns
    data: Mapping[str, Candles]
    rules: Rules | None = None
    finer: Mapping[str, Finer] = field(default_factory=dict)

    def spec_of(self, params: Params) -> BacktestSpec:
        """Return the spec of one combination."""
        return replace(self.spec, params=dict(params))


def search(task: Task, combinations: Iterable[Params], *, workers: int = 1) -> Iterator[Outcome]:
    """Yield an outcome for each combination, in the order in which they are done.

    workers   processes; 1 works in this one
    """
    if workers <= 1:
        known = False
        for params in combinations:
            yield trial(task, params, known=known)
            known = True
        return
    context = multiprocessing.get_context("spawn")
    waiting = iter(combinations)
    with ProcessPoolExecutor(workers, context, begin, (task,)) as pool:
        under_way: set[Future[list[Outcome]]] = set()
        try:
            while True:
                while len(under_way) < 2 * workers and (portion := list(islice(waiting, _AT_ONCE))):
                    under_way.add(pool.submit(trials_of, portion))
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def trial(task: Task, params: Params, *, known: bool = False, skip: int = 0) -> Outcome:
    """Run one combination; what it cannot run is an outcome with its reason, not an end of the search.

    known   whether another combination was run over the same data before
    skip    so many bars at the beginning, in which nothing was traded, are not measured
    """
    spec = task.spec_of(params)
    try:
        result, engine = run_any(spec, task.data, task.strategy, finer=task.finer, known=known)
    except PilothouseError as error:
        return Outcome(spec.name, dict(params), dict.fromkeys(TOLD), math.nan, 365.0, np.zeros(0), str(error)[:300])
    whole = result.curve()
    curve = Curve(whole.at_ms[skip:], whole.equity[skip:])
    returns, per_year = returns_of(curve)
    found = measure(curve, result.table(), exposed=result.exposed / max(len(result) - skip, 1))
    sharpe = moments(returns).sharpe if len(returns) > 1 else math.nan
    told = {name: found[name] for name in TOLD}
    return Outcome(spec.name, dict(params), told, sharpe, per_year, returns.astype(np.float32), engine=engine)


_TASK: list[Task] = []


def begin(task: Task) -> None:
    """Let this process know what stays the same over a search."""
    _TASK[:] = [task]


def trials_of(portion: list[Params]) -> list[Outcome]:
    """Return the outcomes of some combinations of the search that this process knows."""
    (task,) = _TASK
    return [trial(task, params, known=at > 0) for at, params in enumerate(portion)]
