"""Walk forward: search in each lesson, trade what was found in the time behind it, and chain what that earned.

Nothing that is traded was known in the lesson; between the two lies a purge, so that no open trade reaches over.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from pilothouse.backtest.curves import Curve, Floats, TradeTable
from pilothouse.backtest.luck import moments
from pilothouse.backtest.metrics import measure
from pilothouse.backtest.portfolio import calendar_of
from pilothouse.backtest.search import Outcome, Task, search, trial
from pilothouse.backtest.spec import funding_key, inside_key
from pilothouse.backtest.splits import Span, Split
from pilothouse.backtest.verdict import ranked
from pilothouse.core.candles import Candles, Ints
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.sdk import Columns

JOINED: Final = ("total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar")
"""What may be searched for where a lesson has several spans."""

_YEAR_MS: Final = 365 * 86_400_000


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
    told: Callable[[int], None] = lambda _: None, known: Mapping[str, Outcome] = MappingProxyType({}),
    keep: Callable[[Outcome], None] = lambda _: None,
) -> Walk:  # fmt: skip
    """Return what would have been earned by always trading the winner of the lesson before.

    splits   rows of `calendar`
    told     is called with 1 for each trial that is done
    known    trials of lessons by name, which are not made again
    keep     is called with each trial of a lesson that was made
    """
    search_in = _Lessons(task, combinations, score, workers, told, known, keep)
    steps = [step for split in splits for step in search_in.step(split)]
    returns = np.concatenate([step.examined.returns for step in steps]) if steps else np.zeros(0)
    inside = [step.learned.metrics["cagr"] for step in steps]
    behind = [step.examined.metrics["cagr"] for step in steps]
    pairs = [(one, other) for one, other in zip(inside, behind, strict=True) if one is not None and other is not None]
    before = sum(one for one, _ in pairs)
    efficiency = sum(other for _, other in pairs) / before if before > 0 else None
    return Walk(tuple(steps), returns.astype(np.float64), efficiency)


@dataclass(frozen=True, slots=True, eq=False)
class _Lessons:
    """What is the same in every lesson; see `walk`."""

    task: Task
    combinations: Sequence[Params]
    score: str
    workers: int
    told: Callable[[int], None]
    known: Mapping[str, Outcome]
    keep: Callable[[Outcome], None]

    def step(self, split: Split) -> Iterator[Step]:
        """Yield a lesson and its examination; nothing where nothing traded in the lesson."""
        best = ranked(self._outcomes(split.train), self.score)[0]
        if best.error or best.metrics.get(self.score) is None:
            return
        begins, ends = split.test[0]
        params = resolve(self.task.strategy.parameters, best.params)
        # The examination needs the bars before it to warm up in; nothing that is decided in them counts.
        first = max(0, begins - _warm_up(self.task, params))
        examined = trial(part(self.task, first, ends), params, skip=begins - first)
        yield Step(split, best, examined, len(self.combinations))

    def _outcomes(self, spans: Sequence[Span]) -> list[Outcome]:
        """Return the trials of a lesson; one of several spans is made in each of them, and joined."""
        each = [{_key(made): made for made in self._made(part(self.task, *span))} for span in spans]
        return [joined([made[_key(one)] for made in each]) for one in each[0].values()]

    def _made(self, lesson: Task) -> list[Outcome]:
        outcomes, fresh = [], []
        for params in self.combinations:
            made = self.known.get(lesson.spec_of(params).name)
            if made is None:
                fresh.append(params)
            else:
                outcomes.append(made)
                self.told(1)
        for outcome in search(lesson, fresh, workers=self.workers):
            self.keep(outcome)
            outcomes.append(outcome)
            self.told(1)
        return outcomes


def _key(outcome: Outcome) -> str:
    return str(sorted(outcome.params.items()))


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return trials of one combination over several spans as one: its returns one behind the other.

    Of its metrics those of JOINED, which returns tell, from one observation to the next; the others are None.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    first = outcomes[0]
    returns = np.concatenate([each.returns for each in outcomes]).astype(np.float64)
    found = told_by_returns(returns, first.per_year)
    told: dict[str, float | None] = {name: found.get(name) for name in first.metrics}
    for name in ("trades", "fees"):
        told[name] = sum(each.metrics[name] or 0.0 for each in outcomes)
    if not told["trades"]:
        told = dict.fromkeys(told)
    name = hashlib.sha256("".join(each.name for each in outcomes).encode()).hexdigest()
    error = next((each.error for each in outcomes if each.error), "")
    sharpe = moments(returns).sharpe if len(returns) > 1 else math.nan
    denied = sum(each.denied for each in outcomes)
    shorts = any(each.shorts for each in outcomes)
    return Outcome(name, first.params, told, sharpe, first.per_year, returns, error, first.engine, denied, shorts)


def told_by_returns(returns: Floats, per_year: float) -> dict[str, float | None]:
    """Return the metrics of JOINED of returns that come one behind the other, `per_year` of them in a year."""
    at = np.arange(len(returns) + 1, dtype=np.int64) * int(_YEAR_MS / per_year)
    found = measure(Curve(at, np.concatenate(([1.0], np.cumprod(1.0 + returns)))), TradeTable.none())
    return {name: found[name] for name in JOINED}


def _warm_up(task: Task, params: Params) -> int:
    span_ms = task.data[task.spec.markets[0].symbol].span_ms
    return task.strategy.warm_up_bars(params, span_ms) if isinstance(task.strategy, Columns) else 0


def calendar(task: Task) -> Ints:
    """Return every opening of the markets that are traded, rising; int64[n], milliseconds since 1970."""
    return calendar_of([task.data[market.symbol] for market in task.spec.markets])


def part(task: Task, first: int, end: int) -> Task:
    """Return the task over some rows of its calendar; other instruments are cut at the same instants.

    A market that has no bar in them is not traded there.
    """
    opened = calendar(task)
    begins = int(opened[first])
    ends = int(opened[end - 1]) + task.data[task.spec.markets[0].symbol].span_ms
    data = {symbol: _between(candles, begins, ends) for symbol, candles in task.data.items()}
    markets = tuple(market for market in task.spec.markets if len(data[market.symbol]))
    prints: dict[str, str] = {symbol: candles.fingerprint() for symbol, candles in data.items()}
    # What is below the bars, and what is due in them, stays whole: each bar takes its own part of it.
    prints |= {inside_key(symbol): finer.fingerprint() for symbol, finer in task.finer.items()}
    prints |= {funding_key(symbol): paid.fingerprint() for symbol, paid in task.funding.items()}
    spec = replace(task.spec, markets=markets, start_ms=begins, until_ms=ends, data=prints)
    return replace(task, spec=spec, data=data)


def _between(candles: Candles, begins: int, ends: int) -> Candles:
    first = int(np.searchsorted(candles.opened_ms, begins))
    last = int(np.searchsorted(candles.closed_ms, ends, side="right"))
    return candles.rows(slice(first, last))
