"""Count how many deliveries of a message say nothing against it.

Of what waits now, all do.

Revision 0023, behind 0022.
"""

from typing import Literal

from alembic import op
from sqlalchemy import Column, Integer

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    how: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("outbox", recreate=how) as outbox:
        outbox.add_column(Column("excused", Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_column("excused")
