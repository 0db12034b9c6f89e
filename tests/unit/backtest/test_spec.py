"""A backtest is named by everything that its result depends on."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.backtest.spec import BacktestSpec, Costs, FeeTier, Fills, Margin, Market, Ranking, Slip
from pilothouse.core.errors import Invalid
from pilothouse.core.limits import Limits
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Distance, Exits, Rules, Size

SPEC = BacktestSpec(
    strategy="ema-cross",
    version="9" * 64,
    params=Params({"fast": 10, "slow": 50}),
    markets=(Market("aster", "BTCUSDT", Decimal("0.001")),),
    timeframe="1m",
    start_ms=0,
    until_ms=60_000,
    data={"BTCUSDT": "a" * 64},
)


def test_equal_specs_have_one_name_however_they_were_written() -> None:
    """A run that was made before is found, also when numbers were written in another way."""
    other = replace(SPEC, params={"slow": 50, "fast": 10}, capital=Decimal("10000.00"))

    assert other.canonical() == SPEC.canonical()
    assert other.name == SPEC.name
    assert len(SPEC.name) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "other"}, {"version": "8" * 64}, {"params": {"fast": 10, "slow": 51}}, {"timeframe": "5m"},
        {"start_ms": 1}, {"until_ms": 60_001}, {"data": {"BTCUSDT": "b" * 64}}, {"capital": Decimal(9_999)},
        {"leverage": 2}, {"margin": Margin.CROSS}, {"costs": Costs(taker_ppm=1)}, {"fills": Fills(latency=1)},
        {"rules": Rules()}, {"rules": Rules(exits=Exits(stop=Distance(2.0)))}, {"rules": Rules(size=Size(1.0))},
        {"positions_most": 2}, {"ranking": Ranking.FIRST}, {"hedge": True}, {"limits": Limits(cooldown_s=Decimal(5))},
        {"markets": (Market("aster", "BTCUSDT", Decimal("0.001"), costs=Costs(taker_ppm=1)),)},
        {"markets": (Market("aster", "BTCUSDT", Decimal("0.01")),)}, {"engine": 4},
    ],
)  # fmt: skip
def test_whatever_changes_a_result_changes_the_name(change: dict[str, Any]) -> None:
    """Else a result would be shown for a run that was never made."""
    assert replace(SPEC, **change).name != SPEC.name


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Costs(taker_ppm=-1), "costs.taker_ppm"),
        (lambda: Costs(slip=Slip.FIXED, slip_ppm=900_000), "costs.slip_ppm"),
        (lambda: Costs(tiers=(FeeTier(Decimal(2), 1, 1), FeeTier(Decimal(1), 1, 1))), "costs.tiers"),
        (lambda: Fills(volume_ppm=0), "fills.volume_ppm"),
        (lambda: Fills(rest=0), "fills.rest"),
        (lambda: Market("aster", "BTCUSDT", Decimal(0)), "market.lot"),
        (lambda: Market("aster", "BTCUSDT", Decimal(1), lots_min=5, lots_most=4), "market.lots_most"),
        (lambda: replace(SPEC, leverage=0), "leverage"),
        (lambda: replace(SPEC, markets=SPEC.markets * 2), "markets"),
        (lambda: replace(SPEC, capital=Decimal(0)), "capital"),
        (lambda: replace(SPEC, until_ms=0), "until_ms"),
        (lambda: replace(SPEC, markets=()), "markets"),
    ],
)
def test_a_wrong_field_is_named(make: Any, field: str) -> None:
    """A backtest that cannot be right does not begin."""
    with pytest.raises(Invalid) as refused:
        make()

    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_backtest_without_costs_knows_it() -> None:
    """It is no measure of anything, and every report says so."""
    assert not Costs().any
    assert not Costs(slip=Slip.NONE, slip_ppm=5).any
    assert Costs(maker_ppm=1).any
    assert Costs(slip=Slip.SPREAD, slip_ticks=1).any
