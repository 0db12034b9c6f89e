"""What may be traded and at which price it stands; a simulated market is named so."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from pilothouse.api import shapes, shown
from pilothouse.api.asked import Symbol, symbol_named
from pilothouse.api.deps import Guarded, Reading

router = APIRouter(prefix="/api/v1", tags=["market"], route_class=Guarded, responses=shapes.LOOKING)

Venue = Annotated[
    str | None, Query(pattern=r"^[a-z0-9_.:/@\[\]-]{1,200}$", description="Only this venue.", examples=["paper"])
]


@router.get("/instruments", summary="List instruments", response_model=shapes.Page[shapes.InstrumentShown])
def instruments(caller: Reading, venue: Venue = None, symbol: Symbol = None) -> Response:
    """List what may be traded, in what steps and from which size on."""
    named = symbol_named(caller, symbol)
    rows: list[dict[str, Any]] = []
    for each in caller.house.instruments.venues():
        if venue not in {None, each}:
            continue
        simulated = caller.house.desk.venue(each).card.makes_prices
        found = caller.house.instruments.all(each).values()
        rows += [shown.instrument(each, one, simulated=simulated) for one in found if named in {None, one.symbol}]
    return shapes.answer({"items": rows, "next_cursor": None})


@router.get("/quotes", summary="List quotes", response_model=shapes.Page[shapes.QuoteShown])
def quotes(caller: Reading, venue: Venue = None, symbol: Symbol = None) -> Response:
    """List the newest bid, ask, mark and last price of each instrument, and who said so."""
    named = symbol_named(caller, symbol)
    rows: list[dict[str, Any]] = []
    for each in caller.house.venues:
        if venue not in {None, each}:
            continue
        simulated = caller.house.desk.venue(each).card.makes_prices
        found = caller.house.quotes.all(each).values()
        rows += [shown.quote(each, one, simulated=simulated) for one in found if named in {None, one.symbol}]
    return shapes.answer({"items": rows, "next_cursor": None})
