"""Facts as they were told: stored at the end of the transaction that made them true, read in the order of its commits.

What is heard of them by a message goes through the outbox; here is what happened, for whoever asks later.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, delete, func, insert, select

from pilothouse.core.facts import Fact, FactKind, StampedFact
from pilothouse.kit.hot import hot
from pilothouse.kit.tables import facts
from pilothouse.kit.transaction import Tx

_FACT_INSERT = insert(facts).values(
    owner_id=bindparam("owner_id"),
    account_id=bindparam("account_id"),
    kind=bindparam("kind"),
    payload=bindparam("text", type_=Text),  # made into JSON when it was announced
    at=bindparam("at"),
)
_FACT_INSERT_AT = hot(_FACT_INSERT.values(id=bindparam("id")))
_FACT_INSERT_TELLING = _FACT_INSERT.returning(facts.c.id, sort_by_parameter_order=True)
_FACTS_ORDER = "pilothouse facts"
_LAST_ID_EVER = """
    SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'facts'), 0),
               coalesce((SELECT max(id) FROM facts), 0))
"""
_AFTER = select(facts).where(facts.c.id > bindparam("last_id")).order_by(facts.c.id).limit(bindparam("limit"))
_AFTER_OF_OWNER = _AFTER.where(facts.c.owner_id == bindparam("owner"))
_LAST = select(func.coalesce(func.max(facts.c.id), 0))
# Ids grow with time, so the oldest are found without an index of instants, which every alert would have to keep up.
_OLDEST = select(facts.c.id, facts.c.at).order_by(facts.c.id).limit(bindparam("limit")).subquery()
_FORGET = delete(facts).where(facts.c.id.in_(select(_OLDEST.c.id).where(_OLDEST.c.at < bindparam("before"))))


def store_facts(tx: Tx, announced: Sequence[tuple[Fact, str]]) -> list[StampedFact]:
    """Store facts at the very end of a transaction, so that ids grow in the order of the commits."""
    rows: list[dict[str, Any]] = [
        {"owner_id": fact.owner_id, "account_id": fact.account_id, "kind": fact.kind.value, "text": text, "at": fact.at}
        for fact, text in announced
    ]
    if tx.dialect == "sqlite":  # the only writer counts by itself, which is quicker than asking for each id
        assert tx.driver is not None, "on SQLite there is one"
        last: int = tx.driver.execute(_LAST_ID_EVER).fetchone()[0]
        ids = list(range(last + 1, last + 1 + len(rows)))
        tx.execute(_FACT_INSERT_AT, [row | {"id": id_} for row, id_ in zip(rows, ids, strict=True)])
    else:  # nobody else gets an id between ours and our commit
        tx.lock(_FACTS_ORDER)
        ids = list(tx.execute(_FACT_INSERT_TELLING, rows).scalars())
    return [StampedFact(id_, fact) for id_, (fact, _) in zip(ids, announced, strict=True)]


def facts_after(tx: Tx, last_id: int, *, owner_id: str | None, limit: int) -> list[StampedFact]:
    """Return facts behind `last_id` in the order of their commits: one owner's, or all when `owner_id` is None."""
    values: dict[str, Any] = {"last_id": last_id, "limit": limit}
    statement = _AFTER if owner_id is None else _AFTER_OF_OWNER
    rows = tx.execute(statement, values if owner_id is None else values | {"owner": owner_id})
    return [StampedFact(r.id, Fact(FactKind(r.kind), r.owner_id, r.at, r.account_id, r.payload)) for r in rows]


def last_fact_id(tx: Tx) -> int:
    """Return the id of the latest fact; 0 if there is none."""
    last: int = tx.execute(_LAST).scalar_one()
    return last


def newest_fact_at(tx: Tx) -> datetime | None:
    """Return when the last fact was told, by the clock of that moment; None: nothing was told yet."""
    row = tx.execute(select(facts.c.at).order_by(facts.c.id.desc()).limit(1)).first()
    return None if row is None else row.at


def forget_facts(tx: Tx, before: datetime, limit: int = 1_000) -> int:
    """Delete up to `limit` facts that happened before `before`, oldest first; return how many."""
    return tx.execute(_FORGET, {"before": before, "limit": limit}).rowcount
