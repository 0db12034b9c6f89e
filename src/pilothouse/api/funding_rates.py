"""Funding rates: what is kept, what is missing, and the questions to venues that fill it up. The sibling of candles."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pilothouse.api import candle_shapes, shapes
from pilothouse.api.asked import Limit, Since, Until
from pilothouse.api.candles import OnlySymbol, OnlyVenue, Opening, Symbol, Venue, instant_of
from pilothouse.api.deps import Administering, Caller, Guarded, Reading
from pilothouse.core.clock import iso, millis
from pilothouse.core.rounding import plain

router = APIRouter(prefix="/api/v1/funding-rates", tags=["market"], route_class=Guarded)


@router.get("", summary="List funding rates", response_model=candle_shapes.RatePage, responses=shapes.LOOKING)
def rates(
    caller: Reading, venue: Venue, symbol: Symbol, start: Since = None, end: Until = None, limit: Limit = 500,
    cursor: Opening = None,
) -> Response:  # fmt: skip
    """List the kept funding rates of a perpetual from `start` on and before `end`; nothing is asked of the venue."""
    from pilothouse.marketdata.funding_kept import load_rates  # noqa: PLC0415 - who shows none loads no columns
    from pilothouse.wiring.funding_desk import kept_funding, rate_files  # noqa: PLC0415 - as above

    house = caller.house
    series = kept_funding(venue, symbol)
    until_ms = millis(end or house.clock.now())
    start_ms = int(cursor) if cursor is not None else millis(start) if start is not None else None
    if start_ms is None:
        rows = _overview(caller, series.venue, series.symbol)
        start_ms = min((millis(instant_of("start", row["start"])) for row in rows if row["start"]), default=until_ms)
    found = load_rates(house.database, rate_files(house.settings), series, start_ms, max(start_ms, until_ms))
    more = len(found.rates) > limit
    ends = int(found.rates.at_ms[limit]) if more else found.until_ms
    told = [found.rates.told(place) for place in range(min(limit, len(found.rates)))]
    return shapes.answer(
        {
            "venue": series.venue,
            "symbol": series.symbol,
            "items": [{"at": iso(each.at), "rate": plain(each.rate)} for each in told],
            "missing": [one.told() for one in found.missing if one.start_ms < ends],
            "next_cursor": str(ends) if more else None,
        }
    )


@router.get(
    "/coverage",
    summary="List what funding rates are kept",
    response_model=shapes.Page[candle_shapes.RateCoverage],
    responses=shapes.LOOKING,
)
def coverage(caller: Reading, venue: OnlyVenue = None, symbol: OnlySymbol = None) -> Response:
    """List every perpetual whose rates are kept, with the time they cover, their gaps and their conflicts."""
    return shapes.answer({"items": _overview(caller, venue, symbol), "next_cursor": None})


@router.post(
    "/plan", summary="Plan a download of rates", response_model=candle_shapes.RatePlan, responses=shapes.ACTING
)
def plan(caller: Administering, asked: candle_shapes.RatePlanAsked) -> Response:
    """Say for which time the venue was not asked yet. Refused where it tells no funding, as on spot."""
    from pilothouse.wiring import funding_desk  # noqa: PLC0415 - as above

    start, until = instant_of("start", asked.start), instant_of("until", asked.until) if asked.until else None
    return shapes.answer(
        funding_desk.plan(caller.house, asked.venue, asked.symbol, start, until, again=asked.again)
    )  # fmt: skip


@router.post(
    "/fetch", summary="Fetch funding rates", response_model=candle_shapes.RatesFetched, responses=shapes.ACTING
)
def fetch(caller: Administering, asked: candle_shapes.RateFetchAsked) -> Response:
    """Ask the venue one question and keep what it answers. Asked twice, it is kept once."""
    from pilothouse.wiring import funding_desk  # noqa: PLC0415 - as above

    series = funding_desk.kept_funding(asked.venue, asked.symbol)
    span = (asked.start_ms, asked.until_ms)
    return shapes.answer(funding_desk.fetch_once(caller.house, series, span, take_new=asked.replace))


@router.post(
    "/follow", summary="Follow funding rates", response_model=candle_shapes.RatesFollowed, responses=shapes.ACTING
)
def follow(caller: Administering, asked: candle_shapes.RateFollowAsked) -> Response:
    """Fetch rates shortly after they are settled, from now on."""
    from pilothouse.wiring import funding_desk  # noqa: PLC0415 - as above

    since = instant_of("since", asked.since) if asked.since else None
    return shapes.answer(funding_desk.follow(caller.house, asked.venue, asked.symbol, since))


@router.post(
    "/unfollow", summary="Unfollow funding rates", response_model=candle_shapes.RatesFollowed, responses=shapes.ACTING
)
def unfollow(caller: Administering, asked: candle_shapes.RatesAsked) -> Response:
    """Fetch them no more; what is kept stays."""
    from pilothouse.wiring import funding_desk  # noqa: PLC0415 - as above

    return shapes.answer(funding_desk.unfollow(caller.house, asked.venue, asked.symbol))


def _overview(caller: Caller, venue: str | None, symbol: str | None) -> list[dict[str, Any]]:
    from pilothouse.wiring.funding_desk import overview  # noqa: PLC0415 - as above

    return overview(caller.house.database, caller.house.settings, venue=venue, symbol=symbol)
