"""It is kept how well each account is heard at its venue.

Revision 0005, behind 0004.
"""

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, String

from pilothouse.kit.columns import Id, Instant, Name

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hearing",
        Column("account_id", Id, nullable=False),
        Column("owner_id", Id, nullable=False),
        Column("state", String(length=16), nullable=False),
        Column("since", Instant, nullable=False),
        Column("until", Instant, nullable=False),
        Column("holder", Name, nullable=False),
        Column("alarmed_at", Instant, nullable=True),
        Column("compared_at", Instant, nullable=True),
        PrimaryKeyConstraint("account_id", name="pk_hearing"),
    )


def downgrade() -> None:
    op.drop_table("hearing")
