"""The real door of alerts, in the same process and the same time: the product's own application answers.

The application is served by an event loop that is turned like every other thread of the house. Nothing of it is
replaced: body, credential, the durable decision, the wait for the outcome, and the words of the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pilothouse.api.hooks import PATHS
from pilothouse.api.threshold import Threshold
from pilothouse.fleet.inbox import Door as Kind
from pilothouse.wiring.house import House
from tests.voyage.seeded.threads import TurnedLoop

Heard = Callable[[int, bytes], None]
"""Takes the status and the body of an answer."""


class Door:
    """The doors of one life of the house."""

    def __init__(self, house: House, loop: TurnedLoop, is_over: Callable[[], bool]) -> None:
        """Serve on `loop`, until the life `is_over`: then nobody is answered any more."""
        self._loop, self._is_over = loop, is_over
        self._app: Callable[..., Awaitable[None]] = Threshold(house)
        self._served_now: set[asyncio.Task[None]] = set()

    def post(self, kind: Kind, secret: str, query: bytes, body: bytes, heard: Heard) -> None:
        """Let somebody post an alert; `heard` is called when an answer has left, if one does."""
        headers = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATHS[kind],
            "query_string": query,
            "headers": [
                (name.encode(), value.encode()) for name, value in {**headers, "x-webhook-secret": secret}.items()
            ],
        }
        task = self._loop.create_task(self._served(scope, body, heard))
        self._served_now.add(task)
        task.add_done_callback(self._served_now.discard)

    async def _served(self, scope: Mapping[str, Any], body: bytes, heard: Heard) -> None:
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not self._is_over():
                heard(status, message["body"])

        await self._app(scope, receive, send)
