"""How a database is opened, and what its errors mean. Knows both dialects; nothing else needs to."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.sql.compiler import Compiled
from sqlalchemy.util import LRUCache

from pilothouse.core.errors import Broken, Unavailable, Unknown

Dialect = Literal["sqlite", "postgresql"]

_BUSY_MS = 10_000
# A process that was stopped in the middle of a transaction keeps its locks: PostgreSQL takes them from it after this,
# sooner than its lease and the window of a venue are over. No transaction of ours waits for anything but the database.
_STANDS_STILL_MS = 10_000
_STATEMENTS_MOST = 2_000

# SQLite: busy, locked, out of memory, I/O error, full, cannot open.
_SQLITE_UNAVAILABLE = {5, 6, 7, 10, 13, 14}
_SQLITE_READ_ONLY = 8

# PostgreSQL: classes 08 connection, 53 resources, 57 operator's intervention; 55P03 a lock not had in time.
_POSTGRES_UNAVAILABLE = ("08", "53", "57", "55P03")
_POSTGRES_READ_ONLY = "25006"
_POSTGRES_AGAIN = {"40001", "40P01"}  # serialization failure, deadlock


class Lost(Unavailable):
    """The database could not be reached, or not in time; nothing was changed."""

    code = "database_unavailable"


class OutOfMemory(Unavailable):
    """There was no memory to do it with; nothing was changed."""

    code = "out_of_memory"


class CommitUnknown(Unknown):
    """The connection broke, or memory ran out, while the commit was on its way."""

    code = "commit_unknown"


def dialect_of(url: str) -> Dialect:
    """Return which database `url` speaks of. Raises ValueError for any other."""
    name = make_url(url).get_backend_name()
    if name not in {"sqlite", "postgresql"}:
        raise ValueError(f"the house runs on sqlite and postgresql, not on {name}")
    return cast("Dialect", name)


def sqlite_file(url: str) -> Path:
    """Return the file of an SQLite `url`. Raises ValueError for a database in memory: it has no commit."""
    name = make_url(url).database
    if not name or name == ":memory:" or name.startswith("file:"):
        raise ValueError("SQLite needs a file: sqlite:////path/to/pilothouse.db")
    return Path(name)


class _Statements:
    """Compiled statements of every engine of this process: what one has compiled, the others need not.

    A statement costs more to compile than to run, and readers, writers and the paper venue's journal would each do it
    for themselves. All engines of one dialect are opened alike, below, so they compile alike.
    """

    def __init__(self) -> None:
        self._kept: LRUCache[Any, Compiled] = LRUCache(_STATEMENTS_MOST)

    def get(self, key: tuple[Any, ...]) -> Compiled | None:
        """Return a statement under the key that SQLAlchemy makes: the engine's dialect, then what is asked."""
        return self._kept.get((key[0].name, *key[1:]))

    def __setitem__(self, key: tuple[Any, ...], compiled: Compiled) -> None:
        self._kept[(key[0].name, *key[1:])] = compiled


_STATEMENTS = _Statements()


def open_engine(url: str, *, size: int, read_only: bool = False) -> Engine:
    """Return an engine with at most `size` connections.

    On SQLite a connection opens no transaction by itself: say BEGIN IMMEDIATE (or use `db.in_one_transaction`).
    On PostgreSQL with `read_only`, each transaction is one snapshot.
    """
    if dialect_of(url) == "sqlite":
        return _sqlite_engine(url, size, read_only=read_only)
    return _postgres_engine(url, size, read_only=read_only)


def _sqlite_engine(url: str, size: int, *, read_only: bool) -> Engine:
    file = sqlite_file(url)
    if not file.exists():
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))  # its journals take over the mode
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=size,
        max_overflow=0,
        pool_reset_on_return=None,
        execution_options={"compiled_cache": _STATEMENTS},
        hide_parameters=True,  # an error must not carry what was to be stored into a log
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -16000",
            "journal_size_limit = 67108864",
            # Pages that are written for alert after alert are moved into the database less often: every 16 MiB.
            "wal_autocheckpoint = 4000",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _postgres_engine(url: str, size: int, *, read_only: bool) -> Engine:
    settings: Mapping[str, Any] = {
        "connect_timeout": 10,
        "options": f"-c timezone=UTC -c lock_timeout=30s -c idle_in_transaction_session_timeout={_STANDS_STILL_MS}",
        "application_name": "pilothouse",
    }
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
        pool_size=size,
        max_overflow=0,
        execution_options={"compiled_cache": _STATEMENTS},
        hide_parameters=True,  # as above
        connect_args=dict(settings),
    )
    if read_only:

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _: object) -> None:
            connection.read_only = True

    return engine


def told(error: Exception) -> Exception:
    """Return what `error` means to a caller: Lost, OutOfMemory, Broken for a write in a read, or the error itself.

    Of a value that a column type refused, it is the refusal, without the statement around it.
    """
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        return error.orig
    if isinstance(error, MemoryError):
        return OutOfMemory("memory ran out: nothing was done, and it may be asked for again")
    if isinstance(error, PoolExhausted):
        return Lost("every connection to the database is taken")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        number = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if number in _SQLITE_UNAVAILABLE:
            return Lost(f"the database is not available: {cause}")
        if number == _SQLITE_READ_ONLY:
            return Broken("a read tried to write")
        return error
    state = getattr(cause, "sqlstate", None) or ""
    if state == _POSTGRES_READ_ONLY:
        return Broken("a read tried to write")
    # Without a state the server said nothing: it was not there, or went away.
    unheard = isinstance(error, OperationalError) and not state
    lost = unheard or (isinstance(error, DBAPIError) and error.connection_invalidated)
    if lost or state.startswith(_POSTGRES_UNAVAILABLE):
        return Lost(f"the database is not available: {str(cause).splitlines()[0] if str(cause) else state}")
    return error


def is_worth_again(error: DBAPIError) -> bool:
    """Say whether the database asks to run the same transaction again: a deadlock or a serialization failure."""
    return getattr(error.orig, "sqlstate", None) in _POSTGRES_AGAIN


def copy_sqlite(url: str, target: Path) -> None:
    """Write a consistent copy of an SQLite database to `target` (mode 0600), also while it is in use."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source, copy = sqlite3.connect(sqlite_file(url)), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
