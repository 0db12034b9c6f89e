"""`strategy test`: what a strategy is asked, and that it can fail."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.exam import FAILED, OPEN, PASSED, examine, examine_turns, golden_of
from pilothouse.strategies.parameters import Parameter, Params, whole
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.strategies.sample_market import sample_market
from pilothouse.strategies.sdk import Columns, Filled, Happening, Signals, Turn, Turns
from pilothouse.strategies.view import View
from pilothouse.wiring.strategy_exams import OURS, golden_runs, market_of
from tools import write_golden_runs


def test_every_built_in_strategy_does_what_was_called_right() -> None:
    """Whoever changes one, or an engine below it, sees here what that changes."""
    assert OURS.read_text(encoding="utf-8") == write_golden_runs.runs(), "python tools/write_golden_runs.py, and look"
    told = json.loads(OURS.read_text(encoding="utf-8"))
    assert sum(run["trades"] > 0 for runs in told.values() for run in runs) >= 12, "most of them trade there"


@pytest.mark.parametrize("name", ["supertrend", "grid", "dca"])
def test_built_in_strategies_pass(name: str) -> None:
    """By columns and in turns, with the least and the most of each parameter."""
    described = BUILT_IN[name]
    answers = list(examine(described.strategy, market_of(described), {}, golden_runs(described)))

    assert [(each.question, each.outcome, each.words) for each in answers if each.outcome != PASSED] == []
    asked = ["foresight", "repetition", "corners", "golden runs"]
    assert [each.question for each in answers] == (asked if name == "supertrend" else ["plain state", *asked])


class Liar(Columns):
    """Buys before it rises, does something else each time, and breaks with many bars."""

    name, title = "liar", "Liar"
    parameters: Mapping[str, Parameter] = {"bars": whole(2, 1, 9)}  # type: ignore[misc]  # as users write it
    calls = 0

    def warm_up(self, p: Params) -> int:
        """Return nothing."""
        return 0

    def signals(self, view: View, p: Params) -> Signals:
        """Return what nobody can know."""
        Liar.calls += 1
        if p.bars == 9:
            raise_this: dict[str, Any] = {"long": np.zeros(3, np.bool_)}
            return Signals(**raise_this).checked(len(view))
        rises = np.append(view.close[1:] > view.close[:-1], False)
        return Signals(long=np.roll(rises, Liar.calls % 3), leave_long=~rises)


def test_who_lies_fails_in_each_question() -> None:
    """An examination that nobody can fail proves nothing."""
    market = dict(list(sample_market().items())[:1])
    golden = {**golden_of(Liar(), market, {}), "final": "1"}
    answers = {each.question: each for each in examine(Liar(), market, {}, [golden])}

    assert {each.outcome for each in answers.values()} == {FAILED}
    assert "looks_ahead" in answers["foresight"].words
    assert "bars 9" in answers["corners"].words
    assert "instead of 1" in answers["golden runs"].words
    assert [each.outcome for each in examine(Liar(), market, {}, [])][-1] == OPEN


class Hoarder(Turns):
    """Keeps what no bot could save: the closes that it has seen, as a set."""

    name, title = "hoarder", "Hoarder"
    parameters: Mapping[str, Parameter] = {}  # type: ignore[misc]  # as users write it

    def begin(self, p: Params) -> dict[str, Any]:
        """Return nothing seen."""
        return {"seen": None}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Ask for nothing."""
        return Turn({"seen": {happening.at_ms if isinstance(happening, Filled) else 0}})


def test_who_keeps_what_cannot_be_saved_is_told_the_key() -> None:
    """It would trade here, and forget everything when a bot is started again."""
    market = dict(list(sample_market().items())[:1])
    answers = {each.question: each for each in examine_turns(Hoarder(), market, Params({}))}

    assert answers["plain state"].outcome == FAILED
    assert "state['seen']: set came" in answers["plain state"].words


def test_the_bundled_market_is_the_same_everywhere() -> None:
    """Golden runs of one machine would else be wrong on another."""
    market = sample_market()

    assert [len(candles) for candles in market.values()] == [3_000] * 4
    first = next(iter(market.values()))
    assert replace(first).fingerprint() == first.fingerprint() == FINGERPRINT


FINGERPRINT = "f7dd34963d8718e417629c3d415d5ec653a2871620cf0ebbd45c57604fddab7f"
