"""What the only writer of an SQLite database has read already, so that it need not read it again alert after alert.

In: rows that seldom change, as they were read, and keys of messages that it put. Out: the same, for as long as nobody
can have changed them: what this writer changes it is told of, a unit that was rolled back makes it forget, and SQLite
says at the beginning of each transaction whether somebody else has committed in between.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Executable, Select
from sqlalchemy.sql.dml import UpdateBase

from pilothouse.kit.hot import Hot, HotResult

_MOST: Final = 4_096
"""So many answers, and so many keys, are remembered; then it begins anew."""


class Remembered:
    """What one writer remembers; for one thread."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._rows: dict[tuple[Any, ...], list[Any]] = {}
        self._tables: set[str] = set()
        self._keys: set[str] = set()
        self._version: int | None = None

    def begin(self, driver: sqlite3.Connection) -> None:
        """Begin a transaction that holds the lock on the database: forget everything if somebody else has committed."""
        version: int = driver.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.forget()
            self._version = version

    def forget(self) -> None:
        """Remember nothing: what was read may have been rolled back, or the connection is another one."""
        self._rows.clear()
        self._keys.clear()
        self._version = None

    # ── Rows that seldom change ───────────────────────────────────────────────────────────────────

    def run(self, statement: Hot, driver: sqlite3.Connection, params: Mapping[str, Any]) -> HotResult:
        """Return what a statement that is `seldom` another answer finds, asking SQLite only for what is not known."""
        asked = (statement, *params.items())
        rows = self._rows.get(asked)
        if rows is None:
            if len(self._rows) >= _MOST:
                self._rows.clear()
            self._tables |= statement.tables
            rows = self._rows[asked] = statement.run(driver, params).all()
        return HotResult(list(rows), -1)

    def changed(self, statement: Hot | Executable) -> None:
        """Forget what a statement that is about to run may change."""
        if isinstance(statement, Hot):
            if statement.writes in self._tables:
                self._rows.clear()
        elif not isinstance(statement, Select):
            self._keys.clear()
            table = getattr(statement.table, "name", None) if isinstance(statement, UpdateBase) else None
            if table is None or table in self._tables:
                self._rows.clear()

    # ── Messages that wait ────────────────────────────────────────────────────────────────────────

    def waits(self, key: str) -> bool:
        """Say whether a message of ours with this key is known to wait; False: nobody knows."""
        return key in self._keys

    def put(self, key: str) -> None:
        """Remember that a message waits until it is claimed."""
        if len(self._keys) >= _MOST:
            self._keys.clear()
        self._keys.add(key)

    def claimed(self) -> None:
        """Forget which messages wait."""
        self._keys.clear()
