"""Files that users send, of any kind: taken in as a stream, read beside the house, kept under their owner."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from pilothouse.accounts.audit import record
from pilothouse.api import shapes
from pilothouse.api.deps import Caller, Guarded
from pilothouse.api.problems import BodyTooSlow
from pilothouse.core.clock import iso
from pilothouse.core.errors import Invalid, Problem
from pilothouse.marketdata.candle_uploads import ENDINGS, MARK, Draft, Uploads
from pilothouse.wiring.house import House

MEGABYTE: Final = 1_000_000
_SECONDS_MOST: Final = 600.0
_AT_ONCE: Final = 1 << 20

FileName = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$",
        description=f"A name of your own for it; it ends as its kind says: {', '.join(ENDINGS)}.",
        examples=["BTCUSDT-1h.csv"],
    ),
]
OfSymbol = Annotated[
    str | None,
    Query(pattern=r"^[\x21-\x3c\x3e-\x7e]{1,64}$", description="Of what; else as the name of the file tells."),
]
InTimezone = Annotated[
    str | None, Query(max_length=64, pattern=r"^[\x21-\x7e]+$", description="If its times name no zone.")
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


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of files.

    folder     where they are, inside of the data folder
    question   what is asked beside the house to have one read; it raises Invalid for what is no such file
    noted      what the record of what was done calls them, and what it keeps of each beside name, bytes and sum
    unshown    what is kept of a file and not told
    """

    folder: str
    question: str
    noted: tuple[str, tuple[str, str]]
    unshown: frozenset[str] = frozenset()

    def every(self, caller: Caller) -> list[dict[str, Any]]:
        """Return what was read of each file of a caller, in order of name."""
        return [self._shown(each) for each in self._of(caller).every(caller.owner_id)]

    def one(self, caller: Caller, name: str) -> dict[str, Any]:
        """Return what was read of a file. Raises NotFound."""
        return self._shown(self._of(caller).told(caller.owner_id, name))

    async def take_in(
        self, caller: Caller, request: Request, name: str, asked: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Keep the body of a request as a file and return what was read of it; refused, nothing of it is kept.

        asked   what the sender says of it
        Raises Invalid, BodyTooLarge, BodyTooSlow.
        """
        uploads, house = self._of(caller), caller.house
        now_s = house.clock.now().timestamp()
        draft = await run_in_threadpool(
            lambda: uploads.begin(caller.owner_id, name, most=house.settings.uploads, now_s=now_s)
        )
        try:
            digest = await _written(request, draft)
            return self._shown(await run_in_threadpool(lambda: self._kept(caller, uploads, draft, digest, asked)))
        finally:
            await run_in_threadpool(draft.drop)

    def remove(self, caller: Caller, name: str) -> dict[str, Any]:
        """Take a file away and return what was read of it. Raises NotFound."""
        uploads = self._of(caller)
        told = uploads.told(caller.owner_id, name)
        uploads.remove(caller.owner_id, name)
        self._note(caller, "removed", told)
        return self._shown(told)

    def _of(self, caller: Caller) -> Uploads:
        return Uploads(caller.house.settings.data / self.folder)

    def _kept(
        self, caller: Caller, uploads: Uploads, draft: Draft, digest: str, asked: Mapping[str, str | None]
    ) -> dict[str, Any]:
        read = caller.house.benches.door.ask(self.question, {"path": str(draft.path), **asked})
        told = {"name": draft.path.name, "bytes": draft.bytes, "sha256": digest, **read}
        told["uploaded_at"] = iso(caller.house.clock.now())
        uploads.keep(caller.owner_id, draft, told)
        self._note(caller, "uploaded", told)
        return told

    def _note(self, caller: Caller, done: str, told: Mapping[str, Any]) -> None:
        word, beside = self.noted
        what, now = f"{word}.{done}", caller.house.clock.now()
        detail = {name: told[name] for name in ("name", "bytes", "sha256", *beside)}
        caller.write(
            lambda tx: record(tx, owner_id=caller.owner_id, who=caller.name, what=what, now=now, detail=detail), what
        )

    def _shown(self, told: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in told.items() if name not in self.unshown}
        return {**shown, "reference": f"{MARK}{told['name']}"}


async def _written(request: Request, draft: Draft) -> str:
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
