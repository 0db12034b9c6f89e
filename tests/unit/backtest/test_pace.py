"""How far a run has come: whoever looks is told while it goes on, and holds on to nothing once it is over."""

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from pilothouse.backtest.pace import BAR_BY_BAR, Pace, Where
from pilothouse.backtest.turns import run_turns
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.sdk import Happening, Turn
from pilothouse.wiring.bench_steps import Walked
from tests.unit.backtest.test_turns import buy, spec
from tests.unit.strategies.markets import walk


class Onlooker:
    """Asks at each bar how far its own run has come, and wants something at each."""

    name: ClassVar[str] = "onlooker"
    title: ClassVar[str] = "Onlooker"
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.seen: list[Where] = []

    def begin(self, p: Params) -> dict[str, Any]:
        """Return nothing to keep."""
        return {}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Look, and want what is never met."""
        self.seen.append(self.pace.where())
        return Turn(state, (buy("0.01", key=f"k{len(self.seen)}"),))


def test_a_run_that_goes_bar_after_bar_says_how_far_it_is() -> None:
    """Minutes without a word look like a machine that hangs."""
    candles, pace = walk("AAAUSDT", 200, seed=1), Pace()
    strategy = Onlooker(pace)

    run_turns(spec(candles, strategy.name), candles, strategy, Params({}), pace=pace)

    told = [where.done_ppm for where in strategy.seen]
    assert {where.words for where in strategy.seen} == {BAR_BY_BAR}
    assert told == sorted(told, key=lambda each: each or 0)
    assert len(set(told)) > 50
    assert told[0] == 0
    assert told[-1] in {990_000, 995_000}
    assert pace.where().done_ppm is None, "what is over is not held on to"


def test_work_that_ends_in_the_middle_still_says_where_it_was() -> None:
    """Whoever stopped a run wants to know how much of it was over."""
    pace = Pace()
    with pytest.raises(KeyboardInterrupt), pace.walk(BAR_BY_BAR, 8, lambda: 2):
        raise KeyboardInterrupt

    assert pace.where() == Where(BAR_BY_BAR, 250_000)


def test_nobody_looks_any_more_when_the_work_is_over() -> None:
    """What a bench says after its answer would be taken for a word of the next question."""
    pace, seen = Pace(), list[Where]()
    pace.at("trading")
    with pace.watched(seen.append, first_s=0.0, every_s=0.0):
        while len(seen) < 3:
            pass

    assert set(seen) == {Where("trading", None)}
    assert not [each for each in threading.enumerate() if each.name == "pace"]


def test_the_progress_of_a_queued_run_only_grows() -> None:
    """It is told in parts of the whole: reading candles is before it, measuring behind."""
    told: list[int] = []
    walked = Walked(told.append)
    for where in (None, 500_000, 400_000, 500_000, 1_000_000):
        walked.look(Where(BAR_BY_BAR, where))
    walked.look(Where("signals", 1_000_000))

    assert told == [525_000, 950_000]
