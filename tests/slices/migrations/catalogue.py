"""What a database says of its own shape, as plain words that can be compared."""

import re
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

_POSTGRES = """
    SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
           || coalesce(' collate ' || nullif(l.collname, 'default'), '')
           || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
"""
_SQLITE = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"


def shape(url: str) -> list[str]:
    """Return every column, constraint and index of a database, the version table left out, sorted."""
    return sorted(line for line in ask(url, _read) if "alembic_version" not in line)


def ask(url: str, question: Any) -> Any:
    """Return what `question` finds on a connection of its own."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return question(connection)
    finally:
        engine.dispose()


def _read(connection: Connection) -> list[str]:
    if connection.dialect.name == "postgresql":
        return list(connection.execute(text(_POSTGRES)).scalars())
    found = connection.execute(text(_SQLITE)).scalars()
    return [line for statement in found for line in _lines(statement)]


def _lines(statement: str) -> list[str]:
    """Return the parts of an SQLite statement, each with the table it belongs to; their order says nothing."""
    head, _, body = statement.partition("(")
    head = " ".join(head.split()).replace('"', "")  # SQLite quotes the name of a table that was made anew
    if "CREATE TABLE" not in head:
        return [" ".join(statement.split())]
    parts = [" ".join(part.split()) for part in re.split(r",\s*\n", body.rsplit(")", 1)[0])]
    return [f"{head}: {part}" for part in parts]
