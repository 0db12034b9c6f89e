"""A strategy is examined: it goes in with the bundled market; what it was asked and how it answered comes out. Pure.

Foresight, repetition, the corners of its parameters, and its golden runs: what it did when somebody last looked at it
and said that this is right.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pilothouse.backtest.request import Wish, spec_of
from pilothouse.backtest.result import Result
from pilothouse.backtest.run import run_any
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, PilothouseError
from pilothouse.core.rounding import plain
from pilothouse.strategies import foresight
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.plain_state import saved, taken_up
from pilothouse.strategies.sdk import Columns, Happening, Turn, Turns

PASSED: Final = "passed"
FAILED: Final = "failed"
OPEN: Final = "open"
"""Nobody has said yet what would be right."""

TURNS_QUESTIONS: Final = 3
"""So many things are asked of a strategy in turns."""

Golden = Mapping[str, Any]
"""One golden run: `params` as chosen, `fills`, `trades` and `final` (quote, as text)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question led to: PASSED, FAILED or OPEN, and in words what was done and found."""

    question: str
    outcome: str
    words: str


def examine(
    strategy: Columns | Turns, market: Mapping[str, Candles], chosen: Mapping[str, Any], golden: Sequence[Golden]
) -> Iterator[Answer]:
    """Yield the answers one by one.

    market   candles by symbol, the first is traded
    chosen   parameters that are not to be as by default
    golden   runs that somebody has called right
    """
    params = resolve(strategy.parameters, chosen)
    if isinstance(strategy, Columns):
        yield _said(partial(_foresight, strategy, market, params), "foresight")
        yield _said(partial(_repetition, strategy, market, params), "repetition")
    else:
        yield from examine_turns(strategy, market, params)
    yield _said(partial(_corners, strategy, market, chosen), "corners")
    if not golden:
        yield Answer("golden runs", OPEN, "none yet: --accept keeps what it does now as what is right")
    for one in golden:
        yield _said(partial(_golden, strategy, market, one), "golden runs")


def examine_turns(strategy: Turns, market: Mapping[str, Candles], params: Params) -> Iterator[Answer]:
    """Yield what is asked of a strategy in turns on any market; the first of it is traded."""
    yield _said(partial(_plain_state, strategy, market, params), "plain state")
    yield _said(partial(_foresight, strategy, market, params), "foresight")
    yield _said(partial(_repetition, strategy, market, params), "repetition")


def golden_of(strategy: Columns | Turns, market: Mapping[str, Candles], chosen: Mapping[str, Any]) -> Golden:
    """Return what a strategy does now, to be kept as what is right."""
    result = ran(strategy, market, resolve(strategy.parameters, chosen))
    told = {"fills": len(result.fills), "trades": len(result.trades), "final": plain(result.final)}
    return {"params": dict(chosen), **told}


def ran(strategy: Columns | Turns, market: Mapping[str, Candles], params: Params) -> Result:
    """Return a run over the market with the usual costs."""
    symbol, candles = next(iter(market.items()))
    others = {name: each for name, each in market.items() if name != symbol}
    wish = Wish(strategy.name, "exam", dict(params), "sample", "15m")
    spec, _ = spec_of(wish, strategy, candles, others)
    return run_any(spec, market, strategy)[0]


def _said(ask: Callable[[], tuple[bool, str]], question: str) -> Answer:
    try:
        right, words = ask()
    except PilothouseError as error:
        return Answer(question, FAILED, str(error)[:500])
    return Answer(question, PASSED if right else FAILED, words)


class _Kept(Turns):
    """A strategy in turns whose state is saved and taken up again before each turn, as after a restart."""

    def __init__(self, strategy: Turns) -> None:
        self.strategy = strategy
        self.name, self.title, self.parameters = strategy.name, strategy.title, strategy.parameters
        self.many = bool(getattr(strategy, "many", False))

    def begin(self, p: Params) -> dict[str, Any]:
        """Return its state, saved and taken up."""
        return taken_up(saved(self.strategy.begin(p)))

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return its turn with a state that was saved and taken up."""
        turn = self.strategy.decide(state, happening, p)
        return Turn(taken_up(saved(turn.state)), turn.wants, turn.cancels, turn.note)


def _plain_state(strategy: Turns, market: Mapping[str, Candles], params: Params) -> tuple[bool, str]:
    """Say whether a run whose state is saved at each turn is the same run."""
    plain_run = ran(strategy, market, params)
    if hasattr(strategy, "decide_bars"):
        # One behind walls keeps its state there, where it is looked through with every answer.
        return True, "what it keeps is plain data, as a bot has to save it"
    kept = ran(_Kept(strategy), market, params)
    words = "saved and taken up at every turn it does the same"
    return kept.digest() == plain_run.digest(), words if kept.digest() == plain_run.digest() else f"not so: {words}"


def _foresight(strategy: Columns | Turns, market: Mapping[str, Candles], params: Params) -> tuple[bool, str]:
    symbol, candles = next(iter(market.items()))
    if isinstance(strategy, Columns):
        others = {name: each for name, each in market.items() if name != symbol}
        verdict = foresight.check(strategy, params, candles, others)
        told = f"{verdict.signals:,} signals compared with {verdict.cuts} beginnings of the market"
        return verdict.honest, told if verdict.honest else "; ".join(str(each) for each in verdict.findings)[:500]
    whole, half = ran(strategy, market, params), len(candles) // 2
    begun = ran(strategy, {symbol: candles.before(half)}, params)
    same = begun.equity.tolist() == whole.equity[:half].tolist()
    words = f"the run over the first {half:,} bars is the beginning of the whole one"
    return same, words if same else f"not so: {words}"


def _repetition(strategy: Columns | Turns, market: Mapping[str, Candles], params: Params) -> tuple[bool, str]:
    first, second = (ran(strategy, market, params) for _ in range(2))
    told = f"{len(first.fills):,} fills, {len(first.trades):,} trades, {plain(first.final)} in the end"
    if first.digest() != second.digest():
        return False, f"first {told}; the second time something else: what it does depends on more than its data"
    return True, f"twice the same: {told}"


def _corners(strategy: Columns | Turns, market: Mapping[str, Candles], chosen: Mapping[str, Any]) -> tuple[bool, str]:
    failed, tried = [], 0
    for name, declared in strategy.parameters.items():
        ends = (declared.least, declared.most) if declared.least is not None else declared.grid()
        for value in ends:
            tried += 1
            try:
                ran(strategy, market, resolve(strategy.parameters, {**chosen, name: value}))
            except PilothouseError as error:
                # Too few bars to warm up in is the market's fault.
                if isinstance(error, Invalid) and {each.field for each in error.problems} == {"candles"}:
                    continue
                failed.append(f"{name} {value}: {str(error)[:120]}")
    return not failed, "; ".join(failed)[:500] or f"runs with the least and the most of each parameter, {tried} in all"


def _golden(strategy: Columns | Turns, market: Mapping[str, Candles], golden: Golden) -> tuple[bool, str]:
    now = golden_of(strategy, market, golden["params"])
    with_ = ", ".join(f"{name} {value}" for name, value in golden["params"].items()) or "as by default"
    different = [f"{name} {now[name]} instead of {golden[name]}" for name in now if now[name] != golden[name]]
    if different:
        return False, f"{with_}: {', '.join(different)}"
    return True, f"{with_}: {now['fills']} fills, {now['trades']} trades, {now['final']} in the end, as is right"
