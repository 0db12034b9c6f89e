"""What Alembic runs to reach the database: it is given an open connection, inside a transaction that is not its own.

Used through `migrate.py` alone; there is no alembic.ini.
"""

from alembic import context

from pilothouse.kit.schema import VERSION_TABLE
from pilothouse.migrations.every_table import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    compare_type=True,
    compare_server_default=True,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
)
context.run_migrations()
