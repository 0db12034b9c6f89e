"""One database of the house. Units of work go in; their results come out once they are durable, never before.

Here they are queued, and reads get a snapshot; the threads that make them durable stand in `commits`.
"""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Broken
from pilothouse.core.ids import Ids
from pilothouse.kit.bell import Bell
from pilothouse.kit.chain import Chains
from pilothouse.kit.commits import PostgresWriter, SqliteWriter
from pilothouse.kit.engines import dialect_of, open_engine, told
from pilothouse.kit.fresh_ids import FreshIds
from pilothouse.kit.kept_readers import KeptReaders
from pilothouse.kit.transaction import Tx as Tx  # noqa: PLC0414  (rooms know it from here)
from pilothouse.kit.units import Closing, Unit, UnitQueue

T = TypeVar("T")


class Database:
    """One database, opened once; closed with `close()`.

    bell          who hears facts after each commit, in this process
    wake          called after a commit that made messages due, such as an Event's `set`
    heard_kinds   kinds of facts for which a message is put into the outbox; set once, by wiring
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        ids: Ids | None = None,
        witness: Callable[[str], None] | None = None,
        readers: int = 4,
        writers: int = 8,
    ) -> None:
        """Open `url` (an SQLite file, or PostgreSQL); tables are the migrations' matter.

        witness   called with "before:a+b" right before each commit and with "a+b" right after it, before anybody
                  is told. When it raises, the database stops there as if the process had died.
        readers, writers   how many connections; on SQLite there is one writer
        """
        self.dialect = dialect_of(url)
        self.clock = clock
        self.ids = ids if ids is not None else FreshIds(clock)
        self.bell = Bell()
        self.chains = Chains()
        self.wake: set[Callable[[], object]] = set()
        self.heard_kinds: set[str] = set()
        self.witness = witness
        self._here = threading.local()
        self._queue = UnitQueue(clock.monotonic)
        kind, count = (SqliteWriter, 1) if self.dialect == "sqlite" else (PostgresWriter, writers)
        self._readers = open_engine(url, size=readers, read_only=True)
        self._kept_readers = KeptReaders(self._readers, readers)
        self._writers = open_engine(url, size=count)
        order = threading.Lock()
        self._threads = [
            threading.Thread(
                target=kind(self, self._queue, self._here, self._writers, order).run,
                name=f"pilothouse-db-{number}",
                daemon=True,
            )
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Tx], T], *, name: str, urgent: bool = False, lane: str | None = None) -> Future[T]:
        """Queue a unit of work; its future has the result once it is durable, or what `work` raised.

        name     what it does, for the witness and the log
        urgent   goes before all that are not
        lane     units of one lane are done one after the other, in the order they came; None: beside all others

        `work` may be rolled back and run again: whatever it does, it does through its Tx. Raises Broken inside of a
        unit of work, Closing after `close()`; the future may raise Lost (did not happen) or CommitUnknown.
        """
        if getattr(self._here, "tx", None) is not None:
            raise Broken(f"{name}: a unit of work cannot start another; use its own transaction, or after_commit")
        future: Future[T] = Future()
        # The one writer of SQLite keeps the order of all units anyway, and takes as many of them as wait.
        unit = Unit(work, name, future, lane if self.dialect == "postgresql" else None)
        self._queue.put(unit, urgent=urgent)
        return future

    def write(self, work: Callable[[Tx], T], *, name: str, urgent: bool = False) -> T:
        """Do `work` and wait until it is durable. Raises Broken on a committing thread: it would wait for itself."""
        if getattr(self._here, "commits", False):
            raise Broken(f"{name}: the thread that commits cannot wait for a commit; submit instead")
        return self.submit(work, name=name, urgent=urgent).result()

    def read(self, work: Callable[[Tx], T]) -> T:
        """Return what `work` finds in one consistent snapshot; a read inside of a read sees the same one.

        Raises Broken if it writes, or inside of a unit of work (which would not see its own changes).
        """
        outer: Tx | None = getattr(self._here, "tx", None)
        if outer is not None:
            if outer.writes:
                raise Broken("a unit of work reads through its own transaction")
            return work(outer)
        try:
            if self.dialect == "sqlite":
                return self._kept_readers.snapshot(lambda reader, driver: self._look(work, reader, driver))
            with self._readers.connect() as connection:
                return self._look(work, connection, None)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise told(error) from error

    def _look(self, work: Callable[[Tx], T], connection: Connection, driver: sqlite3.Connection | None) -> T:
        """Run `work` in the transaction of a reader."""
        self._here.tx = tx = Tx(connection, self.dialect, self.ids, writes=False, driver=driver)
        try:
            return work(tx)
        finally:
            self._here.tx = None

    @property
    def alive(self) -> bool:
        """Say whether work can be committed: it is open, and every thread that commits runs."""
        return not self._queue.closed and all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """How many units wait to be begun."""
        return len(self._queue)

    @property
    def is_crowded(self) -> bool:
        """Say whether much waits, or did a moment ago: what can be done later, without harm, should be."""
        return self._queue.is_crowded()

    def close(self) -> None:
        """Refuse new work, finish what waits, and let go of every connection. Safe to call twice."""
        self._queue.close(Closing("the house is closing"))
        for thread in self._threads:
            thread.join()
        self._kept_readers.close()
        self._writers.dispose()
        self._readers.dispose()
