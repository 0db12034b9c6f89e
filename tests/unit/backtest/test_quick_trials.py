"""A trial of a search is the run of its combination, however much it shares with the others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.curves import Grid
from pilothouse.backtest.kernels.telling import wishes_of
from pilothouse.backtest.orders_wanted import flags_of
from pilothouse.backtest.quick_trials import _SIDES, Lane
from pilothouse.backtest.run import run_any
from pilothouse.backtest.search import Outcome, Runner, Task, search, trial
from pilothouse.backtest.spec import funding_key, names_of
from pilothouse.core.errors import PilothouseError
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.parameters import Parameter, Params, combinations, whole
from pilothouse.strategies.rules import Rules, Side, Size, SizeBy
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View
from tests.unit.backtest.bar_cases import plain_case, random_case, random_rules


class Drawn(Columns):
    """Wishes and rules drawn by a seed that is a parameter; every fifth has weights of its own."""

    name: ClassVar[str] = "drawn"
    title: ClassVar[str] = "Drawn by lot"
    parameters: ClassVar[Mapping[str, Parameter]] = {"seed": whole(0, 0, 10_000), "fast": whole(2, 1, 9)}

    def __init__(self, *, plain: bool) -> None:
        """Ask for rules that the quickest loop knows, or for any."""
        self._plain = plain

    def warm_up(self, p: Params) -> int:
        """Return some bars."""
        return int(p.seed) % 7

    def signals(self, view: View, p: Params) -> Signals:
        """Return a crossing where the seed is even, else wishes by lot."""
        rng, count = np.random.default_rng(p.seed), len(view)
        if p.seed % 2 == 0:
            fast, slow = view.once(sma, view.close, p.fast), view.once(sma, view.close, p.fast + 3)
            return Signals(long=crossed_above(fast, slow), short=crossed_below(fast, slow))
        wishes: list[Any] = [rng.random(count) < 0.1 if rng.random() < 0.8 else None for _ in range(4)]
        signals = Signals(*wishes)
        return replace(signals, weight=rng.random(count)) if p.seed % 5 == 0 else signals

    def rules(self, p: Params) -> Rules:
        """Return what the seed draws."""
        return plain_case(int(p.seed)).rules if self._plain else random_rules(np.random.default_rng(p.seed))


def task_of(seed: int, *, plain: bool) -> Task:
    """Return a search over a market of the seed."""
    case = plain_case(seed) if plain else replace(random_case(seed))
    data = {case.market.symbol: case.candles}
    prints = {symbol: candles.fingerprint() for symbol, candles in data.items()}
    rates: dict[str, Any] = {case.market.symbol: case.funding} if case.spec.costs.funding else {}
    prints |= {funding_key(symbol): each.fingerprint() for symbol, each in rates.items()}
    spec = replace(case.spec, strategy="drawn", data=prints)
    return Task(spec, Drawn(plain=plain), data, funding=rates)


def same(one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are the same to the last bit."""
    fields = ("name", "params", "metrics", "per_year", "error", "engine")
    sharpes = np.array([one.sharpe, other.sharpe]).tobytes()
    return (
        all(getattr(one, name) == getattr(other, name) for name in fields)
        and sharpes[:8] == sharpes[8:]
        and one.returns.tobytes() == other.returns.tobytes()
    )


@pytest.mark.parametrize("rules", ["plain", "any"])
def test_a_trial_of_a_search_is_the_run_of_its_combination_to_the_last_bit(rules: str) -> None:
    """Name, metrics, returns, error: whoever runs the winner alone finds what the search told of it."""
    quick = 0
    for seed in range(40):
        task = task_of(seed, plain=rules == "plain")
        runner = Runner(task)
        for number in range(6):
            params = Params({"seed": seed * 10 + number, "fast": 1 + number})
            outcome = runner(params)
            assert same(outcome, trial(task, params)), f"seed {seed}, {params}"
            quick += runner.is_quick
    assert quick == 240, "all of them share what can be shared"


def test_each_trade_and_each_bar_of_a_trial_are_those_of_the_run() -> None:
    """The numbers could agree by chance; every trade and the account at every bar cannot. A lane is used again."""
    walked = 0
    for seed in range(60):
        task = task_of(seed, plain=True)
        ground = Runner(task)._ground
        assert ground is not None
        bars = len(ground.candles)
        ground._grid = Grid(np.arange(bars + 1), 365.0)  # what the account was worth is then told of each bar
        lane = Lane(bars)
        for number in range(4):
            params = Params({"seed": seed * 10 + number, "fast": 1 + number})
            try:
                ground.run(params, lane)
            except PilothouseError:
                continue
            result, _ = run_any(task.spec_of(params), task.data, task.strategy)
            assert lane.results.tolist() == result.trades.pnl.tolist(), f"seed {seed}, {params}"
            assert lane.paid.tolist() == result.trades.fees.tolist(), f"seed {seed}, {params}"
            assert lane.worth[: bars + 1].tolist() == [result.capital, *result.equity.tolist()], f"seed {seed}"
            walked += len(result.trades)
    assert walked > 500


def test_threads_tell_what_one_thread_tells() -> None:
    """They share the view, its columns and the plans; what one writes no other may see."""
    task = task_of(3, plain=True)
    every = list(combinations(task.strategy.parameters, {"seed": tuple(range(60)), "fast": (1, 4)}))
    alone = {outcome.name: outcome for outcome in search(task, every)}
    both = {outcome.name: outcome for outcome in search(task, every, workers=4)}

    assert list(alone) == [task.spec_of(params).name for params in every]
    assert alone.keys() == both.keys()
    assert all(same(outcome, both[name]) for name, outcome in alone.items())


def test_data_that_the_spec_does_not_name_are_told_of_by_each_way() -> None:
    """A search over other candles than it says would be another search."""
    task = task_of(3, plain=True)
    task = replace(task, spec=replace(task.spec, data={"BTCUSDT": "0"}))
    (outcome,) = search(task, [Params({"seed": 2, "fast": 3})])

    assert "other candles" in outcome.error


def test_a_combination_that_cannot_be_counted_is_an_outcome_with_its_reason() -> None:
    """The search goes on behind it, and the reason is the one that the run alone would tell."""

    class Huge(Drawn):
        """Orders more than 64 bits count."""

        def rules(self, p: Params) -> Rules:
            return Rules(size=Size(1e11 if p.seed == 4 else 0.02, SizeBy.FIXED))

    task = task_of(3, plain=True)
    task = replace(task, strategy=Huge(plain=True))
    first, second = search(task, [Params({"seed": seed, "fast": 3}) for seed in (4, 6)])

    assert "64 bits" in first.error or "orders of" in first.error
    assert not second.error
    assert same(first, trial(task, Params({"seed": 4, "fast": 3})))


@given(
    st.lists(st.tuples(*[st.booleans()] * 4), min_size=1, max_size=40),
    st.sampled_from(list(Side)), st.integers(0, 45), st.integers(0, 4),
)  # fmt: skip
def test_wishes_found_in_one_pass_are_those_made_of_whole_columns(
    rows: list[tuple[bool, ...]], side: Side, warm_up: int, shift: int
) -> None:
    """What a bar is told to do is said twice, once for speed: both must say the same."""
    columns: list[Any] = [np.array(column, np.bool_) for column in zip(*rows, strict=True)]
    wished, flags = np.full(len(rows), 77), np.full(len(rows), 77, np.uint8)
    wishes: list[Any] = [column.view(np.uint8) for column in columns]
    some = wishes_of(wishes[0], wishes[1], wishes[2], wishes[3], _SIDES[side], warm_up, shift, wished, flags)
    wanted = flags_of(Signals(*columns), side, len(rows), warm_up, shift)

    assert wished[:some].tolist() == np.flatnonzero(wanted).tolist()
    assert flags[:some].tolist() == wanted[wanted != 0].tolist()


def test_a_spec_is_named_the_same_with_its_parameters_put_in_afterwards() -> None:
    """A search names thousands of specs that differ in parameters alone; a kept result is found by that name."""
    spec = random_case(5).spec
    name_of = names_of(spec)
    several: tuple[dict[str, Any], ...] = (
        {"a": 1, "b": 0.5}, {"word": 'quoted "params":{} \\ é', "yes": True}, {},
    )  # fmt: skip
    for params in several:
        assert name_of(params) == replace(spec, params=params).name
