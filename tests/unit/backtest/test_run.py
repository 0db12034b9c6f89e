"""A spec, its data and its strategy are one result, always."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from pilothouse.backtest.run import run
from pilothouse.backtest.spec import BacktestSpec, Costs, Market
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.strategies.indicators.averages import sma
from pilothouse.strategies.parameters import Params, whole
from pilothouse.strategies.rules import Distance, Exits, Rules, Size, SizeBy
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View
from tests.unit.backtest.bar_cases import random_candles


class SmaCross(Columns):
    """Two averages cross."""

    name = "sma-cross"
    title = "Two averages cross"
    parameters: ClassVar = {"fast": whole(3, 2, 50), "slow": whole(9, 3, 200)}

    def warm_up(self, p: Params) -> int:
        """Return when the slower one is known."""
        return int(p.slow)

    def signals(self, view: View, p: Params) -> Signals:
        """Turn where they cross."""
        fast, slow = sma(view.close, p.fast), sma(view.close, p.slow)
        return Signals(long=crossed_above(fast, slow), short=crossed_below(fast, slow))

    def rules(self, p: Params) -> Rules:
        """Hold one lot."""
        return Rules(size=Size(0.01, SizeBy.FIXED))


CANDLES = random_candles(np.random.default_rng(4), 400)
SPEC = BacktestSpec(
    "sma-cross", "0" * 64, {"fast": 3, "slow": 9}, (Market("aster", "BTCUSDT", Decimal("0.01")),), "1h", 0,
    1 + int(CANDLES.closed_ms[-1]), {"BTCUSDT": CANDLES.fingerprint()}, costs=Costs(200, 400),
)  # fmt: skip


def test_the_same_spec_is_the_same_result_byte_for_byte() -> None:
    """Else nobody could find an old result, or trust a new one."""
    one, again = (run(SPEC, {"BTCUSDT": CANDLES}, SmaCross()) for _ in range(2))

    assert one.digest() == again.digest()
    assert len(one.trades) > 20
    assert not one.costless
    assert one.final == SPEC.capital + int(one.trades.pnl.sum()) * one.scale.unit


def test_the_rules_of_the_spec_go_before_those_of_the_strategy() -> None:
    """Who asks for a stop gets one, whatever the strategy would have done without."""
    rules = Rules(Exits(stop=Distance(0.5)), Size(0.01, SizeBy.FIXED))
    stopped = run(replace(SPEC, rules=rules), {"BTCUSDT": CANDLES}, SmaCross())

    assert stopped.digest() != run(SPEC, {"BTCUSDT": CANDLES}, SmaCross()).digest()


@pytest.mark.parametrize(
    ("change", "data", "field"),
    [
        ({}, {}, "data.BTCUSDT"),
        ({}, {"BTCUSDT": CANDLES.before(399)}, "data.BTCUSDT"),
        ({"strategy": "other"}, {"BTCUSDT": CANDLES}, "strategy"),
        ({"markets": SPEC.markets * 2}, {"BTCUSDT": CANDLES}, "markets"),
        ({"params": {"fast": 1}}, {"BTCUSDT": CANDLES}, "fast"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], data: dict[str, Candles], field: str) -> None:
    """A result of other data or another strategy would carry this one's name."""
    with pytest.raises(Invalid) as refused:
        run(replace(SPEC, **change), data, SmaCross())

    assert refused.value.problems[0].field == field
