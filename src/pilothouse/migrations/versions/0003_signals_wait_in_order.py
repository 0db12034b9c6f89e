"""Signals wait in order.

Revision 0003, behind 0002.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("signals") as batch_op:
        batch_op.drop_index("ix_signals_waiting")
        batch_op.create_index("ix_signals_waiting", ["state", "account_id", "symbol", "id"])


def downgrade() -> None:
    with op.batch_alter_table("signals") as batch_op:
        batch_op.drop_index("ix_signals_waiting")
        batch_op.create_index("ix_signals_waiting", ["state", "account_id", "symbol"])
