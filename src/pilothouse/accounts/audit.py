"""The append-only record of who changed what. Nothing here changes or deletes a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from pilothouse.accounts.access import owned
from pilothouse.accounts.tables import audit
from pilothouse.kit.db import Tx

_INSERT = insert(audit)


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Somebody did something."""

    id: str
    owner_id: str
    at: datetime
    who: str
    what: str
    detail: dict[str, Any]


def record(tx: Tx, *, owner_id: str, who: str, what: str, now: datetime, detail: Mapping[str, Any]) -> None:
    """Write one line, in the transaction of the change itself.

    who      label of a token, or "house"
    what     object and verb, such as hook.rotated
    detail   plain data; never a secret
    """
    tx.execute(
        _INSERT,
        {
            "id": tx.ids.fresh("aud"),
            "owner_id": owner_id,
            "at": now,
            "who": who[:120],
            "what": what,
            "detail": dict(detail),
        },
    )
    tx.record(owner_id, owner_id, what, {"who": who[:120], "at": now, **detail})


def list_audit(tx: Tx, owner_id: str, *, before: str | None = None, limit: int = 100) -> list[AuditLine]:
    """Return the newest `limit` (1 or more) lines, newest first; `before`: the last id of the page before."""
    cells = audit.c
    statement = select(cells.id, cells.owner_id, cells.at, cells.who, cells.what, cells.detail).where(
        owned(audit, owner_id)
    )
    if before is not None:
        statement = statement.where(cells.id < before)
    return [AuditLine(*row) for row in tx.execute(statement.order_by(cells.id.desc()).limit(limit))]
