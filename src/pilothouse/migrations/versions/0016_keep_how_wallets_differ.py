"""Keep which wallets differ from what their venues say. No row is there until one is compared.

Revision 0016, behind 0015.
"""

from alembic import op
from sqlalchemy import Boolean, Column, PrimaryKeyConstraint

from pilothouse.kit.columns import Exact, Id, Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wallet_differences",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("ours", Exact, nullable=False),
        Column("theirs", Exact, nullable=False),
        Column("since", Instant, nullable=False),
        Column("same_since", Instant, nullable=False),
        Column("is_sure", Boolean(), nullable=False),
        PrimaryKeyConstraint("account_id", name="pk_wallet_differences"),
    )


def downgrade() -> None:
    op.drop_table("wallet_differences")
