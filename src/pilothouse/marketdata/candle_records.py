"""Every query about candles: what was asked for, where there was none, what was told twice, what is followed.

The candles themselves lie in files (`candle_files.py`); these records say what the files hold and why something is not
there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, bindparam, delete, distinct, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pilothouse.core.candle import Candle
from pilothouse.core.clock import from_micros
from pilothouse.core.rounding import plain
from pilothouse.kit.db import Tx
from pilothouse.marketdata.candle_series import FUNDING, Conflict, RateConflict, Series
from pilothouse.marketdata.spans import Span, merged, within, without
from pilothouse.marketdata.tables import candle_conflicts, candle_coverage, candle_follows, candle_gaps


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which the venue had no candle when it was asked."""

    start_ms: int
    until_ms: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class KeptConflict:
    """A conflict as it was noted; `taken`: the new candle took the place of the old one."""

    conflict: Conflict | RateConflict
    told_at: datetime
    taken: bool


@dataclass(frozen=True, slots=True)
class Follow:
    """A series whose candles are fetched as they close.

    since_ms   nothing before is fetched by itself
    next_at    when the venue is asked next
    failures   how often in a row it gave no answer or nothing new
    """

    series: Series
    since_ms: int
    next_at: datetime
    failures: int
    error: str | None


def _of(table: Table) -> tuple[Any, ...]:
    return (
        table.c.venue == bindparam("of_venue"),
        table.c.symbol == bindparam("of_symbol"),
        table.c.timeframe == bindparam("of_timeframe"),
    )


_COVERED = select(candle_coverage.c.start_ms, candle_coverage.c.until_ms).where(*_of(candle_coverage))
_UNCOVER = delete(candle_coverage).where(*_of(candle_coverage), candle_coverage.c.start_ms == bindparam("at"))
_COVER = insert(candle_coverage)
_GAPS = select(candle_gaps.c.start_ms, candle_gaps.c.until_ms, candle_gaps.c.asked_at).where(*_of(candle_gaps))
_NEAR = (candle_gaps.c.start_ms <= bindparam("window_until"), candle_gaps.c.until_ms >= bindparam("window_start"))
_GAPS_NEAR = _GAPS.where(*_NEAR)
_FORGET_GAPS_NEAR = delete(candle_gaps).where(*_of(candle_gaps), *_NEAR)
_PUT_GAP = insert(candle_gaps)
_CONFLICTS = select(candle_conflicts).where(*_of(candle_conflicts))
_CONFLICTS_FROM = _CONFLICTS.where(
    candle_conflicts.c.opened_ms >= bindparam("first"), candle_conflicts.c.opened_ms <= bindparam("last")
)
_PUT_CONFLICT = insert(candle_conflicts)
_COUNT_CONFLICTS = select(func.count(distinct(candle_conflicts.c.opened_ms))).where(*_of(candle_conflicts))
_KEY = ("venue", "symbol", "timeframe")
_EVERY = select(*(candle_coverage.c[name] for name in _KEY)).distinct()
_SERIES = _EVERY.where(candle_coverage.c.timeframe != FUNDING)
_SERIES_OF_FUNDING = _EVERY.where(candle_coverage.c.timeframe == FUNDING)
_EVERY_FOLLOW = select(candle_follows)
_FOLLOWS = _EVERY_FOLLOW.where(candle_follows.c.timeframe != FUNDING)
_FOLLOWS_OF_FUNDING = _EVERY_FOLLOW.where(candle_follows.c.timeframe == FUNDING)
_FORGET_GAP = delete(candle_gaps).where(*_of(candle_gaps), candle_gaps.c.start_ms == bindparam("at"))
_UNFOLLOW = delete(candle_follows).where(*_of(candle_follows))
_NEXT = update(candle_follows).where(*_of(candle_follows))
_FOLLOW = {
    "sqlite": (_row := sqlite.insert(candle_follows)).on_conflict_do_update(
        index_elements=list(_KEY),
        set_={name: _row.excluded[name] for name in ("since_ms", "next_at", "failures", "error")},
    ),
    "postgresql": (_row_too := postgresql.insert(candle_follows)).on_conflict_do_update(
        index_elements=list(_KEY),
        set_={name: _row_too.excluded[name] for name in ("since_ms", "next_at", "failures", "error")},
    ),
}


# ── What was asked ────────────────────────────────────────────────────────────────────────────────


def every_series(tx: Tx) -> list[Series]:
    """Return every series of candles for which a venue was ever asked, in order."""
    return sorted(Series(*row) for row in tx.execute(_SERIES))


def every_funding(tx: Tx) -> list[Series]:
    """Return every series of funding rates for which a venue was ever asked, in order."""
    return sorted(Series(*row) for row in tx.execute(_SERIES_OF_FUNDING))


def covered(tx: Tx, series: Series) -> list[Span]:
    """Return for which time the venue was asked and has answered, the earliest first."""
    return merged((row[0], row[1]) for row in tx.execute(_COVERED, _bound(series)))


def gaps(tx: Tx, series: Series) -> list[Gap]:
    """Return where the venue had nothing, the earliest first."""
    found = [Gap(*row) for row in tx.execute(_GAPS, _bound(series))]
    return sorted(found, key=lambda gap: gap.start_ms)


def conflicts(tx: Tx, series: Series) -> list[KeptConflict]:
    """Return what was told twice and differently, in the order of their openings."""
    found = [_conflict(row, series) for row in tx.execute(_CONFLICTS, _bound(series))]
    return sorted(found, key=lambda each: (each.conflict.opened_ms, each.told_at))


def count_conflicts(tx: Tx, series: Series) -> int:
    """Return how many candles were told twice and differently."""
    found: int = tx.execute(_COUNT_CONFLICTS, _bound(series)).scalar_one()
    return found


def record(
    tx: Tx, series: Series, *, settled: Sequence[Span], empty: Sequence[Span], found: Sequence[Conflict], now: datetime,
    taken: bool = False,
) -> int:  # fmt: skip
    """Note what the venue answered; what was noted before of the same time is replaced. Returns the new conflicts.

    settled   for which time it has answered
    empty     where, within that time, it has no candle
    found     what it told differently; the same conflict is noted once
    """
    tx.lock(series.lease)
    for window in merged(settled):
        _settle(tx, series, window, within(empty, window), now)
    return _note(tx, series, found, now, taken=taken)


def _settle(tx: Tx, series: Series, window: Span, empty: list[Span], now: datetime) -> None:
    key = _bound(series)
    _cover(tx, series, window)
    bounds = {"window_start": window[0], "window_until": window[1]}
    near = [Gap(*row) for row in tx.execute(_GAPS_NEAR, key | bounds)]
    if not near and not empty:
        return
    tx.execute(_FORGET_GAPS_NEAR, key | bounds)
    # What touches becomes one gap, as old as its latest question: else each missing minute would be a row of its own.
    for start, until in merged([*without([(gap.start_ms, gap.until_ms) for gap in near], [window]), *empty]):
        renewed = any(start <= at < until for at, _ in empty)
        asked_at = (
            now if renewed else max(gap.asked_at for gap in near if gap.start_ms < until and start < gap.until_ms)
        )
        tx.execute(_PUT_GAP, _named(series) | {"start_ms": start, "until_ms": until, "asked_at": asked_at})


def _cover(tx: Tx, series: Series, window: Span) -> None:
    before = covered(tx, series)
    after = merged([*before, window])
    for start, until in before:
        if (start, until) not in after:
            tx.execute(_UNCOVER, _bound(series) | {"at": start})
    fresh = [span for span in after if span not in before]
    if fresh:
        tx.execute(_COVER, [_named(series) | {"start_ms": start, "until_ms": until} for start, until in fresh])


def record_rates(
    tx: Tx,
    series: Series,
    *,
    settled: Sequence[Span],
    gaps_now: Sequence[Span],
    found: Sequence[RateConflict],
    now: datetime,
    taken: bool = False,
) -> int:
    """Note what a venue answered about funding rates; returns how many conflicts were not known.

    gaps_now   every gap that there is in the series now; what was noted before stays as it was noted
    The rest is as of `record`.
    """
    tx.lock(series.lease)
    for window in merged(settled):
        _cover(tx, series, window)
    before = {(gap.start_ms, gap.until_ms) for gap in gaps(tx, series)}
    for start, _ in before - set(gaps_now):
        tx.execute(_FORGET_GAP, _bound(series) | {"at": start})
    fresh = sorted(set(gaps_now) - before)
    if fresh:
        rows = [{"start_ms": start, "until_ms": until, "asked_at": now} for start, until in fresh]
        tx.execute(_PUT_GAP, [_named(series) | row for row in rows])
    return _note(tx, series, found, now, taken=taken)


def _note(tx: Tx, series: Series, found: Sequence[Conflict | RateConflict], now: datetime, *, taken: bool) -> int:
    if not found:
        return 0
    opened = [each.opened_ms for each in found]
    bounds = {"first": min(opened), "last": max(opened)}
    known = {
        _of_conflict(_conflict(row, series).conflict) for row in tx.execute(_CONFLICTS_FROM, _bound(series) | bounds)
    }
    fresh = {_of_conflict(each): each for each in found if taken or _of_conflict(each) not in known}
    if fresh:
        tx.execute(
            _PUT_CONFLICT,
            [
                _named(series)
                | {"opened_ms": each.opened_ms, "kept": _numbers(each.kept), "told_at": now, "taken": taken}
                | {"told": None if each.told is None else _numbers(each.told)}
                for each in fresh.values()
            ],
        )
    return len(fresh)


# ── What is followed ──────────────────────────────────────────────────────────────────────────────


def follows(tx: Tx) -> list[Follow]:
    """Return which candles are followed, in order."""
    return _followed(tx, _FOLLOWS)


def follows_of_funding(tx: Tx) -> list[Follow]:
    """Return which funding rates are followed, in order."""
    return _followed(tx, _FOLLOWS_OF_FUNDING)


def _followed(tx: Tx, which: Any) -> list[Follow]:
    rows = tx.execute(which)
    found = [Follow(Series(r.venue, r.symbol, r.timeframe), r.since_ms, r.next_at, r.failures, r.error) for r in rows]
    return sorted(found, key=lambda each: each.series)


def follow(tx: Tx, series: Series, *, since_ms: int, now: datetime) -> None:
    """Fetch this series' candles as they close, from `since_ms` on, beginning at once; again starts it anew."""
    values = {"since_ms": since_ms, "next_at": now, "failures": 0, "error": None}
    tx.execute(_FOLLOW[tx.dialect], _named(series) | values)


def unfollow(tx: Tx, series: Series) -> bool:
    """Fetch them no more; False if they were not followed. What is kept stays."""
    return tx.execute(_UNFOLLOW, _bound(series)).rowcount == 1


def ask_next(tx: Tx, series: Series, *, at: datetime, failures: int, error: str | None) -> None:
    """Note when to ask for a followed series next; nothing if it is followed no more."""
    tx.execute(_NEXT.values(next_at=at, failures=failures, error=error), _bound(series))


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────


def _bound(series: Series) -> dict[str, Any]:
    return {"of_venue": series.venue, "of_symbol": series.symbol, "of_timeframe": series.timeframe}


def _named(series: Series) -> dict[str, Any]:
    return {"venue": series.venue, "symbol": series.symbol, "timeframe": series.timeframe}


def _numbers(told: Candle | Decimal) -> list[str]:
    if isinstance(told, Decimal):
        return [plain(told)]
    return [plain(each) for each in (told.open, told.high, told.low, told.close, told.volume)]


def _conflict(row: Any, series: Series) -> KeptConflict:
    assert row.kept is not None, "a conflict has something that was there first"
    made: Conflict | RateConflict
    if series.is_funding:
        made = RateConflict(row.opened_ms, Decimal(row.kept[0]), None if row.told is None else Decimal(row.told[0]))
    else:
        opened = from_micros(row.opened_ms * 1_000)
        made = Conflict(
            row.opened_ms, _candle(opened, row.kept), None if row.told is None else _candle(opened, row.told)
        )
    return KeptConflict(made, row.told_at, row.taken)


def _candle(opened_at: datetime, numbers: Iterable[str]) -> Candle:
    first, high, low, last, volume = map(Decimal, numbers)
    return Candle(opened_at, first, high, low, last, volume, closed=True)


def _of_conflict(each: Conflict | RateConflict) -> tuple[int, tuple[str, ...], tuple[str, ...] | None]:
    return each.opened_ms, tuple(_numbers(each.kept)), None if each.told is None else tuple(_numbers(each.told))
