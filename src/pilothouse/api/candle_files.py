"""Files of candles that users send: taken in as a stream, read beside the house, kept under their owner."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pilothouse.accounts.audit import record
from pilothouse.api import candle_shapes, shapes
from pilothouse.api.deps import Caller, Guarded, Reading, Trading
from pilothouse.api.problems import BodyTooSlow
from pilothouse.core.clock import iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_uploads import ENDINGS, MARK, UPLOADS, Draft, Uploads
from pilothouse.wiring.house import House

MEGABYTE: Final = 1_000_000
_SECONDS_MOST: Final = 600.0
_AT_ONCE: Final = 1 << 20
_EXAMPLE: Final = "time,open,high,low,close,volume\n1735689600,100.0,101.5,99.5,101.0,12.5\n"

FileName = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$",
        description=f"A name of your own for it; it ends as its kind says: {', '.join(ENDINGS)}.",
        examples=["BTCUSDT-1h.csv"],
    ),
]
SENDING: Final = shapes.refusals(400, 401, 403, 404, 408, 409, 413, 422, 500, 503)


def body_like(example: str) -> dict[str, Any]:
    """Return how the contract describes a body that is a file."""
    return {
        "requestBody": {
            "required": True,
            "description": "The file itself, as it is: `curl --data-binary @FILE`.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}, "example": example},
                "text/csv": {"schema": {"type": "string"}, "example": example},
            },
        }
    }


class Large(Guarded):
    """A route whose body may be a file."""

    def bytes_max(self, house: House) -> int:
        """Return how long a body may be."""
        return house.settings.upload_mb * MEGABYTE


router = APIRouter(prefix="/api/v1/candle-files", tags=["market"], route_class=Large)


@router.get(
    "", summary="List your files of candles", response_model=shapes.Page[candle_shapes.CandleFile],
    responses=shapes.LOOKING,
)  # fmt: skip
def files(caller: Reading) -> Response:
    """List the files of candles that you sent, in order of name, with what was read of each."""
    found = [_shown(each) for each in _uploads(caller.house).every(caller.owner_id)]
    return shapes.answer({"items": found, "next_cursor": None})


@router.get(
    "/{name}", summary="Show a file of candles", response_model=candle_shapes.CandleFile, responses=shapes.LOOKING
)
def file(caller: Reading, name: FileName) -> Response:
    """Show what was read of a file: layout, span, gaps, faulty rows, fingerprint."""
    return shapes.answer(_shown(_uploads(caller.house).told(caller.owner_id, name)))


@router.post(
    "/{name}", summary="Send a file of candles", response_model=candle_shapes.CandleFile, responses=SENDING,
    openapi_extra=body_like(_EXAMPLE),
)  # fmt: skip
async def send(
    caller: Trading, request: Request, name: FileName,
    symbol: Annotated[
        str | None,
        Query(pattern=r"^[\x21-\x3c\x3e-\x7e]{1,64}$", description="Of what; else as the name of the file tells."),
    ] = None,
    timezone: Annotated[
        str | None, Query(max_length=64, pattern=r"^[\x21-\x7e]+$", description="If its times name no zone.")
    ] = None,
    bar: Annotated[
        str | None, Query(pattern=r"^[1-9][0-9]{0,3}[smhdw]$", description="How long a bar is, if no row tells.")
    ] = None,
) -> Response:  # fmt: skip
    """Keep a file of candles for your backtests: CSV, Parquet, Feather or JSON in the layouts that the command takes.

    Gaps, duplicates and impossible bars are named in the answer and never repaired; a backtest over faulty rows is
    refused until it says `leave_out`. What is no table of candles is refused with the field, and nothing of it is kept.
    """
    uploads, house = _uploads(caller.house), caller.house
    now_s = house.clock.now().timestamp()
    draft = await run_in_threadpool(
        lambda: uploads.begin(caller.owner_id, name, most=house.settings.uploads, now_s=now_s)
    )
    try:
        digest = await written(request, draft)
        asked = {"path": str(draft.path), "symbol": symbol or "", "timezone": timezone, "bar": bar}
        told = await run_in_threadpool(lambda: _kept(caller, uploads, draft, digest, asked))
    finally:
        await run_in_threadpool(draft.drop)
    return shapes.answer(_shown(told))


@router.delete(
    "/{name}", summary="Remove a file of candles", response_model=candle_shapes.CandleFile, responses=shapes.ACTING
)
def remove(caller: Trading, name: FileName) -> Response:
    """Take a file away. Results of backtests over it stay; what is queued over it fails and says so."""
    uploads = _uploads(caller.house)
    told = uploads.told(caller.owner_id, name)
    uploads.remove(caller.owner_id, name)
    _note(caller, "candles.removed", told)
    return shapes.answer(_shown(told))


def _uploads(house: House) -> Uploads:
    return Uploads(house.settings.data / UPLOADS)


async def written(request: Request, draft: Draft) -> str:
    """Write the body into the draft, some of it at a time; return its SHA-256. Raises BodyTooLarge, BodyTooSlow."""
    waiting = bytearray()
    try:
        async with asyncio.timeout(_SECONDS_MOST):
            async for part in request.stream():
                waiting += part
                if len(waiting) >= _AT_ONCE:
                    await run_in_threadpool(draft.add, bytes(waiting))
                    waiting.clear()
    except TimeoutError:
        raise BodyTooSlow(f"the file did not arrive within {_SECONDS_MOST:.0f} s") from None
    except ClientDisconnect:
        raise BodyTooSlow("whoever sent the file went away in the middle of it") from None
    await run_in_threadpool(draft.add, bytes(waiting))
    if not draft.bytes:
        raise Invalid([Problem("file", "an empty body", "the file itself: curl --data-binary @FILE", "empty")])
    return await run_in_threadpool(draft.end)


def _kept(caller: Caller, uploads: Uploads, draft: Draft, digest: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what was read of a file, once it is kept. Raises Invalid for what is no table of candles."""
    read = caller.house.benches.door.ask("read_upload", asked)
    told = {"name": draft.path.name, "bytes": draft.bytes, "sha256": digest, **read}
    told["uploaded_at"] = iso(caller.house.clock.now())
    uploads.keep(caller.owner_id, draft, told)
    _note(caller, "candles.uploaded", told)
    return told


def _note(caller: Caller, what: str, told: dict[str, Any]) -> None:
    detail = {name: told[name] for name in ("name", "bytes", "sha256", "symbol", "timeframe")}
    now = caller.house.clock.now()
    caller.write(
        lambda tx: record(tx, owner_id=caller.owner_id, who=caller.name, what=what, now=now, detail=detail), what
    )


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "reference": f"{MARK}{told['name']}"}
