"""Stop and target of which one ends the other: each knows the other by its client order id.

Revision 0018, behind 0017.
"""

from alembic import op
from sqlalchemy import Column, String

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("orders", recreate="always" if is_sqlite else "never") as orders:
        orders.add_column(Column("beside", String(36), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("beside")
