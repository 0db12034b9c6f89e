"""How much of a result may be luck: Sharpe ratios of trials go in; probabilities and one plain sentence come out.

Pure; floats, because nothing here becomes an order. Whoever tries four hundred rules on one history finds one that
looks good on it. What is asked here is how good the best of so many would have looked had all of them been worth
nothing.

Every Sharpe ratio in this file is per observation (one bar, one day), not per year, unless its name says so.
"""

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_BLOCKS_MOST = 20


@dataclass(frozen=True, slots=True)
class Moments:
    """The shape of a series of returns.

    count      observations, at least 2
    sharpe     mean over standard deviation (n - 1), per observation; 0 where nothing moved
    skew       third standardised moment; 0 for a normal distribution
    kurtosis   fourth standardised moment; 3 for a normal distribution
    """

    count: int
    sharpe: float
    skew: float
    kurtosis: float


@dataclass(frozen=True, slots=True)
class Luck:
    """The winner of a search beside what luck alone would reach.

    trials             how many combinations were tried, all of them counted, also those of earlier searches
    sharpe             of the winner, per year
    luck_sharpe        the largest Sharpe ratio to be expected of so many worthless trials, per year
    deflated           probability that the true Sharpe ratio is above zero after so many trials, 0 to 1
    sentence           the same for a person
    """

    trials: int
    sharpe: float
    luck_sharpe: float
    deflated: float
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Overfit:
    """What combinatorially symmetric cross-validation found.

    probability   share of splits in which the best in sample fell below the median out of sample, 0 to 1
    splits        how many ways to halve the history were tried
    logits        float64[splits], log odds of the winner's rank out of sample; below zero is below the median
    loss          share of splits in which the best in sample lost money out of sample, 0 to 1
    slope         of the out-of-sample Sharpe ratio of the winner over its in-sample one; near or below zero is bad
    """

    probability: float
    splits: int
    logits: Floats
    loss: float
    slope: float


def moments(returns: Floats) -> Moments:
    """Return the shape of `returns`, float64[n], n at least 2; a flat series has a Sharpe ratio of 0.

    Raises Invalid if there are fewer than two or one is not finite.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not bool(np.isfinite(values).all()):
        raise Invalid([Problem("returns", f"{values.size} came", "two finite numbers or more, in one row", "too_few")])
    sharpe, away, spread = _sharpe(values)
    if spread == 0.0:
        return Moments(len(values), 0.0, 0.0, 3.0)
    scaled = away / spread
    return Moments(len(values), sharpe, float((scaled**3).mean()), float((scaled**4).mean()))


def _sharpe(values: Floats) -> tuple[float, Floats, float]:
    """Return the Sharpe ratio, how far each return is from the mean, and their spread (n); 0 where nothing moved."""
    mean = float(values.mean())
    away = values - mean
    variance = float((away**2).mean())
    flat = abs(mean) * 1e-12
    if variance <= flat * flat or variance == 0.0:
        return 0.0, away, 0.0
    spread = math.sqrt(variance)
    sample_spread = spread * math.sqrt(len(values) / (len(values) - 1))
    return mean / sample_spread, away, spread


def probabilistic_sharpe(found: Moments, against: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above `against`, 0 to 1.

    Source: D. Bailey and M. López de Prado, The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2), 2012:
    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)).
    """
    width = 1.0 - found.skew * found.sharpe + (found.kurtosis - 1.0) / 4.0 * found.sharpe**2
    if width <= 0.0:
        return 1.0 if found.sharpe > against else 0.0
    return _NORMAL.cdf((found.sharpe - against) * math.sqrt(found.count - 1) / math.sqrt(width))


def observations_needed(found: Moments, against: float = 0.0, confidence: float = 0.95) -> float:
    """Return how many observations are needed before `found` beats `against` with that confidence; may be infinite.

    Source: as `probabilistic_sharpe`, the minimum track record length.
    """
    if found.sharpe <= against:
        return math.inf
    width = 1.0 - found.skew * found.sharpe + (found.kurtosis - 1.0) / 4.0 * found.sharpe**2
    return 1.0 + max(width, 0.0) * (_NORMAL.inv_cdf(confidence) / (found.sharpe - against)) ** 2


def luckiest(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of so many worthless trials is expected to show.

    trials     1 or more; one trial has nothing to choose from, so 0
    variance   of the Sharpe ratios over the trials, zero or more
    Source: D. Bailey and M. López de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5), 2014:
    sqrt(V) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g Euler's constant.
    """
    if trials < 2 or variance <= 0.0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * first + _EULER * second)


def deflated_sharpe(found: Moments, trials: int, variance: float) -> float:
    """Return the probability that the winner's true Sharpe ratio is above zero although it was chosen, 0 to 1.

    found      of the winner
    trials     how many were tried, the winner among them
    variance   of the Sharpe ratios over the trials
    Source: as `luckiest`.
    """
    return probabilistic_sharpe(found, luckiest(trials, variance))


def judge(found: Moments, sharpes: Floats, *, trials: int, per_year: float) -> Luck:
    """Set the winner beside luck, and say it in a sentence.

    found      of the winner, per observation
    sharpes    float64[k], of all trials whose ratio is known, per observation
    trials     how many were tried in all, at least k
    per_year   observations in a year
    """
    known = np.asarray(sharpes, dtype=np.float64)
    known = known[np.isfinite(known)]
    # Trials of which nothing is known any more count too; and even equal ones scatter by the length of the history.
    variance = max(float(known.var(ddof=1)) if len(known) > 1 else 0.0, 1.0 / max(found.count - 1, 1))
    scale = math.sqrt(per_year)
    luck, sharpe = luckiest(trials, variance) * scale, found.sharpe * scale
    deflated = deflated_sharpe(found, trials, variance)
    return Luck(trials, sharpe, luck, deflated, _sentence(trials, sharpe, luck, deflated))


def _sentence(trials: int, sharpe: float, luck: float, deflated: float) -> str:
    if trials < 2:
        return f"One trial, with a Sharpe ratio of {sharpe:.2f}: nothing was chosen, so nothing was chosen by luck."
    start = f"The best of {trials:,} trials has a Sharpe ratio of {sharpe:.2f}; luck alone would reach {luck:.2f}."
    if sharpe <= luck:
        return f"{start} There is no reason to believe in it."
    chance = f"{deflated * 100:.0f} %" if deflated < 0.995 else "more than 99 %"
    verdict = "That is not enough to rely on" if deflated < 0.95 else "That is more than luck explains"
    return f"{start} {verdict}: the chance that there is anything in it is {chance}."


def overfit(returns: Floats, blocks: int = 16) -> Overfit:
    """Say how often the best in one half of history is below the median in the other half.

    returns   float64[n, trials], one column for each trial, the same observations in each; at least 2 trials
    blocks    into how many equal parts history is cut; even, 2 to 20; the rest at the beginning is left out

    Raises Invalid that names what does not fit.
    Source: D. Bailey, J. Borwein, M. López de Prado and Q. Zhu, The Probability of Backtest Overfitting, Journal of
    Computational Finance 20(4), 2017 (combinatorially symmetric cross-validation).
    """
    table = np.asarray(returns, dtype=np.float64)
    _check_table(table, blocks)
    size = len(table) // blocks
    parts = table[len(table) - size * blocks :].reshape(blocks, size, table.shape[1])
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    logits, inside, outside = [], [], []
    total_sum, total_square = sums.sum(axis=0), squares.sum(axis=0)
    half = size * blocks // 2
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        picked = list(chosen)
        in_sum, in_square = sums[picked].sum(axis=0), squares[picked].sum(axis=0)
        trained = _sharpes(in_sum, in_square, half)
        tested = _sharpes(total_sum - in_sum, total_square - in_square, half)
        best = int(np.argmax(trained))
        # The middle of its rank among equals, so that trials that are all alike stand at the median.
        rank = (float((tested < tested[best]).sum()) + 0.5 * float((tested == tested[best]).sum() + 1)) / (
            len(tested) + 1
        )
        logits.append(math.log(rank / (1.0 - rank)))
        inside.append(trained[best])
        outside.append(tested[best])
    found = np.asarray(logits)
    before, after = np.asarray(inside), np.asarray(outside)
    spread = float(((before - before.mean()) ** 2).sum())
    slope = float(((before - before.mean()) * (after - after.mean())).sum()) / spread if spread > 0 else 0.0
    return Overfit(float((found < 0).mean()), len(found), found, float((after < 0).mean()), slope)


def _check_table(table: Floats, blocks: int) -> None:
    problems = []
    if table.ndim != 2 or table.shape[1] < 2:
        problems.append(Problem("returns", f"shape {table.shape}", "a column for each of two trials or more", "shape"))
    elif not bool(np.isfinite(table).all()):
        problems.append(Problem("returns", "not every number is finite", "finite numbers", "not_finite"))
    if not 2 <= blocks <= _BLOCKS_MOST or blocks % 2:
        problems.append(Problem("blocks", str(blocks), f"an even number, 2 to {_BLOCKS_MOST}", "out_of_range"))
    elif len(table) < 2 * blocks:
        problems.append(Problem("returns", f"{len(table)} rows", f"{2 * blocks} rows or more", "too_few"))
    if problems:
        raise Invalid(problems)


def _sharpes(total: Floats, squares: Floats, count: int) -> Floats:
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    flat = variance <= (np.abs(mean) * 1e-12) ** 2
    return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))
