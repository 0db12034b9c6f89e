"""What single built-in strategies promise, on markets made so that one can see it by eye."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid
from pilothouse.strategies.builtin.rsi_divergence import divergences
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.strategies.rules import Distance, SizeBy, Target
from pilothouse.strategies.view import View
from tests.unit.strategies.markets import walk
from tests.unit.strategies.uncompiled import strategies

MINUTE_MS = 60_000


def at(text: str) -> int:
    """Return milliseconds since 1970 of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def bars(
    closes: list[int],
    *,
    start: str = "2026-01-05T00:00",
    minutes: int = 5,
    symbol: str = "AAAUSDT",
    volume: int = 1_000,
) -> Candles:
    """Return candles that open where the last one closed and reach no further than open and close."""
    close = np.array(closes, np.int64)
    first = np.concatenate([close[:1], close[:-1]])
    opened = at(start) + np.arange(len(close), dtype=np.int64) * minutes * MINUTE_MS
    return Candles(
        symbol, minutes * MINUTE_MS, opened, first, np.maximum(first, close), np.minimum(first, close), close,
        np.full(len(close), volume, np.int64), 2, 0,
    )  # fmt: skip


def signals(name: str, view: View, **chosen: Any) -> Any:
    """Return what a strategy signals."""
    strategy = strategies()[name]
    return strategy.signals(view, resolve(strategy.parameters, chosen))


def bars_of(column: Any) -> list[int]:
    """Return where a column is true."""
    return [int(bar) for bar in np.flatnonzero(column)]


@pytest.mark.parametrize(("day", "open_utc"), [("2026-01-06", 14 * 60 + 15), ("2026-07-07", 13 * 60 + 15)])
def test_the_opening_range_is_that_of_the_clock_in_new_york(day: str, open_utc: int) -> None:
    """09:15 is 14:15 UTC in winter and 13:15 UTC in summer; the range is made there and nowhere else."""
    per_day = 288
    day_before = str(np.datetime64(day) - 1)
    closes = [10_000] * (2 * per_day)
    begin = per_day + open_utc // 5
    closes[begin - 6] = 12_000  # a spike before the session is no part of its range
    closes[begin : begin + 3] = [10_050, 9_950, 10_000]  # the range: 99.50 to 100.50
    closes[begin + 3 : begin + 6] = [10_060, 10_080, 10_090]
    closes[begin + 6 :] = [10_090] * (len(closes) - begin - 6)
    view = View(bars(closes, start=f"{day_before}T00:00"))

    found = signals("opening-range", view)

    # It leaves the range at begin + 3, and the two bars behind it make higher highs.
    assert bars_of(found.long) == [begin + 5]
    assert bars_of(found.short) == []


def test_a_range_whose_bars_were_not_seen_is_never_broken() -> None:
    """A bot that starts inside the range, or data with a hole there, must not trade a range that is not one."""
    closes = [10_000] * 288
    closes[180:] = list(range(10_010, 10_010 + 108 * 10, 10))
    begins_inside = View(bars(closes, start="2026-01-06T14:20"))
    whole = bars(closes[:170] + list(range(10_010, 10_010 + 118 * 10, 10)), start="2026-01-05T20:00")
    hole = (whole.opened_ms < at("2026-01-06T14:15")) | (whole.opened_ms >= at("2026-01-06T14:30"))
    columns = {name: getattr(whole, name)[hole] for name in ("opened_ms", "open", "high", "low", "close", "volume")}
    with_hole = View(Candles("AAAUSDT", 5 * MINUTE_MS, **columns, price_digits=2, volume_digits=0))

    for view in (begins_inside, with_hole):
        found = signals("opening-range", view)
        same_day = view.opened_ms < at("2026-01-07T05:00")  # midnight in New York
        assert not (found.long & same_day).any()


def test_the_premarket_range_needs_all_its_bars_and_not_too_late_a_break() -> None:
    """With a bar missing the range is another one; far beyond the range the move is gone."""
    begin = (14 * 60 + 30) // 5
    closes = [10_000] * 288
    closes[begin - 15 : begin] = [10_000, 10_020, 9_980] * 5
    closes[begin] = 10_000
    closes[begin + 1 :] = [10_040] * (287 - begin)
    view = View(bars(closes, start="2026-01-06T00:00"))

    assert bars_of(signals("premarket", view).long) == [begin + 1]
    far = list(closes)
    far[begin + 1 :] = [10_200] * (287 - begin)
    assert bars_of(signals("premarket", View(bars(far, start="2026-01-06T00:00"))).long) == []
    whole = bars(closes, start="2026-01-06T00:00")
    keep = np.arange(288) != begin - 7
    columns = {name: getattr(whole, name)[keep] for name in ("opened_ms", "open", "high", "low", "close", "volume")}
    holed = View(Candles("AAAUSDT", 5 * MINUTE_MS, **columns, price_digits=2, volume_digits=0))
    assert bars_of(signals("premarket", holed).long) == []


def test_a_divergence_is_told_when_its_extreme_is_certain() -> None:
    """Two highs, the second higher on weaker strength: the signal stands three bars after it, not at it."""
    confirmed = np.full(30, np.nan)
    confirmed[[8, 20]] = [100.0, 101.0]  # the highs themselves stood at bars 5 and 17
    strength = np.full(30, 50.0)
    strength[[5, 17]] = [70.0, 69.0]
    asked = {"right": 3, "lookback": 12, "prominence": 1.0}
    declared = strategies()["rsi-divergence"].parameters

    assert bars_of(divergences(confirmed, strength, resolve(declared, asked))) == [20]
    for change in ({"lookback": 11}, {"prominence": 1.5}):
        assert bars_of(divergences(confirmed, strength, resolve(declared, {**asked, **change}))) == []


def test_the_two_legs_of_a_pair_are_mirror_images() -> None:
    """What one sells the other buys, at the same bar; otherwise half of a pair is an open bet."""
    one, other = walk("AAAUSDT", 1_500, 1), walk("BBBUSDT", 1_500, 2)
    first = signals("pairs", View(one, {"BBBUSDT": other}))
    second = signals("pairs", View(other, {"AAAUSDT": one}))

    assert first.long.any()
    np.testing.assert_array_equal(first.long, second.short)
    np.testing.assert_array_equal(first.leave_short, second.leave_long)
    with pytest.raises(Invalid, match="instruments: none beside AAAUSDT; exactly one other"):
        signals("pairs", View(one))


def test_the_strongest_are_held_and_never_more() -> None:
    """At each look exactly so many of the instruments are wanted, also where two rose alike."""
    walks = [walk(symbol, 800, 4) if symbol < "B" else walk(symbol, 800, 3 + len(symbol)) for symbol in "ABCDE"]
    held = []
    for own in walks:
        view = View(own, {each.symbol: each for each in walks if each is not own})
        held.append(signals("momentum-rotation", view, top=2, every=60, lookback=20, least=-100.0).long)

    looks = np.flatnonzero(walks[0].closed_ms % (60 * MINUTE_MS) == 0)
    assert (np.sum(held, axis=0)[looks[5:]] == 2).all()


def test_gains_are_measured_in_percent_among_what_is_traded() -> None:
    """A dear coin moves by more currency, and a coin that nobody trades by more percent; neither is the gainer."""

    def ramp(first: int, percent: float) -> list[int]:
        flat = [first - bar % 2 for bar in range(400)]
        return [*flat, *(int(first * (1 + percent / 100 * bar / 20)) for bar in range(1, 21))]

    dear = bars(ramp(5_000_000, 1.0), symbol="DEARUSDT", minutes=15, volume=100_000)
    gainer = bars(ramp(10_000, 5.0), symbol="GAINUSDT", minutes=15, volume=100_000)
    unseen = bars(ramp(10_000, 30.0), symbol="THINUSDT", minutes=15, volume=1)
    walks = (dear, gainer, unseen)
    wanted = {}
    for own in walks:
        view = View(own, {each.symbol: each for each in walks if each is not own})
        found = signals("gainers-losers", view, top=1, least=0.1, fast=3, slow=5, signal=2)
        wanted[own.symbol] = bool(found.long[400:].any())

    assert wanted == {"DEARUSDT": False, "GAINUSDT": True, "THINUSDT": False}


def test_the_central_range_is_bought_in_the_first_minutes_alone() -> None:
    """And left at the range, at the latest five minutes before midnight: the next day has other levels."""
    candles = walk("AAAUSDT", 40 * 288, 12, minutes=5)
    view = View(candles)
    loose = {"rsi_most": 100.0, "band_least": 0.0, "band_most": 50.0, "volatility_most": 50.0, "pullback": 0.0}
    found = signals("cpr", view, **loose)
    minute = view.opened_ms // MINUTE_MS % 1_440

    assert found.long.any()
    assert (minute[found.long] < 10).all()
    assert found.leave_long[minute == 1_430].all()
    assert not found.long[: 15 * 288].any()  # fourteen changes between closed days are needed for their strength


def test_the_small_bot_enters_by_state_and_not_by_cross() -> None:
    """Fast above slow and not overbought: at each bar on which both hold, as its users know it."""
    candles = walk("AAAUSDT", 600, 9)
    view = View(candles)
    found = signals("ema-rsi", view)
    strategy = BUILT_IN["ema-rsi"].strategy
    rules = strategy.rules(resolve(strategy.parameters, {}))  # type: ignore[union-attr]  # it is written by columns

    assert found.long.sum() > 2 * np.sum(np.diff(found.long.astype(int)) == 1)
    assert not (found.long & found.short).any()
    assert rules.exits.stop == Distance(0.5)
    assert rules.exits.targets == (Target(Distance(1.5)),)
    assert rules.exits.trail == Distance(0.3)


def test_risk_without_a_stop_is_the_whole_position() -> None:
    """Who takes the stop away must not be put in with everything: the share at risk is the share that is bought."""
    strategy = BUILT_IN["ema-cross"].strategy
    with_stop = strategy.rules(resolve(strategy.parameters, {"risk": 1.5}))  # type: ignore[union-attr]  # by columns
    without = strategy.rules(resolve(strategy.parameters, {"risk": 1.5, "stop_loss": 0.0}))  # type: ignore[union-attr]  # by columns

    assert (with_stop.size.by, with_stop.size.value) == (SizeBy.RISK, 1.5)
    assert (without.size.by, without.size.value) == (SizeBy.PERCENT, 1.5)
