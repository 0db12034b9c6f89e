"""Whose an account is and which venue it trades at: asked once in a run."""

from dataclasses import dataclass

from sqlalchemy import select

from pilothouse.accounts.tables import trading_accounts
from pilothouse.kit.db import Tx
from pilothouse.ledger.tables import balances, positions
from pilothouse.observability.invariants.rule import Looking

_ACCOUNTS = select(trading_accounts.c.id, trading_accounts.c.owner_id, trading_accounts.c.venue)
_WITH_BOOKS = [select(table.c.account_id, table.c.owner_id).distinct() for table in (balances, positions)]


@dataclass(frozen=True, slots=True)
class Whose:
    """The owner of an account; `venue` is empty for books without an account."""

    account_id: str
    owner_id: str
    venue: str


def accounts(tx: Tx, looking: Looking) -> dict[str, Whose]:
    """Return every account by its id: those that are registered, and any others that have books."""
    known: dict[str, Whose] | None = looking.found.get("accounts")
    if known is None:
        known = {row.id: Whose(row.id, row.owner_id, row.venue) for row in tx.execute(_ACCOUNTS)}
        for statement in _WITH_BOOKS:
            for row in tx.execute(statement):
                known.setdefault(row.account_id, Whose(row.account_id, row.owner_id, ""))
        looking.found["accounts"] = known
    return known
