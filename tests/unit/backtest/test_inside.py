"""Walks inside the bars, along finer candles or trades, and latency in milliseconds: the loop equals the oracle."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pilothouse.backtest import reference_inputs
from pilothouse.backtest.inside import Tape, pieces_of
from pilothouse.backtest.reference import Desk, reference, same
from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import TooLargeToCount, simulate
from pilothouse.backtest.spec import Costs, FillAt, Fills
from pilothouse.backtest.words import latency_of
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.errors import Invalid
from pilothouse.strategies.rules import Rules, Size, SizeBy
from pilothouse.strategies.sdk import Signals
from tests.unit.backtest.bar_cases import HOUR_MS, random_case
from tests.unit.backtest.inside_cases import InsideCase, inside_case


def run(made: InsideCase, *, quick: bool = True) -> Result:
    """Return what the loop makes of a case."""
    case = made.case
    return simulate(
        case.spec, case.market, case.candles, case.signals, case.rules, warm_up=case.warm_up, funding=case.funding,
        finer=made.finer, quick=quick,
    )  # fmt: skip


def compare(seeds: range) -> Counter[str]:
    """Hold the loop to the oracle for each seed; return how often each thing came up."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        made = inside_case(seed)
        case = made.case
        try:
            result = run(made)
        except TooLargeToCount:
            seen["too large"] += 1
            continue
        slow = reference(
            case.spec, case.market, case.candles, case.signals, case.rules, warm_up=case.warm_up,
            funding=case.funding, finer=made.finer,
        )  # fmt: skip
        assert same(slow, result) == "", f"seed {seed}"
        assert run(made, quick=False).digest() == result.digest(), f"seed {seed}"
        seen.update({f"ends {why}": 1 for why in result.trades.reason_out.tolist()})
        seen.update({type(made.finer).__name__: 1, "fills": len(result.fills), "thin": result.pessimistic or 0})
        seen["late"] += case.spec.fills.latency_ms > 0
    return seen


def test_inside_the_bars_the_loop_equals_the_oracle_to_the_unit() -> None:
    """Candles, trades, latencies alone; bars below which something is missing; every way in which a trade ends."""
    seen = compare(range(70))

    assert min(seen[kind] for kind in ("Candles", "Tape", "NoneType", "late", "thin")) > 5
    assert seen["fills"] > 500
    assert sum(name.startswith("ends") for name in seen) >= 8


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_inside_the_bars_the_loop_equals_the_oracle_in_thousands_of_markets() -> None:
    """As above, for whoever has an hour."""
    compare(range(1_000, 9_000))


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (reference_inputs, "_arrival", lambda _spec, _bars, last, decided: (*last, 10**9)[decided] + 1),
        (reference_inputs, "_told_below", lambda _finer: iter(())),
        (Desk, "_time_is_up", lambda *_: False),
        (reference_inputs.Feed, "last_of", lambda _feed, part, more: part + more),
    ],
)
def test_a_mistake_would_be_found(where: Any, name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that cannot fail proves nothing."""
    monkeypatch.setattr(where, name, wrong)

    with pytest.raises(AssertionError, match="seed"):
        compare(range(120))


def column(*values: int) -> Ints:
    """Return whole numbers."""
    return np.array(values, np.int64)


def hours(closes: Ints, *, opened: Ints | None = None, span_ms: int = HOUR_MS) -> Candles:
    """Return candles that open where the one before closed and reach no further."""
    opens = np.concatenate((closes[:1], closes[:-1]))
    at = np.arange(len(closes), dtype=np.int64) * span_ms if opened is None else opened
    return Candles(
        "BTCUSDT", span_ms, at, opens, np.maximum(opens, closes), np.minimum(opens, closes), closes,
        np.full(len(closes), 100, np.int64), 2, 2,
    )  # fmt: skip


def test_a_bar_is_walked_only_along_what_tells_the_same() -> None:
    """A gap in the trades, or the trades of another market, would be an invented path."""
    bars = hours(column(1000, 1010, 1020, 1030))
    at = column(10, 20, HOUR_MS, HOUR_MS + 5, 2 * HOUR_MS + 1, 2 * HOUR_MS + 2, 3 * HOUR_MS, 3 * HOUR_MS)
    prices = column(1000, 1000, 1000, 1010, 1010, 1019, 1020, 1030)
    pieces = pieces_of(bars, Tape("BTCUSDT", at, prices, np.ones(8, np.int64), 2, 2))

    assert pieces.thin == 1
    assert pieces.bar.tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert pieces.close.tolist() == [1000, 1000, 1000, 1010, 1020, 1020, 1030]
    assert pieces.closed_ms[pieces.last].tolist() == bars.closed_ms.tolist()
    assert pieces_of(bars, None).thin == 4
    # The same prices told in other steps are the same prices; a step that the bars do not know is another story.
    finer = Tape("BTCUSDT", at, prices * 10, np.ones(8, np.int64), 3, 0)
    assert pieces_of(bars, finer).thin == 1
    assert pieces_of(bars, replace(finer, price=finer.price + 1)).thin == 4


def bought_at(candles: Candles, at: int, fills: Fills, finer: Candles | Tape | None = None) -> list[int]:
    """Return at which prices something is bought that was decided at the close of bar `at`."""
    case = random_case(0)
    spec = replace(case.spec, costs=Costs(), leverage=1, fills=fills)
    long = np.zeros(len(candles), np.bool_)
    long[at] = True
    rules = Rules(size=Size(1.0, SizeBy.FIXED))
    result = simulate(spec, case.market, candles, Signals(long=long), rules, warm_up=0, finer=finer)
    return [int(price) for price in result.fills.price]


def test_an_order_reaches_the_market_when_its_latency_has_passed() -> None:
    """With something finer at the first price known then or after; without it at the open of a bar after."""
    closes = column(1000, 1060, 1120, 1180, 1240, 1300)
    bars = hours(closes)
    fine = hours(np.arange(1000, 1301, dtype=np.int64), span_ms=HOUR_MS // 60)
    minutes = replace(fine, opened_ms=fine.opened_ms - HOUR_MS // 60 + HOUR_MS)

    assert bought_at(bars, 1, Fills()) == [1060]
    assert bought_at(bars, 1, Fills(latency_ms=1)) == [1120]
    assert bought_at(bars, 1, Fills(latency_ms=HOUR_MS)) == [1120]
    assert bought_at(bars, 1, Fills(latency_ms=HOUR_MS + 1)) == [1180]
    told = bought_at(bars, 1, Fills(finer="1m", latency_ms=HOUR_MS // 60), minutes)
    assert told == [int(minutes.open[np.searchsorted(minutes.opened_ms, 2 * HOUR_MS + HOUR_MS // 60)])]


def test_decisions_that_arrive_together_are_carried_out_one_after_the_other() -> None:
    """Behind a gap both are there at once: bought and left again, not the last one alone."""
    opened = column(0, 1, 2, 9, 10) * HOUR_MS
    bars = hours(column(1000, 1010, 1020, 1030, 1040), opened=opened)
    case = random_case(0)
    spec = replace(case.spec, costs=Costs(), leverage=1, fills=Fills(latency_ms=2 * HOUR_MS))
    signals = Signals(long=np.arange(5) == 1, leave_long=np.arange(5) == 2)
    result = simulate(
        spec, case.market, bars, signals, Rules(size=Size(1.0, SizeBy.FIXED)), warm_up=0
    )  # fmt: skip

    assert (result.fills.bar.tolist(), result.fills.lots.tolist()) == ([3, 3], [100, -100])


def test_latencies_that_contradict_each_other_are_refused_by_name() -> None:
    """Milliseconds beside bars, or beside fills at the very close, could mean two things."""
    for wrong in ({"latency": 1}, {"at": FillAt.CLOSE}):
        with pytest.raises(Invalid, match=r"fills\.latency_ms"):
            Fills(latency_ms=5, **wrong)
    assert [latency_of(words) for words in ("2", "250ms", "1.5s")] == [(2, 0), (0, 250), (0, 1_500)]
    for words in ("1.5", "soon", "-1ms", "0.1ms"):
        with pytest.raises(Invalid, match="latency"):
            latency_of(words)


def test_who_asks_for_no_latency_keeps_the_name_of_his_runs() -> None:
    """A new word in the spec must not make every kept run unknown."""
    spec = random_case(0).spec

    assert "latency_ms" not in spec.canonical()
    assert replace(spec, fills=Fills(latency_ms=9)).name != replace(spec, fills=Fills()).name
