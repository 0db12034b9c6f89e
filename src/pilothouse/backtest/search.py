"""Many runs of one strategy: a spec and combinations go in; a trial for each comes out as soon as it is done.

On all cores: in threads that share candles and averages where the runs allow it, else in processes of their own, of
which each has the data once. Whoever stops in the middle keeps what is done: trials are handed out in small portions,
and those that are known already are not made again.
"""

import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from multiprocessing import connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

import numpy as np

from pilothouse.backtest.curves import Curve, Floats, returns_of
from pilothouse.backtest.inside import Finer
from pilothouse.backtest.kernels.figures import NAMES
from pilothouse.backtest.ladders import COMPILED
from pilothouse.backtest.luck import moments
from pilothouse.backtest.metrics import measure
from pilothouse.backtest.quick_trials import Ground, Lane, may_be_quick
from pilothouse.backtest.run import refuse_unfit, run_any
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, PilothouseError
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Turns

TOLD: Final = NAMES
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
    denied    how many orders the risk gate stopped
    shorts    whether some position was short, or where that is not told, whether one was wished for
    """

    name: str
    params: dict[str, Any]
    metrics: dict[str, float | None]
    sharpe: float
    per_year: float
    returns: Floats
    error: str = ""
    engine: str = ""
    denied: int = 0
    shorts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What stays the same over a search: a spec whose parameters are replaced, the strategy, its candles.

    changes   rules to be used instead of the strategy's own: (what is replaced by name); empty: its own
    finer     what is below the bars by symbol, where the spec walks inside them
    funding   its history by symbol, where the spec wants it paid
    """

    spec: BacktestSpec
    strategy: Columns | Turns
    data: Mapping[str, Candles]
    rules: Rules | None = None
    finer: Mapping[str, Finer] = field(default_factory=dict)
    funding: Mapping[str, Funding] = field(default_factory=dict)

    def spec_of(self, params: Params) -> BacktestSpec:
        """Return the spec of one combination."""
        return replace(self.spec, params=dict(params))


def search(task: Task, combinations: Iterable[Params], *, workers: int = 1) -> Iterator[Outcome]:
    """Yield an outcome for each combination, in the order in which they are done.

    workers   threads where runs share what can be shared (`quick_trials.py`), else processes; 1 works in this one

    An outcome is the same whichever way it was run.
    """
    waiting = iter(combinations)
    here = Runner(task)
    for params in islice(waiting, 1):
        yield here(params)
    if workers <= 1:
        while portion := list(islice(waiting, _AT_ONCE)):
            yield from here.portion(portion)
    elif here.is_quick and not getattr(task.strategy, "one_at_a_time", False):
        runners: SimpleQueue[Runner] = SimpleQueue()
        for _ in range(workers):
            runners.put(here.beside())
        yield from _in_pool(ThreadPoolExecutor(workers), partial(_by_one_of, runners), waiting, workers, _AT_ONCE)
    else:
        context = multiprocessing.get_context("spawn")
        # One at a time: these are slow, and what of a portion is done when it is stopped would be lost.
        yield from _in_pool(ProcessPoolExecutor(workers, context, begin, (task,)), trials_of, waiting, workers, 1)


def _in_pool(
    pool: Executor, work: Callable[[list[Params]], list[Outcome]], waiting: Iterator[Params], workers: int, at_once: int
) -> Iterator[Outcome]:
    with pool:
        under_way: set[Future[list[Outcome]]] = set()
        try:
            while True:
                while len(under_way) < 2 * workers and (portion := list(islice(waiting, at_once))):
                    under_way.add(pool.submit(work, portion))
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Runner:
    """Runs combinations one after the other, in the quick way where it fits; what they share is kept between them."""

    def __init__(self, task: Task, ground: Ground | None = None) -> None:
        """Prepare what they share, or take it from another one."""
        self._task = task
        self._ground = _ground_of(task) if ground is None else ground
        self._lane = None if self._ground is None else Lane(len(self._ground.candles))
        self._known = self._ground is not None

    @property
    def is_quick(self) -> bool:
        """Say whether combinations share what can be shared, in threads as well."""
        return self._ground is not None

    def beside(self) -> "Runner":
        """Return another one for another thread, which shares what can be shared."""
        return Runner(self._task, self._ground)

    def __call__(self, params: Params) -> Outcome:
        """Return the outcome of one combination."""
        (outcome,) = self.portion([params])
        return outcome

    def portion(self, some: Sequence[Params]) -> list[Outcome]:
        """Return the outcomes of some combinations, in order."""
        return [self._one(params) for params in some]

    def _one(self, params: Params) -> Outcome:
        ground, lane = self._ground, self._lane
        if ground is not None and lane is not None:
            name = ground.name_of(params)
            try:
                told = ground.run(params, lane)
            except PilothouseError as error:
                return _failed(name, params, error)
            return Outcome(
                name, dict(params), told.metrics, told.sharpe, told.per_year, told.returns, "", COMPILED,
                shorts=told.shorts,
            )  # fmt: skip
        known, self._known = self._known, True
        return trial(self._task, params, known=known)


def _ground_of(task: Task) -> Ground | None:
    strategy = task.strategy
    if not isinstance(strategy, Columns) or not may_be_quick(task.spec):
        return None
    try:
        refuse_unfit(task.spec, task.data, strategy, task.finer, task.funding)
    except Invalid:  # each trial tells why, in the ordinary way
        return None
    return Ground(task.spec, task.data, strategy, task.funding.get(task.spec.markets[0].symbol))


def _by_one_of(runners: "SimpleQueue[Runner]", portion: list[Params]) -> list[Outcome]:
    runner = runners.get()
    try:
        return runner.portion(portion)
    finally:
        runners.put(runner)


def trial(task: Task, params: Params, *, known: bool = False, skip: int = 0) -> Outcome:
    """Run one combination; what it cannot run is an outcome with its reason, not an end of the search.

    known   whether another combination was run over the same data before
    skip    so many bars at the beginning, in which nothing was traded, are not measured
    """
    spec = task.spec_of(params)
    try:
        result, engine = run_any(
            spec, task.data, task.strategy, finer=task.finer, funding=task.funding, known=known
        )  # fmt: skip
    except PilothouseError as error:
        return _failed(spec.name, params, error)
    whole = result.curve()
    curve = Curve(whole.at_ms[skip:], whole.equity[skip:])
    returns, per_year = returns_of(curve)
    exposed = result.exposed / max(len(result) - skip, 1)
    told = measure(curve, result.table(), exposed=exposed, names=TOLD)
    sharpe = moments(returns).sharpe if len(returns) > 1 else math.nan
    return Outcome(
        spec.name, dict(params), told, sharpe, per_year, returns.astype(np.float32), engine=engine,
        denied=result.denials.count, shorts=bool((result.trades.side < 0).any()),
    )  # fmt: skip


def _failed(name: str, params: Params, error: PilothouseError) -> Outcome:
    return Outcome(name, dict(params), dict.fromkeys(TOLD), math.nan, 365.0, np.zeros(0), str(error)[:300])


_RUNNER: list[Runner] = []
_INTERRUPTED: Final = 130


def begin(task: Task) -> None:
    """Let this process know what stays the same over a search; it ends with the one that began it."""
    if multiprocessing.parent_process() is not None:
        # Ctrl-C reaches all of a terminal's processes: whoever began the search says what is kept, a worker just ends.
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    _RUNNER[:] = [Runner(task)]
    Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    """End this process once its parent is gone: nobody is left to be handed a trial, and a pool does not notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def trials_of(portion: list[Params]) -> list[Outcome]:
    """Return the outcomes of some combinations of the search that this process knows."""
    (runner,) = _RUNNER
    return runner.portion(portion)
