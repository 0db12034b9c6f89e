"""Several positions on one account, turn by turn: equal to the compiled portfolio and the oracle, to the last unit."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from pilothouse.backtest import turn_margin, turn_steps, turn_walk
from pilothouse.backtest.columns_as_turns import ColumnsAsTurns
from pilothouse.backtest.columns_in_turns import simulate_many_in_turns
from pilothouse.backtest.portfolio import simulate_many
from pilothouse.backtest.reference_portfolio import reference_many, same_many
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.simulate import TooLargeToCount
from pilothouse.backtest.spec import Fills, Margin
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_gate import Gate
from pilothouse.backtest.turn_rules import RulesRun
from pilothouse.backtest.turns import run_turns
from pilothouse.core.exposure import Elsewhere
from pilothouse.core.limits import BY_LIMIT, KERNELS
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Rules, Side, Size, SizeBy
from pilothouse.strategies.sdk import Bar, Happening, Signals, Turn, Want
from tests.unit.backtest.portfolio_cases import Inside, Many, inside_many, limited_many, random_many, tight_many


def compare(seeds: range, oracle_every: int = 0, make: Callable[[int], Many] = random_many) -> Counter[Any]:
    """Hold the turn engine to the compiled portfolio, and to the oracle now and then; return what came up how often."""
    seen: Counter[Any] = Counter()
    for seed in seeds:
        case = make(seed)
        told = (case.spec, case.data, case.signals, case.rules)
        try:
            loop = simulate_many(*told, warm_up=case.warm_up, funding=case.funding)
        except TooLargeToCount:
            continue
        turns = simulate_many_in_turns(*told, warm_up=case.warm_up, funding=case.funding)
        assert turns.digest() == loop.digest(), f"seed {seed}"
        if oracle_every and seed % oracle_every == 0:
            slow = reference_many(*told, warm_up=case.warm_up, funding=case.funding)
            assert same_many(slow, turns) == "", f"seed {seed}"
        seen.update(Reason(reason) for reason in loop.trades.reason_out.tolist())
        seen.update({"crowded": loop.crowded, "hedge": case.spec.hedge, case.spec.margin: 1})
    return seen


def test_columns_over_several_instruments_come_to_the_same_turn_by_turn() -> None:
    """Places, ranks, shared capital, both margins, hedged or not: a run that goes the slow way is no other run."""
    seen = compare(range(70), oracle_every=4)

    assert set(seen) >= {*Reason} - {Reason.SIGNAL}
    assert min(seen["crowded"], seen["hedge"], seen[Margin.CROSS], seen[Margin.ISOLATED]) > 20


def test_an_account_that_is_called_loses_the_same_turn_by_turn() -> None:
    """With everything borrowed all positions go together, at the opens or on the way to the worst of all at once."""
    seen = compare(range(30), oracle_every=5, make=tight_many)

    assert seen[Reason.LIQUIDATION] > 20


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_columns_come_to_the_same_turn_by_turn_in_thousands_of_accounts() -> None:
    """As above, all three of each, for whoever has half an hour."""
    compare(range(1_000, 7_000), oracle_every=1)
    compare(range(1_000, 4_000), oracle_every=1, make=tight_many)


def compare_with_oracle(seeds: range, make: Callable[[int], Inside]) -> Counter[Any]:
    """Hold the turn engine to the oracle where no loop goes: limits over all positions, walks inside their bars."""
    seen: Counter[Any] = Counter()
    for seed in seeds:
        made = make(seed)
        case = made.case
        told = (case.spec, case.data, case.signals, case.rules)
        rest: dict[str, Any] = {"warm_up": case.warm_up, "funding": case.funding, "finer": made.finer}
        try:
            turns = simulate_many_in_turns(*told, **rest)
        except TooLargeToCount:
            continue
        assert same_many(reference_many(*told, **rest), turns) == "", f"seed {seed}"
        seen.update(turns.denials.codes)
        seen.update({"fills": len(turns.fills), "thin": turns.pessimistic or 0, "denied": turns.denials.count})
        seen["late"] += case.spec.fills.latency_ms > 0
    return seen


def test_limits_count_what_all_positions_come_to() -> None:
    """Gross, net, leverage and losses are the account's: the gate is asked with every position, word for word."""
    seen = compare_with_oracle(range(120), lambda seed: Inside(limited_many(seed), {}))

    assert {code for code in seen if code in {BY_LIMIT[name].code for name in KERNELS}} >= {
        "gross_exposure", "net_exposure", "leverage", "losses_in_a_row", "daily_loss", "drawdown", "cooldown",
    }  # fmt: skip


def test_several_instruments_are_walked_inside_their_bars_side_by_side() -> None:
    """Candles or trades, milliseconds, gaps: a bar is divided only where what is below it tells it of everyone."""
    seen = compare_with_oracle(range(40), inside_many)

    assert min(seen["fills"], seen["thin"], seen["late"], seen["denied"]) > 10


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_limits_and_walks_inside_equal_the_oracle_in_thousands_of_accounts() -> None:
    """As above, for whoever has half an hour."""
    compare_with_oracle(range(1_000, 7_000), lambda seed: Inside(limited_many(seed), {}))
    compare_with_oracle(range(1_000, 7_000), inside_many)


class ManyFlips:
    """Sends orders of its own for each instrument: leaves what it holds and takes the other side."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Many flips"
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    many: ClassVar[bool] = True

    def __init__(self, told: Mapping[str, Any], size: Decimal) -> None:
        self.told, self.size = told, size

    def begin(self, p: Params) -> dict[str, Any]:
        """Return the count of bars of each."""
        return dict.fromkeys(self.told, 0)

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return two orders at the market, or none."""
        if not isinstance(happening, Bar):
            return Turn(state)
        symbol, bar = happening.symbol, state[happening.symbol]
        now, side = {**state, symbol: bar + 1}, int(self.told[symbol][bar])
        if not side:
            return Turn(now)
        out = Want(f"out-{symbol}-{bar}", symbol, side * self.size * 1_000, reduce_only=True)
        return Turn(now, (out, Want(f"in-{symbol}-{bar}", symbol, side * self.size)))


def both(seed: int) -> tuple[Result, Result] | None:
    """Return what the portfolio and what a strategy with orders of its own make of the same flips.

    None where an order could not be paid in full: the portfolio makes it smaller, a strategy's order is not made.
    """
    case = random_many(seed)
    rng = np.random.default_rng([seed, 2])
    told = {}
    for symbol, candles in case.data.items():
        told[symbol] = np.zeros(len(candles), np.int64)
        at = np.flatnonzero(rng.random(len(candles)) < 0.2)
        told[symbol][at] = np.where(np.arange(len(at)) % 2 == seed % 2, 1, -1)
    markets = tuple(
        replace(each, lot=Decimal("0.01"), lots_min=1, lots_most=None, notional_min=Decimal(0))
        for each in case.spec.markets
    )
    at_close = case.spec.fills.at == "close"
    fills = Fills(case.spec.fills.at, latency=0 if at_close else int(rng.integers(0, 3)))
    leverage = int(rng.choice([2, 20, 100]))
    worth = max(float(each.price("close").mean()) for each in case.data.values())
    size = Decimal(int(rng.integers(1, 200))) / 100
    capital = Decimal(int(worth * float(size) * len(markets) / leverage * float(rng.uniform(1.0, 1.6))) + 1)
    spec = replace(
        case.spec, markets=markets, fills=fills, capital=capital, hedge=False, leverage=leverage,
        positions_most=len(markets),
    )  # fmt: skip
    rules = Rules(size=Size(float(size), SizeBy.FIXED), side=Side.BOTH)
    signals = {symbol: Signals(long=each > 0, short=each < 0) for symbol, each in told.items()}
    loop = simulate_many(spec, case.data, signals, rules, warm_up=0, funding=case.funding)
    entered = loop.fills.reason <= Reason.FLIP
    if loop.skipped or set(np.abs(loop.fills.lots[entered]).tolist()) - {int(size * 100)}:
        return None
    return loop, run_turns(spec, case.data, ManyFlips(told, size), Params({}), funding=case.funding)


def compare_orders(seeds: range) -> Counter[Any]:
    """Hold orders of a strategy to those of the portfolio; return how often each margin closed something by force."""
    seen: Counter[Any] = Counter()
    for seed in seeds:
        ran = both(seed)
        if ran is None:
            continue
        loop, turns = ran
        for name in ("bar", "lots", "price", "fee", "maker", "trade"):
            assert getattr(turns.fills, name).tolist() == getattr(loop.fills, name).tolist(), f"seed {seed}, {name}"
        assert turns.trades.pnl.tolist() == loop.trades.pnl.tolist(), f"seed {seed}"
        assert turns.equity.tolist() == loop.equity.tolist(), f"seed {seed}"
        forced = int((loop.trades.reason_out == Reason.LIQUIDATION).sum())
        seen.update({"runs": 1, random_many(seed).spec.margin: forced, "trades": len(loop.trades)})
    return seen


def test_orders_of_a_strategy_over_several_instruments_fill_as_in_the_portfolio() -> None:
    """Cross and isolated, with the costs of each, interest, funding, tiers and latency; liquidation closes the same."""
    seen = compare_orders(range(60))

    assert seen["runs"] > 30
    assert min(seen[Margin.CROSS], seen[Margin.ISOLATED]) > 5


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (Gate, "_elsewhere", lambda _gate, _rest, _leg, _known: Elsewhere()),
        (Gate, "_price", lambda _gate, lane, _known: lane.first),
        (Gate, "_midnight", lambda gate, _known, _now_ms, _equity: gate._account.capital),
        (turn_steps, "told_bars", lambda candles, _finer: np.ones(len(candles), np.bool_)),
    ],
)
def test_a_mistake_with_limits_or_inside_the_bars_would_be_found(
    kind: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below, of what no loop knows."""
    monkeypatch.setattr(kind, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        [compare_with_oracle(range(120), make) for make in (lambda seed: Inside(limited_many(seed), {}), inside_many)]


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_orders_of_a_strategy_fill_as_in_the_portfolio_in_thousands_of_accounts() -> None:
    """As above, for whoever has half an hour."""
    compare_orders(range(1_000, 9_000))


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (Account, "pay_interest", lambda _account: None),
        (turn_walk, "called", lambda _account, _stop_of: []),
        (turn_margin, "_worst", lambda _account, leg, _stop: leg.came),
        (RulesRun, "_rank", lambda _run, _seat, _decided: 0.0),
        (RulesRun, "_leave", lambda _run, _seats: None),
        (ColumnsAsTurns, "opens", lambda _seat, _decided: True),
    ],
)
def test_a_mistake_with_several_positions_would_be_found(
    kind: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison that cannot fail proves nothing."""
    monkeypatch.setattr(kind, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        [compare(range(40), make=make) for make in (tight_many, random_many)]
