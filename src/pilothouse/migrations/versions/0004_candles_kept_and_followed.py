"""Candles: what was asked for, where there was none, what was told twice, and what is followed.

Revision 0004, behind 0003.
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, Text

from pilothouse.kit.columns import Instant, JsonText, Name, Serial

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "candle_conflicts",
        Column("id", Serial, autoincrement=True, nullable=False),
        Column("venue", Name, nullable=False),
        Column("symbol", Name, nullable=False),
        Column("timeframe", Name, nullable=False),
        Column("opened_ms", BigInteger(), nullable=False),
        Column("kept", JsonText, nullable=False),
        Column("told", JsonText, nullable=True),
        Column("told_at", Instant, nullable=False),
        Column("taken", Boolean(), nullable=False),
        PrimaryKeyConstraint("id", name="pk_candle_conflicts"),
    )
    op.create_index("ix_candle_conflicts_series", "candle_conflicts", ["venue", "symbol", "timeframe", "opened_ms"])
    op.create_table(
        "candle_coverage",
        Column("venue", Name, nullable=False),
        Column("symbol", Name, nullable=False),
        Column("timeframe", Name, nullable=False),
        Column("start_ms", BigInteger(), nullable=False),
        Column("until_ms", BigInteger(), nullable=False),
        PrimaryKeyConstraint("venue", "symbol", "timeframe", "start_ms", name="pk_candle_coverage"),
    )
    op.create_table(
        "candle_follows",
        Column("venue", Name, nullable=False),
        Column("symbol", Name, nullable=False),
        Column("timeframe", Name, nullable=False),
        Column("since_ms", BigInteger(), nullable=False),
        Column("next_at", Instant, nullable=False),
        Column("failures", Integer(), nullable=False),
        Column("error", Text(), nullable=True),
        PrimaryKeyConstraint("venue", "symbol", "timeframe", name="pk_candle_follows"),
    )
    op.create_table(
        "candle_gaps",
        Column("venue", Name, nullable=False),
        Column("symbol", Name, nullable=False),
        Column("timeframe", Name, nullable=False),
        Column("start_ms", BigInteger(), nullable=False),
        Column("until_ms", BigInteger(), nullable=False),
        Column("asked_at", Instant, nullable=False),
        PrimaryKeyConstraint("venue", "symbol", "timeframe", "start_ms", name="pk_candle_gaps"),
    )


def downgrade() -> None:
    op.drop_table("candle_gaps")
    op.drop_table("candle_follows")
    op.drop_table("candle_coverage")
    op.drop_index("ix_candle_conflicts_series", "candle_conflicts")
    op.drop_table("candle_conflicts")
