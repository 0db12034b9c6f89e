"""What else might have happened."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.chance import of_returns, of_trades
from pilothouse.core.errors import Invalid

_TRADES = np.random.default_rng(1).normal(5.0, 50.0, 200)
_RETURNS = np.random.default_rng(2).normal(0.0005, 0.01, 1_000)


def test_the_same_seed_is_the_same_fan() -> None:
    """Somebody else can draw it again."""
    assert of_trades(_TRADES, 10_000, seed=7) == of_trades(_TRADES, 10_000, seed=7)
    assert of_returns(_RETURNS, 10_000, seed=7) == of_returns(_RETURNS, 10_000, seed=7)
    assert of_returns(_RETURNS, 10_000, seed=8) != of_returns(_RETURNS, 10_000, seed=7)


def test_the_same_trades_in_another_order_end_where_they_ended() -> None:
    """Only the way there differs."""
    fan = of_trades(_TRADES, 10_000, replace=False)

    assert fan.final[1] == pytest.approx(10_000 + _TRADES.sum())
    assert fan.final[99] == pytest.approx(fan.final[1])
    assert fan.drawdown[95] > fan.drawdown[5]


def test_the_middle_of_the_fan_is_near_what_happened() -> None:
    """Many lives of the same trades scatter round the one that was lived, as wide as their spread says."""
    fan = of_trades(_TRADES, 10_000, runs=4_000)
    spread = _TRADES.std() * np.sqrt(len(_TRADES))

    assert fan.final[50] == pytest.approx(10_000 + _TRADES.sum(), abs=spread * 0.1)
    assert fan.final[95] - fan.final[5] == pytest.approx(2 * 1.645 * spread, rel=0.1)


def test_blocks_keep_neighbours_together() -> None:
    """Losses that come in rows make deeper drawdowns than the same losses one by one."""
    stormy = np.tile(np.concatenate((np.full(20, -0.01), np.full(60, 0.004))), 15)

    assert of_returns(stormy, 1.0, block=40).drawdown[50] > of_returns(stormy, 1.0, block=1).drawdown[50] * 1.3


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.integers(1, 60), st.data())
def test_shares_are_shares_and_percentiles_rise(results: list[float], runs: int, data: st.DataObject) -> None:
    """Whatever came in."""
    fan = of_trades(np.array(results), 1_000.0, runs=runs, replace=data.draw(st.booleans()))

    assert fan.runs == runs
    assert 0 <= fan.loss <= 1
    assert 0 <= fan.ruin <= 1
    assert list(fan.final.values()) == sorted(fan.final.values())
    assert all(0 <= fall <= 1 for fall in fan.drawdown.values())


def test_many_lives_are_drawn_in_small_portions() -> None:
    """A large fan over a long history is no reason to fill the memory; every life is counted."""
    assert of_returns(np.full(50_000, 0.00001), 1.0, runs=100).runs == 100


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: of_trades(np.array([]), 1.0), "results"),
        (lambda: of_trades(np.array([np.nan]), 1.0), "results"),
        (lambda: of_trades(np.array([1.0]), 0.0), "start"),
        (lambda: of_trades(np.array([1.0]), 1.0, runs=0), "runs"),
        (lambda: of_returns(np.array([-1.0]), 1.0), "returns"),
        (lambda: of_returns(np.array([0.1]), 1.0, block=0.5), "block"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(call: object, field: str) -> None:
    """The error names the field."""
    assert callable(call)
    with pytest.raises(Invalid, match=field):
        call()
