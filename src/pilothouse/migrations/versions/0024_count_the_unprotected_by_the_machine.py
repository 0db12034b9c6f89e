"""Keep since when a position is without its protection by the count that a machine keeps since its start.

Of positions from before, the wall clock tells.

Revision 0024, behind 0023.
"""

from typing import Literal

from alembic import op
from sqlalchemy import BigInteger, Column, String

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    how: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("protections", recreate=how) as protections:
        protections.add_column(Column("unprotected_boot", String(length=64), nullable=True))
        protections.add_column(Column("unprotected_at_us", BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("protections") as protections:
        protections.drop_column("unprotected_at_us")
        protections.drop_column("unprotected_boot")
