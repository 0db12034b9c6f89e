"""Which shape of the tables this code works with, and which one a database has. The doors ask before they open."""

from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.engine import Connection

HEAD = "0025"
"""The revision this code works with: the last one in `migrations/versions`."""

VERSION_TABLE = "alembic_version"

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
_REVISION = select(_version.c.version_num)
_HAS_VERSION = {
    "sqlite": f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{VERSION_TABLE}'",  # noqa: S608 - the name is a constant
    "postgresql": f"SELECT count(to_regclass('{VERSION_TABLE}'))",
}


def revision(connection: Connection) -> str | None:
    """Return the revision of the database behind `connection`; None if it was never migrated."""
    if not connection.exec_driver_sql(_HAS_VERSION[connection.dialect.name]).scalar_one():
        return None
    found: str | None = connection.execute(_REVISION).scalar_one_or_none()
    return found
