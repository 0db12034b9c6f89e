"""Whether a database is sound, asked from outside: its address in, what is wrong with it out. Nothing is changed."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pilothouse.core.errors import NotFound
from pilothouse.kit.engines import dialect_of, open_engine, sqlite_file, told

_FAULTS_MAX = 20


class NoDatabase(NotFound):
    """There is no database at this address yet."""

    code = "no_database"


def faults(url: str) -> list[str]:
    """Return what is wrong with the pages and indexes of the database, at most 20 findings; none is sound.

    SQLite reads its whole file for it. PostgreSQL checks its pages itself where it is told to: there, only that it
    answers is asked. Raises NoDatabase; Unavailable if it does not answer.
    """
    if dialect_of(url) == "sqlite" and not sqlite_file(url).exists():
        raise NoDatabase(f"{sqlite_file(url)} is not there yet: the first start makes it")
    question = f"PRAGMA quick_check({_FAULTS_MAX})" if dialect_of(url) == "sqlite" else "SELECT 'ok'"
    try:
        found = _rows(url, question)
    except DBAPIError as error:
        meant = told(error)
        if meant is not error:
            raise meant from error
        return [str(error.orig)]  # damaged so far that it cannot even be asked
    return [str(row) for row in found if row != "ok"]


def clock_of(url: str) -> datetime | None:
    """Return the time of the database's own clock, to be held against ours; None where it has no clock of its own.

    Raises Unavailable if it does not answer.
    """
    if dialect_of(url) == "sqlite":
        return None
    try:
        (at,) = _rows(url, "SELECT clock_timestamp()")
    except DBAPIError as error:
        raise told(error) from error
    assert isinstance(at, datetime), "PostgreSQL tells the time as a time"
    return at


def _rows(url: str, question: str) -> list[object]:
    """Return the first cell of each row."""
    engine = open_engine(url, size=1, read_only=True)
    try:
        with engine.connect() as connection:
            return [row[0] for row in connection.execute(text(question))]
    finally:
        engine.dispose()
