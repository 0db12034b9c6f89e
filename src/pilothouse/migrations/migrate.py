"""Bring a database to the shape this code works with: its address in, what was done out.

Quick where nothing is to be done: Alembic is not even imported then. An SQLite database is copied before it is
changed; on either database everything changes in one transaction, or nothing does, however many processes begin.
"""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from pilothouse import __version__
from pilothouse.core.clock import Clock
from pilothouse.core.errors import Broken, Refused
from pilothouse.kit.commits import in_one_transaction, lock_in
from pilothouse.kit.engines import copy_sqlite, dialect_of, open_engine, sqlite_file, told
from pilothouse.kit.schema import HEAD, VERSION_TABLE, revision

if TYPE_CHECKING:
    from alembic.config import Config

COPIES_KEPT = 10
"""So many copies are kept; older ones are removed when a new one was made."""

_COPY_GLOB = "before-*-from-*.sqlite"
_LOCK = "pilothouse migrations"
_SQLITE_DAMAGED = {11, 26}  # corrupt; not a database


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done; both revisions are equal if nothing had to be.

    from_revision   None: the database was empty
    copy            the database as it was before, if it was copied
    """

    from_revision: str | None
    to_revision: str
    copy: Path | None


class DatabaseNewer(Refused):
    """The database has a revision that this code does not know."""

    code = "database_newer"


class DatabaseNotOurs(Refused):
    """The database has tables of ours but no revision: something else than a migration made them."""

    code = "database_not_ours"


class CopyDamaged(Broken):
    """The copy that was made before changing the database is not whole, so nothing was changed."""

    code = "copy_damaged"


def migrate(url: str, *, backup_to: Path | None, clock: Clock) -> Migrated:
    """Bring the database at `url` to HEAD and say what was done.

    backup_to   folder for the copy of an SQLite database that has something in it and is behind; None: no copy
    clock       names the copy

    Raises DatabaseNewer, DatabaseNotOurs, CopyDamaged, Unavailable: then nothing was changed.
    """
    if _is_missing(url):
        _make_folder(sqlite_file(url).parent)
    elif current(url) == HEAD:
        return Migrated(HEAD, HEAD, None)

    def work(connection: Connection) -> Migrated:
        # Asked again under the lock: another process may have migrated while this one waited for it.
        found = _begin(connection)
        if found == HEAD:
            return Migrated(HEAD, HEAD, None)
        copy = None
        if found is not None and backup_to is not None and dialect_of(url) == "sqlite":
            # Nobody writes while this transaction holds the file, so the copy is what is changed, to the byte.
            copy = _copy(url, backup_to, found, clock)
        _run(connection, "upgrade", HEAD)
        return Migrated(found, HEAD, copy)

    return in_one_transaction(url, work, foreign_keys=False)


def downgrade(url: str, *, to: str) -> Migrated:
    """Take the database at `url` back to the revision `to` ("base": to nothing), with everything newer lost.

    Makes no copy: whoever calls this has one. Raises DatabaseNewer, DatabaseNotOurs.
    """

    def work(connection: Connection) -> Migrated:
        found = _begin(connection)
        _run(connection, "downgrade", to)
        return Migrated(found, to, None)

    return in_one_transaction(url, work, foreign_keys=False)


def current(url: str) -> str | None:
    """Return the revision of the database at `url`, or None if it was never migrated.

    Raises Unavailable if it does not answer, DatabaseNotOurs if it is not a database at all.
    """
    engine = open_engine(url, size=1)
    try:
        with engine.connect() as connection:
            return revision(connection)
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) in _SQLITE_DAMAGED:
            raise DatabaseNotOurs(
                f"{sqlite_file(url)} is not a whole SQLite database ({error.orig}): put a copy from the folder "
                "`backups` in its place, or choose another PILOTHOUSE_DATA"
            ) from error
        raise told(error) from error
    finally:
        engine.dispose()


def _is_missing(url: str) -> bool:
    return dialect_of(url) == "sqlite" and not sqlite_file(url).exists()


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _begin(connection: Connection) -> str | None:
    """Let nobody else migrate until this transaction ends; return the revision, checked to be one that we know."""
    lock_in(connection, _LOCK)
    found = revision(connection)
    if found is None:
        _must_be_empty(connection)
    elif found not in (known := _known_revisions()):
        raise DatabaseNewer(
            f"the database is at revision {found}, and Pilothouse {__version__} knows revisions up to {known[-1]}: "
            "a newer version has migrated it. Start that version, or go back to the copy that was made before it "
            "(folder `backups` in the data directory)"
        )
    return found


def _must_be_empty(connection: Connection) -> None:
    """Refuse a database with tables of ours that no migration made: nobody knows their shape."""
    from pilothouse.migrations.every_table import every_table  # noqa: PLC0415 - only when there is something to do

    ours = sorted(every_table().tables.keys() & set(inspect(connection).get_table_names()))
    if ours:
        raise DatabaseNotOurs(
            f"the database has tables named {', '.join(ours[:5])} but no {VERSION_TABLE}: it was not made by "
            "Pilothouse's migrations. Choose another PILOTHOUSE_DATABASE_URL or an empty database"
        )


def _copy(url: str, folder: Path, found: str, clock: Clock) -> Path:
    """Copy an SQLite database, prove the copy whole and forget the oldest copies; return where it is."""
    _make_folder(folder)
    stamp = clock.now().strftime("%Y%m%dT%H%M%S.%fZ")
    target = folder / f"before-{stamp}-from-{found}.sqlite"
    copy_sqlite(url, target)
    damage = _damage(target)
    if damage:
        raise CopyDamaged(
            f"the copy {target} is not whole ({damage}), so nothing was migrated: check the disk, and the database "
            "with `pilothouse doctor`"
        )
    for old in sorted(folder.glob(_COPY_GLOB))[:-COPIES_KEPT]:
        old.unlink()
    return target


def _damage(file: Path) -> str:
    """Return what is wrong with an SQLite file, in its own words; empty if it is whole."""
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    except sqlite3.DatabaseError as error:
        said = [str(error)]
    finally:
        connection.close()
    return "" if said == ["ok"] else "; ".join(said)


def _config(connection: Connection | None = None) -> "Config":
    """Return Alembic's configuration, made here: no file on disk is needed."""
    from alembic.config import Config  # noqa: PLC0415 - slow to import, and mostly there is nothing to do

    config = Config()
    config.set_main_option("script_location", os.fspath(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _known_revisions() -> Sequence[str]:
    """Return every revision that this code knows, oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def _run(connection: Connection, direction: str, target: str) -> None:
    """Let Alembic run the migrations up or down to `target` inside the open transaction."""
    from alembic import command  # noqa: PLC0415 - as above

    config = _config(connection)
    (command.upgrade if direction == "upgrade" else command.downgrade)(config, target)
