"""The only commits in the house: threads that take units of work from a queue and make them durable.

On SQLite one thread writes. It commits in groups: each unit has its own savepoint and fails alone, one commit (one
flush to the disk) makes all of them durable. On PostgreSQL a few threads write, each unit in a transaction of its own.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Broken
from pilothouse.core.facts import StampedFact
from pilothouse.core.ids import Ids
from pilothouse.kit.bell import Bell
from pilothouse.kit.chain import Chains, Heads, lines_of
from pilothouse.kit.engines import (
    CommitUnknown,
    Dialect,
    Lost,
    OutOfMemory,
    dialect_of,
    is_worth_again,
    open_engine,
    told,
)
from pilothouse.kit.kept_readers import driver_of
from pilothouse.kit.outbox import put_heard
from pilothouse.kit.remembered import Remembered
from pilothouse.kit.retry import retrying
from pilothouse.kit.told_facts import store_facts
from pilothouse.kit.transaction import Tx, lock_number
from pilothouse.kit.units import Unit, UnitQueue

T = TypeVar("T")

GROUP_UNITS_MAX = 100
GROUP_SECONDS_MAX = 0.010
"""A group ends when it has lasted so long: whoever came first does not wait for all who came later."""

GATHER_FROM = 8
"""Behind a group of so many units, or more, the next one is gathered, as long as there is a crowd."""

_ATTEMPTS = 6
_log = structlog.get_logger("pilothouse.kit.db")


class Committed(Protocol):
    """The database that a committing thread works for, as far as it concerns the thread."""

    dialect: Dialect
    clock: Clock
    ids: Ids
    bell: Bell
    chains: Chains
    wake: set[Callable[[], object]]
    heard_kinds: set[str]
    witness: Callable[[str], None] | None


class Writer:
    """What a committing thread does on either database."""

    def __init__(
        self, database: Committed, queue: UnitQueue, here: threading.local, engine: Engine, order: threading.Lock
    ) -> None:
        self.database = database
        self.queue = queue
        self.here = here
        self.engine = engine
        self.order = order  # from the ids of facts until they are told, one transaction at a time

    def run(self) -> None:
        """Work until the queue is closed and empty."""
        self.here.commits = True
        taken: list[Unit] = []
        try:
            while (unit := self.queue.take()) is not None:
                taken = []
                try:
                    self.make_durable(unit, taken)
                except MemoryError as error:
                    self.give_up(taken or [unit], error)
        except BaseException as error:
            self.let_go()
            self.stop(error.__cause__ or error if isinstance(error, Stopped) else error, taken)
        else:
            self.let_go()

    def make_durable(self, unit: Unit, taken: list[Unit]) -> None:
        """Do `unit` and tell its outcome; `taken` is filled with every unit begun."""
        raise NotImplementedError

    def give_up(self, taken: Iterable[Unit], error: MemoryError) -> None:
        """Leave units of which nobody can say whether they are durable, and go on: memory may be there again."""
        self.let_go()
        self.database.chains.forget()
        for unit in taken:
            if not unit.future.done():
                lost = CommitUnknown("memory ran out while the commit was on its way")
                lost.__cause__ = error
                unit.future.set_exception(lost)
        _log.error("out_of_memory")

    def let_go(self) -> None:
        """Let go of the connection, if one is kept."""

    def perform(
        self,
        unit: Unit,
        connection: Connection,
        driver: sqlite3.Connection | None = None,
        remembered: Remembered | None = None,
    ) -> Tx:
        """Run the work of `unit` inside of an open transaction."""
        database = self.database
        tx = Tx(connection, database.dialect, database.ids, writes=True, driver=driver, remembered=remembered)
        unit.tx = self.here.tx = tx
        try:
            unit.result = unit.context.run(unit.work, tx)
            if tx.facts and database.heard_kinds:
                put_heard(tx, database.heard_kinds)
            unit.lines = lines_of(tx.happened) if tx.happened else ()
        finally:
            self.here.tx = None
        return tx

    def see(self, prefix: str, units: Iterable[Unit]) -> None:
        """Show the witness what is about to be durable, or has just become so."""
        if self.database.witness is not None:
            try:
                self.database.witness(prefix + "+".join(unit.name for unit in units))
            except BaseException as error:
                raise Stopped from error

    def tell(self, units: Sequence[Unit], stamped: Sequence[StampedFact]) -> None:
        """After the commit: do what units asked for, wake who delivers messages, ring the bell."""
        wakes = False
        for unit in units:
            if unit.tx is not None:
                wakes = wakes or unit.tx.wakes
                for hook in unit.tx.hooks:
                    self.call(unit, hook)
        if wakes:
            for wake in tuple(self.database.wake):
                self.call(units[0], wake)
        if stamped:
            for listener in self.database.bell.listeners:
                self.call(units[0], listener, stamped)

    def call(self, unit: Unit, what: Callable[..., object], *args: object) -> None:
        """Call `what`; the commit stands whatever becomes of it, so an error is logged."""
        try:
            unit.context.run(what, *args)
        except Exception:
            unit.context.run(_log.exception, "after_commit_failed", unit=unit.name, call=repr(what))

    def stop(self, error: BaseException, taken: Iterable[Unit]) -> None:
        """Stop as if the process had died: nothing more is committed or told, and whoever waits gets an error."""
        lost = Lost(f"the database has stopped: {error!r}")
        self.queue.close(lost)
        for unit in taken:
            if not unit.future.done():
                unit.future.set_exception(error)
        for waiting in self.queue.drain():
            if waiting.future.set_running_or_notify_cancel():
                waiting.future.set_exception(lost)
        _log.critical("database_stopped", error=repr(error))


class SqliteWriter(Writer):
    """The one thread that writes to SQLite, in groups."""

    _connection: Connection | None = None

    def __init__(self, *how: Any) -> None:
        super().__init__(*how)
        self._remembered = Remembered()
        self._last_group = 0

    def make_durable(self, unit: Unit, taken: list[Unit]) -> None:
        """Do `unit` and what waits behind it in one transaction."""
        if self._last_group >= GATHER_FROM:
            self.queue.gather(self._last_group - 1)
        durable: list[Unit] = []
        stamped: list[StampedFact] = []
        heads: Heads = {}
        try:
            connection, raw = self._open()
            raw.execute("BEGIN IMMEDIATE")
            self._remembered.begin(raw)
            self._fill(connection, raw, unit, taken)
            durable = [each for each in taken if each.error is None]
            if durable:
                heads, stamped = self._store_told(connection, raw, durable)
                self.see("before:", durable)
                raw.execute("COMMIT")
            else:
                raw.execute("ROLLBACK")
        except (sqlite3.Error, SQLAlchemyError, MemoryError) as error:
            self.let_go()  # closing rolls back
            self.database.chains.forget()
            short = isinstance(error, MemoryError)
            lost = OutOfMemory("memory ran out") if short else Lost(f"the database did not commit: {error}")
            lost.__cause__ = error
            if not taken and unit.future.set_running_or_notify_cancel():
                taken.append(unit)
            for each in taken:
                each.error = each.error or lost
            durable = []
        if durable:
            self.database.chains.keep(heads)
            self.see("", durable)
            self.tell(durable, stamped)
        self._last_group = len(taken)
        for each in taken:
            each.resolve()

    def _fill(self, connection: Connection, raw: sqlite3.Connection, first: Unit, taken: list[Unit]) -> None:
        """Run `first` and then whatever waits, until the group is full, has lasted long enough, or nothing waits."""
        clock = self.database.clock
        ends = clock.monotonic() + GROUP_SECONDS_MAX
        unit: Unit | None = first
        while unit is not None:
            if unit.future.set_running_or_notify_cancel():
                taken.append(unit)
                raw.execute("SAVEPOINT unit")
                try:
                    self.perform(unit, connection, raw, self._remembered)
                except Exception as error:
                    unit.error = told(error)
                    self._remembered.forget()
                    if not raw.in_transaction:
                        raise  # SQLite gave up the whole transaction (a full disk, say), not just this unit
                    raw.execute("ROLLBACK TO unit")
                raw.execute("RELEASE unit")
            full = len(taken) >= GROUP_UNITS_MAX or clock.monotonic() >= ends
            unit = None if full else self.queue.take_now()

    def _store_told(
        self, connection: Connection, raw: sqlite3.Connection, units: Sequence[Unit]
    ) -> tuple[Heads, list[StampedFact]]:
        """Store what all units of the group recorded and announced, in their order."""
        announced = [fact for unit in units if unit.tx is not None for fact in unit.tx.facts]
        lines = [line for unit in units for line in unit.lines]
        tx = Tx(connection, "sqlite", self.database.ids, writes=True, driver=raw)
        heads = self.database.chains.append(tx, lines, self.database.clock.now()) if lines else {}
        return heads, store_facts(tx, announced) if announced else []

    def _open(self) -> tuple[Connection, sqlite3.Connection]:
        """Return the connection, opened anew if the last one failed."""
        if self._connection is None:
            self._connection = self.engine.connect()
        # SQLAlchemy compiles the statements of units; the frame around them is spoken to the driver, which is
        # several times quicker, and there are two such statements for each unit.
        return self._connection, driver_of(self._connection)

    def let_go(self) -> None:
        """Close the connection for good; what was not committed is rolled back."""
        self._remembered.forget()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


class PostgresWriter(Writer):
    """One of the threads that write to PostgreSQL, each unit in its own transaction."""

    def make_durable(self, unit: Unit, taken: list[Unit]) -> None:
        """Do `unit`, again and again while PostgreSQL asks for that."""
        if not unit.future.set_running_or_notify_cancel():
            self.queue.finished(unit)
            return
        taken.append(unit)
        try:
            retrying(
                lambda: self._transact(unit),
                on=DBAPIError,
                when=is_worth_again,
                attempts=_ATTEMPTS,
                first=0.01,
                longest=0.5,
            )
        except Exception as error:
            unit.error = told(error)
            if unit.error is not error:
                unit.error.__cause__ = error
        self.queue.finished(unit)
        unit.resolve()

    def _transact(self, unit: Unit) -> None:
        """Do `unit` in one transaction and tell what it asked for."""
        with ExitStack() as stack:
            connection = stack.enter_context(self.engine.connect())
            tx = self.perform(unit, connection)
            chains = self.database.chains
            heads = chains.append(tx, unit.lines, self.database.clock.now()) if unit.lines else {}
            stamped: list[StampedFact] = []
            if tx.facts:
                stack.enter_context(self.order)
                stamped = store_facts(tx, tx.facts)
            self.see("before:", [unit])
            _commit(connection)
            chains.keep(heads)
            self.see("", [unit])
            self.tell([unit], stamped)


def _commit(connection: Connection) -> None:
    """Make the transaction of a PostgreSQL connection durable. Raises CommitUnknown if nobody can say whether it is."""
    try:
        connection.commit()
    except DBAPIError as error:
        if isinstance(told(error), Lost):
            raise CommitUnknown("the connection broke while the commit was on its way") from error
        raise


def in_one_transaction(url: str, work: Callable[[Connection], T], *, foreign_keys: bool = True) -> T:
    """Do `work` in one durable transaction on a connection of its own: for migrations, before the house is open.

    foreign_keys   False: SQLite checks them once, before the commit, and not at each statement, so that a table can
                   be made anew while others refer to it; raises Broken if one is violated then
    """
    engine = open_engine(url, size=1)
    try:
        with engine.connect() as connection:
            if dialect_of(url) == "postgresql":
                with connection.begin():
                    return work(connection)
            if not foreign_keys:
                connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                if not foreign_keys and (left := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                    raise Broken(f"{len(left)} rows refer to rows that are not there, first in {left[0][0]}")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
            return result
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise told(error) from error
    finally:
        engine.dispose()


def lock_in(connection: Connection, name: str) -> None:
    """Let no other transaction past this name until that of `connection` ends, however long that takes.

    On SQLite there is only one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (lock_number(name),))


class Stopped(BaseException):
    """The witness raised: from here on it is as if the process had died."""
