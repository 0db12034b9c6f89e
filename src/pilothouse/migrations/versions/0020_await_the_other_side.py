"""Keep the protection of one side while an order may turn the position round.

Revision 0020, behind 0019.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, String

from pilothouse.kit.columns import Id, Instant, JsonText

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "awaited_protections",
        Column("account_id", Id, nullable=False),
        Column("symbol", String(length=32), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("id", Id, nullable=False),
        Column("hook_id", Id, nullable=True),
        Column("signal_id", Id, nullable=True),
        Column("asked_by", String(length=64), nullable=False),
        Column("asked_at", Instant, nullable=False),
        Column("side", String(length=4), nullable=False),
        Column("guards", JsonText, nullable=False),
        Column("placed", BigInteger(), nullable=False),
        Column("way", Integer(), nullable=False),
        Column("kept_here", JsonText, nullable=False),
        PrimaryKeyConstraint("account_id", "symbol", name="pk_awaited_protections"),
    )


def downgrade() -> None:
    op.drop_table("awaited_protections")
