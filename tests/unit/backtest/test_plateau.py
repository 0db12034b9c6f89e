"""How a result changes when a parameter changes a little."""

import itertools
import math

import numpy as np
import pytest

from pilothouse.backtest.plateau import Value, plateau, steadiness
from pilothouse.core.errors import Invalid

Trials = list[tuple[dict[str, Value], float]]


def _grid(score: dict[tuple[int, int], float]) -> Trials:
    trials: Trials = []
    for (fast, slow), value in score.items():
        trials.append(({"fast": fast, "slow": slow, "side": "both"}, value))
    return trials


def test_a_cell_holds_the_best_of_its_trials_and_the_mean_of_its_neighbours() -> None:
    """Two trials that differ in a third parameter meet in one cell."""
    trials = _grid({(1, 10): 1.0, (2, 10): 2.0, (1, 20): 3.0})
    trials.append(({"fast": 1, "slow": 10, "side": "long"}, 6.0))

    found = plateau(trials, ["fast", "slow"])

    assert found.axes == {"fast": (1, 2), "slow": (10, 20)}
    assert found.best[0].tolist() == [6.0, 3.0]
    assert math.isnan(found.best[1, 1])
    assert found.around[0, 0] == pytest.approx((6 + 3 + 2) / 3)
    assert math.isnan(found.around[1, 1])


def test_a_needle_is_told_from_a_plateau() -> None:
    """Both have the same peak."""
    cells = list(itertools.product(range(5), range(5)))
    needle = plateau(_grid({cell: 2.0 if cell == (2, 2) else 0.0 for cell in cells}), ["fast", "slow"])
    table = plateau(_grid({cell: 2.0 if cell == (2, 2) else 1.9 for cell in cells}), ["fast", "slow"])

    assert steadiness(needle) == pytest.approx(1 / 9)
    assert steadiness(table) > 0.9


def test_one_parameter_is_a_map_too() -> None:
    """A row instead of a table."""
    found = plateau(_grid({(1, 0): 1.0, (2, 0): 4.0, (3, 0): 1.0}), ["fast"])

    assert found.around.tolist() == [2.5, 2.0, 2.5]


def test_trials_without_a_score_leave_their_cell_empty() -> None:
    """A run without a trade has no ratio; that is not a ratio of zero."""
    found = plateau(_grid({(1, 1): math.nan, (2, 1): -1.0}), ["fast", "slow"])

    assert np.isnan(found.best[0, 0])
    assert math.isnan(steadiness(found))


@pytest.mark.parametrize("axes", [[], ["fast", "fast"], ["fast", "slow", "side"], ["speed"]])
def test_axes_that_are_no_parameters_are_refused(axes: list[str]) -> None:
    """The error says what would be right."""
    with pytest.raises(Invalid, match="axes"):
        plateau(_grid({(1, 1): 1.0}), axes)
