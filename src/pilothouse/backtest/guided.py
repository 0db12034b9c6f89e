"""A search that learns from its own trials what to try next: Optuna is asked, told, and asked again.

Asked in rounds of one size and told in the order of asking, so that the same seed tries the same with any number of
processes; a search that goes on is told what is known already and asked again from the beginning.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from pilothouse.backtest.search import Outcome, Runner, Task, begin, trials_of
from pilothouse.backtest.space import Over
from pilothouse.backtest.spec import names_of
from pilothouse.backtest.verdict import score_of
from pilothouse.core.errors import Refused
from pilothouse.core.rounding import nearest
from pilothouse.strategies.parameters import Parameter, Params, Value, resolve

if TYPE_CHECKING:
    from optuna.trial import Trial

ROUND: Final = 8
"""So many are asked for before any of them is told."""

_GRAIN: Final = Decimal("0.000001")


class NoOptuna(Refused):
    """The extra is not installed."""

    code = "no_optuna"

    def __init__(self) -> None:
        """Say how to come by it."""
        super().__init__("Optuna is not installed: pip install 'pilothouse[optuna]', or search by --random or a grid")


def guided(
    task: Task, over: Over, words: Sequence[str], score: str, *, trials: int, seed: int, workers: int,
    known: Mapping[str, Outcome],
) -> Iterator[Outcome]:  # fmt: skip
    """Yield the outcome of each trial that Optuna asks for, `trials` in all; a combination asked for again counts too.

    over    the values to try by name, for parameters that `words` gives values to
    words   which parameters are tried: `fast=5..50:5`, or `fast` alone for all between its declared bounds
    score   what is searched for; a trial without it teaches nothing
    known   outcomes by name, which are not made again

    Raises NoOptuna.
    """
    optuna = _optuna()
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=16)
    )
    found = dict(known)
    here, name_of = Runner(task), names_of(task.spec)
    with _pool(task, workers) as pool:
        for first in range(0, trials, ROUND):
            asked = [study.ask() for _ in range(min(ROUND, trials - first))]
            wanted = [_params(task, each, over, words) for each in asked]
            names = [name_of(params) for params in wanted]
            fresh = {name: params for name, params in zip(names, wanted, strict=True) if name not in found}
            for outcome in _made(here, list(fresh.values()), pool):
                found[outcome.name] = outcome
            for each, name in zip(asked, names, strict=True):
                value = score_of(found[name], score)
                is_known = not math.isnan(value)
                state = optuna.trial.TrialState.COMPLETE if is_known else optuna.trial.TrialState.FAIL
                study.tell(each, value if is_known else None, state=state)
                yield found[name]


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 - an extra: it is only there where somebody wanted it
    except ImportError:
        raise NoOptuna from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _params(task: Task, asked: "Trial", over: Over, words: Sequence[str]) -> Params:
    """Return what Optuna wants to try, with everything else as the spec has it."""
    declared, chosen = task.strategy.parameters, dict(task.spec.params)
    for word in words:
        name, has_values, _ = (part.strip() for part in word.partition("="))
        chosen[name] = _one_of(asked, name, over[name]) if has_values else _between(asked, name, declared[name])
    return resolve(declared, chosen)


def _one_of(asked: "Trial", name: str, values: Sequence[str]) -> str:
    try:
        in_order = [float(value) for value in values]
    except ValueError:
        return str(asked.suggest_categorical(name, list(values)))
    # Numbers have an order that the sampler shall know: it chooses a place among them.
    ordered = [value for _, value in sorted(zip(in_order, values, strict=True))]
    return ordered[asked.suggest_int(name, 0, len(ordered) - 1)]


def _between(asked: "Trial", name: str, declared: Parameter) -> Value:
    least, most = declared.least, declared.most
    if declared.kind == "whole" and least is not None and most is not None:
        first, step = int(least), int(declared.step or 1)
        return asked.suggest_int(name, first, first + (int(most) - first) // step * step, step=step)
    if least is not None and most is not None:
        # A number that runs over many powers of ten, such as an amount, is tried evenly over these.
        wide = least > 0 and most / least > 10_000
        value = asked.suggest_float(name, float(least), float(most), log=wide)
        return min(max(float(nearest(Decimal(repr(value)), _GRAIN)), float(least)), float(most))
    options: Sequence[Any] = declared.options or (False, True)
    found: Value = asked.suggest_categorical(name, list(options))
    return found


def _pool(task: Task, workers: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    if workers <= 1:
        return nullcontext()
    return ProcessPoolExecutor(workers, get_context("spawn"), begin, (task,))


def _made(here: Runner, wanted: Sequence[Params], pool: ProcessPoolExecutor | None) -> Iterator[Outcome]:
    if pool is None:
        yield from here.portion(wanted)
        return
    for outcomes in pool.map(trials_of, [[params] for params in wanted]):
        yield from outcomes
