"""Find the facts of an owner by their ids alone: every alert kept up an index for readers who are at the end anyway.

Revision 0015, behind 0014.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_facts_owner_id_id", "facts")


def downgrade() -> None:
    op.create_index("ix_facts_owner_id_id", "facts", ["owner_id", "id"])
