"""Keep a record of what happens in chains; for accounts that are older, a chain begins with the first event after this.

What happened before is not put in: a record that was written afterwards proves nothing. Its first row says so.

The index of the instants of facts goes: what it was for is found without it.

Revision 0009, behind 0008.
"""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String, Text

from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.columns import Id, Instant, Name, Serial

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    heads = op.create_table(
        "record_heads",
        Column("chain", Id, nullable=False),
        Column("number", BigInteger(), nullable=False),
        Column("hash", String(length=64), nullable=False),
        Column("at", Instant, nullable=False),
        Column("note", Text(), nullable=False),
        PrimaryKeyConstraint("chain", name="pk_record_heads"),
    )
    op.create_table(
        "records",
        Column("id", Serial, autoincrement=True, nullable=False),
        Column("chain", Id, nullable=False),
        Column("number", BigInteger(), nullable=False),
        Column("about", Name, nullable=False),
        Column("at", Instant, nullable=False),
        Column("body", Text(), nullable=False),
        Column("hash", String(length=64), nullable=False),
        PrimaryKeyConstraint("id", name="pk_records"),
    )
    op.create_index("ix_records_about", "records", ["about"])
    # Old facts are found by their ids, which grow with time: every alert kept up this index for nothing else.
    op.drop_index("ix_facts_at", "facts")
    _begin_for_accounts(heads)


def _begin_for_accounts(heads: sa.Table) -> None:
    """Let the chain of each account that is there already begin with what is missing in it."""
    accounts = sa.table("trading_accounts", Column("id", Id))
    orders = sa.table("orders", Column("account_id", Id))
    counted = (
        sa.select(accounts.c.id, sa.func.count(orders.c.account_id))
        .select_from(accounts.outerjoin(orders, orders.c.account_id == accounts.c.id))
        .group_by(accounts.c.id)
    )
    now = SystemClock().now()
    rows = [
        {
            "chain": account_id,
            "number": 0,
            "hash": sha256(f"pilothouse\n{account_id}".encode()).hexdigest(),
            "at": now,
            "note": f"the record begins with an upgrade: {number} orders are older and stand in the books alone",
        }
        for account_id, number in op.get_bind().execute(counted)
    ]
    if rows:
        op.bulk_insert(heads, rows)


def downgrade() -> None:
    op.create_index("ix_facts_at", "facts", ["at"])
    op.drop_index("ix_records_about", "records")
    op.drop_table("records")
    op.drop_table("record_heads")
