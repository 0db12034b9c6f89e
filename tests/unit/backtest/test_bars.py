"""The compiled loop equals the oracle in exact decimals, to the last unit."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest.kernels.plain import is_plain
from pilothouse.backtest.metrics import measure
from pilothouse.backtest.reference import Desk, reference, same
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.simulate import TooLargeToCount, planned, simulate
from pilothouse.backtest.spec import Costs, Fills, Market
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Refused
from pilothouse.strategies.rules import Distance, Exits, Rules, Size, SizeBy, Target
from pilothouse.strategies.sdk import Signals
from tests.unit.backtest.bar_cases import Case, plain_case, random_case

CHARGE = Desk._charge


def run(case: Case, *, quick: bool = True) -> Result:
    """Return what the loop makes of a case."""
    return simulate(
        case.spec, case.market, case.candles, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding,
        quick=quick,
    )  # fmt: skip


def compare(seeds: range) -> Counter[int]:
    """Hold the loop to the oracle for each seed; return how often each reason ended a trade."""
    seen: Counter[int] = Counter()
    for seed in seeds:
        case = random_case(seed)
        try:
            result = run(case)
        except TooLargeToCount:
            seen[-1] += 1
            continue
        slow = reference(
            case.spec, case.market, case.candles, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding
        )
        assert same(slow, result) == "", f"seed {seed}"
        assert run(case, quick=False).digest() == result.digest(), f"seed {seed}"
        seen.update(result.trades.reason_out.tolist())
    assert seen[-1] <= len(seeds) // 100, "what does not fit 64 bits is rare"
    return seen


def test_the_loop_equals_the_oracle_to_the_unit() -> None:
    """Trades, fills, fees and every point of equity; whatever ends a trade came up at least once."""
    seen = compare(range(300))

    assert set(seen) >= {reason.value for reason in Reason if reason is not Reason.SIGNAL}


def test_the_quick_loop_for_plain_rules_equals_the_general_one_to_the_unit() -> None:
    """Most runs take it: it may differ in speed alone. The eight numbers are those of the metrics."""
    plain = 0
    for seed in range(300):
        # Long ones too: calm stretches are passed in steps of eight and of sixty-four bars.
        case = plain_case(seed, bars=900 if seed % 12 == 0 else None)
        plan = planned(case.spec, case.market, case.candles, case.signals, case.rules, warm_up=case.warm_up)
        plain += is_plain(plan.settings, plan.wanted.kinds, plan.tiers, plan.wanted.shares, plan.flags)
        result = run(case)
        assert result.digest() == run(case, quick=False).digest(), f"seed {seed}"
        told = measure(result.curve(), result.table())
        for name, value in result.core().items():
            assert value == (None if told[name] is None else pytest.approx(told[name], rel=1e-5, abs=1e-8)), name
    assert plain == 300, "what they all have in common is that the quick loop can do them"


def test_a_single_target_for_a_part_leaves_the_rest_open_in_the_quick_run_too() -> None:
    """Half is taken at the target and half stays: whoever closed all of it there would tell of another result."""
    for seed in range(40):
        case = plain_case(seed)
        exits = replace(case.rules.exits, targets=(Target(Distance(0.3), 0.5),))
        case = replace(case, rules=replace(case.rules, exits=exits))
        assert run(case).digest() == run(case, quick=False).digest(), f"seed {seed}"


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_the_loop_equals_the_oracle_in_thousands_of_markets() -> None:
    """As above, for whoever has an hour."""
    compare(range(1_000, 11_000))


def test_money_is_neither_made_nor_lost() -> None:
    """What the trades earned is what the account has more, to the unit, at any moment of any run."""
    for seed in range(100):
        result = run(random_case(seed))
        assert result.capital + int(result.trades.pnl.sum()) == int(result.equity[-1]), f"seed {seed}"
        assert int(result.fills.fee.sum()) == int(result.trades.fees.sum()), f"seed {seed}"
        assert not np.any(result.trades.fees < 0), f"seed {seed}"


def test_the_oracle_sees_a_single_unit() -> None:
    """A comparison that finds nothing proves something only if it would find the smallest difference there is."""
    case = random_case(7)
    result = run(case)
    slow = reference(
        case.spec, case.market, case.candles, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding
    )
    result.equity[-1] += 1

    assert same(slow, result).startswith(f"equity at bar {len(result) - 1}")


def test_a_run_on_finer_candles_equals_one_on_the_bars_where_nothing_happens_inside() -> None:
    """Each bar cut in two at its close: only what lies between the two could make a difference, and nothing does."""
    case = random_case(11, bars=200)
    bars = case.candles
    rules = Rules(size=Size(1.0, SizeBy.FIXED))
    wishes = np.random.default_rng(5).random((2, 200)) < 0.1
    signals = Signals(long=wishes[0], short=wishes[1])

    def halves(column: Ints) -> Ints:
        return np.stack((column, bars.close), axis=1).ravel()

    finer = Candles(
        bars.symbol, bars.span_ms // 2, np.sort(np.concatenate((bars.opened_ms, bars.opened_ms + bars.span_ms // 2))),
        halves(bars.open), halves(bars.high), halves(bars.low), halves(bars.close), np.repeat(bars.volume, 2),
        bars.price_digits, bars.volume_digits,
    )  # fmt: skip
    spec = replace(case.spec, costs=Costs(taker_ppm=400), leverage=1, fills=Fills())
    on_bars = simulate(spec, case.market, bars, signals, rules, warm_up=3)
    spec = replace(spec, fills=Fills(finer="30m"))
    inside = simulate(spec, case.market, bars, signals, rules, warm_up=3, finer=finer)

    assert len(on_bars.fills) > 5
    assert inside.equity.tolist() == on_bars.equity.tolist()
    assert inside.fills.bar.tolist() == on_bars.fills.bar.tolist()
    assert inside.fills.price.tolist() == on_bars.fills.price.tolist()


def test_on_finer_candles_the_first_of_stop_and_target_counts() -> None:
    """A bar that holds both is the stop's on the pessimistic path; the candles below it tell what came first."""
    hour = np.arange(3, dtype=np.int64) * 3_600_000
    quarter = np.arange(12, dtype=np.int64) * 900_000
    volume = np.full(12, 100, np.int64)

    def column(*values: int) -> Ints:
        return np.array(values, np.int64)

    bars = Candles(
        "BTCUSDT", 3_600_000, hour, column(1000, 1000, 1000), column(1000, 1060, 1000), column(1000, 950, 1000),
        column(1000, 1000, 1000), volume[:3], 2, 2,
    )  # fmt: skip
    path = column(1000, 1000, 1000, 1000, 1000, 1060, 950, 1000, 1000, 1000, 1000, 1000)
    opens = np.concatenate((path[:1], path[:-1]))
    finer = Candles(
        "BTCUSDT", 900_000, quarter, opens, np.maximum(opens, path), np.minimum(opens, path), path, volume, 2, 2
    )
    signals = Signals(long=np.array([True, False, False]))
    rules = Rules(Exits(stop=Distance(4.0), targets=(Target(Distance(5.0)),)), Size(1.0, SizeBy.FIXED))
    spec = replace(random_case(0).spec, costs=Costs(), leverage=1, fills=Fills())
    market = Market("aster", "BTCUSDT", Decimal("0.01"))
    pessimistic = simulate(spec, market, bars, signals, rules, warm_up=0)
    told = simulate(replace(spec, fills=Fills(finer="15m")), market, bars, signals, rules, warm_up=0, finer=finer)

    assert pessimistic.trades.reason_out.tolist() == [Reason.STOP]
    assert told.trades.reason_out.tolist() == [Reason.TARGET]
    assert told.trades.closed_bar.tolist() == [1]
    assert told.costless


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"capital": Decimal(10**9)}, "a capital of"),
        ({"costs": Costs(funding=True)}, "costs.funding: no history"),
        ({"fills": Fills(finer="1m")}, "fills.finer"),
    ],
)
def test_what_cannot_be_counted_exactly_is_refused_before_the_run(change: dict[str, Any], words: str) -> None:
    """A number that overflowed would look like any other."""
    case = random_case(3)
    spec = replace(replace(case.spec, costs=Costs(), fills=Fills(), leverage=100), **change)
    with pytest.raises(Refused, match=words):
        simulate(spec, case.market, case.candles, case.signals, case.rules, warm_up=0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_liquidation", lambda *_: None),
        ("_slipped", lambda _desk, price, *_: price),
        ("_affordable", lambda _desk, quantity, *_: quantity),
        ("_kelly", lambda _desk, cap: cap),
        ("_charge", lambda desk, value, rate: CHARGE(desk, value, -rate)),
        ("_time_is_up", lambda *_: False),
        ("_average", lambda _desk, trade: trade.first_price),
        ("_begin_day", lambda *_: None),
        ("_enter_inside", lambda _desk, bar: bar.open),
        ("_bankrupt", lambda _desk, trade: trade.first_price),
    ],
)
def test_a_mistake_would_be_found(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail proves nothing: an oracle with a mistake in it differs somewhere."""
    monkeypatch.setattr(Desk, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        compare(range(300))
