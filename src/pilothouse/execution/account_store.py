"""What stands on an account beside its orders: how many orders were made, what is reconciled."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pilothouse.core.clock import EPOCH
from pilothouse.execution.tables import order_counts, reconciled
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot

_COUNTS = hot(
    select(func.sum(order_counts.c.made)).where(
        order_counts.c.account_id == bindparam("account_id"), order_counts.c.second > bindparam("after")
    )
)
_COUNT_UP = {
    "sqlite": hot(
        sqlite.insert(order_counts).on_conflict_do_update(
            index_elements=["account_id", "second"], set_={"made": order_counts.c.made + 1}
        )
    ),
    "postgresql": hot(
        postgresql.insert(order_counts).on_conflict_do_update(
            index_elements=["account_id", "second"], set_={"made": order_counts.c.made + 1}
        )
    ),
}


def count_order(tx: Tx, account_id: str, owner_id: str, now: datetime) -> None:
    """Count one more order made now."""
    second = (now - EPOCH) // timedelta(seconds=1)
    tx.execute(_COUNT_UP[tx.dialect], {"account_id": account_id, "second": second, "owner_id": owner_id, "made": 1})


def orders_within_a_minute(tx: Tx, account_id: str, now: datetime) -> int:
    """Return how many orders the account made within the last 60 seconds."""
    second = (now - EPOCH) // timedelta(seconds=1)
    return int(tx.execute(_COUNTS, {"account_id": account_id, "after": second - 60}).scalar() or 0)


def forget_counts(tx: Tx, before: datetime) -> int:
    """Delete the counts of seconds before `before`; returns how many."""
    second = (before - EPOCH) // timedelta(seconds=1)
    return tx.execute(delete(order_counts).where(order_counts.c.second < second)).rowcount


def reconciled_up_to(tx: Tx, account_id: str) -> dict[tuple[str, str], str]:
    """Return up to which venue id everything is booked, by (kind, symbol)."""
    query = select(reconciled.c.kind, reconciled.c.symbol, reconciled.c.venue_id)
    rows = tx.execute(query.where(reconciled.c.account_id == account_id))
    return {(row.kind, row.symbol): row.venue_id for row in rows}


def set_reconciled(tx: Tx, account_id: str, owner_id: str, kind: str, symbol: str, venue_id: str, at: datetime) -> None:
    """Say that everything up to `venue_id` is booked."""
    which = (reconciled.c.account_id == account_id) & (reconciled.c.kind == kind) & (reconciled.c.symbol == symbol)
    done = tx.execute(update(reconciled).where(which).values(venue_id=venue_id, at=at))
    if done.rowcount == 0:
        tx.execute(
            insert(reconciled).values(
                account_id=account_id, kind=kind, symbol=symbol, owner_id=owner_id, venue_id=venue_id, at=at
            )
        )
