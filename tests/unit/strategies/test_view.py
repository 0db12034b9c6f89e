"""A strategy sees candles up to now, and of everything else only what had closed by then."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.candles import Candles, Floats
from pilothouse.core.errors import Invalid, NotFound
from pilothouse.strategies.sdk import Signals, crossed_above, crossed_below, crossings
from pilothouse.strategies.view import View

_HOUR = 3_600_000


def candles(
    closes: list[int], *, start: int = 0, span: int = _HOUR, symbol: str = "BTCUSDT", skip: int = -1
) -> Candles:
    """Return candles that close at these prices, one row left out if `skip` names it."""
    close = np.array(closes, np.int64)
    opened = start + np.arange(len(close), dtype=np.int64) * span
    keep = np.arange(len(close)) != skip
    return Candles(
        symbol, span, opened[keep], close[keep], close[keep] + 1, close[keep] - 1, close[keep],
        np.ones(int(keep.sum()), np.int64), 2, 0,
    )  # fmt: skip


def test_a_longer_candle_is_seen_only_after_it_closed() -> None:
    """Four hours that open at 00:00 are known at 04:00, which is the close of the fourth hour."""
    view = View(candles(list(range(100, 110))))
    longer = view.higher("4h")

    assert longer.close.tolist() == [1.03, 1.07]
    assert longer.high.tolist() == [1.04, 1.08]
    np.testing.assert_array_equal(
        longer.seen(longer.close), [np.nan, np.nan, np.nan, 1.03, 1.03, 1.03, 1.03, 1.07, 1.07, 1.07]
    )


def test_a_longer_candle_whose_beginning_is_not_in_the_data_is_never_seen() -> None:
    """It would have another open, high and volume than the market had."""
    view = View(candles(list(range(100, 107)), start=2 * _HOUR))

    assert view.higher("4h").open.tolist() == [1.02]


@given(st.lists(st.integers(50, 150), min_size=1, max_size=60), st.integers(0, 30), st.data())
def test_nothing_that_was_seen_changes_when_time_goes_on(closes: list[int], shift: int, data: st.DataObject) -> None:
    """At each bar, longer candles and other instruments look as they did when it closed."""
    base = candles(closes, start=shift * _HOUR, skip=data.draw(st.integers(-1, len(closes) - 1)))
    other = candles([2 * close for close in closes], start=0, span=2 * _HOUR, symbol="ETHUSDT")
    if not len(base):
        return
    whole = View(base, {"ETHUSDT": other})
    for count in range(1, len(base) + 1):
        then = whole.before(count)
        for now, later in (
            (then.higher("4h"), whole.higher("4h")),
            (then.instrument("ETHUSDT"), whole.instrument("ETHUSDT")),
        ):
            np.testing.assert_array_equal(now.seen(now.close), later.seen(later.close)[:count])


def test_another_instrument_is_seen_as_of_its_last_close() -> None:
    """Its candle that closes at the same instant counts, a later one does not."""
    view = View(candles([100] * 4), {"ETHUSDT": candles([10, 20], span=2 * _HOUR, symbol="ETHUSDT")})
    other = view.instrument("ETHUSDT")

    np.testing.assert_array_equal(other.seen(other.close), [np.nan, 0.1, 0.1, 0.2])
    np.testing.assert_array_equal(other.seen(other.close > 0.1), [False, False, False, True])
    with pytest.raises(NotFound, match=r"'XRPUSDT'.*there are: ETHUSDT"):
        view.instrument("XRPUSDT")


@pytest.mark.parametrize("timeframe", ["30m", "1h", "90m", "0h", "x", "", "1y"])
def test_a_timeframe_that_is_not_longer_is_refused(timeframe: str) -> None:
    """A shorter one cannot be made of these candles."""
    with pytest.raises(Invalid, match="timeframe"):
        View(candles([10, 20, 30])).higher(timeframe)


def test_candles_are_checked_when_they_are_built() -> None:
    """The first row that does not fit is named."""
    good = candles([100, 101, 102])
    rows = {name: getattr(good, name) for name in ("opened_ms", "open", "high", "low", "close", "volume")}

    for name, value, message in (
        ("opened_ms", [0, 0, 1], "row 1 does not open after row 0"),
        ("high", [101, 100, 103], "high: row 1"),
        ("low", [0, 100, 101], "low: row 0"),
        ("volume", [1, 1, -1], "volume: row 2"),
        ("close", [100.0, 101.0, 102.0], "close: float64"),
        ("open", [100, 101], r"open: int64\(2,\)"),
    ):
        wrong = {**rows, name: np.array(value)}
        with pytest.raises(Invalid, match=message):
            Candles("X", _HOUR, **wrong, price_digits=2, volume_digits=0)


def test_the_same_candles_have_the_same_fingerprint_and_others_another() -> None:
    """It stands on every result."""
    one = candles([100, 101, 102])

    assert one.fingerprint() == candles([100, 101, 102]).fingerprint()
    assert one.fingerprint() != candles([100, 101, 103]).fingerprint()
    assert one.fingerprint() != candles([100, 101, 102], symbol="ETHUSDT").fingerprint()


def test_signals_are_columns_of_their_kind() -> None:
    """A column of the wrong kind or length is named."""
    with pytest.raises(Invalid, match=r"signals\.long: float64\(3,\); bool\[3\]"):
        Signals(long=np.zeros(3)).checked(3)  # type: ignore[arg-type] # what a careless strategy returns
    with pytest.raises(Invalid, match=r"signals\.short: bool\(2,\)"):
        Signals(short=np.zeros(2, bool)).checked(3)


def test_a_crossing_is_one_bar_and_needs_both_numbers() -> None:
    """During the warm-up nothing crosses."""
    one = np.array([np.nan, 1.0, 3.0, 3.0, 1.0])

    assert crossed_above(one, 2.0).tolist() == [False, False, True, False, False]
    assert crossed_below(one, 2.0).tolist() == [False, False, False, False, True]


def test_a_target_stands_alone() -> None:
    """Beside signals to enter and leave, nobody could say which of the two is meant."""
    count = 3
    with pytest.raises(Invalid, match=r"signals\.target"):
        Signals(target=np.zeros(count), long=np.zeros(count, bool)).checked(count)
    assert Signals(target=np.zeros(count), trigger=np.full(count, np.nan)).checked(count).target is not None


def test_columns_that_are_not_equally_long_do_not_cross() -> None:
    """A crossing of columns that do not stand beside each other would be one of other bars."""
    with pytest.raises(Invalid, match="as many"):
        crossed_above(np.zeros(3), np.zeros(4))


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)) | st.just((float("nan"), 1.0)), max_size=30))
def test_both_crossings_in_one_pass_are_those_of_two(pairs: list[tuple[float, float]]) -> None:
    """The quick way says the same as the plain one, also where a value is not known."""
    one, other = (np.array([pair[place] for pair in pairs], np.float64) for place in (0, 1))
    above, below = crossings(one, other)

    np.testing.assert_array_equal(above, crossed_above(one, other))
    np.testing.assert_array_equal(below, crossed_below(one, other))
    for bar in range(1, len(one)):
        assert above[bar] == (one[bar] > other[bar] and one[bar - 1] <= other[bar - 1])


def test_a_column_that_is_asked_for_again_is_not_made_again() -> None:
    """A search over two averages makes each of them once, not once for each pair."""
    view, calls = View(candles([100, 101, 103])), list[float]()

    def moved(column: Floats, by: float) -> Floats:
        calls.append(by)
        return column + by

    first = view.once(moved, view.close, 1.0)
    assert view.once(moved, view.close, 1.0) is first
    assert view.once(moved, first, 1.0) is view.once(moved, first, 1.0)
    assert view.once(moved, view.close, 2.0) == pytest.approx([3.0, 3.01, 3.03])
    assert view.once(moved, view.high, 1.0) == pytest.approx([2.01, 2.02, 2.04])
    assert calls == [1.0, 1.0, 2.0, 1.0]


def test_columns_that_nobody_asked_for_lately_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search over ten thousand averages of a year would not fit into memory."""
    monkeypatch.setattr("pilothouse.strategies.view._MADE_BYTES_MOST", 3 * 3 * 8)
    view, calls = View(candles([100, 101, 103])), list[float]()

    def moved(column: Floats, by: int) -> Floats:
        calls.append(by)
        return column + by

    for by in (1, 2, 3, 1, 4, 1, 2):
        assert view.once(moved, view.close, by)[0] == 1.0 + by
    assert calls == [1, 2, 3, 4, 2], "1 was asked for all the time and stayed; 2 had gone when 4 came"
