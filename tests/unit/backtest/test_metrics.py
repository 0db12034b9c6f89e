"""What a run was worth, reckoned once more by hand, with nothing but sums."""

import math
import statistics
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.curves import Curve, TradeTable, by_month, falls_of, returns_of
from pilothouse.backtest.metrics import CATALOGUE, measure

_DAY = 86_400_000
_START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1_000)


def _daily(equity: list[float]) -> Curve:
    return Curve(_START + np.arange(len(equity)) * _DAY, np.array(equity, dtype=np.float64))


def _trades(results: list[float], fees: float = 1.0) -> TradeTable:
    count = len(results)
    return TradeTable(
        np.array(results),
        np.full(count, fees),
        np.full(count, -0.5),
        np.arange(1.0, count + 1),
        np.full(count, 2_000.0),
    )


_CURVE = [1000.0, 1010.0, 1005.0, 1020.0, 990.0, 1000.0, 1030.0, 1025.0, 1040.0, 1035.0]
_RESULTS = [12.0, -4.0, -6.0, 20.0, 8.0, 0.0, -10.0]


def _by_hand(curve: list[float], results: list[float]) -> dict[str, float]:
    """Return metrics from their formulas, in plain Python."""
    returns = [after / before - 1 for before, after in pairwise(curve)]
    years = (len(curve) - 1) / 365
    below = [min(each, 0) for each in returns]
    high, depth, lost = curve[0], [], []
    for each in curve:
        high = max(high, each)
        depth.append(1 - each / high)
        lost.append(high - each)
    won, gone = [each for each in results if each > 0], [each for each in results if each < 0]
    growth = (curve[-1] / curve[0]) ** (1 / years) - 1
    downside = math.sqrt(sum(each**2 for each in below) / len(returns)) * math.sqrt(365)
    rate, payoff = len(won) / len(results), statistics.mean(won) / -statistics.mean(gone)
    return {
        "total_return": curve[-1] / curve[0] - 1,
        "net_profit": curve[-1] - curve[0],
        "cagr": growth,
        "best_period": max(returns),
        "worst_period": min(returns),
        "positive_periods": sum(each > 0 for each in returns) / len(returns),
        "volatility": statistics.stdev(returns) * math.sqrt(365),
        "downside_deviation": downside,
        "sharpe": statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(365),
        "sortino": statistics.mean(returns) * 365 / downside,
        "calmar": growth / max(depth),
        "omega": sum(each for each in returns if each > 0) / -sum(below),
        "gain_to_pain": sum(returns) / -sum(below),
        "max_drawdown": max(depth),
        "max_drawdown_quote": max(lost),
        "ulcer": math.sqrt(statistics.mean([each**2 for each in depth])),
        "pain": statistics.mean(depth),
        "recovery_factor": (curve[-1] - curve[0]) / max(lost),
        "underwater": sum(each > 0 for each in depth) / len(depth),
        "trades": len(results),
        "win_rate": rate,
        "payoff": payoff,
        "profit_factor": sum(won) / -sum(gone),
        "expectancy": statistics.mean(results),
        "expectancy_ratio": statistics.mean(results) / -statistics.mean(gone),
        "sqn": statistics.mean(results) / statistics.stdev(results) * math.sqrt(len(results)),
        "kelly": rate - (1 - rate) / payoff,
        "average_win": statistics.mean(won),
        "average_loss": statistics.mean(gone),
        "largest_win": max(won),
        "largest_loss": min(gone),
        "fees": len(results),
        "funding": -0.5 * len(results),
        "average_bars": (len(results) + 1) / 2,
        "turnover": 2_000 * len(results) / statistics.mean(curve) / years,
    }


def test_every_metric_is_what_its_formula_says() -> None:
    """Reckoned by hand from the same curve and trades."""
    found = measure(_daily(_CURVE), _trades(_RESULTS))

    for name, value in _by_hand(_CURVE, _RESULTS).items():
        assert found[name] == pytest.approx(value), name


@given(
    st.lists(st.floats(500, 2_000), min_size=3, max_size=60),
    st.lists(st.floats(-100, 100), min_size=4, max_size=40).filter(
        lambda each: min(each) < -1 and max(each) > 1 and statistics.stdev(each) > 0.1
    ),
)
def test_every_metric_agrees_with_plain_sums_on_any_curve(curve: list[float], results: list[float]) -> None:
    """Where the formula divides by nothing, there is no number."""
    found = measure(_daily(curve), _trades(results))
    try:
        wanted = _by_hand(curve, results)
    except (ZeroDivisionError, OverflowError):
        return
    for name, value in wanted.items():
        if math.isfinite(value) and abs(value) < 1e9 and found[name] is not None:
            assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name


# As quantstats 0.0.86 prints them for 400 daily returns of numpy's generator, seed 11, 365 periods a year.
_QUANTSTATS = {
    "total_return": 0.9793095278103308,
    "cagr": 0.8645273796833206,
    "volatility": 0.3685320518020282,
    "sharpe": 1.8755725847071183,
    "sortino": 2.8305731152400697,
    "max_drawdown": 0.1634311766503137,
    "omega": 1.2830006458730088,
    "gain_to_pain": 0.2830006458730087,
    "tail_ratio": 1.0958094916085717,
    "best_period": 0.0734713537673601,
}


def test_a_library_that_many_use_finds_the_same() -> None:
    """Its ulcer index and its skew are those of a sample and differ by one observation; they are left out."""
    returns = np.random.default_rng(11).normal(0.001, 0.02, 400)
    found = measure(_daily([1.0, *np.cumprod(1 + returns).tolist()]), TradeTable.none())

    for name, value in _QUANTSTATS.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name


def test_minutes_and_hours_of_the_same_trading_have_the_same_ratio() -> None:
    """Returns are taken per day, however finely the curve was drawn."""
    steps = np.cumsum(np.random.default_rng(3).normal(0.5, 10.0, 30 * 1_440)) + 50_000
    at = _START + np.arange(1, len(steps) + 1) * 60_000
    minutes = Curve(np.concatenate(([_START], at)), np.concatenate(([50_000.0], steps)))
    hours = Curve(minutes.at_ms[::60], minutes.equity[::60])

    one, other = (measure(each, TradeTable.none()) for each in (minutes, hours))

    for name in ("sharpe", "sortino", "volatility", "omega", "cagr", "best_period"):
        assert one[name] == pytest.approx(other[name]), name
    assert len(returns_of(minutes)[0]) == 30


def test_a_market_with_weekends_has_252_days_a_year() -> None:
    """Weekends in which nothing could happen do not calm a curve."""
    days = [day for day in range(70) if (day % 7) < 5]
    at = np.array([_START + day * _DAY + hour * 3_600_000 for day in days for hour in range(10, 17)])

    assert returns_of(Curve(at, np.linspace(100.0, 110.0, len(at))))[1] == 252.0


def test_what_is_not_defined_is_no_number() -> None:
    """A flat curve without trades has no ratios; it has no infinite ones either."""
    found = measure(_daily([1000.0] * 50), TradeTable.none())

    assert found["total_return"] == 0.0
    assert found["max_drawdown"] == 0.0
    for name in ("sharpe", "sortino", "calmar", "omega", "profit_factor", "win_rate", "payoff", "sqn", "best_month_"):
        assert found.get(name) is None, name


def test_a_run_without_a_losing_trade_has_no_profit_factor() -> None:
    """It is unknown how large it would be, not endless."""
    assert measure(_daily(_CURVE), _trades([1.0, 2.0]))["profit_factor"] is None


def test_ruin_is_a_number_too() -> None:
    """More than everything can be lost on leverage; the drawdown then is above one and the growth is minus all."""
    found = measure(_daily([1000.0, 500.0, -100.0, -100.0]), TradeTable.none())

    assert found["cagr"] == -1.0
    assert found["max_drawdown"] == pytest.approx(1.1)


def test_drawdowns_are_told_apart_and_timed() -> None:
    """From a high to the next higher one; the last one lasts to the end."""
    falls = falls_of(_daily([100.0, 90.0, 95.0, 100.0, 110.0, 99.0, 104.5]))

    assert falls.bottoms.tolist() == pytest.approx([0.1, 0.1])
    assert falls.days.tolist() == [3.0, 2.0]


def test_months_are_those_of_the_calendar() -> None:
    """January has 31 days; February begins where it ended."""
    equity = [100.0 + day for day in range(61)]

    assert by_month(_daily(equity)).tolist() == pytest.approx([131 / 100 - 1, 160 / 131 - 1])


def test_beside_itself_a_benchmark_has_no_alpha_and_a_beta_of_one() -> None:
    """And nothing beyond it is captured."""
    curve = _daily(_CURVE)
    found = measure(curve, TradeTable.none(), benchmark=curve.equity * 7)

    assert found["beta"] == pytest.approx(1)
    assert found["alpha"] == pytest.approx(0, abs=1e-12)
    assert found["correlation"] == pytest.approx(1)
    assert found["tracking_error"] == pytest.approx(0, abs=1e-12)
    assert found["up_capture"] == found["down_capture"] == pytest.approx(1)
    assert found["benchmark_return"] == pytest.approx(found["total_return"])


def test_twice_the_benchmark_has_a_beta_of_two() -> None:
    """Each day twice the return."""
    market = np.random.default_rng(5).normal(0.001, 0.01, 200)
    mine, other = (_daily([1.0, *np.cumprod(1 + each).tolist()]) for each in (2 * market, market))

    found = measure(mine, TradeTable.none(), benchmark=other.equity)

    assert found["beta"] == pytest.approx(2)
    assert found["alpha"] == pytest.approx(0, abs=1e-9)


def test_the_catalogue_tells_formula_and_source_of_some_sixty_metrics() -> None:
    """Each with a name of its own."""
    names = [metric.name for metric in CATALOGUE]

    assert len(names) == len(set(names)) >= 55
    assert all(metric.formula and metric.source and metric.label for metric in CATALOGUE)
    assert {metric.unit for metric in CATALOGUE} == {"share", "ratio", "quote", "days", "bars", "count"}
    assert set(measure(_daily(_CURVE), _trades(_RESULTS))) == set(names)


def test_some_metrics_are_those_that_all_are() -> None:
    """A search asks for a dozen by name, and whoever runs its winner sees the whole list."""
    curve, trades = _daily([100.0, 90.0, 95.0, 100.0, 110.0, 99.0, 104.5]), TradeTable.none()
    every = measure(curve, trades, exposed=0.5)
    names = ("sharpe", "max_drawdown", "best_month", "win_rate")

    assert measure(curve, trades, exposed=0.5, names=names) == {name: every[name] for name in names}
