"""Searches that Optuna guides: the same seed tries the same, nothing outside the bounds, and nothing twice."""

import sys
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.backtest.guided import NoOptuna, guided
from pilothouse.backtest.request import Wish, spec_of
from pilothouse.backtest.search import Outcome, Runner, Task
from pilothouse.backtest.space import space
from pilothouse.strategies.registry import BUILT_IN
from tests.unit.strategies.markets import walk


def task(name: str = "grid") -> Task:
    """Return a search over a strategy."""
    described, candles = BUILT_IN[name], walk("AAAUSDT", 300, 5)
    wish = Wish(name, described.version, {}, "file", "15m", capital=Decimal(10_000))
    spec, _ = spec_of(wish, described.strategy, candles, {})
    return Task(spec, described.strategy, {"AAAUSDT": candles})


def tried(words: tuple[str, ...], trials: int, **more: Any) -> list[Outcome]:
    """Return what a search tries."""
    asked = task()
    over = space(words, asked.strategy.parameters)
    chosen = {"seed": 3, "workers": 1, "known": {}, **more}
    return list(guided(asked, over, words, "total_return", trials=trials, **chosen))


WORDS = ("levels=2..10:2", "step", "spacing", "side=long,short")


def test_the_same_seed_tries_the_same_within_its_bounds() -> None:
    """A result that nobody can repeat is none; a value that was not allowed is none either."""
    pytest.importorskip("optuna")
    found = tried(WORDS, 40)

    assert [each.params for each in tried(WORDS, 40)] == [each.params for each in found]
    assert [each.params for each in tried(WORDS, 24)] == [each.params for each in found[:24]]
    assert [each.params for each in tried(WORDS, 8, seed=4)] != [each.params for each in found[:8]]
    assert {each.params["levels"] for each in found} <= {2, 4, 6, 8, 10}
    assert all(0.05 <= each.params["step"] <= 50.0 for each in found)
    assert {each.params["side"] for each in found} == {"long", "short"}
    assert {each.params["order"] for each in found} == {100.0}
    assert len({each.params["step"] for each in found}) > 20, "between the bounds, not on a grid"


def test_several_processes_try_the_same_and_a_search_that_was_stopped_goes_on_to_the_same() -> None:
    """Rounds are told in the order of asking, whoever was done first; nothing depends on how often it was stopped."""
    pytest.importorskip("optuna")
    alone = tried(WORDS, 24)
    many = tried(WORDS, 24, workers=2, known={each.name: each for each in alone[:5]})

    assert [(each.name, each.metrics) for each in many] == [(each.name, each.metrics) for each in alone]


def test_it_learns_what_brings_more() -> None:
    """The later half of the trials is better than the first, which knew nothing."""
    pytest.importorskip("optuna")
    returns = [each.metrics["total_return"] or 0.0 for each in tried(("step", "side=long,short"), 64)]

    assert sorted(returns[-24:])[12] > sorted(returns[:24])[12]


def test_what_is_known_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that goes on is asked the same and learns the same, without a run."""
    pytest.importorskip("optuna")
    first = tried(WORDS, 24)

    def never(*_: Any) -> Outcome:
        raise AssertionError("it was known")

    monkeypatch.setattr(Runner, "_one", never)
    again = tried(WORDS, 24, known={each.name: each for each in first})
    assert [each.name for each in again] == [each.name for each in first]


def test_without_the_extra_it_says_how_to_come_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product runs without; whoever asks for it is told what to install."""
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(NoOptuna, match=r"pip install 'pilothouse\[optuna\]'"):
        tried(WORDS, 1)
