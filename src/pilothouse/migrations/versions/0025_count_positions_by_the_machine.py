"""Keep when positions were opened, and their protection asked for, by the count that a machine keeps since its start.

Of positions from before, the wall clock tells.

Revision 0025, behind 0024.
"""

from typing import Literal

from alembic import op
from sqlalchemy import BigInteger, Column, String

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_NEW = (
    ("positions", ("opened",)),
    ("protections", ("asked", "position_opened")),
    ("awaited_protections", ("asked",)),
)


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    how: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    for table, names in _NEW:
        with op.batch_alter_table(table, recreate=how) as changed:
            for name in names:
                changed.add_column(Column(f"{name}_boot", String(length=64), nullable=True))
                changed.add_column(Column(f"{name}_at_us", BigInteger(), nullable=True))


def downgrade() -> None:
    for table, names in reversed(_NEW):
        with op.batch_alter_table(table) as changed:
            for name in reversed(names):
                changed.drop_column(f"{name}_at_us")
                changed.drop_column(f"{name}_boot")
