"""The numbers of a search, reckoned in one compiled pass, are those that the metrics of a run tell, to the last bit."""

import math
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.curves import Curve, TradeTable, grid_of, returns_of
from pilothouse.backtest.kernels.figures import FIGURES, NAMES, figures_of, summed
from pilothouse.backtest.kernels.statistics import deepest_fall
from pilothouse.backtest.luck import moments
from pilothouse.backtest.metrics import measure, years_of

DAY_MS: Final = 86_400_000
UNIT: Final = 1e-8


def told(worth: list[int], results: list[int], paid: list[int], exposed: float) -> dict[str, float | None]:
    """Return what the compiled pass tells of an account that was worth so much, units, at the ends of days."""
    at = np.arange(len(worth)) * DAY_MS
    curve, gained, fees = (np.array(each, np.int64) for each in (worth, results, paid))
    returns, found = np.empty(len(worth) - 1), np.empty(FIGURES)
    room = max(len(worth), len(results))
    figures_of(
        worth[0], worth[-1], UNIT, years_of(at), grid_of(at).per_year, curve, gained, fees,
        deepest_fall(curve[1:], worth[0], UNIT), exposed, returns, np.empty(room), np.empty(room), found,
    )  # fmt: skip
    values = [None if math.isnan(value) else value for value in found.tolist()]
    return dict(zip((*NAMES, "sharpe of a day"), values, strict=True))


def measured(worth: list[int], results: list[int], paid: list[int], exposed: float) -> dict[str, float | None]:
    """Return what the metrics tell of the same."""
    none = np.zeros(len(results))
    money = [np.array(each, np.float64) * UNIT for each in (worth, results, paid)]
    curve = Curve(np.arange(len(worth)) * DAY_MS, money[0])
    every = measure(curve, TradeTable(money[1], money[2], none, none, none), exposed=exposed)
    returns, _ = returns_of(curve)
    sharpe = moments(returns).sharpe if len(returns) > 1 else None
    return {name: every[name] for name in NAMES} | {"sharpe of a day": sharpe}


def same(worth: list[int], results: list[int], paid: list[int], exposed: float = 0.5) -> None:
    """Hold the two to each other."""
    assert told(worth, results, paid, exposed) == measured(worth, results, paid, exposed)


CASES: Final = {
    "no trades": ([10**12, 10**12 + 5, 10**12 - 3], [], []),
    "one bar": ([10**12, 10**12 - 1], [-1], [1]),
    "one bar in which nothing happened": ([10**12, 10**12], [], []),
    "a flat account": ([10**12] * 30, [], []),
    "one trade": ([10**12, 10**12 + 7, 10**12 + 7], [7], [1]),
    "trades that are all alike": ([10**12, 10**12 + 3, 10**12 + 6], [3, 3], [1, 1]),
    "trades of nothing": ([10**12, 10**12], [0, 0, 0], [0, 0, 0]),
    "ruin": ([10**12, 10**11, 0, 0], [-(10**12)], [10]),
    "more than all was lost": ([10**12, 10**11, -(10**10), -(10**10)], [-(10**12) - 10**10], [10]),
    "no loss": ([10**12, 2 * 10**12, 3 * 10**12], [10**12, 10**12], [0, 0]),
    "a growth that no number holds": ([1, 10**17], [10**17 - 1], [0]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_defined_is_not_defined_in_either(name: str) -> None:
    """A search that sorts by a number must not find one where the run tells none."""
    worth, results, paid = CASES[name]
    same(worth, results, paid)
    assert all(value is None or math.isfinite(value) for value in told(worth, results, paid, 0.5).values())


@given(st.integers(0, 2**32 - 1), st.integers(2, 700), st.integers(0, 700), st.floats(0.0001, 0.5), st.floats(0, 1))
def test_the_figures_of_a_trial_are_the_metrics_of_the_run_to_the_last_bit(
    seed: int, days: int, trades: int, width: float, exposed: float
) -> None:
    """The winner of a search is run alone afterwards: each number that differs would be asked about."""
    rng = np.random.default_rng(seed)
    capital = int(rng.integers(1, 10**15))
    steps = np.exp(np.cumsum(rng.normal(0.0, width, days - 1)))
    worth = [capital, *(int(each) for each in np.minimum(capital * steps, 4e17))]
    results = rng.normal(rng.normal(), 1.0, trades) * capital * width
    same(worth, results.astype(np.int64).tolist(), rng.integers(0, 10**9, trades).tolist(), exposed)


@given(st.integers(0, 2**32 - 1), st.integers(0, 3_000))
def test_a_sum_is_taken_in_the_order_in_which_numpy_takes_it(seed: int, count: int) -> None:
    """Added in another order the last digits would be others, and so would every number made of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=count) * 10.0 ** rng.uniform(-8, 8, count)
    assert np.float64(summed(values)).tobytes() == np.float64(values.sum()).tobytes()
