"""Several instruments on one account: what is done now is not changed by what no market has told yet."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from pilothouse.backtest import portfolio, turn_steps
from pilothouse.backtest.columns_in_turns import simulate_many_in_turns
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.orders import Outcome
from pilothouse.backtest.portfolio import simulate_many
from pilothouse.backtest.reference_portfolio import reference_many, same_many
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.simulate import TooLargeToCount
from pilothouse.backtest.spec import BacktestSpec, Costs, FillAt, Fills, Market
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.rules import Size, SizeBy
from pilothouse.strategies.sdk import Bar, Happening, Signals, Turn, Want
from tests.unit.backtest.bar_cases import HOUR_MS, random_candles
from tests.unit.backtest.portfolio_cases import Many, limited_many, random_many, tight_many

_AT_OPEN = {Reason.SIGNAL, Reason.FLIP, Reason.LEAVE}
_QUARTER_MS = HOUR_MS // 4


def shifted_many(seed: int, make: Callable[[int], Many] = random_many) -> Many:
    """Return a run whose instruments open at other minutes, are listed late, end early and have holes."""
    rng = np.random.default_rng([seed, 3])
    case = make(seed)
    data, funding = {}, {}
    for symbol, candles in case.data.items():
        by = int(rng.integers(0, 4)) * _QUARTER_MS
        data[symbol] = replace(candles, opened_ms=candles.opened_ms + by)
        funding[symbol] = replace(case.funding[symbol], at_ms=case.funding[symbol].at_ms + by)
    return replace(case, data=data, funding=funding)


def tight_shifted(seed: int) -> Many:
    """Return such a run whose account is called now and then."""
    return shifted_many(seed, tight_many)


def limited_shifted(seed: int) -> Many:
    """Return such a run with limits that count what all positions come to."""
    return shifted_many(seed, limited_many)


def told_until(candles: Candles, now: int, rng: np.random.Generator) -> Candles:
    """Return candles of which everything is another that is not known at a moment; an open is known at once."""
    later, under_way = candles.opened_ms > now, (candles.opened_ms <= now) & (candles.closed_ms > now)
    by = rng.integers(1, 40, len(candles))
    opened = np.where(later, candles.open + by, candles.open)
    changes = later | under_way
    closed = np.where(changes, np.maximum(candles.close + rng.integers(-30, 60, len(candles)), 2), candles.close)
    high = np.where(changes, np.maximum(np.maximum(opened, closed), candles.high) + by, candles.high)
    low = np.where(changes, np.maximum(np.minimum(np.minimum(opened, closed), candles.low) - by, 1), candles.low)
    return replace(candles, open=opened, high=high, low=low, close=closed)


def known_at(case: Many, result: Any, now: int, *, inside: bool = False) -> tuple[list[Any], list[int]]:
    """Return what was filled by a moment, as far as the bars tell when, and what the account was worth.

    inside   whether orders fill inside the bars: then they are known when these are over
    """
    span = next(iter(case.data.values())).span_ms
    fills, at_close = result.fills, inside or case.spec.fills.at is FillAt.CLOSE
    known = []
    for row in range(len(fills)):
        opened = int(result.opened_ms[fills.bar[row]])
        waits = at_close or Reason(int(fills.reason[row])) not in _AT_OPEN
        if opened + span * waits <= now:
            known.append((
                int(result.fill_market[row]), opened, int(fills.lots[row]), int(fills.price[row]), int(fills.fee[row])
            ))  # fmt: skip
    ended = result.opened_ms + span <= now
    return sorted(known), result.equity[ended].tolist()


def at_market(case: Many) -> Many:
    """Return the run without prices to wait for, and with less money and places than is wished for.

    Then everything but what ends a position is filled at an open, as large as the account carries at that moment.
    """
    signals = {symbol: replace(each, limit=None, trigger=None) for symbol, each in case.signals.items()}
    markets = tuple(replace(each, lot=Decimal("0.0001"), lots_most=None) for each in case.spec.markets)
    spec = replace(case.spec, markets=markets, leverage=max(case.spec.leverage // 5, 1), positions_most=2)
    size = Size(70.0 * spec.leverage, SizeBy.PERCENT)
    return replace(case, spec=spec, signals=signals, rules=replace(case.rules, size=size))


def _ran(case: Many, run: Callable[..., Any]) -> Any:
    rest: dict[str, Any] = {"warm_up": case.warm_up, "funding": case.funding}
    return run(case.spec, case.data, case.signals, case.rules, **rest)


@pytest.mark.parametrize("run", [simulate_many, simulate_many_in_turns])
def test_what_a_market_has_not_told_yet_changes_nothing_that_was_done(run: Callable[..., Any]) -> None:
    """Who buys at half past cannot count with what another market, whose hour runs on, will close at."""
    seen: Counter[str] = Counter()
    seeds, moments = (60, 12) if run is simulate_many else (24, 4)
    for seed in range(seeds):
        case = at_market(shifted_many(seed, tight_many if seed % 3 == 0 else random_many))
        rng = np.random.default_rng([seed, 5])
        times = np.unique(np.concatenate([each.opened_ms for each in case.data.values()]))
        try:
            told = _ran(case, run)
            for now in rng.choice(times, moments).tolist():
                other = replace(case, data={name: told_until(each, now, rng) for name, each in case.data.items()})
                assert known_at(case, told, now) == known_at(case, _ran(other, run), now), f"seed {seed} at {now}"
                seen["fills"] += len(known_at(case, told, now)[0])
        except TooLargeToCount:
            continue
    assert seen["fills"] > 400


class Neighbours:
    """On each bar of one market orders in another one, as the close of the first tells; and takes back old orders."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Neighbours"
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    many: ClassVar[bool] = True

    def __init__(self, symbols: list[str], *, rests: bool, size: Decimal) -> None:
        self.symbols, self.rests, self.size = symbols, rests, size

    def begin(self, p: Params) -> dict[str, Any]:
        """Return that nothing was asked for."""
        return {"asked": 0}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return an order that depends on everything that is told."""
        if not isinstance(happening, Bar):
            return Turn(state)
        asked = state["asked"] + 1
        dice = random.Random(f"{happening.symbol} {happening.close} {happening.opened_ms}")
        other, price = dice.choice(self.symbols), None
        if self.rests and other == happening.symbol:
            price = happening.close * Decimal(dice.choice(["0.98", "0.995", "1.005", "1.02"]))
        want = Want(f"{asked}", other, self.size * dice.choice([1, -1, 2, -2]), price=price)
        return Turn({"asked": asked}, (want,), (f"{asked - 4}",) if dice.random() < 0.5 else ())


def in_turns_many(case: Many, seed: int, *, rests: bool) -> Result:
    """Return what a strategy does whose orders in one market follow from another."""
    markets = tuple(replace(each, lots_min=1, lots_most=None, costs=None) for each in case.spec.markets)
    fills = Fills(case.spec.fills.at, latency=seed % 2)
    spec = replace(case.spec, markets=markets, fills=fills, hedge=False, leverage=20, costs=Costs(0, 500))
    strategy = Neighbours(sorted(case.data), rests=rests, size=Decimal(1 + seed % 5) / 10)
    return run_turns(spec, case.data, strategy, Params({}))


@pytest.mark.parametrize("rests", [False, True])
def test_an_order_never_arrives_before_what_it_was_decided_on(*, rests: bool) -> None:
    """A close at one o'clock tells of an order in another market, but none that fills there at half past twelve."""
    filled = 0
    for seed in range(30):
        case = shifted_many(seed)
        rng = np.random.default_rng([seed, 5])
        times = np.unique(np.concatenate([each.opened_ms for each in case.data.values()]))
        told = in_turns_many(case, seed, rests=rests)
        for now in rng.choice(times, 4).tolist():
            other = replace(case, data={name: told_until(each, now, rng) for name, each in case.data.items()})
            changed = in_turns_many(other, seed, rests=rests)
            known = known_at(case, told, now, inside=rests)
            assert known == known_at(case, changed, now, inside=rests), f"seed {seed} at {now}"
            filled += len(known[0])
    assert filled > 500


class EarlyBird(Neighbours):
    """Wants a market from the first bar of another one on, at the market and behind a trailing stop."""

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return both orders, at each bar of the first market."""
        if not isinstance(happening, Bar) or happening.symbol != self.symbols[0]:
            return Turn(state)
        asked, late = state["asked"] + 1, self.symbols[1]
        return Turn(
            {"asked": asked}, (Want(f"m{asked}", late, self.size), Want("t", late, self.size, trail=Decimal(1)))
        )


def test_no_order_fills_in_a_market_before_its_first_close() -> None:
    """Nobody knew a price of it: not the size of an order, not the level of a stop, not what the gate would say."""
    rng = np.random.default_rng(4)
    first = replace(random_candles(rng, 40), opened_ms=np.arange(1, 41, dtype=np.int64) * HOUR_MS, symbol="A")
    late = replace(random_candles(rng, 20), opened_ms=np.arange(11, 31, dtype=np.int64) * HOUR_MS, symbol="B")
    markets = (Market("file", "A", Decimal("0.01")), Market("file", "B", Decimal("0.01")))
    data, start = {"A": first, "B": late}, HOUR_MS
    spec = BacktestSpec("random", "0", {}, markets, "1h", start, 41 * HOUR_MS, {"A": "0", "B": "0"}, positions_most=2)

    log = OrderLog()
    result = run_turns(spec, data, EarlyBird(["A", "B"], rests=False, size=Decimal("0.01")), Params({}), log=log)

    opened = result.opened_ms[result.fills.bar]
    assert len(opened) > 3
    assert opened.min() == 12 * HOUR_MS, "the first close of B is at its second opening"
    assert result.skipped == np.count_nonzero(log.orders().outcome == Outcome.NO_PRICE) == 20, (
        "two orders at each of ten closes of A at which B had not closed yet"
    )


class Once(Neighbours):
    """Wants the other market once, far above its price, when the third bar of the first one has closed."""

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return that order."""
        if not isinstance(happening, Bar) or happening.symbol != self.symbols[0]:
            return Turn(state)
        asked = state["asked"] + 1
        wants = (Want("once", self.symbols[1], self.size, price=happening.close * 100),) if asked == 3 else ()
        return Turn({"asked": asked}, wants)


def test_an_order_does_not_meet_the_part_of_a_bar_that_lay_before_it() -> None:
    """Of an hour that is half over nobody knows which of its prices are still to come: the next one is the first."""
    rng = np.random.default_rng(4)
    at = np.arange(1, 11, dtype=np.int64) * HOUR_MS
    data = {
        symbol: replace(random_candles(rng, 10), opened_ms=at + by, symbol=symbol)
        for symbol, by in (("A", 0), ("B", HOUR_MS // 2))
    }
    markets = tuple(Market("file", symbol, Decimal("0.001")) for symbol in data)
    spec = BacktestSpec("random", "0", {}, markets, "1h", 0, 12 * HOUR_MS, dict.fromkeys(data, "0"))

    result = run_turns(spec, data, Once(["A", "B"], rests=True, size=Decimal("0.001")), Params({}))

    assert result.opened_ms[result.fills.bar].tolist() == [int(at[3]) + HOUR_MS // 2], (
        "decided at the opening of A's 4th"
    )


def test_a_look_ahead_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail proves nothing: here each bar is over before the next one of another market."""
    for module in (turn_steps, portfolio):
        monkeypatch.setattr(module, "ends_of", lambda calendar, _bars: calendar)

    with pytest.raises(AssertionError, match="seed"):
        test_an_order_never_arrives_before_what_it_was_decided_on(rests=False)
    with pytest.raises(AssertionError, match="seed"):
        test_what_a_market_has_not_told_yet_changes_nothing_that_was_done(simulate_many)


@pytest.mark.parametrize("make", [shifted_many, tight_shifted])
def test_bars_that_overlap_equal_the_oracle_in_the_loop_and_in_turns(make: Callable[[int], Many]) -> None:
    """Markets of other opening hours share one account: all three come to the same, to the last unit."""
    seen: Counter[Any] = Counter()
    for seed in range(50):
        case = make(seed)
        try:
            loop = _ran(case, simulate_many)
        except TooLargeToCount:
            continue
        assert same_many(_ran(case, reference_many), loop) == "", f"seed {seed}"
        assert _ran(case, simulate_many_in_turns).digest() == loop.digest(), f"seed {seed}"
        seen.update(Reason(reason) for reason in loop.trades.reason_out.tolist())
        seen["crowded"] += loop.crowded
    assert seen["crowded"] > 10
    assert len([reason for reason in Reason if seen[reason]]) > 5


def test_limits_over_bars_that_overlap_equal_the_oracle() -> None:
    """The gate, too, is asked with what is known."""
    denied = 0
    for seed in range(50):
        case = limited_shifted(seed)
        try:
            turns = _ran(case, simulate_many_in_turns)
        except TooLargeToCount:
            continue
        assert same_many(_ran(case, reference_many), turns) == "", f"seed {seed}"
        denied += turns.denials.count
    assert denied > 50


def test_bars_whose_ends_cross_are_refused() -> None:
    """Nobody could say in which order they are over; the answer names the market and what would be right."""
    rng = np.random.default_rng(6)
    case = random_many(3)
    symbols = sorted(case.data)[:2]
    short = np.arange(1, 13, dtype=np.int64) * HOUR_MS - np.arange(12) // 6 * _QUARTER_MS
    whole = np.arange(1, 13, dtype=np.int64) * HOUR_MS
    data = {
        symbol: replace(random_candles(rng, 12), symbol=symbol, opened_ms=at)
        for symbol, at in zip(symbols, (short, whole), strict=True)
    }
    markets = tuple(market for market in case.spec.markets if market.symbol in data)
    signals = {symbol: Signals(long=np.ones(12, np.bool_)) for symbol in data}
    told = (replace(case.spec, markets=markets), data, signals, case.rules)

    for run in (simulate_many, simulate_many_in_turns):
        with pytest.raises(Invalid, match="end together"):
            run(*told, warm_up=0, funding=case.funding)
