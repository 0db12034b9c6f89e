"""The bench beside other engines tells another result from the same one, whatever else the other is."""

import math
from typing import Any

import pytest

from tests.peers.verdict import ROWS, Kind, judge, line

OURS: dict[str, Any] = {"version": "0.1.0", "trades": 14_574, "final": 9_728_875.692388}


def told(**changes: Any) -> dict[str, Any]:
    """Return what a quick peer says that came to the same as we did, but for `changes`."""
    times = {"best_s": 0.001, "first_s": 0.002, "ready_s": 0.0, "import_s": 0.1, "peak_mb": 40.0}
    return OURS | times | changes


def test_what_comes_to_the_same_is_the_same() -> None:
    """Floats that add up what we add up in whole numbers differ by less than a cent."""
    assert judge(ROWS["flip"], OURS, told(final=OURS["final"] + 4e-8)).kind is Kind.SAME


@pytest.mark.parametrize("final", [OURS["final"] + 0.02, OURS["final"] - 125.45, math.nan, math.inf])
def test_another_equity_is_another_result_however_quick(final: float) -> None:
    """A quick wrong answer is worth nothing; it gets no ratio to our time."""
    theirs = told(final=final)
    verdict = judge(ROWS["flip"], OURS, theirs)
    shown = line("peer", told(best_s=0.01), theirs, verdict)

    assert verdict.kind is Kind.OTHER
    assert "equity" in verdict.words
    assert "other result" in shown
    assert "0.1" not in shown.splitlines()[0].partition("other result")[2].split("ms")[1]


def test_another_number_of_trades_is_another_result_at_the_same_equity() -> None:
    """The same money by chance is not the same trading."""
    verdict = judge(ROWS["flip"], OURS, told(trades=14_573, why="it lost one"))

    assert verdict.kind is Kind.OTHER
    assert verdict.words == "trades -1; it lost one"


def test_levels_off_the_ticks_are_allowed_one_tick_for_each_trade() -> None:
    """Ours stand on whole ticks; who rounds no price may come out a tick away, and no more."""
    most = 0.01 * OURS["trades"]

    assert judge(ROWS["stops"], OURS, told(final=OURS["final"] + most)).kind is Kind.SAME
    assert judge(ROWS["stops"], OURS, told(final=OURS["final"] + most + 1)).kind is Kind.OTHER


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"cannot": "one instrument alone"}, Kind.CANNOT),
        ({"unfinished": "71 of 400 pairs in 120 s"}, Kind.LONGER),
        ({"failed": "no such module"}, Kind.FAILED),
        ({}, Kind.FAILED),
    ],
)
def test_who_has_no_result_is_told_with_the_reason(said: dict[str, str], kind: Kind) -> None:
    """An empty place in a table hides whether it was tried."""
    verdict = judge(ROWS["sweep"], OURS, said)

    assert verdict.kind is kind
    assert next(iter(said.values()), "no result") in line("peer", OURS, said, verdict)


def test_nobody_is_called_the_same_where_we_failed() -> None:
    """Two that say nothing agree about nothing."""
    assert judge(ROWS["flip"], {"failed": "broken"}, told()).kind is Kind.FAILED
