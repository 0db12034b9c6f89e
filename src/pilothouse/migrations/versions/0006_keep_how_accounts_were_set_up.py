"""Keep how accounts were set up.

Revision 0006, behind 0005.
"""

from alembic import op
from sqlalchemy import Boolean, Column, ForeignKeyConstraint, PrimaryKeyConstraint, Text

from pilothouse.kit.columns import Exact, Id, Instant, JsonText

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_setups",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("deposit", Exact, nullable=True),
        Column("withdrawals_allowed", Boolean(), nullable=False),
        Column("armed_by_setting_at", Instant, nullable=True),
        Column("tested_at", Instant, nullable=True),
        Column("passed", Boolean(), nullable=True),
        Column("message", Text(), nullable=True),
        Column("found", JsonText, nullable=True),
        ForeignKeyConstraint(
            ["account_id"], ["trading_accounts.id"], name="fk_account_setups_account_id_trading_accounts"
        ),
        ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_account_setups_owner_id_users"),
        PrimaryKeyConstraint("account_id", name="pk_account_setups"),
    )


def downgrade() -> None:
    op.drop_table("account_setups")
