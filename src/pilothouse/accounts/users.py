"""Users. So far there is one: the operator, who owns everything."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from pilothouse.accounts.tables import users
from pilothouse.kit.db import Tx

OPERATOR = "operator"

_COLUMNS = (users.c.id, users.c.email, users.c.name, users.c.role, users.c.created_at)
_OPERATOR = select(*_COLUMNS).where(users.c.role == OPERATOR).order_by(users.c.created_at, users.c.id).limit(1)
_BY_ID = select(users.c.id).where(users.c.id == bindparam("this_id"))
_INSERT = insert(users)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who owns things; `id` is the owner_id of all of them."""

    id: str
    email: str | None
    name: str
    role: str
    created_at: datetime


def ensure_operator(tx: Tx, *, now: datetime, name: str = "operator") -> User:
    """Return the operator, made now if the house has none yet."""
    tx.lock("operator")
    row = tx.execute(_OPERATOR).one_or_none()
    if row:
        return User(*row)
    return add_user(tx, name=name, role=OPERATOR, now=now)


def is_user(tx: Tx, user_id: str) -> bool:
    """Say whether there is a user of this id."""
    return tx.execute(_BY_ID, {"this_id": user_id}).one_or_none() is not None


def add_user(tx: Tx, *, name: str, role: str, now: datetime, email: str | None = None) -> User:
    """Return a new user. What they may do is told by their tokens."""
    user = User(tx.ids.fresh("usr"), email, name, role, now)
    tx.execute(
        _INSERT,
        {"id": user.id, "email": user.email, "name": user.name, "role": user.role, "created_at": user.created_at},
    )
    return user
