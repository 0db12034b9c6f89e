"""What a venue told is kept exactly, once, and with the name of everything that is missing."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pilothouse.core.clock import millis
from pilothouse.core.errors import Unavailable
from pilothouse.kit import lease
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.marketdata import candle_records
from pilothouse.marketdata.candle_backfill import CandlesOffGrid, CandlesVanished, Shelf, ask, keep, unasked
from pilothouse.marketdata.candle_check import check
from pilothouse.marketdata.candle_columns import Bars, bars_of
from pilothouse.marketdata.candle_files import CandleFiles
from pilothouse.marketdata.candle_follow import turn
from pilothouse.marketdata.candle_records import follow, follows
from pilothouse.marketdata.candle_series import Series
from pilothouse.marketdata.candles import CandlesMissing, Columns, Missing, Why, load
from pilothouse.marketdata.parquet_files import CandlesDamaged, CandlesTaken
from tests.conftest import NOON
from tests.slices.marketdata.told_market import ToldMarket, download, minutes, told_candle

D = Decimal
MINUTE = 60_000
NOON_MS = millis(NOON)
BEGIN = NOON_MS - 60 * MINUTE
SERIES = Series("aster", "BTCUSDT", "1m")
_numbers = itertools.count()


@pytest.fixture
def shelf(database: Database, clock: FrozenClock, tmp_path: Path) -> Shelf:
    """Return an empty shelf in a house at noon."""
    return Shelf(database, CandleFiles(tmp_path / "candles"), clock, "here")


@pytest.fixture
def market() -> ToldMarket:
    """Return an hour of minutes before noon, without the twentieth to the twenty-fourth."""
    return ToldMarket(minutes(BEGIN, [each for each in range(60) if not 20 <= each < 25]), NOON)


def _load(shelf: Shelf, series: Series = SERIES, start: int = BEGIN, until: int = NOON_MS) -> Columns:
    return load(shelf.database, shelf.files, series, start, until)


def _missing(first: int, until: int, why: Why) -> Missing:
    return Missing(BEGIN + first * MINUTE, BEGIN + until * MINUTE, why)


# ── Downloads ─────────────────────────────────────────────────────────────────────────────────────

_actions = st.lists(
    st.tuples(
        st.integers(0, 59),
        st.integers(1, 40),
        st.integers(1, 15),
        st.booleans(),
        st.sampled_from(["whole", "line", "before_files", "before_note", "draft"]),
        st.integers(0, 3),
    ),
    max_size=6,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_actions, st.sets(st.integers(0, 59)))
def test_any_order_of_downloads_with_any_interruption_is_one_download(
    shelf: Shelf, clock: FrozenClock, actions: list[tuple[int, int, int, bool, str, int]], absent: set[int]
) -> None:
    """Who starts, stops, kills and starts again must not get another past than who waited."""
    name = f"T{next(_numbers)}"
    clock.set(NOON + timedelta(days=1))
    truth = minutes(BEGIN, [each for each in range(60) if each not in absent])
    pieces, whole = Series("aster", f"{name}A", "1m"), Series("aster", f"{name}B", "1m")
    for first, count, page, backwards, ends, after in actions:
        window = (BEGIN + first * MINUTE, BEGIN + min(60, first + count) * MINUTE)
        market = ToldMarket(truth, NOON + timedelta(days=1), page, backwards, after if ends == "line" else None)
        if ends in {"whole", "line"}:
            try:
                download(shelf, market, pieces, window)
            except Unavailable:
                assert ends == "line", "only a broken line ends a download so"
            continue
        answer = ask(shelf, market.venue, pieces, window)
        if ends == "before_note":
            shelf.files.merge(pieces, answer.bars)
        elif ends == "draft":
            folder = shelf.files.folder_of(pieces)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".draft-0123").write_bytes(b"half a file")
    everything = ToldMarket(truth, NOON + timedelta(days=1), 1_500)

    for series in (pieces, whole):
        download(shelf, everything, series, (BEGIN, NOON_MS))

    one, other = (_load(shelf, series) for series in (pieces, whole))
    assert one.bars.candles() == other.bars.candles() == [truth[at] for at in sorted(truth)]
    assert (one.fingerprint(), one.missing) == (other.fingerprint(), other.missing)
    assert {each.why for each in one.missing} <= {Why.VENUE_HAS_NONE}
    for read in (candle_records.covered, candle_records.gaps, candle_records.conflicts):
        found = [shelf.database.read(lambda tx, read=read, of=of: read(tx, of)) for of in (pieces, whole)]  # type: ignore[misc]  # one of three readers
        assert _plain(found[0]) == _plain(found[1])
    assert check(shelf.database, shelf.files, pieces).is_sound


def _plain(rows: list[object]) -> list[object]:
    return [(row.start_ms, row.until_ms) if isinstance(row, candle_records.Gap) else row for row in rows]


def test_what_is_settled_is_not_asked_again(shelf: Shelf, market: ToldMarket) -> None:
    """Requests are the scarce thing; the same command again must cost none of them."""
    download(shelf, market, SERIES, (BEGIN, NOON_MS - 10 * MINUTE))
    market.asked.clear()

    assert download(shelf, market, SERIES, (BEGIN, NOON_MS - 10 * MINUTE)) == []
    download(shelf, market, SERIES, (BEGIN, NOON_MS))

    assert min(start for start, _ in market.asked) == NOON_MS - 11 * MINUTE, "only the candle before comes along"


def test_gaps_are_named_for_what_they_are(shelf: Shelf, market: ToldMarket) -> None:
    """A minute without a trade, a minute nobody asked for and a file that vanished are three different things."""
    download(shelf, market, SERIES, (BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE))

    assert _load(shelf).missing == (
        _missing(0, 10, Why.NOT_ASKED),
        _missing(20, 25, Why.VENUE_HAS_NONE),
        _missing(40, 60, Why.NOT_ASKED),
    )
    (gap,) = shelf.database.read(lambda tx: candle_records.gaps(tx, SERIES))
    assert gap.asked_at == NOON
    for path in shelf.files.folder_of(SERIES).iterdir():
        path.unlink()
    assert _missing(25, 40, Why.LOST) in _load(shelf).missing
    assert not check(shelf.database, shelf.files, SERIES).is_sound


def test_the_newest_candle_may_still_come(shelf: Shelf, market: ToldMarket, clock: FrozenClock) -> None:
    """A venue needs a moment to tell a minute that has just closed: called a gap, it would never be asked for again."""
    late = market.candles_by_opening.pop(NOON_MS - MINUTE)
    last = download(shelf, market, SERIES, (BEGIN, NOON_MS))[-1]
    assert last.settled == ()
    assert _load(shelf).missing[-1] == _missing(59, 60, Why.NOT_ASKED)

    market.candles_by_opening[NOON_MS - MINUTE] = late
    download(shelf, market, SERIES, (BEGIN, NOON_MS))
    assert len(_load(shelf).bars) == 55

    del market.candles_by_opening[NOON_MS - MINUTE]
    clock.advance(timedelta(minutes=30))
    market.now = clock.now()
    download(shelf, market, SERIES, (NOON_MS, NOON_MS + 10 * MINUTE))
    assert _load(shelf, until=NOON_MS + 10 * MINUTE).missing[-1] == _missing(60, 70, Why.VENUE_HAS_NONE)


def test_an_open_candle_is_not_kept(shelf: Shelf, market: ToldMarket) -> None:
    """Half a minute looks like a minute for ever after."""
    market.now = NOON - timedelta(seconds=30)
    download(shelf, market, SERIES, (BEGIN, NOON_MS))

    assert _load(shelf).bars.opened_ms[-1] == NOON_MS - 2 * MINUTE
    assert shelf.database.read(lambda tx: unasked(tx, SERIES, (BEGIN, NOON_MS))) == [(NOON_MS - MINUTE, NOON_MS)]


def test_a_candle_that_is_told_differently_is_kept_and_named(shelf: Shelf, market: ToldMarket) -> None:
    """History that changes under a result must be seen, not swallowed."""
    window, at = (BEGIN, NOON_MS), BEGIN + 30 * MINUTE
    download(shelf, market, SERIES, window)
    before = market.candles_by_opening[at]
    market.candles_by_opening[at] = after = replace(before, close=before.close + D("0.001"))

    for _ in range(2):
        download(shelf, market, SERIES, window, again=True)
    assert _load(shelf).bars.between(at, at + 1).candles() == [before]
    (noted,) = shelf.database.read(lambda tx: candle_records.conflicts(tx, SERIES))
    assert (noted.conflict.kept, noted.conflict.told, noted.taken) == (before, after, False)

    download(shelf, market, SERIES, window, again=True, take_new=True)
    assert _load(shelf).bars.between(at, at + 1).candles() == [after]
    taken = shelf.database.read(lambda tx: candle_records.conflicts(tx, SERIES))[-1]
    assert (taken.conflict.kept, taken.conflict.told, taken.taken) == (before, after, True)


def test_the_candle_before_tells_whether_the_venue_changed_its_mind(shelf: Shelf, market: ToldMarket) -> None:
    """It comes along with the next question and costs nothing."""
    download(shelf, market, SERIES, (BEGIN, BEGIN + 10 * MINUTE))
    at = BEGIN + 9 * MINUTE
    market.candles_by_opening[at] = replace(market.candles_by_opening[at], volume=D(1))

    found = download(shelf, market, SERIES, (BEGIN, BEGIN + 12 * MINUTE))

    assert found[0].conflicts == 1
    assert len(_load(shelf).bars) == 12


def test_a_candle_that_is_told_no_more_stays(shelf: Shelf, market: ToldMarket) -> None:
    """And is named; many at once are the venue's fault and are not believed at all."""
    window, at = (BEGIN, NOON_MS), BEGIN + 30 * MINUTE
    download(shelf, market, SERIES, window)
    before = market.candles_by_opening.pop(at)

    download(shelf, market, SERIES, window, again=True)
    assert _load(shelf).bars.between(at, at + 1).candles() == [before]
    (noted,) = shelf.database.read(lambda tx: candle_records.conflicts(tx, SERIES))
    assert (noted.conflict.kept, noted.conflict.told) == (before, None)
    assert check(shelf.database, shelf.files, SERIES).is_sound

    many = minutes(BEGIN - 300 * MINUTE, range(300))
    market.candles_by_opening |= many
    market.page = 1_500
    download(shelf, market, SERIES, (BEGIN - 300 * MINUTE, BEGIN))
    market.candles_by_opening = {}
    with pytest.raises(CandlesVanished):
        download(shelf, market, SERIES, (BEGIN - 300 * MINUTE, BEGIN), again=True)


def test_a_gap_that_is_filled_later_is_no_gap_any_more(shelf: Shelf, market: ToldMarket) -> None:
    """Venues repair their past; asked again, it is taken."""
    download(shelf, market, SERIES, (BEGIN, NOON_MS))
    market.candles_by_opening |= minutes(BEGIN, [22])

    download(shelf, market, SERIES, (BEGIN, NOON_MS), again=True)

    assert _load(shelf).missing == (_missing(20, 22, Why.VENUE_HAS_NONE), _missing(23, 25, Why.VENUE_HAS_NONE))


def test_a_candle_off_the_grid_is_refused(shelf: Shelf, market: ToldMarket) -> None:
    """Days that begin elsewhere are other days, whatever they are called."""
    market.candles_by_opening = {BEGIN + 1_000: told_candle(BEGIN + 1_000, 10_000)}

    with pytest.raises(CandlesOffGrid):
        download(shelf, market, SERIES, (BEGIN, NOON_MS))


def test_two_writers_take_turns(shelf: Shelf, market: ToldMarket, clock: FrozenClock) -> None:
    """Two processes that replace the same file would lose each other's candles."""
    answer = ask(shelf, market.venue, SERIES, (BEGIN, NOON_MS))
    held = shelf.database.write(
        lambda tx: lease.acquire(tx, SERIES.lease, owner="there", now=clock.now(), lease_for=timedelta(seconds=30)),
        name="test",
    )
    assert held is not None
    with pytest.raises(CandlesTaken):
        keep(shelf, SERIES, answer)
    clock.advance(timedelta(seconds=31))
    assert keep(shelf, SERIES, answer).fresh == 10

    with pytest.raises(CandlesTaken):
        shelf.files.merge(SERIES, minutes_of(market, 40, 50), may_write=lambda: False)
    assert len(_load(shelf).bars) == 10
    assert sorted(path.name for path in shelf.files.folder_of(SERIES).iterdir()) == ["2026-01.parquet"]


def minutes_of(market: ToldMarket, first: int, until: int) -> Bars:
    """Return some minutes of a market as columns."""
    return bars_of([market.candles_by_opening[BEGIN + each * MINUTE] for each in range(first, until)])


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_year_of_hours_and_a_month_of_minutes_is_one_file(shelf: Shelf, clock: FrozenClock) -> None:
    """Any reader of Parquet finds whole numbers there, and how to read them."""
    clock.set(NOON + timedelta(days=90))
    start = NOON_MS - NOON_MS % 3_600_000
    hours = {at: told_candle(at, 5_000) for at in range(start, start + 2_000 * 3_600_000, 3_600_000)}
    hourly = replace(SERIES, timeframe="1h")
    download(shelf, ToldMarket(hours, clock.now(), 1_500), hourly, (start, start + 2_000 * 3_600_000))
    ticks = minutes(start, range(0, 40_000, 1_000))
    download(shelf, ToldMarket(ticks, clock.now(), 1_500), SERIES, (start, start + 40_000 * MINUTE))

    folders = {each: sorted(path.name for path in shelf.files.folder_of(each).iterdir()) for each in (hourly, SERIES)}
    assert folders == {hourly: ["2026.parquet"], SERIES: ["2026-01.parquet", "2026-02.parquet"]}
    path = shelf.files.folder_of(SERIES) / "2026-01.parquet"
    table = parquet.read_table(path)
    assert {str(field.type) for field in table.schema} == {"int64"}
    assert b"price_digits" in table.schema.metadata[b"pilothouse"]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("place", [b"\x00", b"\x15", b'price_digits": '])
def test_a_damaged_file_is_never_read_as_candles(shelf: Shelf, market: ToldMarket, place: bytes) -> None:
    """A flipped bit on a disk is a price that never was."""
    market.page = 1_500
    download(shelf, market, SERIES, (BEGIN, NOON_MS))
    path = shelf.files.folder_of(SERIES) / "2026-01.parquet"
    held = bytearray(path.read_bytes())
    held[held.index(place, 300) + len(place)] ^= 0x01
    path.write_bytes(held)

    with pytest.raises(CandlesDamaged):
        _load(shelf)
    found = check(shelf.database, shelf.files, SERIES)
    assert "2026-01.parquet" in found.damaged
    assert not found.is_sound


def test_another_series_file_is_not_taken_for_this(shelf: Shelf, market: ToldMarket) -> None:
    """Files are copied about by people."""
    download(shelf, market, SERIES, (BEGIN, NOON_MS))
    other = replace(SERIES, symbol="ETHUSDT")
    shelf.files.folder_of(other).mkdir(parents=True)
    source = shelf.files.folder_of(SERIES) / "2026-01.parquet"
    (shelf.files.folder_of(other) / "2026-01.parquet").write_bytes(source.read_bytes())

    with pytest.raises(CandlesDamaged):
        shelf.files.read(other, BEGIN, NOON_MS)


def test_impossible_bars_are_kept_and_named(shelf: Shelf, market: ToldMarket) -> None:
    """What the venue said is what it said; whether to believe it is the reader's choice."""
    at = BEGIN + 3 * MINUTE
    market.candles_by_opening[at] = odd = replace(market.candles_by_opening[at], high=D(1))
    download(shelf, market, SERIES, (BEGIN, NOON_MS))

    found = check(shelf.database, shelf.files, SERIES)
    assert (found.impossible, found.duplicates, found.out_of_order, found.off_grid) == ((at,), (), (), ())
    assert not found.is_sound
    assert _load(shelf).bars.between(at, at + 1).candles() == [odd]


# ── Longer candles ────────────────────────────────────────────────────────────────────────────────


def test_an_hour_with_a_minute_nobody_asked_for_is_no_hour(shelf: Shelf, market: ToldMarket) -> None:
    """But one in which the venue had no trade for a minute is: the other minutes are all there was."""
    quarter = replace(SERIES, timeframe="15m")
    download(shelf, market, SERIES, (BEGIN, BEGIN + 40 * MINUTE))
    found = _load(shelf, quarter)

    assert (found.source, found.resampled) == ("1m", True)
    assert [at - BEGIN for at in found.bars.opened_ms.tolist()] == [0, 15 * MINUTE]
    assert found.missing == (_missing(20, 25, Why.VENUE_HAS_NONE), _missing(40, 60, Why.NOT_ASKED))
    with pytest.raises(CandlesMissing):
        _load(shelf, replace(SERIES, timeframe="90s"))
    with pytest.raises(CandlesMissing):
        _load(shelf, replace(SERIES, symbol="ETHUSDT"))


# ── Following ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def followed(shelf: Shelf) -> Series:
    """Follow the minutes since 40 past eleven."""
    since = BEGIN + 40 * MINUTE
    shelf.database.write(lambda tx: follow(tx, SERIES, since_ms=since, now=shelf.clock.now()), name="test")
    return SERIES


def test_followed_candles_are_fetched_as_they_close(
    shelf: Shelf, market: ToldMarket, clock: FrozenClock, followed: Series
) -> None:
    """One question for each candle, and what was missed while the house was away comes first."""
    clock.advance(timedelta(seconds=3))
    market.now, market.page = clock.now(), 1_500
    assert len(list(turn(shelf, lambda _: market.venue))) == 1
    assert len(_load(shelf).bars) == 20
    assert list(turn(shelf, lambda _: market.venue)) == [], "nothing is due before the next one closes"

    market.candles_by_opening |= minutes(BEGIN, range(60, 63))
    market.asked.clear()
    clock.advance(timedelta(minutes=3))
    market.now = clock.now()
    (found,) = turn(shelf, lambda _: market.venue)
    assert found.fetched is not None
    assert found.fetched.fresh == 3
    assert len(market.asked) == 1


def test_a_venue_that_does_not_answer_is_asked_again_later(
    shelf: Shelf, market: ToldMarket, clock: FrozenClock, followed: Series
) -> None:
    """And less and less often; what it said stands where a person looks."""
    market.dies_after = 0
    clock.advance(timedelta(seconds=3))
    pauses = []
    for _ in range(4):
        (found,) = turn(shelf, lambda _: market.venue)
        assert "line is down" in found.error
        (kept,) = shelf.database.read(follows)
        assert kept.error == found.error
        pauses.append(kept.next_at - clock.now())
        clock.set(kept.next_at)
    assert pauses[0] < pauses[-1]

    market.dies_after = None
    market.now = clock.now()
    assert {each.error for each in turn(shelf, lambda _: market.venue)} == {""}
    assert shelf.database.read(follows)[0].failures == 0
    assert shelf.database.write(lambda tx: candle_records.unfollow(tx, SERIES), name="test")
    assert shelf.database.read(follows) == []
