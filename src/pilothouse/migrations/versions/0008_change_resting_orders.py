"""Change resting orders.

Revision 0008, behind 0007.
"""

from alembic import op
from sqlalchemy import Column, Integer, PrimaryKeyConstraint, String, UniqueConstraint

from pilothouse.kit.columns import Exact, Id, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "amendments",
        Column("order_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("client_order_id", String(length=36), nullable=False),
        Column("quantity", Exact, nullable=False),
        Column("price", Exact, nullable=True),
        Column("decided_price", Exact, nullable=False),
        Column("asked_by", String(length=64), nullable=False),
        Column("asked_at", Instant, nullable=False),
        Column("sendable_until", Instant, nullable=True),
        Column("asked", Integer(), nullable=False),
        PrimaryKeyConstraint("order_id", name="pk_amendments"),
        UniqueConstraint("account_id", "client_order_id", name="uq_amendments_client_order_id"),
    )
    # SQLite appends columns behind the constraints unless the table is made anew.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("orders", recreate="always" if is_sqlite else "never") as batch_op:
        batch_op.add_column(Column("amend_quantity", Exact, nullable=True))
        batch_op.add_column(Column("replaced_by", Id, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_column("replaced_by")
        batch_op.drop_column("amend_quantity")

    op.drop_table("amendments")
