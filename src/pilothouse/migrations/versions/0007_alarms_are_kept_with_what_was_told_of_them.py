"""Alarms are kept with what was told of them.

Revision 0007, behind 0006.
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, String, Text

from pilothouse.kit.columns import Id, Instant, Name

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_tellings",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("alarm_id", Id, nullable=False),
        Column("address", String(length=16), nullable=False),
        Column("label", String(length=64), nullable=False),
        Column("grade", String(length=16), nullable=False),
        Column("title", Text(), nullable=False),
        Column("body", Text(), nullable=False),
        Column("made_at", Instant, nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("tried_at", Instant, nullable=True),
        Column("error", Text(), nullable=True),
        Column("settled_at", Instant, nullable=True),
        Column("arrived", Boolean(), nullable=True),
        PrimaryKeyConstraint("id", name="pk_alarm_tellings"),
    )
    with op.batch_alter_table("alarm_tellings", schema=None) as batch_op:
        batch_op.create_index("ix_alarm_tellings_of", ["alarm_id", "id"])
        batch_op.create_index("ix_alarm_tellings_tried", ["address", "tried_at"])
        batch_op.create_index("ix_alarm_tellings_waiting", ["address", "settled_at", "id"])

    op.create_table(
        "alarms",
        Column("id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=True),
        Column("code", Name, nullable=False),
        Column("about", Name, nullable=False),
        Column("grade", String(length=16), nullable=False),
        Column("headline", Text(), nullable=False),
        Column("message", Text(), nullable=False),
        Column("did", Text(), nullable=False),
        Column("todo", Text(), nullable=False),
        Column("stands", Boolean(), nullable=False),
        Column("first_at", Instant, nullable=False),
        Column("last_at", Instant, nullable=False),
        Column("times", BigInteger(), nullable=False),
        Column("news", BigInteger(), nullable=False),
        Column("step", Integer(), nullable=False),
        Column("told_at", Instant, nullable=True),
        Column("next_at", Instant, nullable=True),
        Column("acknowledged_at", Instant, nullable=True),
        Column("acknowledged_by", String(length=120), nullable=True),
        Column("over_at", Instant, nullable=True),
        Column("last_message", Id, nullable=False),
        PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.create_index("ix_alarms_listed", ["owner_id", "id"])
        batch_op.create_index("ix_alarms_open", ["over_at", "code"])
        batch_op.create_index("ix_alarms_same", ["code", "account_id", "about", "id"])


def downgrade() -> None:
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.drop_index("ix_alarms_same")
        batch_op.drop_index("ix_alarms_open")
        batch_op.drop_index("ix_alarms_listed")

    op.drop_table("alarms")
    with op.batch_alter_table("alarm_tellings", schema=None) as batch_op:
        batch_op.drop_index("ix_alarm_tellings_waiting")
        batch_op.drop_index("ix_alarm_tellings_tried")
        batch_op.drop_index("ix_alarm_tellings_of")

    op.drop_table("alarm_tellings")
