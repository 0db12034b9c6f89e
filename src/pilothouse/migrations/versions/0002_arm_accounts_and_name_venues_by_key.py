"""Accounts are armed, and a venue is a key that may carry an address.

Revision 0002, behind 0001.
"""

from alembic import op
from sqlalchemy import Column, String

from pilothouse.kit.columns import Instant, JsonText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("instruments") as batch_op:
        batch_op.alter_column(
            "venue", existing_type=String(length=32), type_=String(length=200), existing_nullable=False
        )

    with op.batch_alter_table("trading_accounts") as batch_op:
        batch_op.add_column(Column("armed_at", Instant, nullable=True))
        batch_op.add_column(Column("endpoint", JsonText, nullable=True))
        batch_op.alter_column(
            "venue", existing_type=String(length=32), type_=String(length=200), existing_nullable=False
        )


def downgrade() -> None:
    with op.batch_alter_table("trading_accounts") as batch_op:
        batch_op.alter_column(
            "venue", existing_type=String(length=200), type_=String(length=32), existing_nullable=False
        )
        batch_op.drop_column("endpoint")
        batch_op.drop_column("armed_at")

    with op.batch_alter_table("instruments") as batch_op:
        batch_op.alter_column(
            "venue", existing_type=String(length=200), type_=String(length=32), existing_nullable=False
        )
