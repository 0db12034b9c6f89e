"""Keep with what was sent, by the count that a machine keeps since its start, from when on nothing more of it leaves.

What was sent before has no such count: whoever asks for it counts from the first question.

Revision 0021, behind 0020.
"""

from typing import Literal

from alembic import op
from sqlalchemy import BigInteger, Column, String

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    how: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    for table in ("orders", "amendments"):
        with op.batch_alter_table(table, recreate=how) as batch_op:
            batch_op.add_column(Column("until_boot", String(length=64), nullable=True))
            batch_op.add_column(Column("until_us", BigInteger(), nullable=True))


def downgrade() -> None:
    for table in ("amendments", "orders"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column("until_us")
            batch_op.drop_column("until_boot")
