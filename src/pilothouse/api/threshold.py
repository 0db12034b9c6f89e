"""What the server serves: alerts from the first moment, and everything else as soon as the framework is loaded.

To take an alert in needs the books alone. The framework, with a model for each answer, takes longer to load than all of
the order path; whoever asks for something else meanwhile waits for it, for a moment.
"""

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pilothouse.api import problems
from pilothouse.api.doorway import Doorway
from pilothouse.api.hooks import PATHS, Intake
from pilothouse.core.errors import Unavailable
from pilothouse.wiring.house import House

WAIT_S: Final = 1.5
"""So long a question waits for the framework; then its answer is 503."""


class Starting(Unavailable):
    """The house takes alerts in already; what was asked for is not there yet."""

    code = "starting"


class Threshold:
    """The application of an open house, before and after `load`. Belongs to one event loop; `close` it."""

    def __init__(self, house: House) -> None:
        """Take alerts in from now on."""
        self._house = house
        self._intake = Intake(house)
        self._early = Doorway(self._not_yet, house, {door: self._intake.door(door) for door in PATHS})
        self._loaded = asyncio.Event()
        self._whole: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an alert goes straight to its door, also once the framework is loaded."""
        is_alert = scope["type"] == "http" and self._early.door_of(scope) is not None
        if self._whole is None and not is_alert and scope["type"] == "http":
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._loaded.wait()
            except TimeoutError:
                pass
        app: ASGIApp = self._early if is_alert or self._whole is None else self._whole
        await app(scope, receive, send)

    async def load(self) -> None:
        """Load everything else, on another thread."""
        self._whole = await asyncio.to_thread(self._made)
        self._loaded.set()

    def _made(self) -> ASGIApp:
        from pilothouse.api.app import create_app  # noqa: PLC0415 - this is what takes its time

        return create_app(self._house, self._intake)

    async def _not_yet(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = problems.told(Starting("Pilothouse is starting: ask again in a moment"))
        await problems.answer(Request(scope), said, self._house.clock)(scope, receive, send)

    def end_streams(self) -> None:
        """End what would stay open for ever."""
        if self._whole is not None:
            self._whole.state.end_streams()

    def close(self) -> None:
        """Take no more alerts in and let the threads go; the server serves no more."""
        self.end_streams()
        self._intake.close()
