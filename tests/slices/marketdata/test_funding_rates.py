"""Funding rates that a venue told are kept exactly, once, and every stretch without them is named."""

import itertools
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilothouse.core.clock import millis
from pilothouse.core.errors import Unavailable
from pilothouse.kit import lease
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_series import Series, funding_of
from pilothouse.marketdata.candles import Missing, Why
from pilothouse.marketdata.funding_backfill import FundingShelf, RatesVanished
from pilothouse.marketdata.funding_columns import gaps_of
from pilothouse.marketdata.funding_files import FundingFiles
from pilothouse.marketdata.funding_follow import next_hour, turn_of_funding
from pilothouse.marketdata.funding_kept import KeptRates, check_rates, load_rates
from pilothouse.marketdata.parquet_files import CandlesTaken
from tests.conftest import NOON
from tests.slices.marketdata.told_funding import HOUR_MS, ToldFunding, asked_for, download, every

D = Decimal
NOON_MS = millis(NOON)
BEGIN = NOON_MS // (24 * HOUR_MS) * 24 * HOUR_MS - 20 * 24 * HOUR_MS
SERIES = funding_of("aster", "BTCUSDT")
TRUTH = every(8, BEGIN, 62)
"""Every eight hours, the newest four hours before noon."""
DUE = max(TRUTH) + 8 * HOUR_MS
LATER = TRUTH | {DUE: D("-0.00012")}
_numbers = itertools.count()


@pytest.fixture
def shelf(database: Database, clock: FrozenClock, tmp_path: Path) -> FundingShelf:
    """Return an empty shelf in a house at noon."""
    return FundingShelf(database, FundingFiles(tmp_path / "candles"), clock, "here")


def _load(shelf: FundingShelf, series: Series = SERIES, start: int = BEGIN, until: int = NOON_MS) -> KeptRates:
    return load_rates(shelf.database, shelf.files, series, start, until)


def _told(found: KeptRates) -> dict[int, Decimal]:
    return {int(at): found.rates.decimal(place) for place, at in enumerate(found.rates.at_ms)}


# ── Downloads ─────────────────────────────────────────────────────────────────────────────────────

_actions = st.lists(
    st.tuples(st.integers(0, 480), st.integers(1, 300), st.integers(1, 30), st.integers(0, 4)), max_size=5
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_actions, st.sets(st.integers(0, 61), max_size=12))
def test_any_order_of_downloads_with_broken_lines_is_one_download(
    shelf: FundingShelf, actions: list[tuple[int, int, int, int]], absent: set[int]
) -> None:
    """Who stops and starts again must not get other rates, or other gaps, than who waited."""
    name = f"T{next(_numbers)}"
    truth = {at: rate for place, (at, rate) in enumerate(TRUTH.items()) if place not in absent}
    pieces, whole = funding_of("aster", f"{name}A"), funding_of("aster", f"{name}B")
    for first, hours, page, answers in actions:
        window = (BEGIN + first * HOUR_MS, min(NOON_MS, BEGIN + (first + hours) * HOUR_MS))
        told = ToldFunding(truth, NOON, page, answers)
        try:
            download(shelf, told, pieces, window)
        except Unavailable:
            assert told.dies_after == 0, "only a broken line ends a download so"
    for series in (pieces, whole):
        download(shelf, ToldFunding(truth, NOON, 1_000), series, (BEGIN, NOON_MS))

    one, other = _load(shelf, pieces), _load(shelf, whole)
    assert _told(one) == _told(other) == truth
    assert one.rates.fingerprint() == other.rates.fingerprint()
    assert [(each.start_ms, each.until_ms) for each in one.missing] == [
        (each.start_ms, each.until_ms) for each in other.missing
    ]
    assert {each.why for each in (*one.missing, *other.missing)} <= {Why.VENUE_HAS_NONE, Why.NOT_ASKED}
    assert all(check_rates(shelf.database, shelf.files, each).is_sound for each in (pieces, whole))


def test_what_is_settled_is_not_asked_again_and_what_may_still_come_is(shelf: FundingShelf, clock: FrozenClock) -> None:
    """Requests are the scarce thing; but a rate that was due a minute ago may only be late."""
    late = NOON + timedelta(hours=4, minutes=1)
    clock.set(late)
    until = millis(late)
    told = ToldFunding(TRUTH, late)
    download(shelf, told, SERIES, (BEGIN, until))
    assert len(told.asked) <= len(TRUTH) // 9 + 4

    told.asked.clear()
    assert asked_for(shelf.database, SERIES, (BEGIN, NOON_MS)) == []
    told.by_time = LATER
    clock.set(late + timedelta(minutes=20))
    told.now = clock.now()
    (found, *_) = download(shelf, told, SERIES, (BEGIN, millis(clock.now())))

    assert (found.rates, found.fresh, found.gaps) == (1, 1, ())
    assert _load(shelf, until=until).missing == ()
    assert _told(_load(shelf, until=until)) == LATER


def test_a_hole_is_named_where_the_venue_has_none_and_where_nobody_asked(shelf: FundingShelf) -> None:
    """A backtest must not take a missing rate for a rate of zero."""
    times = list(TRUTH)
    truth = {at: rate for at, rate in TRUTH.items() if at not in times[20:22] and at >= times[3]}
    (*_, last) = download(shelf, ToldFunding(truth, NOON, 500), SERIES, (BEGIN, times[40]))

    missing = _load(shelf).missing

    assert last.conflicts == 0
    assert missing == (
        Missing(BEGIN, times[3], Why.VENUE_HAS_NONE),
        Missing(times[19] + 1, times[22], Why.VENUE_HAS_NONE),
        Missing(times[40], NOON_MS, Why.NOT_ASKED),
    )
    assert check_rates(shelf.database, shelf.files, SERIES).is_sound


def test_files_that_are_gone_are_lost_and_come_back(shelf: FundingShelf) -> None:
    """What the venue told is no gap of the venue, whatever became of our disk."""
    download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS))
    for path in shelf.files.folder_of(SERIES).glob("*.parquet"):
        path.unlink()

    lost = check_rates(shelf.database, shelf.files, SERIES)
    assert not lost.is_sound
    assert {each.why for each in lost.missing} == {Why.LOST}
    download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS), again=True)
    assert check_rates(shelf.database, shelf.files, SERIES).is_sound
    assert {each.why for each in _load(shelf).missing} <= {Why.NOT_ASKED}, "the newest minutes may still bring one"
    assert _told(_load(shelf)) == TRUTH


def test_a_damaged_file_is_named_and_never_read(shelf: FundingShelf) -> None:
    """A flipped bit in a rate is another backtest that nobody asked for."""
    download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS))
    path = min(shelf.files.folder_of(SERIES).glob("*.parquet"))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 4] ^= 1
    path.write_bytes(bytes(whole))

    assert str(path) in check_rates(shelf.database, shelf.files, SERIES).damaged


@pytest.mark.parametrize("take_new", [False, True])
def test_a_rate_that_is_told_differently_is_noted_and_taken_only_when_asked(
    shelf: FundingShelf, *, take_new: bool
) -> None:
    """A venue that changes its past changes every backtest over it; a person decides which one counts."""
    download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS))
    at = list(TRUTH)[7]
    other = TRUTH | {at: D("0.01234567891")}
    found = download(shelf, ToldFunding(other, NOON, 500), SERIES, (BEGIN, NOON_MS), again=True, take_new=take_new)

    assert sum(each.conflicts for each in found) == 1
    assert _told(_load(shelf)) == (other if take_new else TRUTH)
    (noted,) = check_rates(shelf.database, shelf.files, SERIES).conflicts
    assert (noted.conflict.opened_ms, noted.conflict.kept, noted.conflict.told) == (at, TRUTH[at], other[at])
    assert noted.taken is take_new


def test_a_rate_that_is_told_no_more_stays_and_is_noted_and_many_are_not_believed(shelf: FundingShelf) -> None:
    """A venue that forgets its past is rather broken than right."""
    download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS))
    gone = list(TRUTH)[9]
    fewer = {at: rate for at, rate in TRUTH.items() if at != gone}
    download(shelf, ToldFunding(fewer, NOON, 500), SERIES, (BEGIN, NOON_MS), again=True)
    (noted,) = check_rates(shelf.database, shelf.files, SERIES).conflicts
    assert (noted.conflict.opened_ms, noted.conflict.told) == (gone, None)
    assert _told(_load(shelf)) == TRUTH

    with pytest.raises(RatesVanished):
        download(shelf, ToldFunding({}, NOON, 500), SERIES, (BEGIN, NOON_MS), again=True)


def test_two_writers_never_write_at_once(shelf: FundingShelf, clock: FrozenClock) -> None:
    """Who does not hold the lease writes nothing: the other one's file would be gone."""
    other = shelf.database.write(
        lambda tx: lease.acquire(tx, SERIES.lease, owner="there", now=clock.now(), lease_for=timedelta(minutes=1)),
        name="lease",
    )
    assert other is not None
    with pytest.raises(CandlesTaken):
        download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS))
    assert not len(shelf.files.read_all(SERIES))


def test_rates_are_no_candles(shelf: FundingShelf) -> None:
    """They share the index tables; whoever reads candles must not meet a length called funding."""
    download(shelf, ToldFunding(TRUTH, NOON, 500), SERIES, (BEGIN, NOON_MS))
    shelf.database.write(lambda tx: candle_records.follow(tx, SERIES, since_ms=BEGIN, now=NOON), name="follow")

    assert shelf.database.read(candle_records.every_series) == []
    assert shelf.database.read(candle_records.follows) == []
    assert shelf.database.read(candle_records.every_funding) == [SERIES]
    assert [each.series for each in shelf.database.read(candle_records.follows_of_funding)] == [SERIES]


# ── Following ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_followed_stays_current_and_what_was_missed_comes_first(
    shelf: FundingShelf, clock: FrozenClock
) -> None:
    """A house that was away for days has every rate again shortly after it is back."""
    told = ToldFunding(TRUTH, NOON, 7)
    shelf.database.write(lambda tx: candle_records.follow(tx, SERIES, since_ms=BEGIN, now=NOON), name="follow")
    turns = list(turn_of_funding(shelf, lambda _: told.venue))
    assert not any(each.error for each in turns)
    assert _told(_load(shelf)) == TRUTH
    assert list(turn_of_funding(shelf, lambda _: told.venue)) == [], "nothing is due before the next hour"

    for hours in range(1, 8):
        clock.set(NOON + timedelta(hours=hours, seconds=31))
        told.now = clock.now()
        list(turn_of_funding(shelf, lambda _: told.venue))
        (follow,) = shelf.database.read(candle_records.follows_of_funding)
        while follow.failures:
            clock.set(follow.next_at)
            told.now = clock.now()
            told.by_time = LATER
            list(turn_of_funding(shelf, lambda _: told.venue))
            (follow,) = shelf.database.read(candle_records.follows_of_funding)
        assert follow.next_at == next_hour(clock.now())

    assert _told(_load(shelf, until=millis(clock.now()))) == LATER
    assert _load(shelf, until=DUE + HOUR_MS).missing == ()


def test_a_rate_that_is_due_and_not_told_is_asked_for_again_soon_and_its_absence_is_said(
    shelf: FundingShelf, clock: FrozenClock
) -> None:
    """Else a venue that settles a minute late would leave a backtest an hour behind."""
    told = ToldFunding(TRUTH, NOON, 100)
    shelf.database.write(lambda tx: candle_records.follow(tx, SERIES, since_ms=BEGIN, now=NOON), name="follow")
    list(turn_of_funding(shelf, lambda _: told.venue))
    clock.set(NOON + timedelta(milliseconds=DUE - NOON_MS, seconds=31))

    (*_, late) = turn_of_funding(shelf, lambda _: told.venue)

    (follow,) = shelf.database.read(candle_records.follows_of_funding)
    assert "not told the newest rate" in late.error
    assert (follow.failures, follow.error) == (1, late.error)
    assert follow.next_at <= clock.now() + timedelta(minutes=1)


# ── Gaps ──────────────────────────────────────────────────────────────────────────────────────────


def _times(*hours: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return BEGIN + np.array(hours, dtype=np.int64) * HOUR_MS


@pytest.mark.parametrize(
    ("hours", "gaps"),
    [
        ((0, 8, 16, 24, 28, 32, 36), []),  # the venue began to fund every four hours
        ((0, 4, 8, 12, 20, 28, 36), []),  # and stopped it
        ((0, 8, 16, 32, 40, 48), [(16, 32)]),
        ((0, 8, 24, 40, 48, 56), [(8, 24), (24, 40)]),
        ((0, 1, 2, 3, 5, 6, 7, 8), [(3, 5)]),
        ((0, 8), []),
        ((0, 16), [(0, 16)]),
    ],
)
def test_a_gap_is_what_is_longer_than_what_is_usual_around_it(
    hours: tuple[int, ...], gaps: list[tuple[int, int]]
) -> None:
    """Venues change how often they fund; a change is no hole, and a hole is no change."""
    times = _times(*hours)
    covered = [(int(times[0]), int(times[-1]) + 1)]
    assert gaps_of(times, covered) == [(BEGIN + a * HOUR_MS + 1, BEGIN + b * HOUR_MS) for a, b in gaps]


def test_what_was_asked_for_before_and_behind_the_rates_is_a_gap_where_one_was_due() -> None:
    """A perpetual that was listed late has no funding before; a venue that stopped telling has none behind."""
    times = _times(48, 56, 64)
    assert gaps_of(times, [(BEGIN, BEGIN + 68 * HOUR_MS)]) == [(BEGIN, BEGIN + 48 * HOUR_MS)]
    assert gaps_of(times, [(BEGIN + 44 * HOUR_MS, BEGIN + 80 * HOUR_MS)]) == [
        (BEGIN + 64 * HOUR_MS + 1, BEGIN + 80 * HOUR_MS)
    ]
    assert gaps_of(times, []) == []
