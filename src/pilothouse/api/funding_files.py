"""Files of funding rates that users send: the sibling of files of candles, read and kept in the same way."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.accounts.audit import record
from pilothouse.api import candle_shapes, shapes
from pilothouse.api.candle_files import SENDING, FileName, Large, body_like, written
from pilothouse.api.deps import Caller, Reading, Trading
from pilothouse.core.clock import iso
from pilothouse.marketdata.candle_uploads import MARK, RATES, UPLOADS, Draft, Uploads
from pilothouse.wiring.house import House

router = APIRouter(prefix="/api/v1/funding-files", tags=["market"], route_class=Large)


@router.get(
    "", summary="List your files of funding", response_model=shapes.Page[candle_shapes.RateFile],
    responses=shapes.LOOKING,
)  # fmt: skip
def files(caller: Reading) -> Response:
    """List the files of funding rates that you sent, in order of name, with what was read of each."""
    found = [_shown(each) for each in _uploads(caller.house).every(caller.owner_id)]
    return shapes.answer({"items": found, "next_cursor": None})


@router.get(
    "/{name}", summary="Show a file of funding", response_model=candle_shapes.RateFile, responses=shapes.LOOKING
)
def file(caller: Reading, name: FileName) -> Response:
    """Show what was read of a file: how many rates, their span, gaps, fingerprint."""
    return shapes.answer(_shown(_uploads(caller.house).told(caller.owner_id, name)))


@router.post(
    "/{name}", summary="Send a file of funding", response_model=candle_shapes.RateFile, responses=SENDING,
    openapi_extra=body_like("time,rate\n1735689600000,0.0001\n"),
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
) -> Response:  # fmt: skip
    """Keep a file of funding rates for your backtests, in the layouts that `--funding` takes.

    Gaps are named in the answer and never filled in. What is no table of rates is refused with the field, and nothing
    of it is kept.
    """
    uploads, house = _uploads(caller.house), caller.house
    now_s = house.clock.now().timestamp()
    draft = await run_in_threadpool(
        lambda: uploads.begin(caller.owner_id, name, most=house.settings.uploads, now_s=now_s)
    )
    try:
        digest = await written(request, draft)
        asked = {"path": str(draft.path), "symbol": symbol or "", "timezone": timezone}
        told = await run_in_threadpool(lambda: _kept(caller, uploads, draft, digest, asked))
    finally:
        await run_in_threadpool(draft.drop)
    return shapes.answer(_shown(told))


@router.delete(
    "/{name}", summary="Remove a file of funding", response_model=candle_shapes.RateFile, responses=shapes.ACTING
)
def remove(caller: Trading, name: FileName) -> Response:
    """Take a file away. Results of backtests over it stay; what is queued over it fails and says so."""
    uploads = _uploads(caller.house)
    told = uploads.told(caller.owner_id, name)
    uploads.remove(caller.owner_id, name)
    _note(caller, "funding.removed", told)
    return shapes.answer(_shown(told))


def _uploads(house: House) -> Uploads:
    return Uploads(house.settings.data / UPLOADS / RATES)


def _kept(caller: Caller, uploads: Uploads, draft: Draft, digest: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what was read of a file, once it is kept. Raises Invalid for what is no table of rates."""
    read = caller.house.benches.door.ask("read_rates", asked)
    told = {"name": draft.path.name, "bytes": draft.bytes, "sha256": digest, **read}
    told["uploaded_at"] = iso(caller.house.clock.now())
    uploads.keep(caller.owner_id, draft, told)
    _note(caller, "funding.uploaded", told)
    return told


def _note(caller: Caller, what: str, told: dict[str, Any]) -> None:
    detail = {name: told[name] for name in ("name", "bytes", "sha256", "symbol", "rates")}
    now = caller.house.clock.now()
    caller.write(
        lambda tx: record(tx, owner_id=caller.owner_id, who=caller.name, what=what, now=now, detail=detail), what
    )


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in told.items() if name != "bar"}
    return {**shown, "reference": f"{MARK}{told['name']}"}
