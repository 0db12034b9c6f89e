"""Candles: what is kept, what is missing, and the questions to venues that fill it up. Columns load when asked."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import candle_shapes, shapes
from pilothouse.api.asked import Limit, Since, Until, symbol_named
from pilothouse.api.deps import Administering, Caller, Guarded, Reading
from pilothouse.core.clock import iso, millis
from pilothouse.core.errors import Invalid, Problem

router = APIRouter(prefix="/api/v1", tags=["market"], route_class=Guarded)

Venue = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", examples=["paper"])]
Symbol = Annotated[str, Query(pattern=r"^[\x21-\x7e]{1,64}$", examples=["BTCUSDT"])]
Length = Annotated[str, Query(pattern=r"^[1-9][0-9]{0,3}[smhdwM]$", examples=["1m"])]
OnlyVenue = Annotated[str | None, Query(max_length=200, pattern=r"^[\x21-\x7e]+$", description="Only this venue.")]
OnlySymbol = Annotated[str | None, Query(pattern=r"^[\x21-\x7e]{1,64}$", description="Only this instrument.")]
Opening = Annotated[str | None, Query(pattern=r"^[0-9]{1,14}$", description="`next_cursor` of the page before.")]


@router.get("/candles", summary="List candles", response_model=candle_shapes.CandlePage, responses=shapes.LOOKING)
def candles(
    caller: Reading, venue: Venue, symbol: Symbol, timeframe: Length, start: Since = None, end: Until = None,
    limit: Limit = 500, cursor: Opening = None,
) -> Response:  # fmt: skip
    """List the kept candles that open from `start` and close by `end` (left out: the beginning, and now).

    A length that is not kept is put together from a shorter one that is. Nothing is asked of the venue.
    """
    from pilothouse.marketdata.candles import load  # noqa: PLC0415 - a house that shows no candles loads no columns
    from pilothouse.wiring.candle_desk import files_of, kept_series  # noqa: PLC0415 - as above

    house = caller.house
    series = kept_series(venue, _named(caller, venue, symbol), timeframe)
    until_ms = millis(end or house.clock.now())
    start_ms = int(cursor) if cursor is not None else millis(start) if start is not None else None
    if start_ms is None:
        rows = _overview(caller, series.venue, series.symbol)
        begins = [datetime.fromisoformat(row["start"]) for row in rows if row["start"] is not None]
        start_ms = min((millis(each) for each in begins), default=until_ms)
    found = load(house.database, files_of(house.settings), series, start_ms, max(start_ms, until_ms))
    page = found.bars.where(slice(0, limit))
    more = len(found.bars) > limit
    ends = int(found.bars.opened_ms[limit]) if more else found.until_ms
    return shapes.answer(
        {
            "venue": series.venue,
            "symbol": series.symbol,
            "timeframe": series.timeframe,
            "source": found.source,
            "items": [
                {"opened_at": iso(one.opened_at), "open": one.open, "high": one.high, "low": one.low}
                | {"close": one.close, "volume": one.volume}
                for one in page.candles()
            ],
            "missing": [one.told() for one in found.missing if one.start_ms < ends],
            "next_cursor": str(ends) if more else None,
        }
    )


@router.get(
    "/coverage",
    summary="List what candles are kept",
    response_model=shapes.Page[candle_shapes.CoverageShown],
    responses=shapes.LOOKING,
)
def coverage(caller: Reading, venue: OnlyVenue = None, symbol: OnlySymbol = None) -> Response:
    """List every series of candles with the time it covers, its gaps and its conflicts."""
    return shapes.answer({"items": _overview(caller, venue, symbol), "next_cursor": None})


@router.post(
    "/candles/plan", summary="Plan a download", response_model=candle_shapes.PlanShown, responses=shapes.ACTING
)
def plan(caller: Administering, asked: candle_shapes.PlanAsked) -> Response:
    """Say which candles have to be fetched for what is wanted, and for which time the venue was not asked yet."""
    from pilothouse.wiring import candle_desk  # noqa: PLC0415 - as above

    start, until = instant_of("start", asked.start), instant_of("until", asked.until) if asked.until else None
    found = candle_desk.plan(caller.house, asked.venue, asked.symbol, asked.timeframe, start, until, again=asked.again)
    return shapes.answer(found)


@router.post(
    "/candles/fetch", summary="Fetch candles", response_model=candle_shapes.FetchedShown, responses=shapes.ACTING
)
def fetch(caller: Administering, asked: candle_shapes.FetchAsked) -> Response:
    """Ask the venue one question and keep what it answers. Asked twice, it is kept once."""
    from pilothouse.wiring import candle_desk  # noqa: PLC0415 - as above

    series = candle_desk.kept_series(asked.venue, asked.symbol, asked.timeframe)
    span = (asked.start_ms, asked.until_ms)
    return shapes.answer(candle_desk.fetch_once(caller.house, series, span, take_new=asked.replace))


@router.post(
    "/candles/follow", summary="Follow candles", response_model=candle_shapes.FollowShown, responses=shapes.ACTING
)
def follow(caller: Administering, asked: candle_shapes.FollowAsked) -> Response:
    """Fetch candles shortly after they close, from now on."""
    from pilothouse.wiring import candle_desk  # noqa: PLC0415 - as above

    since = instant_of("since", asked.since) if asked.since else None
    return shapes.answer(candle_desk.follow(caller.house, asked.venue, asked.symbol, asked.timeframe, since))


@router.post(
    "/candles/unfollow", summary="Unfollow candles", response_model=candle_shapes.FollowShown, responses=shapes.ACTING
)
def unfollow(caller: Administering, asked: candle_shapes.UnfollowAsked) -> Response:
    """Fetch them no more; what is kept stays."""
    from pilothouse.wiring import candle_desk  # noqa: PLC0415 - as above

    return shapes.answer(candle_desk.unfollow(caller.house, asked.venue, asked.symbol, asked.timeframe))


def _overview(caller: Caller, venue: str | None, symbol: str | None) -> list[dict[str, Any]]:
    from pilothouse.wiring.candle_desk import overview  # noqa: PLC0415 - as above

    return overview(caller.house.database, venue=venue, symbol=symbol)


def _named(caller: Caller, venue: str, text: str) -> str:
    """Return the kept symbol that is meant, else the instrument that is spelled so."""
    kept = {row["symbol"] for row in _overview(caller, venue, None)}
    return text if text in kept else str(symbol_named(caller, text))


def instant_of(field: str, text: str) -> datetime:
    """Return the instant that a text of ISO 8601 names, UTC where it names no zone. Raises Invalid."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid([Problem(field, f"{text[:40]!a} came", "an instant such as 2026-01-01T00:00:00Z")]) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
