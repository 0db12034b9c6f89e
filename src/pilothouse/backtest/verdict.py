"""What a search is worth: its trials go in; the winner, luck, overfitting and its plateau come out. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pilothouse.backtest.curves import Floats
from pilothouse.backtest.luck import Luck, Overfit, judge, moments, overfit
from pilothouse.backtest.plateau import Plateau, plateau, steadiness
from pilothouse.backtest.search import Outcome

_BLOCKS: Final = 12
_TRIALS_MOST: Final = 2_000

LARGER: Final = {"max_drawdown": -1.0, "fees": -1.0}
"""Scores of which the smaller is the better."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The best of a search, beside everything that speaks against believing in it.

    best        outcomes, the best first
    luck        of the best, with every trial ever made counted; None where it has no returns
    overfit     None where there are too few days or trials
    map         over the one or two parameters that were varied most; None where there are none
    steadiness  see `plateau.steadiness`
    """

    best: tuple[Outcome, ...]
    luck: Luck | None
    overfit: Overfit | None
    map: Plateau | None
    steadiness: float


def score_of(outcome: Outcome, score: str) -> float:
    """Return the number that is searched for, the larger the better; NaN where it is not defined."""
    value = outcome.metrics.get(score)
    return math.nan if value is None else value * LARGER.get(score, 1.0)


def ranked(outcomes: Sequence[Outcome], score: str) -> list[Outcome]:
    """Return outcomes, the best first; those without the score last; equals by their parameters."""

    def order(outcome: Outcome) -> tuple[bool, float, str]:
        value = score_of(outcome, score)
        return math.isnan(value), -value if not math.isnan(value) else 0.0, str(outcome.params)

    return sorted(outcomes, key=order)


def weigh(outcomes: Sequence[Outcome], score: str, ever: Floats, trials: int) -> Verdict:
    """Return what a search is worth.

    ever     Sharpe ratios of every trial ever made with the strategy, per observation
    trials   how many those were, at least as many as `outcomes`
    """
    best = ranked(outcomes, score)
    first = best[0] if best and not math.isnan(score_of(best[0], score)) else None
    luck = None
    if first is not None and len(first.returns) > 2:
        luck = judge(moments(first.returns), ever, trials=max(trials, len(outcomes)), per_year=first.per_year)
    varied = _varied(outcomes)
    found = plateau([(each.params, score_of(each, score)) for each in outcomes], varied) if varied else None
    return Verdict(tuple(best), luck, _overfit(best), found, steadiness(found) if found is not None else math.nan)


def _overfit(best: Sequence[Outcome]) -> Overfit | None:
    """Cross-validate the trials that have returns over the same days; of very many, evenly chosen ones."""
    usable = [each for each in best if len(each.returns)]
    if not usable:
        return None
    length = len(usable[0].returns)
    usable = [each for each in usable if len(each.returns) == length]
    step = max(1, -(-len(usable) // _TRIALS_MOST))
    table = np.stack([each.returns for each in usable[::step]], axis=1).astype(np.float64)
    blocks = min(_BLOCKS, length // 4 // 2 * 2)
    return overfit(table, blocks) if table.shape[1] >= 2 and blocks >= 4 else None


def _varied(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the one or two parameters with most values."""
    values: dict[str, set[object]] = {}
    for outcome in outcomes:
        for name, value in outcome.params.items():
            values.setdefault(name, set()).add(value)
    several = sorted((name for name in values if len(values[name]) > 1), key=lambda name: (-len(values[name]), name))
    return several[:2]
