"""Trailing orders of a venue's own, stops that close all that is held, and more than one other way to place a stop.

Revision 0017, behind 0016.
"""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, false, text

from pilothouse.kit.columns import Exact

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite appends columns behind the constraints unless the table is made anew.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("orders", recreate="always" if is_sqlite else "never") as orders:
        orders.add_column(Column("trail_percent", Exact, nullable=True))
        orders.add_column(Column("whole_position", Boolean, nullable=True))
    with op.batch_alter_table("protections") as protections:
        protections.add_column(Column("way", Integer, nullable=False, server_default=text("0")))
        protections.add_column(Column("trail_floor", Exact, nullable=True))
    # What was placed otherwise is placed in the last of the ways, whichever the venue has: with a limit.
    op.execute(text("UPDATE protections SET way = 9 WHERE otherwise"))
    with op.batch_alter_table("protections") as protections:
        protections.alter_column("way", existing_type=Integer, existing_nullable=False, server_default=None)
        protections.drop_column("otherwise")


def downgrade() -> None:
    with op.batch_alter_table("protections") as protections:
        protections.add_column(Column("otherwise", Boolean, nullable=False, server_default=false()))
    op.execute(text("UPDATE protections SET otherwise = (way > 0)"))
    with op.batch_alter_table("protections") as protections:
        protections.alter_column("otherwise", existing_type=Boolean, existing_nullable=False, server_default=None)
        protections.drop_column("way")
        protections.drop_column("trail_floor")
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("whole_position")
        orders.drop_column("trail_percent")
