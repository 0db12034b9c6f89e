"""Metrics beside a benchmark. Pure."""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.curves import Floats
from pilothouse.backtest.metric import PLAIN, Metric, Reckon, Reckoned, Scene, mean, over


def _beside(reckon: Callable[[Floats, Floats, float], float | None]) -> Reckon:
    """Return a metric over returns and the benchmark's returns."""

    def found(scene: Scene) -> float | None:
        if scene.benchmark is None or len(scene.benchmark) < 2:
            return None
        return reckon(scene.returns, scene.benchmark, scene.per_year)

    return found


def _benchmark_total(_mine: Floats, other: Floats, _per_year: float) -> float | None:
    return math.expm1(float(np.log1p(np.maximum(other, -1 + 1e-15)).sum()))


def _beta(mine: Floats, other: Floats, _per_year: float) -> float | None:
    away = other - other.mean()
    return over(float(((mine - mine.mean()) * away).sum()), float((away**2).sum()))


def _alpha(mine: Floats, other: Floats, per_year: float) -> float | None:
    slope = _beta(mine, other, per_year)
    return None if slope is None else (float(mine.mean()) - slope * float(other.mean())) * per_year


def _correlation(mine: Floats, other: Floats, _per_year: float) -> float | None:
    one, two = mine - mine.mean(), other - other.mean()
    return over(float((one * two).sum()), math.sqrt(float((one**2).sum() * (two**2).sum())))


def _tracking(mine: Floats, other: Floats, per_year: float) -> float | None:
    return float((mine - other).std(ddof=1)) * math.sqrt(per_year)


def _information(mine: Floats, other: Floats, per_year: float) -> float | None:
    return over(float((mine - other).mean()) * per_year, _tracking(mine, other, per_year))


def _capture(sign: int) -> Callable[[Floats, Floats, float], float | None]:
    def reckon(mine: Floats, other: Floats, _per_year: float) -> float | None:
        there: NDArray[np.bool_] = other * sign > 0
        return over(mean(mine[there]), mean(other[there]))

    return reckon


RECKONED: Final[Reckoned] = (
    (
        Metric("benchmark_return", "Return of the benchmark", "share", "last / first - 1 of the benchmark", PLAIN),
        _beside(_benchmark_total),
    ),
    (
        Metric(
            "beta",
            "Beta",
            "ratio",
            "covariance with the benchmark / its variance",
            "W. Sharpe, Capital Asset Prices, 1964",
        ),
        _beside(_beta),
    ),
    (
        Metric(
            "alpha",
            "Alpha per year",
            "share",
            "(mean return - beta x mean benchmark return) x periods per year",
            "M. Jensen, The Performance of Mutual Funds, 1968; no rate is taken off",
        ),
        _beside(_alpha),
    ),
    (
        Metric("correlation", "Correlation with the benchmark", "ratio", "Pearson correlation of returns", PLAIN),
        _beside(_correlation),
    ),
    (
        Metric(
            "tracking_error",
            "Tracking error per year",
            "share",
            "standard deviation (n - 1) of excess returns x sqrt(periods per year)",
            PLAIN,
        ),
        _beside(_tracking),
    ),
    (
        Metric(
            "information_ratio",
            "Information ratio",
            "ratio",
            "mean excess return x periods per year / tracking error per year",
            "T. Goodwin, The Information Ratio, 1998",
        ),
        _beside(_information),
    ),
    (
        Metric(
            "up_capture", "Up capture", "ratio", "mean return / mean benchmark return where the benchmark rose", PLAIN
        ),
        _beside(_capture(1)),
    ),
    (
        Metric(
            "down_capture",
            "Down capture",
            "ratio",
            "mean return / mean benchmark return where the benchmark fell",
            PLAIN,
        ),
        _beside(_capture(-1)),
    ),
)
