"""SQLite connections that stay open between reads: taking one from the pool costs as much as three statements."""

import sqlite3
from collections.abc import Callable
from queue import Empty, LifoQueue
from typing import TypeVar, cast

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from pilothouse.kit.engines import Lost

T = TypeVar("T")

_PATIENCE_S = 30.0


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return an SQLite connection as the driver knows it."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


class KeptReaders:
    """As many readers as may read at once, each opened when it is first needed; for many threads."""

    def __init__(self, engine: Engine, count: int) -> None:
        """Open nothing yet."""
        self._engine = engine
        self._idle: LifoQueue[Connection | None] = LifoQueue()  # None: may be opened, is not yet
        for _ in range(count):
            self._idle.put(None)

    def snapshot(self, look: Callable[[Connection, sqlite3.Connection], T]) -> T:
        """Run `look` in a transaction that is always rolled back; raises Lost if no reader gets free."""
        try:
            kept = self._idle.get(timeout=_PATIENCE_S)
        except Empty:
            raise Lost("every connection to the database is taken") from None
        whole = None
        try:
            connection = kept or self._engine.connect()
            driver = driver_of(connection)
            try:
                driver.execute("BEGIN")
                try:
                    return look(connection, driver)
                finally:
                    driver.execute("ROLLBACK")
                    whole = connection
            finally:
                if whole is None:  # it could not even be rolled back
                    connection.invalidate()
                    connection.close()
        finally:
            self._idle.put(whole)

    def close(self) -> None:
        """Close those that are idle; one that is in use is closed with its engine."""
        idle = []
        while not self._idle.empty():
            idle.append(self._idle.get_nowait())
        for connection in idle:
            if connection is not None:
                connection.close()
            self._idle.put(None)
