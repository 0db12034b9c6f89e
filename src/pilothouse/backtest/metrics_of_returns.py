"""Metrics of the equity curve: growth, risk and drawdown. Pure."""

import math
from typing import Final

import numpy as np

from pilothouse.backtest.curves import Floats
from pilothouse.backtest.luck import moments, probabilistic_sharpe
from pilothouse.backtest.metric import PLAIN, Metric, Reckoned, Scene, mean, of_values, over, spread

_SHARPE: Final = "W. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21(1), 1994; no rate is taken off"
_LUCK: Final = "D. Bailey and M. López de Prado, The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2), 2012"
_SORTINO: Final = "F. Sortino and R. van der Meer, Downside Risk, Journal of Portfolio Management 17(4), 1991"


def _total(scene: Scene) -> float | None:
    return float(scene.curve.equity[-1] / scene.curve.equity[0]) - 1.0


def _cagr(scene: Scene) -> float | None:
    grown = float(scene.curve.equity[-1] / scene.curve.equity[0])
    if scene.years <= 0:
        return None
    if grown <= 0:
        return -1.0
    power = math.log(grown) / scene.years
    return math.expm1(power) if power < 700 else None


def _net(scene: Scene) -> float | None:
    return float(scene.curve.equity[-1] - scene.curve.equity[0])


def _returns(scene: Scene) -> Floats:
    return scene.returns


def _months(scene: Scene) -> Floats:
    return scene.months


def _yearly(scene: Scene, value: float | None) -> float | None:
    return None if value is None else value * math.sqrt(scene.per_year)


def _volatility(scene: Scene) -> float | None:
    return _yearly(scene, spread(scene.returns))


def _downside(scene: Scene) -> float | None:
    if not len(scene.returns):
        return None
    return _yearly(scene, math.sqrt(float((np.minimum(scene.returns, 0.0) ** 2).mean())))


def _sharpe(scene: Scene) -> float | None:
    if len(scene.returns) < 2:
        return None
    return _yearly(scene, over(float(scene.returns.mean()), spread(scene.returns)))


def _sortino(scene: Scene) -> float | None:
    return over(float(scene.returns.mean()) * scene.per_year, _downside(scene)) if len(scene.returns) else None


def _calmar(scene: Scene) -> float | None:
    return over(_cagr(scene), scene.falls.deepest)


def _omega(scene: Scene) -> float | None:
    gains = float(np.maximum(scene.returns, 0.0).sum())
    return over(gains, float(np.maximum(-scene.returns, 0.0).sum()))


def _gain_to_pain(scene: Scene) -> float | None:
    return over(float(scene.returns.sum()), float(np.maximum(-scene.returns, 0.0).sum()))


def _tail(scene: Scene) -> float | None:
    if len(scene.returns) < 20:
        return None
    return over(abs(float(np.percentile(scene.returns, 95))), abs(float(np.percentile(scene.returns, 5))))


def _value_at_risk(scene: Scene) -> float | None:
    return -float(np.percentile(scene.returns, 5)) if len(scene.returns) >= 20 else None


def _shortfall(scene: Scene) -> float | None:
    if len(scene.returns) < 20:
        return None
    worst = scene.returns[scene.returns <= np.percentile(scene.returns, 5)]
    return -float(worst.mean())


def _skew(scene: Scene) -> float | None:
    return moments(scene.returns).skew if len(scene.returns) > 2 else None


def _kurtosis(scene: Scene) -> float | None:
    return moments(scene.returns).kurtosis - 3.0 if len(scene.returns) > 3 else None


def _surely(scene: Scene) -> float | None:
    return probabilistic_sharpe(moments(scene.returns)) if len(scene.returns) > 2 else None


def _ulcer(scene: Scene) -> float | None:
    return math.sqrt(float((scene.falls.depth**2).mean()))


def _martin(scene: Scene) -> float | None:
    return over(_cagr(scene), _ulcer(scene))


def _pain(scene: Scene) -> float | None:
    return float(scene.falls.depth.mean())


def _burke(scene: Scene) -> float | None:
    return over(_cagr(scene), math.sqrt(float((scene.falls.bottoms**2).sum())))


def _recovery_factor(scene: Scene) -> float | None:
    return over(_net(scene), scene.falls.deepest_quote)


def _stability(scene: Scene) -> float | None:
    equity = scene.curve.equity
    if len(equity) < 3 or float(equity.min()) <= 0:
        return None
    logs, at = np.log(equity), scene.curve.at_ms.astype(np.float64)
    up, along = logs - logs.mean(), at - at.mean()
    spread = float((up**2).sum() * (along**2).sum())
    return float((up * along).sum()) ** 2 / spread if spread > 0 else None


RECKONED: Final[Reckoned] = (
    (Metric("total_return", "Return", "share", "last equity / first - 1", PLAIN), _total),
    (Metric("net_profit", "Net profit", "quote", "last equity - first", PLAIN), _net),
    (Metric("cagr", "Growth per year", "share", "(last / first)^(1 / years) - 1; a year has 365 days", PLAIN), _cagr),
    (
        Metric("best_period", "Best day", "share", "largest return of a day (of a bar, if longer)", PLAIN),
        of_values(_returns, np.max),
    ),
    (
        Metric("worst_period", "Worst day", "share", "smallest return of a day (of a bar, if longer)", PLAIN),
        of_values(_returns, np.min),
    ),
    (
        Metric("positive_periods", "Days with a gain", "share", "days above zero / days", PLAIN),
        of_values(_returns, lambda r: float((r > 0).mean())),
    ),
    (
        Metric("best_month", "Best month", "share", "largest return of a calendar month, UTC", PLAIN),
        of_values(_months, np.max),
    ),
    (
        Metric("worst_month", "Worst month", "share", "smallest return of a calendar month, UTC", PLAIN),
        of_values(_months, np.min),
    ),
    (
        Metric("positive_months", "Months with a gain", "share", "months above zero / months", PLAIN),
        of_values(_months, lambda r: float((r > 0).mean())),
    ),
    (
        Metric(
            "volatility",
            "Volatility per year",
            "share",
            "standard deviation (n - 1) of returns x sqrt(periods per year)",
            PLAIN,
        ),
        _volatility,
    ),
    (
        Metric(
            "downside_deviation",
            "Downside deviation per year",
            "share",
            "sqrt(mean(min(return, 0)^2)) x sqrt(periods per year)",
            _SORTINO,
        ),
        _downside,
    ),
    (
        Metric(
            "sharpe",
            "Sharpe ratio",
            "ratio",
            "mean / standard deviation (n - 1) of returns x sqrt(periods per year)",
            _SHARPE,
        ),
        _sharpe,
    ),
    (
        Metric(
            "sharpe_probability",
            "Probability that the Sharpe ratio is above zero",
            "share",
            "probabilistic Sharpe ratio against 0",
            _LUCK,
        ),
        _surely,
    ),
    (
        Metric(
            "sortino",
            "Sortino ratio",
            "ratio",
            "mean return x periods per year / downside deviation per year",
            _SORTINO,
        ),
        _sortino,
    ),
    (
        Metric(
            "calmar",
            "Calmar ratio",
            "ratio",
            "growth per year / maximal drawdown, over the whole run",
            "T. Young, Calmar Ratio, Futures, 1991",
        ),
        _calmar,
    ),
    (
        Metric(
            "omega",
            "Omega ratio",
            "ratio",
            "sum of gains / sum of losses of returns, threshold 0",
            "C. Keating and W. Shadwick, A Universal Performance Measure, 2002",
        ),
        _omega,
    ),
    (
        Metric(
            "gain_to_pain",
            "Gain to pain",
            "ratio",
            "sum of returns / sum of losses of returns",
            "J. Schwager, Hedge Fund Market Wizards, 2012",
        ),
        _gain_to_pain,
    ),
    (
        Metric(
            "tail_ratio",
            "Tail ratio",
            "ratio",
            "|95th percentile| / |5th percentile| of returns; 20 returns or more",
            PLAIN,
        ),
        _tail,
    ),
    (
        Metric(
            "value_at_risk",
            "Value at risk, 95 %",
            "share",
            "- 5th percentile of returns; 20 returns or more",
            "P. Jorion, Value at Risk, 1996 (historical)",
        ),
        _value_at_risk,
    ),
    (
        Metric(
            "expected_shortfall",
            "Expected shortfall, 95 %",
            "share",
            "- mean of returns at or below the 5th percentile",
            "C. Acerbi and D. Tasche, On the coherence of expected shortfall, 2002",
        ),
        _shortfall,
    ),
    (Metric("skew", "Skew", "ratio", "third standardised moment of returns", PLAIN), _skew),
    (Metric("kurtosis", "Excess kurtosis", "ratio", "fourth standardised moment of returns - 3", PLAIN), _kurtosis),
    (
        Metric("max_drawdown", "Maximal drawdown", "share", "largest fall from a high / that high, bar by bar", PLAIN),
        lambda scene: scene.falls.deepest,
    ),
    (
        Metric("max_drawdown_quote", "Maximal drawdown, money", "quote", "largest fall from a high", PLAIN),
        lambda scene: scene.falls.deepest_quote,
    ),
    (
        Metric("average_drawdown", "Average drawdown", "share", "mean of the bottoms of all drawdowns", PLAIN),
        lambda scene: mean(scene.falls.bottoms),
    ),
    (
        Metric(
            "longest_drawdown",
            "Longest drawdown",
            "days",
            "longest time from a high to the next higher one, or to the end",
            PLAIN,
        ),
        lambda scene: scene.falls.longest_days,
    ),
    (
        Metric(
            "average_drawdown_days", "Average length of a drawdown", "days", "mean time from high to higher high", PLAIN
        ),
        lambda scene: mean(scene.falls.days),
    ),
    (
        Metric("drawdowns", "Drawdowns", "count", "times that equity fell below its high", PLAIN),
        lambda scene: float(len(scene.falls.bottoms)),
    ),
    (
        Metric("underwater", "Time under water", "share", "bars below the high / bars", PLAIN),
        lambda scene: float((scene.falls.depth > 0).mean()),
    ),
    (
        Metric(
            "ulcer",
            "Ulcer index",
            "share",
            "sqrt(mean(drawdown^2)) over all bars",
            "P. Martin and B. McCann, The Investor's Guide to Fidelity Funds, 1989",
        ),
        _ulcer,
    ),
    (
        Metric("martin", "Martin ratio", "ratio", "growth per year / ulcer index", "P. Martin and B. McCann, 1989"),
        _martin,
    ),
    (
        Metric(
            "pain",
            "Pain index",
            "share",
            "mean drawdown over all bars",
            "T. Becker, The Zephyr K-Ratio and Pain Index, 2006",
        ),
        _pain,
    ),
    (
        Metric(
            "burke",
            "Burke ratio",
            "ratio",
            "growth per year / sqrt(sum of squared bottoms)",
            "G. Burke, A Sharper Sharpe Ratio, Futures, 1994",
        ),
        _burke,
    ),
    (
        Metric("recovery_factor", "Recovery factor", "ratio", "net profit / maximal drawdown in money", PLAIN),
        _recovery_factor,
    ),
    (Metric("stability", "Stability", "ratio", "R^2 of log equity over time", PLAIN), _stability),
)
