"""Watch for alerts that do not come, and put those in order that come too late.

Revision 0013, behind 0012.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String

from pilothouse.kit.columns import Exact, Id, Instant, JsonText

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hook_marks",
        Column("hook_id", Id, nullable=False),
        Column("symbol", String(length=32), nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("signal_id", Id, nullable=False),
        Column("target", Exact, nullable=False),
        Column("sent_at", Instant, nullable=True),
        Column("bar_time", Instant, nullable=True),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("hook_id", "symbol", name="pk_hook_marks"),
    )
    op.create_table(
        "hook_watch",
        Column("hook_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("account_id", Id, nullable=False),
        Column("last_at", Instant, nullable=False),
        Column("last_counter", BigInteger(), nullable=True),
        Column("missed", BigInteger(), nullable=False),
        Column("missed_at", Instant, nullable=True),
        PrimaryKeyConstraint("hook_id", name="pk_hook_watch"),
    )
    # SQLite appends columns behind the constraints unless the table is made anew.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("hooks", recreate="always" if is_sqlite else "never") as batch_op:
        batch_op.add_column(Column("expects", JsonText, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("hooks") as batch_op:
        batch_op.drop_column("expects")

    op.drop_table("hook_watch")
    op.drop_table("hook_marks")
