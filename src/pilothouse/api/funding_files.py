"""Files of funding rates that users send."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api import candle_shapes, shapes
from pilothouse.api.deps import Reading, Trading
from pilothouse.api.sent_files import SENDING, FileName, InTimezone, Kind, Large, OfSymbol, body_like
from pilothouse.marketdata.candle_uploads import RATES, UPLOADS

_RATES: Final = Kind(f"{UPLOADS}/{RATES}", "read_rates", ("funding", ("symbol", "rates")), frozenset({"bar"}))

router = APIRouter(prefix="/api/v1/funding-files", tags=["market"], route_class=Large)


@router.get(
    "", summary="List your files of funding", response_model=shapes.Page[candle_shapes.RateFile],
    responses=shapes.LOOKING,
)  # fmt: skip
def files(caller: Reading) -> Response:
    """List the files of funding rates that you sent, in order of name, with what was read of each."""
    return shapes.answer({"items": _RATES.every(caller), "next_cursor": None})


@router.get(
    "/{name}", summary="Show a file of funding", response_model=candle_shapes.RateFile, responses=shapes.LOOKING
)
def file(caller: Reading, name: FileName) -> Response:
    """Show what was read of a file: how many rates, their span, gaps, fingerprint."""
    return shapes.answer(_RATES.one(caller, name))


@router.post(
    "/{name}", summary="Send a file of funding", response_model=candle_shapes.RateFile, responses=SENDING,
    openapi_extra=body_like("time,rate\n1735689600000,0.0001\n"),
)  # fmt: skip
async def send(
    caller: Trading, request: Request, name: FileName, symbol: OfSymbol = None, timezone: InTimezone = None
) -> Response:
    """Keep a file of funding rates for your backtests, in the layouts that `--funding` takes.

    Gaps are named in the answer and never filled in. What is no table of rates is refused with the field, and nothing
    of it is kept.
    """
    return shapes.answer(await _RATES.take_in(caller, request, name, {"symbol": symbol or "", "timezone": timezone}))


@router.delete(
    "/{name}", summary="Remove a file of funding", response_model=candle_shapes.RateFile, responses=shapes.ACTING
)
def remove(caller: Trading, name: FileName) -> Response:
    """Take a file away. Results of backtests over it stay; what is queued over it fails and says so."""
    return shapes.answer(_RATES.remove(caller, name))
