"""Several instruments on one account: the compiled loop equals the oracle in exact decimals, to the last unit."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.portfolio import simulate_many
from pilothouse.backtest.reference_portfolio import reference_many, same_many
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.simulate import TooLargeToCount, simulate
from pilothouse.backtest.spec import BacktestSpec, Costs, FeeTier, Fills, Margin, Market, Ranking
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid
from pilothouse.core.limits import Limits
from pilothouse.strategies.rules import Rules, Side, Size, SizeBy
from pilothouse.strategies.sdk import Signals
from tests.unit.backtest.bar_cases import HOUR_MS, random_case
from tests.unit.backtest.portfolio_cases import Many, random_many, random_rotation


def run(case: Many) -> Portfolio:
    """Return what the loop makes of a case."""
    return simulate_many(
        case.spec, case.data, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding
    )  # fmt: skip


def runs(seeds: range) -> Iterator[tuple[int, Many, Portfolio]]:
    """Yield the runs of some seeds, without those whose amounts do not fit 64 bits."""
    for seed in seeds:
        case = random_many(seed)
        with contextlib.suppress(TooLargeToCount):
            yield seed, case, run(case)


def compare(seeds: range) -> Counter[Any]:
    """Hold the loop to the oracle for each seed; return how often each reason ended a trade, and what else was met."""
    seen: Counter[Any] = Counter()
    for seed in seeds:
        case = random_many(seed)
        try:
            result = run(case)
        except TooLargeToCount:
            seen["too large"] += 1
            continue
        slow = reference_many(
            case.spec, case.data, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding
        )  # fmt: skip
        assert same_many(slow, result) == "", f"seed {seed}"
        seen.update(Reason(reason) for reason in result.trades.reason_out.tolist())
        seen["crowded"] += result.crowded
        seen["hedge"] += case.spec.hedge
    assert seen["too large"] <= len(seeds) // 40, "what does not fit 64 bits is rare"
    return seen


def test_many_instruments_on_one_account_equal_the_oracle_to_the_unit() -> None:
    """Whatever ends a trade came up, on the margin of each and of all, held one way and both ways."""
    seen = compare(range(80))
    compare(range(3_105, 3_106))  # an entry waits where its instrument has no further bar

    assert set(seen) >= {*Reason} - {Reason.SIGNAL}
    assert seen["crowded"] > 50
    assert seen["hedge"] > 20


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_many_instruments_equal_the_oracle_in_thousands_of_accounts() -> None:
    """As above, for whoever has an hour."""
    compare(range(1_000, 11_000))


def test_an_account_with_one_instrument_equals_the_loop_for_one() -> None:
    """A portfolio of one is no other thing: the same trades, fills and equity."""
    for seed in range(80):
        case = random_case(seed)
        spec = replace(case.spec, margin=Margin.ISOLATED)
        one = simulate(spec, case.market, case.candles, case.signals, case.rules, warm_up=3, funding=case.funding)
        symbol = case.market.symbol
        many = simulate_many(
            spec, {symbol: case.candles}, {symbol: case.signals}, case.rules, warm_up=3, funding={symbol: case.funding}
        )

        assert Result.digest(many) == one.digest(), f"seed {seed}"
        assert many.crowded == 0, f"seed {seed}"


def test_the_quick_loop_for_rotations_equals_the_general_one_to_the_unit() -> None:
    """Most rotations take it: it may differ in speed alone; the oracle is asked as well."""
    trades = crowded = 0
    for seed in range(80):
        case = random_rotation(seed)
        told = (case.spec, case.data, case.signals, case.rules)
        try:
            quick = simulate_many(*told, warm_up=case.warm_up)
        except TooLargeToCount:
            continue
        general = simulate_many(*told, warm_up=case.warm_up, quick=False)
        assert quick.digest() == general.digest(), f"seed {seed}"
        if seed % 4 == 0:
            assert same_many(reference_many(*told, warm_up=case.warm_up), quick) == "", f"seed {seed}"
        trades, crowded = trades + len(quick.trades), crowded + quick.crowded
    assert trades > 300
    assert crowded > 50


def test_what_the_trades_earned_is_what_the_account_has_more() -> None:
    """Money is neither made nor lost between the instruments, to the unit."""
    for seed, _, result in runs(range(60)):
        assert result.capital + int(result.trades.pnl.sum()) == int(result.equity[-1]), f"seed {seed}"
        assert int(result.fills.fee.sum()) == int(result.trades.fees.sum()), f"seed {seed}"
        for trade in range(len(result.trades)):
            mine = result.fills.trade == trade
            assert set(result.fill_market[mine].tolist()) == {int(result.trade_market[trade])}, f"seed {seed}"
            bought = np.sign(result.fills.lots[mine]) == result.trades.side[trade]
            assert int(np.abs(result.fills.lots[mine][bought]).sum()) == int(result.trades.lots[trade])


def test_an_instrument_is_never_filled_where_it_has_no_bar() -> None:
    """It may not be listed yet, be gone already, or have a hole: nothing is invented there."""
    filled = 0
    for seed, case, result in runs(range(60)):
        for place, symbol in enumerate(result.symbols):
            at = result.opened_ms[result.fills.bar[result.fill_market == place]]
            assert np.isin(at, case.data[symbol].opened_ms).all(), f"seed {seed}, {symbol}"
            filled += len(at) if len(case.data[symbol]) < len(result) else 0
    assert filled > 200, "instruments that lack bars were traded"


def test_no_more_positions_are_open_than_may_be() -> None:
    """Both sides of one instrument are two."""
    full = 0
    for seed, case, result in runs(range(60)):
        now, most = Counter[int](), 0
        for trade, lots in zip(result.fills.trade.tolist(), result.fills.lots.tolist(), strict=True):
            now[trade] += lots
            most = max(most, sum(held != 0 for held in now.values()))
        assert most <= case.spec.positions_most, f"seed {seed}"
        full += most == case.spec.positions_most
    assert full > 10, "some accounts were full"


def test_the_oracle_of_many_sees_a_single_unit() -> None:
    """A comparison that finds nothing proves something only if it would find the smallest difference there is."""
    case = random_many(3)
    result = run(case)
    slow = reference_many(case.spec, case.data, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding)
    assert same_many(slow, result) == ""
    result.equity[-1] += 1

    assert same_many(slow, result).startswith(f"equity at bar {len(result) - 1}")


def still(symbol: str, count: int = 6, price: int = 1_000) -> Candles:
    """Return a market that does not move."""
    column = np.full(count, price, np.int64)
    at = np.arange(1, count + 1, dtype=np.int64) * HOUR_MS
    return Candles(symbol, HOUR_MS, at, column, column, column, column, np.full(count, 10**6, np.int64), 2, 2)


def wishes(count: int, rank: float, *, long: int = 1, short: int = -1) -> Signals:
    """Return a wish to be long at one bar, and short at another."""
    found: list[np.ndarray[Any, np.dtype[np.bool_]]] = [np.zeros(count, bool), np.zeros(count, bool)]
    for column, at in zip(found, (long, short), strict=True):
        if at >= 0:
            column[at] = True
    return Signals(long=found[0], short=found[1], rank=np.full(count, rank))


def small(symbols: tuple[str, ...], **changes: Any) -> BacktestSpec:
    """Return a spec without costs over some markets."""
    markets = tuple(Market("bench", symbol, Decimal("0.01")) for symbol in symbols)
    spec = BacktestSpec("x", "0", {}, markets, "1h", 0, 10**9, dict.fromkeys(symbols, "0"))
    return replace(spec, **changes)


@pytest.mark.parametrize(
    ("ranks", "ranking", "taken"),
    [
        ({"A": 1.0, "B": 3.0, "C": 2.0}, Ranking.COLUMN, ["B", "C"]),
        ({"A": 1.0, "B": 3.0, "C": 2.0}, Ranking.FIRST, ["A", "B"]),
        ({"C": 1.0, "B": 1.0, "A": 1.0}, Ranking.COLUMN, ["A", "B"]),
        ({"A": float("nan"), "B": -5.0, "C": -9.0}, Ranking.COLUMN, ["B", "C"]),
    ],
)
def test_the_best_ranked_go_first_and_of_equals_the_first_by_name(
    ranks: dict[str, float], ranking: Ranking, taken: list[str]
) -> None:
    """Where three want two places it is said beforehand who gets them, however the markets were listed."""
    data = {symbol: still(symbol) for symbol in ranks}
    signals = {symbol: wishes(6, rank) for symbol, rank in ranks.items()}
    spec = small(tuple(ranks), positions_most=2, ranking=ranking)
    result = simulate_many(spec, data, signals, Rules(size=Size(10.0)), warm_up=0)

    assert [result.symbols[place] for place in result.fill_market] == taken
    assert result.crowded == 1


def test_capital_that_one_instrument_holds_is_not_there_for_another() -> None:
    """Two that want 60 percent each: the second gets what is left."""
    data = {symbol: still(symbol) for symbol in "AB"}
    signals = {"A": wishes(6, 2.0), "B": wishes(6, 1.0)}
    result = simulate_many(small(("A", "B"), positions_most=2), data, signals, Rules(size=Size(60.0)), warm_up=0)

    values = [int(lots) * int(price) for lots, price in zip(result.fills.lots, result.fills.price, strict=True)]
    assert values == [60_000_000, 40_000_000]


def test_one_instrument_may_be_held_both_ways_only_where_it_is_hedged() -> None:
    """Without it the second wish turns the position round."""
    data, signals = {"A": still("A")}, {"A": wishes(6, 0.0, long=1, short=2)}
    rules = Rules(size=Size(1.0, SizeBy.FIXED))
    turned = simulate_many(small(("A",), positions_most=2), data, signals, rules, warm_up=0)
    hedged = simulate_many(small(("A",), positions_most=2, hedge=True), data, signals, rules, warm_up=0)

    assert turned.fills.lots.tolist() == [100, -100, -100]
    assert hedged.fills.lots.tolist() == [100, -100]
    assert hedged.trades.side.tolist() == [1, -1]
    assert set(hedged.trades.reason_out.tolist()) == {Reason.OPEN}


def test_fees_fall_by_what_the_whole_account_has_traded() -> None:
    """A tier counts all instruments together, whatever each of them costs."""
    day = 24
    data = {symbol: still(symbol, 4 * day) for symbol in "AB"}
    signals = {"A": wishes(4 * day, 0.0, long=1), "B": wishes(4 * day, 0.0, long=3 * day)}
    costs = Costs(taker_ppm=1_000, tiers=(FeeTier(Decimal(100), 0, 100),))
    spec = small(("A", "B"), positions_most=2, costs=costs)
    result = simulate_many(spec, data, signals, Rules(size=Size(20.0, SizeBy.FIXED)), warm_up=0)

    paid = [int(fee) * 10**6 // (int(lots) * int(price) * result.scale.units) for fee, lots, price in zip(
        result.fills.fee, result.fills.lots, result.fills.price, strict=True
    )]  # fmt: skip
    assert paid == [1_000, 100]


def test_each_instrument_may_cost_its_own() -> None:
    """Where a market says what it costs, that counts for it, and for no other."""
    data = {symbol: still(symbol) for symbol in "AB"}
    spec = small(("A", "B"), positions_most=2, costs=Costs(taker_ppm=500))
    spec = replace(spec, markets=(spec.markets[0], replace(spec.markets[1], costs=Costs(taker_ppm=2_000))))
    result = simulate_many(
        spec, data, {symbol: wishes(6, 0.0) for symbol in "AB"}, Rules(size=Size(10.0, SizeBy.FIXED)), warm_up=0
    )

    assert result.fills.fee.tolist() == [
        int(Decimal("0.05") / result.scale.unit),
        int(Decimal("0.2") / result.scale.unit),
    ]


def test_on_shared_margin_a_fall_of_one_closes_all() -> None:
    """What one loses is missing to the others; on margins of their own only the one is closed."""
    fallen: Ints = np.array([1_000, 1_000, 1_000, 1_000, 300, 300], np.int64)
    data = {"A": still("A"), "B": replace(still("B"), open=fallen, high=fallen, low=fallen, close=fallen)}
    signals = {symbol: wishes(6, 0.0) for symbol in "AB"}
    rules = Rules(size=Size(150.0))
    for margin, closed in ((Margin.CROSS, {"A", "B"}), (Margin.ISOLATED, {"B"})):
        spec = small(("A", "B"), positions_most=2, leverage=3, margin=margin)
        result = simulate_many(spec, data, signals, rules, warm_up=0)
        forced = result.trades.reason_out == Reason.LIQUIDATION
        assert {result.symbols[place] for place in result.trade_market[forced]} == closed
        assert int(result.equity[-1]) >= 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fills": Fills(finer="1m")}, "fills.finer"),
        ({"fills": Fills(latency_ms=500)}, "fills.latency_ms"),
        ({"rules": Rules(side=Side.LONG), "hedge": True}, "hedge"),
        ({"limits": Limits(order_notional_max=Decimal(5))}, "limits"),
    ],
)
def test_what_an_account_with_several_markets_cannot_do_is_refused_by_field(
    changes: dict[str, Any], field: str
) -> None:
    """Nothing is left out in silence."""
    data = {symbol: still(symbol) for symbol in "AB"}
    signals = {symbol: wishes(6, 0.0) for symbol in "AB"}
    with pytest.raises(Invalid) as refused:
        simulate_many(small(("A", "B"), **changes), data, signals, Rules(), warm_up=0)

    assert field in {problem.field for problem in refused.value.problems}


def test_candles_of_different_lengths_do_not_share_an_account() -> None:
    """A bar of one would be many of another."""
    longer = replace(still("B"), span_ms=2 * HOUR_MS, opened_ms=still("B").opened_ms * 2)
    data, signals = {"A": still("A"), "B": longer}, {symbol: wishes(6, 0.0) for symbol in "AB"}
    with pytest.raises(Invalid, match="one length"):
        simulate_many(small(("A", "B")), data, signals, Rules(), warm_up=0)
    with pytest.raises(Invalid, match=r"signals\.B"):
        simulate_many(small(("A", "B")), {"A": still("A"), "B": still("B")}, {"A": wishes(6, 0.0)}, Rules(), warm_up=0)
