"""Idempotency keys of our own API: the same key with the same request has the same answer, and happens once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from pilothouse.accounts.tables import idempotency
from pilothouse.core.errors import Invalid, Problem, Refused
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import same

KEY_LENGTH_MAX = 255

_FIND = select(idempotency.c.request_digest, idempotency.c.status, idempotency.c.answer).where(
    idempotency.c.owner_id == bindparam("of_owner"), idempotency.c.key == bindparam("of_key")
)
_INSERT = insert(idempotency)


class IdempotencyMismatch(Refused):
    """The key was used before, for another request."""

    code = "idempotency_mismatch"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time: HTTP status and body."""

    status: int
    body: str


def find(tx: Tx, *, owner_id: str, key: str, request_digest: str) -> Answer | None:
    """Return what was answered to this request under this key before, or None if it is new.

    Call it first in the very unit of work that acts and stores: a second delivery then waits for the first.
    Raises IdempotencyMismatch if the key came with another request, Invalid if it is no proper key.
    """
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        allowed = f"1 to {KEY_LENGTH_MAX} printable ASCII characters"
        raise Invalid([Problem("Idempotency-Key", f"{len(key)} characters", allowed)])
    if tx.writes:
        tx.lock(f"idempotency:{owner_id}:{key}")
    row = tx.execute(_FIND, {"of_owner": owner_id, "of_key": key}).one_or_none()
    if row is None:
        return None
    if not same(row.request_digest, request_digest):
        raise IdempotencyMismatch("this Idempotency-Key was used for another request; take a new one")
    return Answer(row.status, row.answer)


def store(tx: Tx, *, owner_id: str, key: str, request_digest: str, answer: Answer, now: datetime) -> None:
    """Keep what is answered, in the transaction of what was done; `find` has returned None in it."""
    tx.execute(
        _INSERT,
        {
            "owner_id": owner_id,
            "key": key,
            "request_digest": request_digest,
            "status": answer.status,
            "answer": answer.body,
            "created_at": now,
        },
    )


def forget(tx: Tx, before: datetime) -> int:
    """Forget the keys made before that instant and return how many; they may then be used again."""
    return tx.execute(delete(idempotency).where(idempotency.c.created_at < before)).rowcount
