"""Halt at four levels, and more or less of trading. What was halted until now was an account, for new exposure.

Revision 0014, behind 0013.
"""

from alembic import op
from sqlalchemy import Column, String

from pilothouse.kit.columns import Id

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("halts", recreate="always" if is_sqlite else "never") as batch_op:
        batch_op.add_column(Column("level", String(length=8), nullable=False, server_default="account"))
        batch_op.add_column(Column("kind", String(length=16), nullable=False, server_default="no_new_exposure"))
        batch_op.add_column(Column("hook_id", Id, nullable=True))
    with op.batch_alter_table("halts", recreate="always" if is_sqlite else "never") as batch_op:
        batch_op.alter_column("level", server_default=None)
        batch_op.alter_column("kind", server_default=None)
    op.create_index("ix_halts_standing", "halts", ["resumed_at"])


def downgrade() -> None:
    """Return to halts of accounts; those of other levels are lost."""
    op.drop_index("ix_halts_standing", "halts")
    op.execute("DELETE FROM halts WHERE level <> 'account'")
    with op.batch_alter_table("halts") as batch_op:
        batch_op.drop_column("hook_id")
        batch_op.drop_column("kind")
        batch_op.drop_column("level")
