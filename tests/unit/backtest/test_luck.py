"""How much of a result may be luck."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.luck import (
    Moments,
    deflated_sharpe,
    judge,
    luckiest,
    moments,
    observations_needed,
    overfit,
    probabilistic_sharpe,
)
from pilothouse.core.errors import Invalid


def _noise(seed: int, rows: int, trials: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (rows, trials))


def test_the_published_example_of_the_deflated_ratio_comes_out_as_printed() -> None:
    """Bailey and López de Prado, 2014: 100 trials, variance 1/2 a year, 1,250 days, skew -3, kurtosis 10, ratio 2.5."""
    yearly = 250
    found = Moments(1250, 2.5 / math.sqrt(yearly), -3.0, 10.0)

    assert luckiest(100, 0.5 / yearly) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(found, 100, 0.5 / yearly) == pytest.approx(0.9004, abs=5e-5)


def test_moments_are_those_of_the_textbook() -> None:
    """Mean 0.02, sample deviation of five numbers, and no skew where both sides are alike."""
    found = moments(np.array([0.0, 0.01, 0.02, 0.03, 0.04]))

    assert found.sharpe == pytest.approx(0.02 / math.sqrt(0.00025))
    assert found.skew == pytest.approx(0.0, abs=1e-12)
    assert found.kurtosis == pytest.approx(1.7)


def test_a_flat_curve_has_no_sharpe_ratio_instead_of_an_infinite_one() -> None:
    """Nothing moved: there is nothing to divide by."""
    assert moments(np.full(50, 0.001)).sharpe == 0.0


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, float("nan")], [[0.1, 0.2]]])
def test_returns_that_cannot_be_measured_are_refused(returns: list[float]) -> None:
    """A ratio of nothing is no number."""
    with pytest.raises(Invalid, match="returns"):
        moments(np.array(returns))


@given(st.integers(2, 10_000), st.integers(2, 10_000), st.floats(1e-6, 1.0))
def test_more_trials_need_more_than_fewer(one: int, other: int, variance: float) -> None:
    """Who looks longer finds more by luck."""
    few, many = sorted((one, other))

    assert luckiest(few, variance) <= luckiest(many, variance)


def test_luck_is_what_the_best_of_worthless_trials_really_shows() -> None:
    """Twenty searches over noise: their winners lie where the formula says, within a tenth."""
    winners = []
    for seed in range(20):
        table = _noise(seed, 500, 200)
        winners.append((table.mean(axis=0) / table.std(axis=0, ddof=1)).max())

    assert float(np.mean(winners)) == pytest.approx(luckiest(200, 1 / 499), rel=0.1)


def test_the_longer_the_record_the_surer_it_is() -> None:
    """The same ratio over four times the days means more; and as many days as are needed are just enough."""
    found = Moments(100, 0.1, 0.0, 3.0)
    needed = observations_needed(found)

    assert probabilistic_sharpe(Moments(400, 0.1, 0.0, 3.0)) > probabilistic_sharpe(found)
    assert probabilistic_sharpe(Moments(math.ceil(needed), 0.1, 0.0, 3.0)) == pytest.approx(0.95, abs=0.001)
    assert observations_needed(found, against=0.2) == math.inf


def test_the_winner_of_a_worthless_search_is_told_to_be_worthless() -> None:
    """The sentence names the trials, the winner and what luck alone would reach."""
    table = _noise(4, 730, 400)
    sharpes = table.mean(axis=0) / table.std(axis=0, ddof=1)
    winner = moments(table[:, int(np.argmax(sharpes))])

    luck = judge(winner, sharpes, trials=400, per_year=365)

    assert luck.sentence.startswith("The best of 400 trials has a Sharpe ratio of ")
    assert f"luck alone would reach {luck.luck_sharpe:.2f}." in luck.sentence
    assert luck.deflated < 0.95


def test_a_rule_that_earns_is_told_from_luck() -> None:
    """Four hundred trials, one of which has a fifth of its risk as gain each day."""
    table = _noise(5, 2_000, 400)
    table[:, 17] += 0.0022
    sharpes = table.mean(axis=0) / table.std(axis=0, ddof=1)

    luck = judge(moments(table[:, 17]), sharpes, trials=400, per_year=365)

    assert luck.deflated > 0.95
    assert luck.sentence.endswith("more than 99 %.")


def test_one_trial_was_not_chosen() -> None:
    """Nothing was picked, so nothing is taken off."""
    luck = judge(moments(_noise(1, 100, 1)[:, 0] + 0.01), np.array([0.1]), trials=1, per_year=365)

    assert luck.luck_sharpe == 0.0
    assert "nothing was chosen by luck" in luck.sentence


def test_a_search_over_noise_is_found_to_be_overfit_half_of_the_time() -> None:
    """Where nothing is known, the winner of one half is anybody in the other."""
    found = [overfit(_noise(seed, 640, 50), blocks=8).probability for seed in range(30)]

    assert float(np.mean(found)) == pytest.approx(0.5, abs=0.1)


def test_a_rule_that_is_really_best_stays_best() -> None:
    """It wins in both halves, however history is cut."""
    table = _noise(7, 800, 20)
    table[:, 3] += 0.01

    found = overfit(table, blocks=10)

    assert found.splits == 252
    assert found.probability == 0.0
    assert found.loss == 0.0


def test_rules_that_only_remember_are_found_out() -> None:
    """Each trial was fitted to one stretch of time, and loses in all others."""
    table = np.full((160, 16), -0.001) + _noise(3, 160, 16) * 0.01
    for column in range(16):
        table[column * 10 : column * 10 + 10, column] += 0.05

    assert overfit(table, blocks=16).probability > 0.95


@pytest.mark.parametrize(
    ("rows", "trials", "blocks", "field"),
    [(100, 1, 8, "returns"), (100, 5, 7, "blocks"), (100, 5, 22, "blocks"), (10, 5, 8, "returns")],
)
def test_what_cannot_be_cross_validated_is_refused(rows: int, trials: int, blocks: int, field: str) -> None:
    """The error names the field and what would be right."""
    with pytest.raises(Invalid, match=field):
        overfit(_noise(0, rows, trials), blocks)
