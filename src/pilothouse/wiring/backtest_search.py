"""Searches over parameters for every door: what stays the same and what is tried go in; plain data to show come out."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pilothouse.backtest import space
from pilothouse.backtest.exports import time_of
from pilothouse.backtest.guided import guided
from pilothouse.backtest.report import span_words
from pilothouse.backtest.report_search import varied_of
from pilothouse.backtest.request import Wish
from pilothouse.backtest.search import TOLD, Outcome, Task
from pilothouse.backtest.search_files import SearchFile, search_name
from pilothouse.backtest.search_shelf import WALK, KeptSearch, SearchShelf
from pilothouse.backtest.spec import names_of
from pilothouse.backtest.splits import PARTS_MOST, Span, Split, folds, walk_forward
from pilothouse.backtest.trials import Trial, Trials
from pilothouse.backtest.verdict import Verdict
from pilothouse.backtest.walk import JOINED, Walk, calendar, told_by_returns, walk
from pilothouse.core.candles import Ints
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits import NOTHING
from pilothouse.kit.settings import Settings
from pilothouse.strategies.parameters import Parameter, Params, resolve
from pilothouse.strategies.registry import Described
from pilothouse.wiring.backtest_data import Found
from pilothouse.wiring.backtest_funding import is_unfunded, lacking
from pilothouse.wiring.backtest_run import FOLDER, TRIALS, Changed, prepare

SEARCHES = "searches"
KEPT = "kept"
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
        """Return how many bars each trial runs over; of several markets, how many openings they have in all."""
        return len(calendar(self.task))


def plan(described: Described, wish: Wish, found: Found, changed: Changed, tried: Tried) -> Plan:
    """Return a search that is ready; nothing is run. Raises Refused for rules beside a strategy in turns, Invalid."""
    strategy = described.strategy
    if tried.score not in TOLD:
        raise Invalid([Problem("score", f"{tried.score[:40]!r} came", f"one of {', '.join(TOLD)}", "unknown")])
    if tried.guided and tried.draws:
        raise Invalid([Problem("optuna", "beside --random", "one of the two: chosen, or drawn", "both")])
    fixed = _fixed(strategy.parameters, wish, tried)
    over = space.space(tried.over or [each for each in strategy.parameters if each not in fixed], strategy.parameters)
    whole = {**fixed, **over}
    each: Iterator[Params]
    if tried.guided:
        count, each = tried.guided, iter(())
    elif tried.draws:
        drawn = space.drawn(strategy.parameters, whole, tried.draws, tried.seed)
        count, each = len(drawn), iter(drawn)
    else:
        count, each = space.grid(strategy.parameters, whole)
    spec, _ = prepare(described, wish, found, changed)
    words = f"{sorted(whole.items())} {tried.draws} {tried.seed}"
    if tried.guided:
        # Not how many: whoever wants more goes on where the search stopped.
        words = f"optuna {tried.over} {tried.score} {tried.seed}" + (f" {sorted(fixed.items())}" if fixed else "")
    return Plan(
        Task(spec, strategy, found.candles, finer=found.finer, funding=found.funding),
        words,
        count,
        each,
        found.notes,
        over,
        tried,
    )


def _fixed(declared: Mapping[str, Parameter], wish: Wish, tried: Tried) -> space.Over:
    """Return the parameters that were given one value, by name. Raises Invalid for one that is varied as well."""
    varied = {word.partition("=")[0].strip() for word in tried.over}
    both = sorted(varied & set(wish.params))
    if both:
        raise Invalid([Problem(name, "fixed, and varied", "a value, or values to try", "both") for name in both])
    values = resolve(declared, wish.params)
    return {name: (str(values[name]),) for name in wish.params}


def chosen(ready: Plan, known: dict[str, Outcome], *, workers: int) -> Iterator[Outcome]:
    """Yield the trials that Optuna asks for, those that are known already as well. Raises NoOptuna."""
    tried = ready.tried
    words = tried.over or tuple(ready.over)
    return guided(
        ready.task, ready.over, words, tried.score, trials=tried.guided, seed=tried.seed, workers=workers, known=known
    )  # fmt: skip


def fresh(
    ready: Plan, known: Mapping[str, Outcome], told: Callable[[int], None], order: list[str] | None = None
) -> Iterator[Params]:
    """Yield the combinations whose trials are not known yet; `told` is called with 1 for each that is.

    order   the names of all trials are added to it, in the order of their combinations
    """
    name_of = names_of(ready.task.spec)
    for params in ready.combinations:
        name = name_of(params)
        if order is not None:
            order.append(name)
        if name in known:
            told(1)
        else:
            yield params


@dataclass(frozen=True, slots=True)
class Lessons:
    """How history is cut into lessons and examinations, all in bars.

    train, test   a walk: length of a lesson, and of the examination behind it; anchored: see `splits.walk_forward`
    folds         instead of a walk: so many parts, each examined once and taught by all others; 0: none
    purge         left out between the two
    embargo       left out behind an examination besides, with folds
    """

    train: int = 0
    test: int = 0
    anchored: bool = False
    purge: int = 0
    folds: int = 0
    embargo: int = 0

    def splits(self, ready: Plan) -> list[Split]:
        """Return lessons and examinations. Raises Invalid that names every field which does not fit."""
        if not self.folds:
            if self.embargo:
                raise Invalid(
                    [Problem("embargo", "beside a walk", "0; or with folds: behind a walk comes nothing", "both")]
                )
            if not (self.train or self.test):
                allowed = "train and test, bars of a lesson and of its examination; or folds, 2 to 16"
                raise Invalid([Problem("train", "none came, and no folds", allowed, "missing")])
            sizes = {"train": self.train, "test": self.test, "purge": self.purge}
            return walk_forward(ready.bars, **sizes, anchored=self.anchored)
        problems = [
            Problem(name, "beside folds", "left out: folds are as long as they come out", "both")
            for name in ("train", "test", "anchored")
            if getattr(self, name)
        ]
        if not 2 <= self.folds <= PARTS_MOST:
            problems.append(Problem("folds", str(self.folds), f"2 to {PARTS_MOST}", "out_of_range"))
        if ready.tried.score not in JOINED:
            problems.append(Problem("score", f"{ready.tried.score} came", f"with folds {', '.join(JOINED)}", "unknown"))
        if problems:
            raise Invalid(problems)
        return folds(ready.bars, self.folds, purge=self.purge, embargo=self.embargo)

    def pieces(self, splits: Sequence[Split]) -> int:
        """Return how many stretches of history each combination is tried on."""
        return sum(len(split.train) for split in splits)


def walked(
    settings: Settings, ready: Plan, splits: Sequence[Split], told: Callable[[int], None], *, workers: int
) -> tuple[Walk, int]:
    """Return a walk forward, and how many trials of its strategy there ever were.

    Every trial of a lesson is kept as soon as it is made, so the same walk goes on where it was stopped, and counted.
    """
    ledger, strategy = Trials(settings.data / FOLDER / TRIALS), ready.task.spec.strategy
    with SearchFile(settings.data / FOLDER / SEARCHES, lessons_name(ready)) as file:
        try:
            found = walk(
                ready.task, list(ready.combinations), splits, ready.tried.score, workers=workers, told=told,
                known=dict(file.known), keep=file.add,
            )  # fmt: skip
        finally:
            count = ledger.count(strategy, trials_in(file.known.values()))
    return found, count


def lessons_name(ready: Plan) -> str:
    """Return the name of the file that keeps the trials of lessons."""
    return search_name(replace(ready.task.spec, params={}).canonical(), f"walkforward {ready.words}")


def search_id(kind: str, ready: Plan, asked: Mapping[str, Any]) -> str:
    """Return the name of what a search finds: SHA-256 of all that it depends on, hexadecimal.

    asked   of a walk forward its lengths, by the names of `Lessons`; of a sweep `optuna`
    """
    names = ("train", "test", "anchored", "purge") if kind == WALK else ("optuna",)
    more = [asked[name] for name in names] + [asked[name] for name in ("folds", "embargo") if asked.get("folds")]
    return hashlib.sha256(f"{kind} {ready.name} {ready.tried.score} {more}".encode()).hexdigest()


def keep_search(
    settings: Settings, kind: str, ready: Plan, asked: Mapping[str, Any], told: Mapping[str, Any]
) -> KeptSearch:
    """Keep what a search has found, and return it as it is kept."""
    file = lessons_name(ready) if kind == WALK else ready.name
    spec = ready.task.spec
    kept = KeptSearch(search_id(kind, ready, asked), kind, spec.strategy, file, dict(told), spec.canonical())
    shelf_of(settings).put(kept)
    return kept


def shelf_of(settings: Settings) -> SearchShelf:
    """Return the folder of all that searches have found."""
    return SearchShelf(settings.data / FOLDER / SEARCHES / KEPT)


def trials_in(outcomes: Iterable[Outcome]) -> Iterator[Trial]:
    """Yield what the ledger counts: everything that could be run."""
    return (Trial(each.name, each.sharpe) for each in outcomes if not each.error)


def told_search(verdict: Verdict, score: str, ready: Plan, *, stopped: bool) -> dict[str, Any]:
    """Return what a search found as plain data."""
    luck, fitted = verdict.luck, verdict.overfit
    return {
        "trials": len(verdict.best),
        "combinations": ready.count,
        "stopped": stopped,
        "score": score,
        "best": [
            {"name": each.name, "params": each.params, "metrics": each.metrics, "denied": each.denied}
            for each in verdict.best[:SHOWN_MOST]
        ],
        "varied": varied_of(verdict.best),
        "denied": verdict.best[0].denied if verdict.best else 0,
        "denied_trials": sum(each.denied > 0 for each in verdict.best),
        "failed": sum(bool(each.error) for each in verdict.best),
        "failure": next((each.error for each in verdict.best if each.error), None),
        "luck": luck.sentence if luck else None,
        "luck_sharpe": luck.luck_sharpe if luck else None,
        "deflated_sharpe": luck.deflated if luck else None,
        "trials_ever": luck.trials if luck else None,
        "overfit_probability": fitted.probability if fitted else None,
        "overfit_loss": fitted.loss if fitted else None,
        "steadiness": verdict.steadiness if verdict.steadiness == verdict.steadiness else None,
        **_on_what(ready, short=any(each.shorts for each in verdict.best)),
        "engines": dict(sorted(Counter(each.engine for each in verdict.best if each.engine).items())),
    }


def _on_what(ready: Plan, *, short: bool) -> dict[str, Any]:
    """Return what was searched, on which market, from when to when, and what a reader must know of that.

    short   whether some trial went short
    """
    spec = ready.task.spec
    return {
        "title": ready.task.strategy.title,
        "symbol": ", ".join(market.symbol for market in spec.markets),
        "timeframe": spec.timeframe,
        "span": span_words(calendar(ready.task), _span_ms(ready)),
        "costless": spec.costless,
        "unfunded": is_unfunded(spec, short=short),
        "underfunded": lacking(spec, ready.task.data, ready.task.funding),
        "limited": spec.limits != NOTHING,
        "notes": ready.notes,
    }


def told_walk(found: Walk, ready: Plan, trials: int) -> dict[str, Any]:
    """Return what a walk forward found as plain data; `trials`: of its strategy there ever were."""
    opened, span_ms = calendar(ready.task), _span_ms(ready)
    varied = [name for name, values in ready.over.items() if len(values) > 1]
    total = float(np.prod(1.0 + found.returns)) - 1.0 if len(found.returns) else None
    behind = [step.examined for step in found.steps]
    metrics = told_by_returns(found.returns, behind[0].per_year) if len(found.returns) else {}
    for name in ("trades", "fees"):
        metrics[name] = sum(each.metrics.get(name) or 0.0 for each in behind)
    return {
        "score": ready.tried.score,
        **_on_what(ready, short=any(each.shorts for step in found.steps for each in (step.learned, step.examined))),
        "total_return": total,
        "efficiency": found.efficiency,
        "metrics": metrics,
        "trials_ever": trials,
        "steps": [
            {
                "train": step.split.train[0], "spans": list(step.split.train), "test": step.split.test[0],
                "params": step.learned.params,
                "chosen": {name: step.learned.params[name] for name in varied},
                "times": _times(opened, step.split.test[0], span_ms),
                "denied": {"learned": step.learned.denied, "examined": step.examined.denied},
                "tried": step.tried, "learned": step.learned.metrics, "examined": step.examined.metrics,
            }
            for step in found.steps
        ],
        "returns": found.returns.tolist(),
    }  # fmt: skip


def _span_ms(ready: Plan) -> int:
    return ready.task.data[ready.task.spec.markets[0].symbol].span_ms


def _times(opened: Ints, rows: Span, span_ms: int) -> list[str]:
    return [time_of(int(opened[rows[0]])), time_of(int(opened[rows[1] - 1]) + span_ms)]
