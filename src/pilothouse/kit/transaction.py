"""The transaction that a unit of work is given: it reads and writes, and says what is to happen once it is durable."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, overload

from msgspec import Raw
from sqlalchemy import BigInteger, CursorResult, Executable, bindparam, func, select
from sqlalchemy.engine import Connection

from pilothouse.core.errors import Broken
from pilothouse.core.facts import Fact, FactKind
from pilothouse.core.ids import Ids
from pilothouse.kit.exact_json import both
from pilothouse.kit.hot import Hot, HotResult
from pilothouse.kit.remembered import Remembered

Params = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""What a statement takes."""

Happening = tuple[str, str, str, object]
"""(chain, about, event, particulars) for the record; see `kit/chain.py`."""

_TOLD_OTHERWISE = frozenset(
    {FactKind.ORDER_CHANGED, FactKind.FILL_BOOKED, FactKind.POSITION_CHANGED, FactKind.FUNDING_BOOKED}
)
"""The record has what these say in more words from who announces them: notes, reports and entries."""

_LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))


class Tx:
    """One transaction, for as long as its unit of work runs; never kept beyond it, never shared between threads.

    What runs inside must have no effect but through this object: it may be rolled back, and on PostgreSQL run again.
    """

    __slots__ = (
        "connection",
        "dialect",
        "driver",
        "facts",
        "happened",
        "hooks",
        "ids",
        "remembered",
        "wakes",
        "writes",
    )

    def __init__(
        self,
        connection: Connection,
        dialect: Literal["sqlite", "postgresql"],
        ids: Ids,
        *,
        writes: bool,
        driver: sqlite3.Connection | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        """Wrap an open transaction of `connection`; without `writes`, nothing can be announced or hooked.

        driver       the connection as SQLite's driver knows it, to which hot statements are spoken
        remembered   what the only writer has read before, and nobody has changed
        """
        self.connection = connection
        self.driver = driver
        self.remembered = remembered
        self.dialect = dialect
        self.ids = ids
        self.writes = writes
        self.facts: list[tuple[Fact, str]] = []
        self.happened: list[Happening] = []
        self.hooks: list[Callable[[], object]] = []
        self.wakes = False

    @overload
    def execute(self, statement: Hot, params: Params = None) -> HotResult: ...

    @overload
    def execute(self, statement: Executable, params: Params = None) -> CursorResult[*tuple[Any, ...]]: ...

    def execute(self, statement: Hot | Executable, params: Params = None) -> HotResult | CursorResult[*tuple[Any, ...]]:
        """Run one statement; a sequence of parameters runs it once for each."""
        known = self.remembered
        if known is not None:
            assert self.driver is not None, "only SQLite's writer remembers"
            if isinstance(statement, Hot) and statement.seldom and isinstance(params, Mapping):
                return known.run(statement, self.driver, params)
            known.changed(statement)
        if not isinstance(statement, Hot):
            return self.connection.execute(statement, params)
        if self.driver is not None:
            return statement.run(self.driver, params)
        return statement.of(self.connection.execute(statement.statement, params))

    def after_commit(self, hook: Callable[[], object]) -> None:
        """Call `hook` once the transaction is durable, on the committing thread and in the order of asking.

        The hook must be quick: others wait for that thread. What it raises is logged. It may submit, but not write.
        """
        self._must_write("after_commit")
        self.hooks.append(hook)

    def announce(self, fact: Fact) -> None:
        """Tell `fact` together with the change that made it true: stored with it, rung on the bell after the commit.

        Raises TypeError at once if the payload has no exact JSON.
        """
        self._must_write("announce")
        # Listeners hear it exactly as a later reader will find it.
        text, payload = both(fact.payload)
        kept = Fact(fact.kind, fact.owner_id, fact.at, fact.account_id, payload, fact.key)
        self.facts.append((kept, text))
        if fact.account_id is not None and fact.kind not in _TOLD_OTHERWISE:
            about = payload.get("signal_id") or payload.get("order_id") or fact.account_id
            self.happened.append((fact.account_id, about, fact.kind.value, Raw(text.encode())))

    def record(self, chain: str, about: str, event: str, particulars: object) -> None:
        """Append what happened to the record for ever, with the change itself. Most facts of an account are, too.

        chain         the account it belongs to, or the owner for what concerns no account
        about         id of the alert it belongs to; without one, of the order, payment or account
        particulars   plain data, dataclasses, decimals and instants; nobody changes it afterwards; never a secret
        """
        self._must_write("record")
        self.happened.append((chain, about, event, particulars))

    def lock(self, name: str) -> None:
        """Let no other transaction past this name until this one ends; on SQLite there is only one writer anyway."""
        self._must_write("lock")
        if self.dialect == "postgresql":
            self.connection.execute(_LOCK, {"number": lock_number(name)})

    def wake(self) -> None:
        """Wake whoever delivers messages, after the commit; `outbox` says so whenever something became due."""
        self.wakes = True

    def _must_write(self, what: str) -> None:
        if not self.writes:
            raise Broken(f"{what} was called in a read; only a unit of work may")


def lock_number(name: str) -> int:
    """Return the advisory lock of `name`: 64 bits, signed, the same in each process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
