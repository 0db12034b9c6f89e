"""What holds for every strategy that comes with the product."""

import json
from typing import Any

import numpy as np
import pytest

from pilothouse.strategies.foresight import check
from pilothouse.strategies.parameters import combinations, resolve, schema
from pilothouse.strategies.registry import BUILT_IN, NoSuchStrategy, find
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Turns
from tests.unit.strategies.golden_signals import FILE, IN_COLUMNS, LADDERS, LOOSE, ladder_summary, summary
from tests.unit.strategies.markets import view_over
from tests.unit.strategies.uncompiled import strategies
from tools import write_strategies

GOLDEN: dict[str, Any] = json.loads(FILE.read_text())
# A strategy has to signal something on the fixed market, or its other tests prove nothing.
LEAST_SIGNALS = 3


@pytest.mark.parametrize("name", IN_COLUMNS)
def test_no_built_in_strategy_looks_ahead(name: str) -> None:
    """Cut off the future, and every signal, distance and rank of the past is what it was."""
    strategy = strategies()[name]
    for chosen in ({}, LOOSE.get(name, {})):
        params = resolve(strategy.parameters, chosen)
        view = view_over(BUILT_IN[name].instruments, 900, 77)
        whole = strategy.signals(view, params).checked(len(view)).columns
        for cut in (1, 2, 97, 388, 700, 899):
            then = strategy.signals(view.before(cut), params).checked(cut).columns
            assert then.keys() == whole.keys()
            for column, values in then.items():
                np.testing.assert_array_equal(values, whole[column][:cut], err_msg=f"{column}, cut at bar {cut}")


@pytest.mark.parametrize("name", IN_COLUMNS)
def test_no_built_in_strategy_writes_into_what_it_is_shown(name: str) -> None:
    """The combinations of a search share the columns of a view, and what was made of them once."""
    strategy = strategies()[name]
    view = view_over(BUILT_IN[name].instruments, 300, 77)
    for _ in range(2):
        # A column that cannot be written says so, loudly.
        for column in (view.open, view.high, view.low, view.close, view.volume):
            column.flags.writeable = False
        for made, _of in view._made.values():
            for column in made if isinstance(made, tuple) else (made,):
                column.flags.writeable = False
        strategy.signals(view, resolve(strategy.parameters, {})).checked(len(view))


@pytest.mark.parametrize("name", IN_COLUMNS)
def test_signals_are_those_that_were_looked_at(name: str) -> None:
    """A change of a strategy shows here first. If it is meant: python -m tests.unit.strategies.golden_signals."""
    told = summary(name)

    assert told == GOLDEN[name]
    assert sum(told[way]["count"] for way in ("long", "short") if way in told) >= LEAST_SIGNALS


@pytest.mark.parametrize("name", sorted(LADDERS))
def test_orders_of_ladders_are_those_that_were_looked_at(name: str) -> None:
    """As above, for strategies that take turns: what they bought and sold on a fixed walk."""
    told = ladder_summary(name)

    assert told == GOLDEN[name]
    assert told["fills"] > 20


@pytest.mark.parametrize("name", IN_COLUMNS)
def test_the_check_for_foresight_finds_nothing_in_built_in_strategies(name: str) -> None:
    """Nor a warm-up that is too short: a bot that was started last week agrees with a backtest over years."""
    strategy = strategies()[name]
    bars = 2_600 if name == "cpr" else 1_300 if name == "macd-timeframes" else 900
    view = view_over(BUILT_IN[name].instruments, bars, 5)
    others = {symbol: view.instrument(symbol).candles for symbol in view.symbols}
    verdict = check(strategy, resolve(strategy.parameters, LOOSE.get(name, {})), view.candles, others, cuts=2)

    assert verdict.signals >= LEAST_SIGNALS
    assert [str(finding) for finding in verdict.findings] == []


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_corner_of_its_parameters_makes_rules(name: str) -> None:
    """A search tries them all; none may end in an error that a form did not show."""
    strategy = BUILT_IN[name].strategy
    assert schema(strategy.parameters)["properties"]
    for parameter, declared in strategy.parameters.items():
        corners = declared.grid() if declared.least is None else (declared.least, declared.most)
        for params in combinations(strategy.parameters, {parameter: (corners[0], corners[-1])}):
            if isinstance(strategy, Columns):
                assert isinstance(strategy.rules(params), Rules)
                assert strategy.warm_up_bars(params, 60_000) >= strategy.warm_up(params) >= 0
            else:
                assert json.loads(json.dumps(strategy.begin(params))) == strategy.begin(params)


@pytest.mark.parametrize("name", IN_COLUMNS)
@pytest.mark.parametrize("bars", [0, 1, 3])
def test_a_history_of_hardly_any_bars_is_no_error(name: str, bars: int) -> None:
    """A bot may be started on an instrument that was listed a minute ago."""
    strategy = strategies()[name]
    if not bars:
        view = view_over(BUILT_IN[name].instruments, 3, 1).before(0)
    else:
        view = view_over(BUILT_IN[name].instruments, bars, 1)

    strategy.signals(view, resolve(strategy.parameters, {})).checked(bars)


def test_the_registry_describes_each_and_says_when_it_fails() -> None:
    """Eighteen ways to lose money are offered; each says how before it is run."""
    assert len(BUILT_IN) >= 18
    for name, described in BUILT_IN.items():
        assert described.name == name
        assert isinstance(described.strategy, Columns | Turns)
        assert min(len(described.idea), len(described.fails), len(described.rule)) > 30, name
        assert described.instruments in {"one", "two", "many"}
    with pytest.raises(NoSuchStrategy, match=r"'ema-crosss'; there are: .*ema-cross"):
        find("ema-crosss")


def test_every_page_is_what_the_strategy_says_of_itself() -> None:
    """Pages typed by hand are wrong within a month. Mend them: python tools/write_strategies.py."""
    there = {file.name: file.read_text(encoding="utf-8") for file in write_strategies.FOLDER.glob("*.md")}

    assert there == write_strategies.pages()


def test_a_version_names_the_source_of_a_strategy() -> None:
    """Two results are comparable only if they came from the same rules."""
    versions = {described.version for described in BUILT_IN.values()}

    assert len(versions) == len(BUILT_IN)
    assert all(len(version) == 64 for version in versions)
    assert find("ema-cross").version == find("ema-cross").version
