"""Who asks, what they may do, and the one filter through which owned rows are read."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Table

from pilothouse.core.errors import Forbidden


class Scope(StrEnum):
    """What a token may be good for."""

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"


ALL_SCOPES = tuple(Scope)


class ScopeMissing(Forbidden):
    """The token is genuine but not good for this."""

    code = "scope_missing"


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody who has shown a valid token.

    owner_id   whose rows they see; nobody else's
    token_id   with which token they came
    label      what they call that token; the audit names it
    """

    owner_id: str
    token_id: str
    label: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Return if they may; raises ScopeMissing."""
        if scope not in self.scopes:
            raise ScopeMissing(f"this needs a token with the scope '{scope}'; this one has: {self._named()}")

    def _named(self) -> str:
        return ", ".join(sorted(self.scopes)) or "none"


def owned(table: Table, owner_id: str) -> ColumnElement[bool]:
    """Return the condition that a row of `table` belongs to `owner_id`; every read on somebody's behalf carries it."""
    return table.c.owner_id == owner_id
