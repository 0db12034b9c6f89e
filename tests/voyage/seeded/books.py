"""The database of the house without its thread: who hands in a unit of work does it, and what waits behind it.

Everything else is the product's: the savepoints, the commit, the record, what is told after it.
"""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Engine, event

from pilothouse.kit import commits
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.engines import dialect_of, open_engine
from pilothouse.kit.units import Closing, Unit, UnitQueue

T = TypeVar("T")


class HandDatabase(Database):
    """A database whose units of work are done at once, on the thread that hands them in."""

    def __init__(self, url: str, **kwargs: Any) -> None:
        """Open `url`, and send the thread that would write away."""
        super().__init__(url, **kwargs)
        self._queue.close(Closing("this thread is not needed"))
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._queue = UnitQueue(self.clock.monotonic)
        kind = commits.SqliteWriter if self.dialect == "sqlite" else commits.PostgresWriter
        self._hand = kind(self, self._queue, self._here, self._writers, threading.Lock())

    def submit(self, work: Callable[[Tx], T], *, name: str, urgent: bool = False, lane: str | None = None) -> Future[T]:
        """Do it at once; on the committing thread itself, right after the commit that it is called from."""
        future = self.hand_in(work, name=name, urgent=urgent, lane=lane)
        self.do_what_waits()
        return future

    def hand_in(
        self, work: Callable[[Tx], T], *, name: str, urgent: bool = False, lane: str | None = None
    ) -> Future[T]:
        """Queue it, so that somebody can wait for its outcome before it is done."""
        return super().submit(work, name=name, urgent=urgent, lane=lane)

    def do_what_waits(self) -> None:
        """Do what is queued, as the thread would have. Raises what the process dies of."""
        if getattr(self._here, "commits", False):
            return
        self._here.commits = True
        taken: list[Unit] = []
        try:
            while (unit := self._queue.take_now()) is not None:
                taken = []
                self._hand.make_durable(unit, taken)
        except BaseException as error:
            self._hand.let_go()
            cause = error.__cause__ if isinstance(error, commits.Stopped) else None
            self._hand.stop(cause or error, taken)
            raise (cause or error) from None
        finally:
            self._here.commits = False

    def close(self) -> None:
        """Let go of the connection too, which the thread would have done."""
        self._hand.let_go()
        super().close()

    @property
    def is_inside(self) -> bool:
        """Say whether a unit of work or a read is being done right now."""
        return getattr(self._here, "tx", None) is not None


_engines: dict[tuple[str, int, bool], Engine] = {}


def kept_engine(url: str, *, size: int, read_only: bool = False) -> Engine:
    """Return an engine for `url`, the same for each life: only its connections are new, what it compiled is kept."""
    key = (url, size, read_only)
    if key in _engines:
        _engines[key].dispose()
    else:
        engine = _engines[key] = open_engine(url, size=size, read_only=read_only)
        if not read_only and dialect_of(url) == "sqlite":
            event.listen(engine, "connect", _without_waiting_for_the_disk)
    return _engines[key]


def _without_waiting_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    """Spare the flushes: a voyage kills the process and not the machine."""
    connection.execute("PRAGMA synchronous = OFF").close()
