"""An Idempotency-Key on whatever trades: the same key with the same request is done once and answered the same.

What was done and what was answered are committed together. A refusal did nothing, so it is not kept: the same
request may be made again under the same key.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.accounts import idempotency
from pilothouse.accounts.idempotency import Answer
from pilothouse.api.deps import Caller, Trading
from pilothouse.kit.db import Tx
from pilothouse.kit.exact_json import dumps


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be done once.

    key      None: it was sent without one, and is done whenever it comes
    digest   of method, address and body
    """

    caller: Caller
    key: str | None
    digest: str

    def do(
        self, work: Callable[[Tx], Any], name: str, status: Callable[[Any], int] = lambda _: HTTPStatus.OK
    ) -> Response:
        """Do `work`, which returns plain data, and answer with it; or answer as the first time.

        status   of the answer, by what is answered
        """
        key, owner_id = self.key, self.caller.owner_id

        def unit(tx: Tx) -> tuple[Answer, bool]:
            if key is not None:
                known = idempotency.find(tx, owner_id=owner_id, key=key, request_digest=self.digest)
                if known is not None:
                    return known, True
            told = work(tx)
            fresh = Answer(status(told), dumps(told))
            if key is not None:
                now = self.caller.house.clock.now()
                idempotency.store(tx, owner_id=owner_id, key=key, request_digest=self.digest, answer=fresh, now=now)
            return fresh, False

        said, again = self.caller.write(unit, name)
        headers = {"Idempotency-Replayed": "true"} if again else {}
        return Response(said.body, said.status, headers, "application/json")


async def _once(
    request: Request,
    caller: Trading,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="The same key with the same request is done once; with another request it is 422.",
            examples=["b6f2d1c0-8d0f-4f0c-9d55-3f0c2f7f7f10"],
        ),
    ] = None,
) -> Once:
    body = await request.body()
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body
    return Once(caller, key, hashlib.sha256(asked).hexdigest())


OnceOnly = Annotated[Once, Depends(_once)]
