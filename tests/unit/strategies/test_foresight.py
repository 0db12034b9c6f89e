"""Strategies that look into the future are found, by bar and column; honest ones are left in peace."""

from collections.abc import Callable

import numpy as np
import pytest

from pilothouse.core.candles import Candles
from pilothouse.strategies.foresight import Finding, Kind, check
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View

_MINUTE = 60_000
_NO = Params({})


def _candles(count: int = 600, seed: int = 1) -> Candles:
    chance = np.random.default_rng(seed)
    close = 10_000 + np.cumsum(chance.integers(-30, 31, count))
    first = np.concatenate((close[:1], close[:-1]))
    return Candles(
        "BTCUSDT", 15 * _MINUTE, np.arange(count, dtype=np.int64) * 15 * _MINUTE, first,
        np.maximum(first, close) + chance.integers(0, 9, count),
        np.minimum(first, close) - chance.integers(0, 9, count),
        close, chance.integers(1, 99, count), 2, 0,
    )  # fmt: skip


def _mean(values: np.ndarray, count: int) -> np.ndarray:
    found = np.full(len(values), np.nan)
    sums = np.cumsum(np.insert(values, 0, 0.0))
    if len(values) >= count:
        found[count - 1 :] = (sums[count:] - sums[:-count]) / count
    return found


def _strategy(answer: Callable[[View], Signals], warm_up: int = 30) -> Columns:
    """Return a strategy that answers so."""

    class Made(Columns):
        name, title = "made", "Made for a test"

        def warm_up(self, p: Params) -> int:
            return warm_up

        def signals(self, view: View, p: Params) -> Signals:
            return answer(view)

    return Made()


def _cross(view: View) -> Signals:
    fast, slow = _mean(view.close, 5), _mean(view.close, 20)
    return Signals(long=crossed_above(fast, slow), short=crossed_below(fast, slow))


def _both_sides(view: View) -> Signals:
    """Smooth with a kernel that reaches into the bars to come, as the envelope that everybody draws does."""
    if len(view) < 33:
        return Signals(long=np.zeros(len(view), bool), short=np.zeros(len(view), bool))
    reach = np.arange(-16, 17)
    weights = np.exp(-(reach**2) / 128.0)
    smooth = np.convolve(view.close, weights, "same") / np.convolve(np.ones(len(view)), weights, "same")
    return Signals(long=view.close < smooth * 0.999, short=view.close > smooth * 1.001)


def _forward(view: View) -> Signals:
    """Join each bar to the longer candle in which it lies: its close is known hours before it closed."""
    longer = view.candles.opened_ms // (240 * _MINUTE)
    last = np.append(longer[1:] != longer[:-1], True)
    close_of = dict(zip(longer[last].tolist(), view.close[last].tolist(), strict=True))
    trend = np.array([close_of[each] for each in longer.tolist()])
    return Signals(long=trend > view.close, short=trend < view.close)


def _whole_sample(view: View) -> Signals:
    scored = (view.close - view.close.mean()) / max(float(view.close.std()), 1e-9)
    return Signals(long=scored < -1.0, short=scored > 1.0)


def _future_stop(view: View) -> Signals:
    lowest = np.array([view.low[bar : bar + 5].min() for bar in range(len(view))])
    honest = _cross(view)
    return Signals(long=honest.long, short=honest.short, stop=np.maximum(view.close - lowest, 0.01))


def _future_size(view: View) -> Signals:
    honest = _cross(view)
    rises = np.append(view.close[1:] > view.close[:-1], False)
    return Signals(long=honest.long, weight=np.where(rises, 1.0, 0.1))


def _future_exit(view: View) -> Signals:
    honest = _cross(view)
    return Signals(long=honest.long, leave_long=np.append(view.close[1:] < view.close[:-1], False))


def _peeks(view: View) -> Signals:
    return Signals(long=np.append(view.close[1:] > view.close[:-1], False))


def _repaints(view: View) -> Signals:
    """Mark a low once later bars have shown that it was one, at the bar of the low."""
    found = np.zeros(len(view), bool)
    for bar in range(3, len(view) - 3):
        found[bar] = view.low[bar] == view.low[bar - 3 : bar + 4].min()
    return Signals(long=found)


_LIARS = {
    "a kernel on both sides": (_both_sides, {"long", "short"}),
    "a longer candle before it closed": (_forward, {"long", "short"}),
    "the mean of everything": (_whole_sample, {"long", "short"}),
    "a stop that knows the low to come": (_future_stop, {"stop"}),
    "a size that knows the next bar": (_future_size, {"weight"}),
    "an exit that knows the next bar": (_future_exit, {"leave_long"}),
    "the next close": (_peeks, {"long"}),
    "a low that is drawn afterwards": (_repaints, {"long"}),
}


@pytest.mark.parametrize("name", _LIARS)
def test_a_strategy_that_looks_ahead_is_found_with_bar_and_column(name: str) -> None:
    """Also where only its exits, its stops or its sizes do."""
    answer, columns = _LIARS[name]
    verdict = check(_strategy(answer), _NO, _candles())

    assert not verdict.honest
    assert {finding.column for finding in verdict.findings if finding.kind is Kind.LOOKS_AHEAD} == columns


def test_the_first_bar_that_differs_is_named_with_both_answers() -> None:
    """The next close is first missed at the last bar that was known."""
    (finding,) = check(_strategy(_peeks), _NO, _candles()).findings

    assert isinstance(finding, Finding)
    assert "was" in str(finding) or "were known" in str(finding)
    assert finding.at == f"1970-01-01T{finding.bar * 15 // 60:02d}:{finding.bar * 15 % 60:02d}:00.000000Z"


def test_an_honest_strategy_is_left_in_peace() -> None:
    """Over its bars, a longer timeframe and another instrument."""

    def answer(view: View) -> Signals:
        longer, other = view.higher("1h"), view.instrument("ETHUSDT")
        up = longer.seen(longer.close > _mean(longer.close, 3))
        honest = _cross(view)
        assert honest.long is not None
        return Signals(long=honest.long & up, short=honest.short, stop=np.abs(view.close - other.seen(other.close)) + 1)

    verdict = check(_strategy(answer), _NO, _candles(), {"ETHUSDT": _candles(seed=2)})

    assert verdict.honest, [str(finding) for finding in verdict.findings]
    assert verdict.signals > 10
    assert verdict.cuts > 50


def test_a_warm_up_that_is_too_short_is_found() -> None:
    """What it says in the first bars would be something else with older data."""
    found = check(_strategy(_cross, warm_up=4), _NO, _candles()).findings

    assert {finding.kind for finding in found} == {Kind.WARM_UP}


def test_a_mood_is_found() -> None:
    """The same data must lead to the same signals."""
    chance = np.random.default_rng(0)
    verdict = check(_strategy(lambda view: Signals(long=chance.random(len(view)) < 0.2)), _NO, _candles())

    assert Kind.RESTLESS in {finding.kind for finding in verdict.findings}


def test_a_strategy_that_changes_the_data_is_found() -> None:
    """It would poison whatever runs after it."""

    def answer(view: View) -> Signals:
        view.candles.close[-1] += 1
        return Signals(long=np.zeros(len(view), bool))

    assert [finding.kind for finding in check(_strategy(answer), _NO, _candles()).findings] == [Kind.MEDDLES]


@pytest.mark.parametrize("column", [{"stop": np.inf}, {"weight": 1.5}, {"weight": -0.1}, {"limit": -1.0}])
def test_numbers_that_are_none_are_found(column: dict[str, float]) -> None:
    """An infinite stop protects nothing, and nobody holds one and a half of what is allowed."""
    (name, value), *_ = column.items()

    def answer(view: View) -> Signals:
        numbers = np.where(np.arange(len(view)) == 70, value, np.nan)
        return Signals(long=_cross(view).long, **{name: numbers})  # type: ignore[arg-type] # columns of floats alone

    found = check(_strategy(answer), _NO, _candles()).findings

    assert [(each.column, each.bar) for each in found if each.kind is Kind.NOT_A_NUMBER] == [(name, 70)]


def test_a_strategy_that_fails_on_little_data_is_told_how() -> None:
    """It would fail on the first day of its life."""

    def answer(view: View) -> Signals:
        if len(view) < 50:
            raise IndexError("no bar 50")
        return _cross(view)

    found = check(_strategy(answer), _NO, _candles()).findings

    assert [finding.kind for finding in found] == [Kind.FAILS]
    assert "no bar 50" in found[0].words
