"""Server-sent events: every committed fact of the caller, in the order of the commits, each once and none missed.

The record is the truth: a listener reads behind the last id it was told, and the bell only says when to look. So a
listener that was away goes on where it stopped, with `Last-Event-ID` or `?after=`.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pilothouse.api import shapes
from pilothouse.api.deps import Caller, Guarded, Reading
from pilothouse.core.errors import Invalid, Problem, Unavailable
from pilothouse.core.facts import FactKind, StampedFact
from pilothouse.kit import told_facts
from pilothouse.kit.db import Database
from pilothouse.kit.exact_json import encoded

router = APIRouter(prefix="/api/v1", tags=["events"], route_class=Guarded)

HEARTBEAT_S = 15.0
PATIENCE_S = 10.0
"""A listener that takes nothing for so long is dropped; it may come back and go on where it stopped."""

LISTENERS_MAX = 200
_BATCH = 500
# Other processes on the same PostgreSQL commit facts too, and their bells are not heard here.
_LOOK_EVERY_S = 1.0
_ID_MAX = 2**63 - 1


class TooManyListeners(Unavailable):
    """So many connections follow the events already."""

    code = "too_many_listeners"


class Feed:
    """Tells every listener of this process when there may be something to read."""

    def __init__(self, database: Database) -> None:
        """Listen to the bell until `end`."""
        self.database = database
        self.ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Event] = set()
        self._rung = threading.Event()
        self._unsubscribe = database.bell.subscribe(self._hear)

    @property
    def listeners(self) -> int:
        """Return how many connections listen."""
        return len(self._listeners)

    def join(self) -> asyncio.Event:
        """Return what is set whenever there may be something to read; raises TooManyListeners."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise TooManyListeners(f"{LISTENERS_MAX} connections follow the events already")
        self._loop = asyncio.get_running_loop()
        listener = asyncio.Event()
        self._listeners.add(listener)
        return listener

    def leave(self, listener: asyncio.Event) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def end(self) -> None:
        """End every stream; may be called from any thread, and twice."""
        self.ended = True
        self._unsubscribe()
        self._hear(())

    def _hear(self, _: Sequence[StampedFact]) -> None:
        """Be the listener of the bell: many commits before the loop looks are one ring."""
        if self._loop is None or not self._listeners or self._rung.is_set():
            return
        self._rung.set()
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it every listener
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung.clear()
        for listener in tuple(self._listeners):
            listener.set()


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of committed facts; comments every 15 s keep it open.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": (
                    "id: 42\nevent: order.changed\n"
                    'data: {"id":42,"kind":"order.changed","at":"2026-11-21T09:30:00.123456Z","account_id":"acc_1",'
                    '"payload":{"order_id":"ord_1","signal_id":"sig_1","symbol":"BTCUSDT","state":"filled"}}\n\n'
                ),
            }
        },
    }
}


@router.get(
    "/events",
    summary="Follow what happens",
    response_class=Response,
    responses={**shapes.LOOKING, **_STREAM},
)
def events(
    request: Request,
    caller: Reading,
    after: Annotated[
        int | None, Query(ge=0, le=_ID_MAX, description="Begin behind this id; from now on if left out.")
    ] = None,
    kind: Annotated[list[FactKind] | None, Query(description="Only these kinds.", max_length=20)] = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Begin behind this id; comes before `after`.")
    ] = None,
) -> Response:
    """Follow committed facts as server-sent events, each with its id; what was missed is sent first."""
    begin = _id(last_event_id) if last_event_id else after
    if begin is None:
        begin = caller.read(told_facts.last_fact_id)
    return Stream(caller, request.app.state.feed, begin, frozenset(kind or FactKind))


def _id(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _ID_MAX:
        return int(text)
    raise Invalid([Problem("Last-Event-ID", ascii(text[:40]), "the id of an event")])


class Stream(Response):
    """One connection that follows the events of one caller."""

    def __init__(self, caller: Caller, feed: Feed, after: int, kinds: frozenset[FactKind]) -> None:
        """Begin behind the fact `after`."""
        super().__init__(b"")
        self._caller = caller
        self._feed = feed
        self._last = after
        self._kinds = kinds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send facts until the caller hangs up, is too slow, or the house ends its streams."""
        meters = self._caller.house.meters
        listener = self._feed.join()
        gone = asyncio.create_task(_hung_up(receive))
        gone.add_done_callback(lambda _: listener.set())
        meters.listeners.set(self._feed.listeners)
        try:
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._say(send, b": you hear what happens from here on\nretry: 2000\n\n")
            with contextlib.suppress(TimeoutError):  # too slow: they may come back
                await self._follow(send, listener, gone)
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._feed.leave(listener)
            meters.listeners.set(self._feed.listeners)

    async def _follow(self, send: Send, listener: asyncio.Event, gone: "asyncio.Task[None]") -> None:
        quiet = 0.0
        patience = HEARTBEAT_S if self._feed.database.dialect == "sqlite" else _LOOK_EVERY_S
        while not self._feed.ended and not gone.done():
            listener.clear()
            facts = await run_in_threadpool(self._read)
            if facts:
                self._last = facts[-1].id
                said = b"".join(_frame(each) for each in facts if each.fact.kind in self._kinds)
                if said:
                    await self._say(send, said)
                    quiet = 0.0
                continue
            try:
                async with asyncio.timeout(patience):
                    await listener.wait()
            except TimeoutError:
                quiet += patience
                if quiet >= HEARTBEAT_S:
                    await self._say(send, b": still here\n\n")
                    quiet = 0.0

    def _read(self) -> list[StampedFact]:
        """Return what was committed behind the last fact, of this caller alone."""
        owner_id, last = self._caller.owner_id, self._last
        return self._caller.read(lambda tx: told_facts.facts_after(tx, last, owner_id=owner_id, limit=_BATCH))

    @staticmethod
    async def _say(send: Send, said: bytes) -> None:
        """Send a piece; raises TimeoutError when nobody takes it."""
        async with asyncio.timeout(PATIENCE_S):
            await send({"type": "http.response.body", "body": said, "more_body": True})


def _frame(stamped: StampedFact) -> bytes:
    fact = stamped.fact
    data = encoded(
        {
            "id": stamped.id,
            "kind": fact.kind,
            "at": fact.at,
            "account_id": fact.account_id,
            "payload": fact.payload,
        }
    )
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (stamped.id, fact.kind.value.encode("ascii"), data)


async def _hung_up(receive: Receive) -> None:
    """Return once the caller is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
