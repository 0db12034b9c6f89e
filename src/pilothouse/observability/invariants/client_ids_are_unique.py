"""No client order id stands for two orders of an account: the venue would take one for the other.

The database has a constraint for it. That is asked too, because a constraint can be lost where an id cannot.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from sqlalchemy import bindparam, func, select, tuple_

from pilothouse.execution.tables import orders
from pilothouse.kit.db import Tx
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking

NAME = "client_ids_are_unique"

_KEY = (orders.c.account_id, orders.c.client_order_id)
_NEXT = (
    select(*_KEY)
    .where(tuple_(*_KEY) >= tuple_(bindparam("account"), bindparam("client_id")))
    .order_by(*_KEY)
    .limit(bindparam("limit"))
)
_NAMED = (
    select(*_KEY, func.min(orders.c.owner_id).label("owner_id"), func.count().label("number"))
    .where(orders.c.account_id == bindparam("account"), orders.c.client_order_id == bindparam("client_id"))
    .group_by(*_KEY)
)


@dataclass(slots=True)
class _Patrol:
    """How far the walk through all ids has come, and which were found twice when last looked at."""

    behind: tuple[str, str] = ("", "")
    twice: set[tuple[str, str]] = field(default_factory=set)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return client order ids that stand for more than one order."""
    patrol = looking.memory.keep(NAME, _Patrol)
    suspects = patrol.twice | _twice_in_slice(tx, looking, patrol)
    found, patrol.twice = [], set()
    for account_id, client_id in sorted(suspects)[:FINDINGS_MAX]:
        row = tx.execute(_NAMED, {"account": account_id, "client_id": client_id}).first()
        if row is None or row.number < 2:
            continue
        patrol.twice.add((account_id, client_id))
        words = f"{row.number} orders have the client order id {client_id}"
        numbers = {"client_order_id": client_id, "orders": str(row.number)}
        found.append(Finding(NAME, Gravity.BREACH, words, account_id, row.owner_id, numbers))
    return found


def _twice_in_slice(tx: Tx, looking: Looking, patrol: _Patrol) -> set[tuple[str, str]]:
    """Walk on through the ids in their order, where equal ones are neighbours."""
    most = looking.rows_most // 4 + 2
    account_id, client_id = patrol.behind
    rows = tx.execute(_NEXT, {"account": account_id, "client_id": client_id, "limit": most}).all()
    keys = [(row.account_id, row.client_order_id) for row in rows]
    # The last one of a slice is the first one of the next, so that no pair falls between the two.
    patrol.behind = keys[-1] if len(keys) == most and keys[-1] != keys[0] else ("", "")
    return {one for one, other in pairwise(keys) if one == other}


CLIENT_IDS_ARE_UNIQUE = Invariant(NAME, "Does every client order id stand for one order of its account?", check)
