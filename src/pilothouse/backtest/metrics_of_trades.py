"""Metrics of trades. Pure."""

import math
from typing import Final

import numpy as np

from pilothouse.backtest.curves import Floats, streak
from pilothouse.backtest.metric import PLAIN, Metric, Reckon, Reckoned, Scene, mean, of_values, over, spread


def _wins(scene: Scene) -> Floats:
    return scene.trades.result[scene.trades.result > 0]


def _losses(scene: Scene) -> Floats:
    return scene.trades.result[scene.trades.result < 0]


def _results(scene: Scene) -> Floats:
    return scene.trades.result


def _count(scene: Scene) -> float | None:
    return float(len(scene.trades.result))


def _win_rate(scene: Scene) -> float | None:
    return over(float(np.count_nonzero(scene.trades.result > 0)), _count(scene))


def _payoff(scene: Scene) -> float | None:
    lost = mean(_losses(scene))
    return over(mean(_wins(scene)), None if lost is None else -lost)


def _profit_factor(scene: Scene) -> float | None:
    return over(float(_wins(scene).sum()), -float(_losses(scene).sum()))


def _expectancy_ratio(scene: Scene) -> float | None:
    lost = mean(_losses(scene))
    return over(mean(scene.trades.result), None if lost is None else -lost)


def _quality(scene: Scene) -> float | None:
    count = len(scene.trades.result)
    return over(mean(scene.trades.result), spread(scene.trades.result)) if count < 2 else _scaled_quality(scene)


def _scaled_quality(scene: Scene) -> float | None:
    ratio = over(mean(scene.trades.result), spread(scene.trades.result))
    return None if ratio is None else ratio * math.sqrt(min(len(scene.trades.result), 100))


def _kelly(scene: Scene) -> float | None:
    rate, payoff = _win_rate(scene), _payoff(scene)
    if rate is None or not payoff:
        return None
    return rate - (1.0 - rate) / payoff


def _streak(sign: int) -> Reckon:
    return lambda scene: float(streak(scene.trades.result * sign > 0))


def _fee_share(scene: Scene) -> float | None:
    """Return fees as a share of what was won and lost before them."""
    return over(float(scene.trades.fees.sum()), float(np.abs(scene.trades.result + scene.trades.fees).sum()))


def _turnover(scene: Scene) -> float | None:
    worth = float(scene.curve.equity.mean())
    return over(over(float(scene.trades.turned.sum()), worth), scene.years)


RECKONED: Final[Reckoned] = (
    (Metric("trades", "Trades", "count", "closed trades", PLAIN), _count),
    (Metric("win_rate", "Win rate", "share", "trades above zero / trades", PLAIN), _win_rate),
    (Metric("payoff", "Payoff ratio", "ratio", "mean win / mean loss", PLAIN), _payoff),
    (Metric("profit_factor", "Profit factor", "ratio", "sum of wins / sum of losses", PLAIN), _profit_factor),
    (Metric("expectancy", "Expectancy", "quote", "mean result of a trade", PLAIN), of_values(_results, np.mean)),
    (
        Metric(
            "expectancy_ratio",
            "Expectancy per unit of loss",
            "ratio",
            "mean result / mean loss",
            "V. Tharp, Trade Your Way to Financial Freedom, 1998",
        ),
        _expectancy_ratio,
    ),
    (
        Metric(
            "sqn",
            "System quality number",
            "ratio",
            "sqrt(min(trades, 100)) x mean / standard deviation (n - 1) of results",
            "V. Tharp, Definitive Guide to Position Sizing, 2008",
        ),
        _quality,
    ),
    (
        Metric(
            "kelly",
            "Kelly fraction",
            "share",
            "win rate - (1 - win rate) / payoff ratio",
            "J. Kelly, A New Interpretation of Information Rate, 1956",
        ),
        _kelly,
    ),
    (Metric("average_win", "Average win", "quote", "mean result of winning trades", PLAIN), of_values(_wins, np.mean)),
    (
        Metric("average_loss", "Average loss", "quote", "mean result of losing trades", PLAIN),
        of_values(_losses, np.mean),
    ),
    (Metric("largest_win", "Largest win", "quote", "largest result above zero", PLAIN), of_values(_wins, np.max)),
    (Metric("largest_loss", "Largest loss", "quote", "smallest result below zero", PLAIN), of_values(_losses, np.min)),
    (Metric("winning_streak", "Longest winning streak", "count", "wins in a row", PLAIN), _streak(1)),
    (Metric("losing_streak", "Longest losing streak", "count", "losses in a row", PLAIN), _streak(-1)),
    (
        Metric("average_bars", "Average holding time", "bars", "mean bars from entry to exit", PLAIN),
        lambda scene: mean(scene.trades.bars),
    ),
    (Metric("fees", "Fees", "quote", "sum of fees of all trades", PLAIN), lambda scene: float(scene.trades.fees.sum())),
    (
        Metric("funding", "Funding", "quote", "sum of funding received less paid", PLAIN),
        lambda scene: float(scene.trades.funding.sum()),
    ),
    (
        Metric("fee_share", "Fees over what was at stake", "share", "fees / sum of |result before fees|", PLAIN),
        _fee_share,
    ),
    (Metric("turnover", "Turnover per year", "ratio", "value bought and sold / mean equity / years", PLAIN), _turnover),
    (
        Metric("time_in_market", "Time in market", "share", "bars with a position / bars", PLAIN),
        lambda scene: scene.exposed,
    ),
)
