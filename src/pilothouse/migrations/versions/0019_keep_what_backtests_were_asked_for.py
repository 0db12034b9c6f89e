"""Keep what backtests were asked for.

Revision 0019, behind 0018.
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, String, Text

from pilothouse.kit.columns import Id, Instant, JsonText, Name

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backtest_bounds",
        Column("owner_id", Id, nullable=False),
        Column("at_once", BigInteger(), nullable=True),
        Column("per_day", BigInteger(), nullable=True),
        Column("work", BigInteger(), nullable=True),
        PrimaryKeyConstraint("owner_id", name="pk_backtest_bounds"),
    )
    op.create_table(
        "backtests",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("kind", String(length=16), nullable=False),
        Column("strategy", Name, nullable=False),
        Column("name", String(length=64), nullable=False),
        Column("asked", JsonText, nullable=False),
        Column("spec", Text(), nullable=True),
        Column("bars", BigInteger(), nullable=False),
        Column("combinations", BigInteger(), nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("progress_ppm", Integer(), nullable=False),
        Column("attempt", Integer(), nullable=False),
        Column("found", Boolean(), nullable=False),
        Column("result", JsonText, nullable=True),
        Column("error", Text(), nullable=True),
        Column("requested_by", String(length=120), nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("started_at", Instant, nullable=True),
        Column("finished_at", Instant, nullable=True),
        Column("removed_at", Instant, nullable=True),
        PrimaryKeyConstraint("id", name="pk_backtests"),
    )
    with op.batch_alter_table("backtests", schema=None) as batch_op:
        batch_op.create_index("ix_backtests_counted", ["owner_id", "created_at"])
        batch_op.create_index("ix_backtests_listed", ["owner_id", "id"])
        batch_op.create_index("ix_backtests_same", ["owner_id", "name"])
        batch_op.create_index("ix_backtests_state", ["state"])


def downgrade() -> None:
    with op.batch_alter_table("backtests", schema=None) as batch_op:
        batch_op.drop_index("ix_backtests_state")
        batch_op.drop_index("ix_backtests_same")
        batch_op.drop_index("ix_backtests_listed")
        batch_op.drop_index("ix_backtests_counted")

    op.drop_table("backtests")
    op.drop_table("backtest_bounds")
