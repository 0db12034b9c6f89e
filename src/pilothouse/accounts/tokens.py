"""Tokens of our own API: issued once in plain, kept as a digest, checked in constant time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from pilothouse.accounts.access import Scope, Subject, owned
from pilothouse.accounts.audit import record
from pilothouse.accounts.tables import tokens
from pilothouse.core.errors import NotFound
from pilothouse.kit.db import Tx
from pilothouse.kit.sealed import Secret, digest, new_token, same

_CHECK = select(tokens.c.id, tokens.c.owner_id, tokens.c.label, tokens.c.scopes, tokens.c.digest).where(
    tokens.c.digest == bindparam("of_digest"), tokens.c.revoked_at.is_(None)
)
_INSERT = insert(tokens)


class TokenNotFound(NotFound):
    """There is no such token, or it is somebody else's."""

    code = "token_not_found"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself was shown once and is not kept."""

    id: str
    owner_id: str
    label: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None = None


def issue(
    tx: Tx, *, owner_id: str, label: str, scopes: Iterable[Scope], now: datetime, who: str = "house"
) -> tuple[Token, Secret]:
    """Return a new token and its plain text `ph_op_...`, which is not kept: show it now or never."""
    plain = new_token("ph_op")
    token = Token(tx.ids.fresh("tok"), owner_id, label, tuple(scopes), now)
    tx.execute(
        _INSERT,
        {
            "id": token.id,
            "owner_id": owner_id,
            "digest": digest(plain),
            "label": label,
            "scopes": list(token.scopes),
            "created_at": now,
            "revoked_at": None,
        },
    )
    detail = {"token_id": token.id, "label": label, "scopes": list(token.scopes)}
    record(tx, owner_id=owner_id, who=who, what="token.issued", now=now, detail=detail)
    return token, Secret(plain)


def check(tx: Tx, plain: str) -> Subject | None:
    """Return who shows this token, or None if it is unknown or revoked.

    It is looked up by its digest: how long that takes tells of the digest at most, and nobody can choose a digest.
    """
    wanted = digest(plain)
    row = tx.execute(_CHECK, {"of_digest": wanted}).one_or_none()
    if row is None or not same(row.digest, wanted):
        return None
    return Subject(row.owner_id, row.id, row.label, frozenset(Scope(name) for name in row.scopes))


def list_tokens(tx: Tx, owner_id: str) -> list[Token]:
    """Return all tokens of an owner, revoked ones too, newest first."""
    cells = tokens.c
    rows = tx.execute(
        select(cells.id, cells.owner_id, cells.label, cells.scopes, cells.created_at, cells.revoked_at)
        .where(owned(tokens, owner_id))
        .order_by(cells.id.desc())
    )
    return [
        Token(id_, owner, label, tuple(Scope(name) for name in scopes), created_at, revoked_at)
        for id_, owner, label, scopes, created_at, revoked_at in rows
    ]


def revoke(tx: Tx, owner_id: str, token_id: str, *, now: datetime, who: str = "house") -> None:
    """Make a token worthless from now on; again is no error. Raises TokenNotFound."""
    mine = owned(tokens, owner_id) & (tokens.c.id == token_id)
    row = tx.execute(select(tokens.c.revoked_at).where(mine)).one_or_none()
    if row is None:
        raise TokenNotFound(f"there is no token {token_id[:40]!r}")
    if row.revoked_at is None:
        tx.execute(update(tokens).where(mine), {"revoked_at": now})
        record(tx, owner_id=owner_id, who=who, what="token.revoked", now=now, detail={"token_id": token_id})
