"""Amend triggers.

A change that is on its way while this runs has none: its order keeps the trigger it has.

Revision 0012, behind 0011.
"""

from alembic import op
from sqlalchemy import Column

from pilothouse.kit.columns import Exact

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("amendments", recreate="always" if is_sqlite else "never") as batch_op:
        batch_op.add_column(Column("stop_price", Exact, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("amendments") as batch_op:
        batch_op.drop_column("stop_price")
