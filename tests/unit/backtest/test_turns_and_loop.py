"""The turn engine and the compiled loop on the same orders: equal to the last unit, limits or none."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from pilothouse.backtest.columns_as_turns import ColumnsAsTurns
from pilothouse.backtest.columns_in_turns import simulate_in_turns
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.simulate import TooLargeToCount, simulate
from pilothouse.backtest.spec import Fills
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_gate import Gate
from pilothouse.backtest.turns import run_turns
from pilothouse.core.limits import BY_LIMIT, KERNELS, NOTHING, Limits
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Rules, Side, Size, SizeBy
from pilothouse.strategies.sdk import Bar, Happening, Signals, Turn, Want
from tests.unit.backtest.bar_cases import Case, limited_case, random_case, random_limits
from tests.unit.backtest.inside_cases import InsideCase, inside_case


def compare(seeds: range, make: Any) -> Counter[Any]:
    """Hold the turn engine to the loop; return how often each reason ended a trade, and each limit denied."""
    seen: Counter[Any] = Counter()
    for seed in seeds:
        made = make(seed)
        case, finer = (made, None) if isinstance(made, Case) else (made.case, made.finer)
        told = (case.spec, case.market, case.candles, case.signals, case.rules)
        rest: dict[str, Any] = {"warm_up": case.warm_up, "funding": case.funding, "finer": finer}
        try:
            loop = simulate(*told, **rest)
        except TooLargeToCount:
            continue
        turns = simulate_in_turns(*told, **rest)
        assert turns.digest() == loop.digest(), f"seed {seed}"
        assert turns.denials == loop.denials, f"seed {seed}"
        seen.update(loop.trades.reason_out.tolist())
        seen.update(loop.denials.codes)
    return seen


def test_the_turn_engine_equals_the_loop_to_the_unit() -> None:
    """Every kind of order, funding, tiers, slippage, latency, partial fills, leverage, liquidation: all of it."""
    seen = compare(range(200), random_case)

    assert set(seen) >= {reason.value for reason in Reason if reason is not Reason.SIGNAL}


def test_with_limits_too_the_turn_engine_equals_the_loop() -> None:
    """The one asks the whole gate before each order, the other what it knows of it; denials are word for word alike."""
    seen = compare(range(250), limited_case)

    assert {code for code in seen if isinstance(code, str)} == {BY_LIMIT[name].code for name in KERNELS}


def limited_inside(seed: int) -> InsideCase:
    """Return the run of a seed that walks inside the bars, with limits or without."""
    made = inside_case(seed)
    if seed % 2 == 0:
        return made
    limits = random_limits(np.random.default_rng([seed, 1]), made.case)
    return replace(made, case=replace(made.case, spec=replace(made.case.spec, limits=limits)))


def test_inside_the_bars_too_the_turn_engine_equals_the_loop() -> None:
    """Candles, trades and latencies in milliseconds, with limits and without."""
    compare(range(110, 170), limited_inside)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_the_turn_engine_equals_the_loop_in_thousands_of_markets() -> None:
    """As above, for whoever has an hour."""
    compare(range(1_000, 7_000), random_case)
    compare(range(1_000, 7_000), limited_case)
    compare(range(1_000, 7_000), limited_inside)


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (Gate, "asks", lambda *_, **__: ()),
        (Gate, "_midnight", lambda gate, *_: gate._account.capital),
        (Gate, "_high", lambda gate, _decided: gate._account.capital),
        (Account, "begin_day", lambda *_: None),
        (Account, "pay_inside", lambda *_: None),
        (Account, "bankrupt", lambda _account, leg: leg.lane.first),
        (ColumnsAsTurns, "_kelly", lambda strategy: strategy.p[16]),
    ],
)
def test_a_mistake_in_the_turn_engine_would_be_found(
    kind: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison that cannot fail proves nothing."""
    monkeypatch.setattr(kind, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        compare(range(250), limited_case)


class Flipping:
    """Sends its own orders: leaves what it holds and takes the other side, whenever the column says so."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Flipping"
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def __init__(self, told: Any, size: Decimal) -> None:
        self.told, self.size = told, size

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the count of bars."""
        return {"bars": 0}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return two orders at the market, or none."""
        if not isinstance(happening, Bar):
            return Turn(state)
        bar = state["bars"]
        now = {"bars": bar + 1}
        side = int(self.told[bar])
        if not side:
            return Turn(now)
        out = Want(f"out-{bar}", happening.symbol, side * self.size * 1_000, reduce_only=True)
        return Turn(now, (out, Want(f"in-{bar}", happening.symbol, side * self.size)))


def both(seed: int, limits: Limits = NOTHING) -> tuple[Result, Result]:
    """Return what the loop and what a strategy with orders of its own make of the same flips.

    limits   of the turns alone
    """
    case = random_case(seed, bars=90)
    rng = np.random.default_rng([seed, 2])
    told = np.zeros(90, np.int64)
    at = np.flatnonzero(rng.random(90) < 0.15)
    told[at] = np.where(np.arange(len(at)) % 2 == seed % 2, 1, -1)
    market = replace(case.market, lots_min=1, lots_most=None, notional_min=Decimal(0))
    fills = Fills(case.spec.fills.at, latency=0 if case.spec.fills.at == "close" else int(rng.integers(0, 4)))
    spec = replace(case.spec, markets=(market,), fills=fills, capital=Decimal(1_000_000))
    rules = Rules(size=Size(0.5, SizeBy.FIXED), side=Side.BOTH)
    signals = Signals(long=told > 0, short=told < 0)
    loop = simulate(spec, market, case.candles, signals, rules, warm_up=0, funding=case.funding)
    symbol = {market.symbol: case.funding}
    spec = replace(spec, limits=limits)
    turns = run_turns(spec, case.candles, Flipping(told, Decimal("0.5")), Params({}), funding=symbol)
    return loop, turns


def test_what_is_counted_at_the_end_is_what_was_counted_bar_by_bar() -> None:
    """With a gate equity is known at every bar, without one only when the run has ended: the same to the last byte."""
    for seed in range(30):
        _, turns = both(seed)
        _, gated = both(seed, Limits(orders_per_day_max=1_000_000))
        assert turns.digest() == gated.digest(), f"seed {seed}"


def test_orders_that_a_strategy_sends_itself_fill_as_in_the_loop() -> None:
    """Long and short, with latency, fee tiers, every slippage, funding, interest, leverage and liquidation."""
    ended: Counter[int] = Counter()
    for seed in range(80):
        loop, turns = both(seed)
        for name in ("bar", "lots", "price", "fee", "maker", "trade"):
            assert getattr(turns.fills, name).tolist() == getattr(loop.fills, name).tolist(), f"seed {seed}, {name}"
        assert turns.trades.pnl.tolist() == loop.trades.pnl.tolist(), f"seed {seed}"
        assert turns.equity.tolist() == loop.equity.tolist(), f"seed {seed}"
        assert turns.exposed == loop.exposed, f"seed {seed}"
        ended.update(loop.trades.reason_out.tolist())
    assert ended[Reason.LIQUIDATION] > 5
    assert ended[Reason.FLIP] > 200
