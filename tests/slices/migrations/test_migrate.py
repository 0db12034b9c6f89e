"""How a database is brought to head: copied first, once, and never one that is newer than the code."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection

from pilothouse.core.errors import Unavailable
from pilothouse.kit import schema
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.commits import in_one_transaction
from pilothouse.migrations import migrate as module
from pilothouse.migrations.migrate import (
    COPIES_KEPT,
    CopyDamaged,
    DatabaseNewer,
    DatabaseNotOurs,
    Migrated,
    current,
    downgrade,
    migrate,
)

NEXT = "7777"
SECOND = f'''"""A second migration, for tests."""

from alembic import op
from sqlalchemy import Column, Integer

revision = "{NEXT}"
down_revision = "{schema.HEAD}"


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(Column("shoe_size", Integer, nullable=False, server_default="42"))
        users.alter_column("name", nullable=True)


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_column("shoe_size")
        users.alter_column("name", nullable=False)
'''


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what turns this code into the next release: one with a second migration, made anew of its text."""

    def install(second: str = SECOND) -> None:
        scripts = tmp_path / "next release"
        shutil.copytree(Path(module.__file__).parent, scripts, dirs_exist_ok=True)
        (scripts / "versions" / f"{NEXT}_second.py").write_text(second)
        monkeypatch.setattr(module, "__file__", str(scripts / "migrate.py"))
        monkeypatch.setattr(module, "HEAD", NEXT)

    return install


def run(url: str, statement: str) -> None:
    """Run one statement for good."""
    in_one_transaction(url, lambda connection: connection.execute(text(statement)))


def names(url: str) -> list[str]:
    """Return the names of all users."""
    return in_one_transaction(
        url, lambda connection: list(connection.execute(text("SELECT name FROM users")).scalars())
    )


ADD_USER = """
    INSERT INTO users (id, name, role, created_at) VALUES ('usr_1', 'Ada', 'operator', {at})
"""
ADD_TOKEN = """
    INSERT INTO tokens (id, owner_id, digest, label, scopes, created_at)
    VALUES ('tok_1', 'usr_1', 'digest', 'label', '[]', {at})
"""


def settle_in(url: str) -> None:
    """Put a user with a token into the database."""
    at = "'2026-01-05T12:00:00Z'" if url.startswith("postgresql") else "1"
    run(url, ADD_USER.format(at=at))
    run(url, ADD_TOKEN.format(at=at))


def test_an_empty_database_is_brought_to_head_without_a_copy(
    database_url: str, clock: FrozenClock, tmp_path: Path
) -> None:
    """The first start has nothing to lose, so it leaves no copies about."""
    backups = tmp_path / "backups"

    assert migrate(database_url, backup_to=backups, clock=clock) == Migrated(None, schema.HEAD, None)
    assert migrate(database_url, backup_to=backups, clock=clock) == Migrated(schema.HEAD, schema.HEAD, None)
    assert not backups.exists()


def test_a_database_behind_head_keeps_its_rows(
    database_url: str, clock: FrozenClock, tmp_path: Path, next_release: Callable[[], None], dialect: str
) -> None:
    """Also rows that others refer to, although SQLite makes their table anew."""
    migrate(database_url, backup_to=None, clock=clock)
    settle_in(database_url)
    next_release()

    done = migrate(database_url, backup_to=tmp_path / "backups", clock=clock)

    assert (done.from_revision, done.to_revision) == (schema.HEAD, NEXT)
    assert (done.copy is not None) == (dialect == "sqlite")
    assert names(database_url) == ["Ada"]
    assert current(database_url) == NEXT
    downgrade(database_url, to=schema.HEAD)
    assert names(database_url) == ["Ada"]


def test_the_copy_is_the_database_as_it_was(
    tmp_path: Path, clock: FrozenClock, next_release: Callable[[], None]
) -> None:
    """Going back is: put the copy in the place of the database, start the older version."""
    url = f"sqlite:///{tmp_path / 'house.sqlite'}"
    migrate(url, backup_to=None, clock=clock)
    settle_in(url)
    next_release()

    copy = migrate(url, backup_to=tmp_path / "backups", clock=clock).copy

    assert copy == tmp_path / "backups" / f"before-20260105T120000.000000Z-from-{schema.HEAD}.sqlite"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert current(f"sqlite:///{copy}") == schema.HEAD
    assert names(f"sqlite:///{copy}") == ["Ada"]


def test_the_last_ten_copies_are_kept(tmp_path: Path, clock: FrozenClock, next_release: Callable[[], None]) -> None:
    """A disk does not fill up with copies, and what is not a copy of ours is left alone."""
    url, backups = f"sqlite:///{tmp_path / 'house.sqlite'}", tmp_path / "backups"
    migrate(url, backup_to=None, clock=clock)
    next_release()
    backups.mkdir()
    (backups / "my own copy.sqlite").touch()

    made = []
    for _ in range(COPIES_KEPT + 2):
        made.append(migrate(url, backup_to=backups, clock=clock).copy)
        downgrade(url, to=schema.HEAD)
        clock.advance(timedelta(seconds=1))

    assert sorted(backups.iterdir()) == sorted([*made[2:], backups / "my own copy.sqlite"], key=str)


def test_a_copy_that_is_not_whole_stops_the_migration(
    tmp_path: Path, clock: FrozenClock, next_release: Callable[[], None]
) -> None:
    """A damaged database is found before it is changed, while there may still be a better copy of it."""
    file = tmp_path / "house.sqlite"
    url = f"sqlite:///{file}"
    migrate(url, backup_to=None, clock=clock)
    settle_in(url)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page, root = (
            connection.execute("PRAGMA page_size").fetchone()[0],
            connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tokens_by_owner'").fetchone()[0],
        )
    connection.close()
    with file.open("r+b") as bytes_:
        bytes_.seek((root - 1) * page)
        bytes_.write(bytes(page))
    next_release()

    with pytest.raises(CopyDamaged, match="nothing was migrated"):
        migrate(url, backup_to=tmp_path / "backups", clock=clock)

    assert current(url) == schema.HEAD


def test_a_migration_that_fails_changes_nothing(
    database_url: str, clock: FrozenClock, next_release: Callable[[str], None]
) -> None:
    """Half a migration is worse than none: the older version must still start."""
    migrate(database_url, backup_to=None, clock=clock)
    next_release(SECOND.replace("def downgrade", "    op.execute('SELECT nothing FROM nowhere')\n\n\ndef downgrade"))

    with pytest.raises(Exception, match="nowhere"):
        migrate(database_url, backup_to=None, clock=clock)

    def columns(connection: Connection) -> list[str]:
        return list(connection.execute(text("SELECT * FROM users")).keys())

    assert current(database_url) == schema.HEAD
    assert "shoe_size" not in in_one_transaction(database_url, columns)


def test_a_newer_database_is_refused_with_the_reason(database_url: str, clock: FrozenClock, tmp_path: Path) -> None:
    """Who starts an old version by mistake must not lose what the new one wrote."""
    migrate(database_url, backup_to=None, clock=clock)
    run(database_url, "UPDATE alembic_version SET version_num = '8888'")

    with pytest.raises(DatabaseNewer, match=f"revision 8888.*knows revisions up to {schema.HEAD}"):
        migrate(database_url, backup_to=tmp_path / "backups", clock=clock)

    assert current(database_url) == "8888"
    assert not (tmp_path / "backups").exists()


def test_tables_that_no_migration_made_are_refused(tables_url: str, clock: FrozenClock) -> None:
    """Nobody knows what shape they have, so nobody may build on them."""
    with pytest.raises(DatabaseNotOurs, match="no alembic_version"):
        migrate(tables_url, backup_to=None, clock=clock)


def test_other_peoples_tables_in_the_same_database_do_no_harm(database_url: str, clock: FrozenClock) -> None:
    """A PostgreSQL may serve others too."""
    run(database_url, "CREATE TABLE recipes (name TEXT)")

    assert migrate(database_url, backup_to=None, clock=clock).to_revision == schema.HEAD


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    """A wrong path in a setting must not be answered with a stack trace."""
    (tmp_path / "house.sqlite").write_bytes(b"Dear diary, " * 1_000)

    with pytest.raises(DatabaseNotOurs, match="not a whole SQLite database"):
        migrate(f"sqlite:///{tmp_path / 'house.sqlite'}", backup_to=None, clock=clock)


def test_a_server_that_does_not_answer_is_unavailable(tmp_path: Path, clock: FrozenClock) -> None:
    """A door may then say so and try again."""
    with pytest.raises(Unavailable):
        migrate(f"postgresql+psycopg://nobody@/nothing?host={tmp_path}", backup_to=None, clock=clock)


def test_processes_that_start_together_migrate_once(database_url: str, clock: FrozenClock) -> None:
    """On several machines, or when a supervisor starts all roles at once, one does it and the others wait."""
    together = threading.Barrier(4)

    def start(_: int) -> Migrated:
        together.wait()
        return migrate(database_url, backup_to=None, clock=clock)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(start, range(4)))

    assert sorted(one.from_revision or "" for one in done) == ["", *[schema.HEAD] * 3]


def test_alembic_is_not_imported_when_there_is_nothing_to_do(tmp_path: Path, clock: FrozenClock) -> None:
    """Every start but one has nothing to migrate, and should not wait for what it does not need."""
    url = f"sqlite:///{tmp_path / 'house.sqlite'}"
    migrate(url, backup_to=None, clock=clock)
    asked = (
        "import sys; from pilothouse.migrations.migrate import migrate; from pilothouse.kit.clocks import SystemClock;"
        f"migrate({url!r}, backup_to=None, clock=SystemClock()); sys.exit('alembic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
