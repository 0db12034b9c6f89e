"""What is done on threads elsewhere, done here one thing after the other.

An event loop that is turned by hand, and executors whose work waits until somebody does it.
"""

import asyncio
import contextlib
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, Self, TypeVar

from pilothouse.venues.held_streams import Streams

P = ParamSpec("P")
T = TypeVar("T")


class Errands:
    """Work that other threads would do; each of them once, in any order."""

    def __init__(self) -> None:
        """Hold none."""
        self.waiting: deque[tuple[str, Callable[[], None]]] = deque()

    def put(self, name: str, work: Callable[[], None]) -> None:
        """Let it be done later."""
        self.waiting.append((name, work))


class LaterPool:
    """Takes the place of a pool of threads: what is given to it is an errand."""

    def __init__(self, errands: Errands, name: str) -> None:
        """Add to `errands`, under a name."""
        self._errands, self._name = errands, name
        self._closed = False

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Let it be done later; the future tells when."""
        future: Future[T] = Future()

        def errand() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*args, **kwargs)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._errands.put(self._name, errand)
        return future

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Take no more."""
        self._closed = wait or cancel_futures


class AtOncePool:
    """Takes the place of a pool of threads that somebody waits for: it is done at once."""

    def __init__(self, *_: object, **__: object) -> None:
        """Need nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to wait for."""

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Do it."""
        future: Future[T] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Nothing is left."""
        del wait, cancel_futures


class _NoSelector:
    def select(self, _timeout: float | None) -> list[Any]:
        return []


class TurnedLoop(asyncio.BaseEventLoop):
    """An event loop without a thread, a socket, or a clock of its own."""

    def __init__(self, monotonic: Callable[[], float], errands: Errands) -> None:
        """Go by `monotonic`; what would run on threads goes to `errands`."""
        super().__init__()
        self._monotonic, self._errands = monotonic, errands
        self._selector = _NoSelector()
        self.begun: list[Coroutine[Any, Any, None]] = []
        self.set_exception_handler(lambda *_: None)  # a result that nobody asked for before its process died
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the time of the sea."""
        return self._monotonic()

    def _process_events(self, _: object) -> None: ...

    def _write_to_self(self) -> None: ...

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # one executor
        """Let it be an errand."""
        future = self.create_future()

        def errand() -> None:
            try:
                result = func(*args)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self._errands.put("stream", errand)
        return future

    def next_at(self) -> float:
        """Return when there is something to do; now, if there is already."""
        if self._ready:  # type: ignore[attr-defined]  # of the base class
            return self.time()
        waiting = [each.when() for each in self._scheduled if not each.cancelled()]  # type: ignore[attr-defined]  # as above
        return min(waiting, default=float("inf"))

    def turn(self) -> None:
        """Do everything that is due."""
        events._set_running_loop(self)
        try:
            while self.next_at() <= self.time():
                self._run_once()  # type: ignore[attr-defined]  # as above
        finally:
            events._set_running_loop(None)


class TurnedStreams(Streams):
    """Streams whose loop is turned by hand."""

    def __init__(self, name: str, loop: TurnedLoop) -> None:
        """Hold streams open on `loop`."""
        super().__init__(name)
        self._loop = loop

    def start(self, stream: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Hold `stream` open; return what ends it."""
        if not isinstance(self._loop, TurnedLoop):
            stream.close()
            return lambda: None
        self._loop.begun.append(stream)
        return super().start(stream)

    def close(self) -> None:
        """End every stream, as far as they end at once."""
        loop, self._loop = self._loop, None
        if isinstance(loop, TurnedLoop) and not loop.is_closed():
            for task in tuple(self._running):
                task.cancel()
            loop.turn()


def abandon(loop: TurnedLoop) -> None:
    """Let go of everything on a loop whose process has died: nothing of it goes on."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is destroyed on purpose
        with contextlib.suppress(BaseException):
            task.get_coro().close()
    for stream in loop.begun:
        with contextlib.suppress(BaseException):
            stream.close()
    loop.close()
