"""Files of candles that users send."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api import candle_shapes, shapes
from pilothouse.api.deps import Reading, Trading
from pilothouse.api.sent_files import SENDING, FileName, InTimezone, Kind, Large, OfSymbol, body_like
from pilothouse.marketdata.candle_uploads import UPLOADS

_CANDLES: Final = Kind(UPLOADS, "read_upload", ("candles", ("symbol", "timeframe")))
_EXAMPLE: Final = "time,open,high,low,close,volume\n1735689600,100.0,101.5,99.5,101.0,12.5\n"

router = APIRouter(prefix="/api/v1/candle-files", tags=["market"], route_class=Large)


@router.get(
    "", summary="List your files of candles", response_model=shapes.Page[candle_shapes.CandleFile],
    responses=shapes.LOOKING,
)  # fmt: skip
def files(caller: Reading) -> Response:
    """List the files of candles that you sent, in order of name, with what was read of each."""
    return shapes.answer({"items": _CANDLES.every(caller), "next_cursor": None})


@router.get(
    "/{name}", summary="Show a file of candles", response_model=candle_shapes.CandleFile, responses=shapes.LOOKING
)
def file(caller: Reading, name: FileName) -> Response:
    """Show what was read of a file: layout, span, gaps, faulty rows, fingerprint."""
    return shapes.answer(_CANDLES.one(caller, name))


@router.post(
    "/{name}", summary="Send a file of candles", response_model=candle_shapes.CandleFile, responses=SENDING,
    openapi_extra=body_like(_EXAMPLE),
)  # fmt: skip
async def send(
    caller: Trading, request: Request, name: FileName, symbol: OfSymbol = None, timezone: InTimezone = None,
    bar: Annotated[
        str | None, Query(pattern=r"^[1-9][0-9]{0,3}[smhdw]$", description="How long a bar is, if no row tells.")
    ] = None,
) -> Response:  # fmt: skip
    """Keep a file of candles for your backtests: CSV, Parquet, Feather or JSON in the layouts that the command takes.

    Gaps, duplicates and impossible bars are named in the answer and never repaired; a backtest over faulty rows is
    refused until it says `leave_out`. What is no table of candles is refused with the field, and nothing of it is kept.
    """
    asked = {"symbol": symbol or "", "timezone": timezone, "bar": bar}
    return shapes.answer(await _CANDLES.take_in(caller, request, name, asked))


@router.delete(
    "/{name}", summary="Remove a file of candles", response_model=candle_shapes.CandleFile, responses=shapes.ACTING
)
def remove(caller: Trading, name: FileName) -> Response:
    """Take a file away. Results of backtests over it stay; what is queued over it fails and says so."""
    return shapes.answer(_CANDLES.remove(caller, name))
