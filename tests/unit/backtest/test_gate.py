"""The risk gate in a backtest: what the compiled loop asks by itself is what the house's own gate would have said."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backtest.denials import Denials
from pilothouse.backtest.gate import beyond_kernels
from pilothouse.backtest.kernels.gate import has_lost, share_down, share_up
from pilothouse.backtest.ladders import IN_TURNS
from pilothouse.backtest.reference import Desk, reference, same
from pilothouse.backtest.run import run_any
from pilothouse.backtest.simulate import TooLargeToCount, simulate
from pilothouse.backtest.spec import BacktestSpec, Market
from pilothouse.core.errors import Invalid
from pilothouse.core.limits import BY_LIMIT, KERNELS, Limits
from pilothouse.core.risk import Activity, lost_percent
from pilothouse.strategies.registry import find
from tests.unit.backtest.bar_cases import limited_case, random_case


def compare(seeds: range) -> Counter[str]:
    """Hold the loop, with its own limits, to the oracle that asks the real gate; return how often each denied."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        case = limited_case(seed)
        arguments = (case.spec, case.market, case.candles, case.signals, case.rules)
        try:
            result = simulate(*arguments, warm_up=case.warm_up, funding=case.funding)
        except TooLargeToCount:
            continue
        slow = reference(*arguments, warm_up=case.warm_up, funding=case.funding)
        assert same(slow, result) == "", f"seed {seed}"
        seen.update(result.denials.codes)
    return seen


def test_the_limits_of_the_compiled_loop_are_those_of_the_gate() -> None:
    """Every order, denial, number and word, over random markets and limits; and each limit denied something."""
    seen = compare(range(250))

    assert set(seen) == {BY_LIMIT[name].code for name in KERNELS}


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_the_limits_of_the_compiled_loop_are_those_of_the_gate_in_thousands_of_markets() -> None:
    """As above, for whoever has an hour."""
    compare(range(1_000, 11_000))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_denied", lambda *_: ()),
        ("_losses", lambda *_: Activity()),
        ("_losses", lambda desk, _now: Activity(losses_in_a_row=sum(result < 0 for _, result in desk.out.closed))),
    ],
)
def test_a_gate_that_is_asked_wrongly_would_be_found(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail proves nothing."""
    monkeypatch.setattr(Desk, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        compare(range(250))


@given(st.integers(1, 2**59), st.integers(0, 2**60), st.integers(1, 10**6))
def test_a_loss_counts_in_the_loop_when_it_counts_in_the_gate(before: int, now: int, ppm: int) -> None:
    """The gate rounds a percentage to twelve digits before it compares; whole numbers have to say the same."""
    limit = Decimal(ppm) / 10_000
    for each in (now, before - before * ppm // 10**6, before - before * ppm // 10**6 - 1):
        percent = lost_percent(Decimal(before), Decimal(each))
        assert has_lost(before, each, ppm) == (percent > 0 and percent >= limit)


@given(st.integers(0, 2**60), st.integers(1, 2**60), st.integers(0, 2**60))
def test_a_share_is_exact_where_its_product_needs_more_than_64_bits(amount: int, below: int, above: int) -> None:
    """Rounded down, or up."""
    above %= below + 1
    assert share_down(amount, above, below) == amount * above // below
    assert share_up(amount, above, below) == -(-amount * above // below)


def test_a_limit_that_the_loop_does_not_ask_is_never_left_out() -> None:
    """It is refused by name; so is a number finer than the loop counts, and a count of orders that fill in parts."""
    case = random_case(5)
    limits = Limits(open_orders_max=3, daily_loss_percent_max=Decimal("0.12345"), cooldown_s=Decimal(60))
    assert beyond_kernels(limits, parts=False) == ["open_orders_max", "daily_loss_percent_max"]
    assert beyond_kernels(limits, parts=True) == ["open_orders_max", "daily_loss_percent_max", "cooldown_s"]
    with pytest.raises(Invalid, match=r"limits\.open_orders_max: is not asked by this loop"):
        simulate(
            replace(case.spec, limits=limits), case.market, case.candles, case.signals, case.rules, warm_up=0,
            funding=case.funding,
        )  # fmt: skip


@pytest.mark.parametrize("change", [{"hedge": True}, {"markets": 2}])
def test_where_no_loop_asks_limits_the_run_goes_turn_by_turn(change: dict[str, Any]) -> None:
    """Several positions on one account by columns: no run whose limits nobody asked, and none refused for them."""
    candles = random_case(5, bars=400).candles
    markets = tuple(
        Market("file", symbol, Decimal("0.01")) for symbol in ("BTCUSDT", "ETHUSDT")[: change.get("markets", 1)]
    )
    data = {market.symbol: candles for market in markets}
    described = find("ema-cross")
    spec = BacktestSpec(
        "ema-cross", "0", {}, markets, "1h", 0, int(candles.closed_ms[-1]),
        {symbol: each.fingerprint() for symbol, each in data.items()}, hedge=change.get("hedge", False),
        limits=Limits(order_notional_max=Decimal(100)),
    )  # fmt: skip
    result, engine = run_any(spec, data, described.strategy)

    assert engine == IN_TURNS
    assert set(result.denials.codes) == {"order_size"}
    assert not len(result.fills)


def test_denials_stand_in_the_result_word_for_word_and_all_are_counted() -> None:
    """With code, number and limit, also after they were kept as plain data."""
    seen = [
        simulate(case.spec, case.market, case.candles, case.signals, case.rules, warm_up=0, funding=case.funding)
        for case in map(limited_case, (2, 4, 6, 8, 12, 20))
    ]
    denied = [result.denials for result in seen if result.denials.count]
    assert denied
    for denials in denied:
        assert Denials.from_plain(denials.plain()) == denials
        assert sum(denials.codes.values()) >= denials.count == len(denials.listed)
        for one in denials.listed:
            assert all(why.code and Decimal(why.number) and why.limit and why.message for why in one.reasons)


def test_a_run_without_limits_keeps_its_name_and_its_digest() -> None:
    """What was kept before there were limits is found again."""
    case = random_case(9)
    assert "limits" not in case.spec.canonical()
    assert replace(case.spec, limits=Limits(cooldown_s=Decimal(5))).name != case.spec.name
