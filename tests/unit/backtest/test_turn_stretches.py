"""Bars that are counted when a run has ended, and money that fits no 64 bits there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.result import Reason
from pilothouse.backtest.turn_orders import Open
from pilothouse.backtest.turn_stretches import Stretches
from tests.unit.backtest.results import candles

_CLOSES = candles().close.tolist()
_MONEY = st.integers(-(2**70), 2**70)


@given(st.lists(st.tuples(st.integers(1, 3), _MONEY, st.one_of(st.integers(-5, 5), _MONEY)), min_size=1, max_size=4))
def test_equity_is_counted_as_plain_numbers_would_be(told: list[tuple[int, int, int]]) -> None:
    """To the unit where it fits 64 bits, also if a part of it does not; never a number that has wrapped around."""
    passed = Stretches(candles())
    exact: list[int] = []
    for bars, cash, each in told:
        closes = _CLOSES[len(exact) : len(exact) + bars]
        if closes:
            passed.add(len(closes), cash, each)
            exact += [cash + each * close for close in closes]

    if all(-(2**63) <= worth < 2**63 for worth in exact):
        assert passed.equity().tolist() == exact
    else:
        with pytest.raises(OverflowError):
            passed.equity()


def test_a_trade_has_seen_what_it_lived_through_and_no_more() -> None:
    """Its worst and its best price are those of its own bars, up to the last bar of all."""
    prices: Any = {"high": np.array([9, 8, 12, 20, 7, 30]), "low": np.array([5, 4, 6, 3, 2, 1])}
    bars = replace(candles(), open=prices["low"], close=prices["low"], **prices)
    passed, trades = Stretches(bars), np.zeros((2, 16), np.int64)
    long, short = _open(0), _open(1)
    trades[:, 2] = 1, -1
    trades[:, 11], trades[:, 12] = (6, 6), (6, 6)
    passed.hold(long, 0, 1)
    passed.hold(long, 2, 3)
    passed.hold(short, 4, 6)
    passed.see(trades)

    assert trades[:, 11].tolist() == [5, 30]
    assert trades[:, 12].tolist() == [12, 1]


def _open(number: int) -> Any:
    return Open(1, 0, 6, Reason.SIGNAL, -1, 6, 6, number=number)
