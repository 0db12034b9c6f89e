"""Strategies that ask for anything at all: books stay whole, no fill knows the future, and short cuts cost nothing."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.spec import BacktestSpec, Costs, Fills, Margin
from pilothouse.backtest.turn_calm import CalmRun
from pilothouse.backtest.turn_calm_many import CalmMany
from pilothouse.backtest.turn_lanes import lanes_of
from pilothouse.backtest.turn_run import TurnRun
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.core.hours import Hours
from pilothouse.core.limits import NAMES, RULES, Limits
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.sdk import Bar, Denied, Happening, Quoted, Turn, Want
from tests.unit.backtest.bar_cases import Case, random_case
from tests.unit.backtest.portfolio_cases import random_many
from tests.unit.backtest.test_turns_and_loop import Flipping

KEYS = ("a", "b", "c", "d")


class Anything:
    """Asks for orders of every kind, drawn by what it is told."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Anything"
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    many: ClassVar[bool] = True

    def __init__(self, seed: int, often: float, size: int) -> None:
        self.seed, self.often, self.size = seed, often, size
        self.denied: Counter[str] = Counter()

    def begin(self, p: Params) -> dict[str, Any]:
        """Return a count of turns."""
        return {"turns": 0}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return some orders, now and then."""
        now = {"turns": state["turns"] + 1}
        if isinstance(happening, Denied):
            self.denied[happening.code] += 1
        if isinstance(happening, Denied | Quoted):
            return Turn(now)
        draw = random.Random(f"{self.seed} {state['turns']}")
        if draw.random() > self.often:
            return Turn(now)
        price = happening.close if isinstance(happening, Bar) else happening.price
        wants = tuple(self._want(draw, happening.symbol, price) for _ in range(draw.randint(0, 2)))
        return Turn(now, wants, tuple(draw.sample(KEYS, draw.randint(0, 2))))

    def _want(self, draw: random.Random, symbol: str, price: Decimal) -> Want:
        quantity = Decimal(draw.choice((-1, 1)) * draw.randint(1, self.size)) / 100
        near = [max(price * Decimal(draw.randint(970, 1030)) / 1_000, Decimal("0.01")) for _ in range(2)]
        kind = draw.choice(("market", "limit", "stop", "stop-limit", "trail"))
        return Want(
            draw.choice(KEYS), symbol, quantity, near[0] if kind in {"limit", "stop-limit"} else None,
            near[1] if kind in {"stop", "stop-limit"} else None, draw.random() < 0.5,
            price * Decimal(draw.randint(1, 30)) / 1_000 if kind == "trail" else None,
        )  # fmt: skip


def spec_of(case: Case, seed: int) -> BacktestSpec:
    """Return the spec of a seed, with every cost and every way to fill that runs in turns know."""
    rng = np.random.default_rng([seed, 3])
    fills = replace(case.spec.fills, rest=1)
    return replace(case.spec, fills=fills, hedge=bool(rng.random() < 0.3))


def ran(kind: type[TurnRun], spec: BacktestSpec, case: Case, strategy: Anything, bars: int | None = None) -> Result:
    """Return what a kind of run makes of a strategy; `bars`: of so many at the beginning."""
    candles = case.candles if bars is None else case.candles.before(bars)
    lanes = lanes_of(spec, {case.market.symbol: candles}, {case.market.symbol: case.funding})
    run = kind(spec, lanes, strategy, Params({}))
    run.through()
    return run.result()


def fills_of(result: Result) -> list[tuple[int, ...]]:
    """Return all fills as rows."""
    told = result.fills
    columns = (told.bar, told.lots, told.price, told.fee, told.reason, told.maker)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_bars_that_are_passed_quickly_change_nothing() -> None:
    """Whoever looks ahead to the next bar in which something happens comes to the same, to the last byte."""
    ended: Counter[int] = Counter()
    for seed in range(150):
        case = random_case(seed, bars=100)
        spec, often = spec_of(case, seed), (0.05, 0.3)[seed % 2]
        quick, full = (ran(kind, spec, case, Anything(seed, often, 400)) for kind in (CalmRun, TurnRun))
        assert quick.digest() == full.digest(), f"seed {seed}"
        ended.update(quick.trades.reason_out.tolist())
        ended.update(quick.trades.side.tolist())
    assert set(ended) >= {-1, Reason.STOP, Reason.TRAIL, Reason.TARGET, Reason.LEAVE, Reason.LIQUIDATION}


def test_steps_of_many_instruments_that_are_passed_quickly_change_nothing() -> None:
    """Whoever looks ahead in all of them at once comes to the same: holes, late listings, both margins, interest."""
    ended: Counter[Any] = Counter()
    for seed in range(120):
        case = random_many(seed)
        fills = replace(case.spec.fills, rest=1, latency=int(seed % 3 == 1 and case.spec.fills.at == "open"))
        spec = replace(case.spec, fills=fills, margin=(Margin.CROSS, Margin.ISOLATED)[seed % 4 > 0])
        done = []
        for kind in (CalmMany, TurnRun):
            strategy = Anything(seed, (0.02, 0.1, 0.4)[seed % 3], 400)
            run = kind(spec, lanes_of(spec, case.data, case.funding), strategy, Params({}))
            run.through()
            done.append(run.result())
        assert done[0].digest() == done[1].digest(), f"seed {seed}"
        ended.update(done[0].trades.reason_out.tolist())
        ended[spec.margin, spec.hedge, spec.costs.borrow_ppm_year > 0] += len(done[0].trades)
    assert set(ended) >= {Reason.STOP, Reason.TRAIL, Reason.TARGET, Reason.LEAVE, Reason.LIQUIDATION}
    assert all(ended[Margin.ISOLATED, hedge, borrows] for hedge in (False, True) for borrows in (False, True))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.5]), st.integers(2, 60))
def test_the_books_are_whole_and_no_fill_knows_what_comes_after_it(seed: int, often: float, cut: int) -> None:
    """Cash is what was sold less what was bought and paid; a run over a beginning is the beginning of the run."""
    case = random_case(seed, bars=60)
    spec = spec_of(case, seed)
    whole = ran(CalmRun, spec, case, Anything(seed, often, 400))
    told, units, trades = whole.fills, whole.scale.units, whole.trades
    held = int(told.lots.sum())
    paid = sum(lots * price * units + fee for _, lots, price, fee, _, _ in fills_of(whole))
    worth = held * int(case.candles.close[-1]) * units
    assert int(whole.equity[-1]) == whole.capital - paid + worth + int(trades.funding.sum())
    assert int(whole.equity[-1]) == whole.capital + int(trades.pnl.sum())
    if not spec.hedge:
        for trade in range(len(trades)):
            sides = {int(np.sign(lots)) for lots in told.lots[told.trade == trade].tolist()[:1]}
            assert sides == {int(trades.side[trade])}
    part = ran(CalmRun, spec, case, Anything(seed, often, 400), cut)
    assert fills_of(part) == [fill for fill in fills_of(whole) if fill[0] < cut]
    assert part.equity.tolist() == whole.equity[:cut].tolist()


def two_of(seed: int, bars: int | None = None, **changes: Any) -> tuple[BacktestSpec, dict[str, Candles]]:
    """Return two instruments on one account: ticks, lots, costs and missing bars of each its own."""
    cases = {symbol: random_case(seed * 2 + place, bars=60) for place, symbol in enumerate(("BBB", "AAA"))}
    data = {symbol: replace(case.candles, symbol=symbol) for symbol, case in cases.items()}
    if bars is not None:
        until = sorted({at for each in data.values() for at in each.opened_ms.tolist()})[bars]
        data = {symbol: each.before(int(np.searchsorted(each.opened_ms, until))) for symbol, each in data.items()}
    markets = tuple(
        replace(case.market, symbol=symbol, costs=replace(case.spec.costs, funding=False))
        for symbol, case in cases.items()
    )
    tight = {"margin": Margin.CROSS, "capital": Decimal(30), "leverage": 50}
    changes = {**(tight if seed % 2 else {"margin": Margin.ISOLATED}), **changes}
    spec = replace(spec_of(cases["BBB"], seed), markets=markets, **changes)
    return spec, data


def test_several_instruments_share_an_account_and_its_books() -> None:
    """Each trade says whose it is; equity is what all of them earned; no fill knows what comes after it."""
    seen: Counter[Any] = Counter()
    for seed in range(40):
        spec, data = two_of(seed)
        whole = run_turns(spec, data, Anything(seed, 0.4, 300), Params({}))
        assert isinstance(whole, Portfolio)
        assert whole.symbols == ("AAA", "BBB")
        assert int(whole.equity[-1]) == whole.capital + int(whole.trades.pnl.sum()), f"seed {seed}"
        fees = [int(whole.fills.fee[whole.fills.trade == trade].sum()) for trade in range(len(whole.trades))]
        assert fees == whole.trades.fees.tolist()
        seen.update(whole.trade_market.tolist())
        seen[spec.margin] += int((whole.trades.reason_out == Reason.LIQUIDATION).sum())
        cut = 30
        part = run_turns(spec, two_of(seed, cut)[1], Anything(seed, 0.4, 300), Params({}))
        assert part.equity.tolist() == whole.equity[: len(part.equity)].tolist(), f"seed {seed}"
        assert fills_of(part) == fills_of(whole)[: len(part.fills)]
    assert min(seen[0], seen[1]) > 50
    assert min(seen[Margin.CROSS], seen[Margin.ISOLATED]) > 5


class EachOnce(Anything):
    """Buys at the first bar of each instrument, for the same worth."""

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return one order for each symbol."""
        if not isinstance(happening, Bar) or happening.symbol in state:
            return Turn(state)
        quantity = self.size / happening.close
        return Turn({**state, happening.symbol: True}, (Want(happening.symbol, happening.symbol, quantity),))


def test_limits_of_the_whole_account_see_every_instrument() -> None:
    """What is held elsewhere counts: each purchase alone would be small enough, the second is too much."""
    spec, data = two_of(7, margin=Margin.ISOLATED, capital=Decimal(10_000))
    limits = Limits(gross_notional_max=spec.capital / 2, position_notional_max=spec.capital / 2)
    spec = replace(spec, limits=limits, hedge=False, fills=Fills(), leverage=1)
    markets = tuple(replace(each, lots_min=1, lots_most=None, notional_min=Decimal(0)) for each in spec.markets)
    spec = replace(spec, markets=markets)
    result = run_turns(spec, data, EachOnce(0, 0, int(spec.capital * 3 / 10)), Params({}))
    assert result.denials.codes == {"gross_exposure": 1}
    assert len(result.fills) == 1
    with pytest.raises(Invalid, match="says `many = True`"):
        run_turns(spec, data, Flipping(np.zeros(200), Decimal(1)), Params({}))


def test_whoever_turns_round_with_two_orders_is_asked_for_the_second_too() -> None:
    """What leaves at the market is gone for the gate: else the order that opens would look as if it only reduced."""
    case = random_case(4, bars=60)
    told = np.zeros(60, np.int64)
    told[5], told[20] = 1, -1
    market = replace(case.market, lots_min=1, lots_most=None, notional_min=Decimal(0))
    spec = replace(case.spec, markets=(market,), costs=Costs(), fills=Fills(), capital=Decimal(1_000_000), leverage=1)
    worth = Decimal(str(case.candles.price("close")[5])) * Decimal("1.5")
    free = run_turns(spec, case.candles, Flipping(told, Decimal(1)), Params({}))
    assert free.trades.side.tolist() == [1, -1]
    # The first is small enough; the second is twice as large, of which half would close what is held.
    told[20] = -2
    limited = replace(spec, limits=Limits(position_notional_max=worth))
    result = run_turns(limited, case.candles, Flipping(told, Decimal(1)), Params({}))
    assert result.denials.codes == {"position_notional": 1}
    assert result.trades.side.tolist() == [1]


def limits_of(name: str, case: Case) -> Limits:
    """Return one limit, so tight that some order meets it."""
    worth = case.spec.capital * case.spec.leverage / 20
    tight: dict[str, Any] = {
        "order_quantity_max": Decimal(1), "order_notional_max": worth, "position_equity_ratio_max": Decimal("0.05"),
        "position_notional_max": worth, "gross_notional_max": worth, "net_notional_max": worth,
        "leverage_max": Decimal("0.05"), "open_orders_max": 1, "orders_per_second_max": 1, "orders_per_minute_max": 1,
        "orders_per_day_max": 2, "notional_per_second_max": worth, "notional_per_minute_max": worth,
        "notional_per_day_max": worth, "repeats_per_minute_max": 1, "price_collar_percent": Decimal(1),
        "quote_age_max_s": Decimal(1), "spread_percent_max": Decimal("0.01"), "daily_loss_percent_max": Decimal("0.01"),
        "drawdown_percent_max": Decimal("0.01"), "losses_in_a_row_max": 1, "cooldown_s": Decimal(86_400),
        "symbols": frozenset({"ETHUSDT"}), "hours": Hours.read("mon 08:00-09:00"),
        "self_trade_quantity_max": Decimal(0),
    }  # fmt: skip
    return Limits(**{name: tight[name]})


def test_every_limit_of_the_gate_stops_orders_of_a_run_in_turns() -> None:
    """All but the age of a price, which a history of candles has not; the strategy hears of each, and may go on."""
    codes = {rule.limit: rule.code for rule in RULES}
    met = set()
    for name in NAMES:
        for seed in range(40):
            case = random_case(seed, bars=60)
            spec = replace(spec_of(case, seed), fills=Fills(), limits=limits_of(name, case))
            strategy = Anything(seed, 0.8, 1 if name.startswith("repeats") else 300)
            result = ran(CalmRun, spec, case, strategy)
            assert set(result.denials.codes) <= {codes[name]}
            assert sum(strategy.denied.values()) == result.denials.count
            if result.denials.count:
                met.add(name)
                break
    assert met == set(NAMES) - {"quote_age_max_s"}
