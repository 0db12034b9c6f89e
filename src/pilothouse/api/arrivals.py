"""What committing threads have done for requests: outcomes in, on any thread; out they come together, in the loop.

A group of alerts is made durable by one commit, so the loop is woken once for all of them.
"""

import asyncio
import contextlib
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class NotBegun(Exception):
    """It was cancelled before anybody began it."""


class Arrivals:
    """Hands outcomes over to the requests that wait for them."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._come: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._rung: asyncio.AbstractEventLoop | None = None  # which loop is about to look

    async def of(self, done: Future[T]) -> T:
        """Return what became of `done`, or raise it; NotBegun if it was cancelled. Who stops waiting cancels it."""
        loop = asyncio.get_running_loop()
        awaited: asyncio.Future[T] = loop.create_future()
        done.add_done_callback(lambda come: self._hear(come, awaited))
        try:
            return await awaited
        except asyncio.CancelledError:
            done.cancel()
            raise

    def _hear(self, come: Future[T], awaited: "asyncio.Future[T]") -> None:
        loop = awaited.get_loop()
        self._come.append((come, awaited))
        # Taken back before the queue is emptied: whoever finds it there can be sure that his outcome is still taken.
        if self._rung is not loop:
            self._rung = loop
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits in it any more
                loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._rung = None
        while self._come:
            come, awaited = self._come.popleft()
            if not awaited.done() and not awaited.get_loop().is_closed():  # else who waited has hung up
                _tell(come, awaited)


def _tell(come: Future[T], awaited: "asyncio.Future[T]") -> None:
    if come.cancelled():
        awaited.set_exception(NotBegun())
    elif (error := come.exception()) is not None:
        awaited.set_exception(error)
    else:
        awaited.set_result(come.result())
