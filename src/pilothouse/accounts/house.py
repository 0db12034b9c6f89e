"""The house's own values: made once, at the first start, and kept for ever (salts and the like)."""

from sqlalchemy import bindparam, insert, select

from pilothouse.accounts.tables import house
from pilothouse.kit.db import Tx

_READ = select(house.c.value).where(house.c.key == bindparam("of_key"))
_INSERT = insert(house)


def value(tx: Tx, key: str) -> str | None:
    """Return the value kept under `key`, or None."""
    row = tx.execute(_READ, {"of_key": key}).one_or_none()
    return str(row[0]) if row else None


def keep(tx: Tx, key: str, wanted: str) -> str:
    """Keep `wanted` under `key` unless something is kept there already; return what is kept."""
    tx.lock(f"house:{key}")
    kept = value(tx, key)
    if kept is not None:
        return kept
    tx.execute(_INSERT, {"key": key, "value": wanted})
    return wanted
