"""Columns of whole numbers say exactly what the candles said, and longer candles are made of them exactly."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.candle import Candle
from pilothouse.core.clock import from_micros, millis
from pilothouse.core.errors import Invalid
from pilothouse.marketdata.candle_columns import Bars, CandlesTooFine, bars_of, grid, holes, joined, resampled
from pilothouse.marketdata.candle_series import safe
from pilothouse.marketdata.timeframes import DAY_MS, MINUTE_MS, finest_dividing, timeframe

D = Decimal
START_MS = 1_767_225_600_000  # 2026-01-01, a Thursday

prices = st.builds(lambda n, e: D(n).scaleb(-e), st.integers(1, 10**9), st.integers(0, 6))
volumes = st.builds(lambda n, e: D(n).scaleb(-e), st.integers(0, 10**7), st.integers(0, 8))


@st.composite
def candle_lists(draw: st.DrawFn) -> list[Candle]:
    """Draw minutes of a few days, oldest first, with holes."""
    minutes = sorted(draw(st.sets(st.integers(0, 4_000), max_size=40)))
    found = []
    for minute in minutes:
        four = sorted(draw(st.tuples(prices, prices, prices, prices)))
        opened = from_micros((START_MS + minute * MINUTE_MS) * 1_000)
        found.append(Candle(opened, four[1], four[3], four[0], four[2], draw(volumes), closed=True))
    return found


@given(candle_lists())
def test_columns_give_back_every_digit(candles: list[Candle]) -> None:
    """A backtest on prices that are off by a digit is a backtest of another market."""
    assert bars_of(candles).candles() == candles


@given(candle_lists(), st.integers(0, 40))
def test_parts_that_are_joined_are_the_whole(candles: list[Candle], cut: int) -> None:
    """Files of several months read as one, whatever digits each of them needed."""
    whole, parts = bars_of(candles), joined([bars_of(candles[:cut]), bars_of(candles[cut:])])

    assert parts.candles() == candles
    assert parts.fingerprint() == whole.fingerprint()
    assert (parts.price_digits, parts.volume_digits) == (whole.price_digits, whole.volume_digits)


@given(candle_lists(), st.integers(1, 3), st.integers(1, 3))
def test_finer_steps_are_the_same_candles(candles: list[Candle], more: int, yet_more: int) -> None:
    """The fingerprint names the candles, not how they happened to be counted."""
    bars = bars_of(candles)
    finer = bars.at_digits(bars.price_digits + more, bars.volume_digits + yet_more)

    assert finer.candles() == candles
    assert finer.fingerprint() == bars.fingerprint()


@given(candle_lists())
def test_another_candle_is_another_fingerprint(candles: list[Candle]) -> None:
    """A result that stands on changed data is not the same result."""
    bars = bars_of(candles)
    for name in ("opened_ms", "open", "high", "low", "close", "volume") if candles else ():
        columns = [column.copy() for column in bars.columns]
        columns[("opened_ms", "open", "high", "low", "close", "volume").index(name)][0] += 1
        assert Bars.of(columns, bars.price_digits, bars.volume_digits).fingerprint() != bars.fingerprint()


@given(candle_lists(), st.sampled_from(["3m", "15m", "1h", "4h", "1d", "1w", "1M"]))
def test_longer_candles_are_made_exactly(candles: list[Candle], text: str) -> None:
    """First open, highest high, lowest low, last close, whole volume: said once more in the slow way."""
    to = timeframe(text)
    window = (to.floor(START_MS), to.ceil(START_MS + 4_001 * MINUTE_MS))
    expected = []
    for opened in sorted({to.floor(millis(each.opened_at)) for each in candles}):
        part = [each for each in candles if to.floor(millis(each.opened_at)) == opened]
        high, low = max(each.high for each in part), min(each.low for each in part)
        volume = sum((each.volume for each in part), D(0))
        at = from_micros(opened * 1_000)
        expected.append(Candle(at, part[0].open, high, low, part[-1].close, volume, closed=True))

    assert resampled(bars_of(candles), to, *window).candles() == expected


@given(candle_lists())
def test_hours_make_the_same_days_as_minutes(candles: list[Candle]) -> None:
    """It does not matter over which length one goes."""
    window = (START_MS, START_MS + 4 * DAY_MS)
    bars, hour, day = bars_of(candles), timeframe("1h"), timeframe("1d")

    assert (
        resampled(resampled(bars, hour, *window), day, *window).fingerprint()
        == resampled(bars, day, *window).fingerprint()
    )


@given(st.sets(st.integers(0, 60)), st.sampled_from(["1m", "1h", "1d", "1w", "1M", "3M"]))
def test_what_is_there_and_what_is_missing_is_everything(present: set[int], text: str) -> None:
    """Every opening has its candle or its gap, never both and never neither."""
    of = timeframe(text)
    every = grid(of, of.ceil(START_MS), of.ceil(START_MS + 61 * (of.span_ms or 31 * DAY_MS)))
    opened = every[[number for number in sorted(present) if number < len(every)]]
    window = int(every[0]), of.after(int(every[-1]))

    gaps = [grid(of, *hole).tolist() for hole in holes(opened, of, *window)]
    missing = [at for gap in gaps for at in gap]

    assert sorted([*opened.tolist(), *missing]) == every.tolist()


def test_numbers_that_no_column_can_hold_are_refused() -> None:
    """Cutting digits off in silence would be an invention."""
    one = Candle(from_micros(0), D(1), D(1), D(1), D(1), D("1.000000000000000001"), closed=True)
    many = Candle(from_micros(60_000_000), D(1), D(1), D(1), D(1), D(10**12), closed=True)

    with pytest.raises(CandlesTooFine):
        bars_of([one, many])
    with pytest.raises(CandlesTooFine):
        joined([bars_of([one]), bars_of([many])])
    full = Bars.of([np.array([0, MINUTE_MS]), *[np.array([1, 1])] * 4, np.array([2**62, 2**62])], 0, 0)
    with pytest.raises(CandlesTooFine):
        resampled(full, timeframe("1h"), 0, DAY_MS)


def test_weeks_begin_on_mondays_and_months_on_firsts() -> None:
    """As the venues count them; a week that began on a Thursday would be nobody's week."""
    week, month = timeframe("1w"), timeframe("1M")

    assert from_micros(week.floor(START_MS) * 1_000).weekday() == 0
    assert from_micros(month.after(START_MS) * 1_000).day == 1
    assert month.count(START_MS, month.floor(START_MS + 400 * DAY_MS)) == 13
    assert week.after(week.floor(START_MS)) - week.floor(START_MS) == timedelta(days=7) // timedelta(milliseconds=1)


def test_a_length_that_a_venue_lacks_is_made_of_the_finest_that_divides_it() -> None:
    """Ten minutes are two fives, but not three threes; a week is no part of a month."""
    known = ("1s", "1m", "3m", "5m", "1h", "1w")

    assert [
        one.text for wanted in ("10m", "1d", "1M", "90s") if (one := finest_dividing(known, timeframe(wanted)))
    ] == [
        "1m",
        "1m",
        "1m",
        "1s",
    ]
    assert finest_dividing(("1w", "3m"), timeframe("10m")) is None
    assert not timeframe("1w").divides(timeframe("1M"))
    for text in ("", "0m", "m", "1y", "1.5h", "99999m", "1 m"):
        with pytest.raises(Invalid):
            timeframe(text)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300), st.booleans())
def test_no_two_symbols_share_a_folder(one: str, other: str, lower: bool) -> None:  # noqa: FBT001  (drawn, not chosen)
    """Also on a disk that does not tell capitals apart, and for symbols that look like paths."""
    names = [safe(text, lower=lower) for text in (one, other)]

    assert (names[0].lower() == names[1].lower()) == (one == other)
    for name in names:
        assert name not in {".", ".."}
        assert len(name) <= 120
        assert not set(name) & set('/\\:*?"<>|\0 ')
