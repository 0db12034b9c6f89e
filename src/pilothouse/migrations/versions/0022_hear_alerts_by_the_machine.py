"""Keep with an alert when it first came by the count that a machine keeps since its start.

Of alerts from before, the wall clock tells.

Revision 0022, behind 0021.
"""

from typing import Literal

from alembic import op
from sqlalchemy import BigInteger, Column, String

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    how: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("signals", recreate=how) as signals:
        signals.add_column(Column("heard_boot", String(length=64), nullable=True))
        signals.add_column(Column("heard_us", BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("signals") as signals:
        signals.drop_column("heard_us")
        signals.drop_column("heard_boot")
