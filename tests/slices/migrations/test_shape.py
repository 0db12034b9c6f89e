"""The migrations make exactly the tables that the rooms describe, on both databases."""

import ast
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

import pilothouse
from pilothouse.core.clock import Clock
from pilothouse.kit import schema
from pilothouse.migrations import migrate as module
from pilothouse.migrations.every_table import ROOMS, by_room, every_table
from pilothouse.migrations.migrate import current, downgrade, migrate
from tests.slices.migrations.catalogue import ask, shape

SOURCE = Path(pilothouse.__file__).parent


def test_the_migrations_make_what_the_tables_say(database_url: str, tables_url: str, clock: Clock) -> None:
    """A column that only one of the two knows is found by the first user who starts, not by us."""
    migrate(database_url, backup_to=None, clock=clock)

    assert shape(database_url) == shape(tables_url)


def test_a_draft_of_the_next_migration_would_be_empty(database_url: str, clock: Clock) -> None:
    """Alembic's own comparison sees no difference either, so the next draft begins with nothing in it."""
    migrate(database_url, backup_to=None, clock=clock)

    def compared(connection: Connection) -> Any:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), every_table())

    assert ask(database_url, compared) == []


def test_every_migration_can_be_undone_and_done_again(database_url: str, clock: Clock) -> None:
    """Who has to go back a version needs the way back to lead to what was there."""
    migrate(database_url, backup_to=None, clock=clock)
    made = shape(database_url)

    undone = downgrade(database_url, to="base")
    assert (undone.from_revision, undone.to_revision) == (schema.HEAD, "base")
    assert shape(database_url) == []
    assert current(database_url) is None

    assert migrate(database_url, backup_to=None, clock=clock).from_revision is None
    assert shape(database_url) == made


def test_head_is_the_last_migration_there_is() -> None:
    """The constant spares every start the import of Alembic, and must not lie."""
    assert module._known_revisions()[-1] == schema.HEAD


def test_migrations_are_one_line_without_forks() -> None:
    """Each file is named for its revision and follows the one before it."""
    behind = None
    for file in sorted((SOURCE / "migrations" / "versions").glob("*.py")):
        said = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        assert file.name.startswith(f"{said['revision']}_")
        assert said["down_revision"] == behind
        behind = said["revision"]


def test_every_room_with_tables_is_migrated() -> None:
    """A room that is forgotten here has no tables on anybody's machine but in the tests."""
    rooms = {file.parent.name for file in SOURCE.glob("*/tables.py")}

    assert rooms == set(ROOMS)
    assert {table.name for tables in by_room().values() for table in tables} == set(every_table().tables)


# These belong to the house itself or to everybody: see the comments in their rooms.
OWNED_BY_NOBODY = {"outbox", "leases", "budgets", "house", "instruments", "users"} | {
    f"candle_{each}" for each in ("coverage", "gaps", "conflicts", "follows")
}
# A row of the record is its chain's, and a chain is an account's or an owner's.
OWNED_BY_NOBODY |= {"records", "record_heads"}


def test_every_row_has_an_owner_from_the_first_migration_on() -> None:
    """A second user may come at any time, and must find nothing that could be anybody's."""
    without = {name for name, table in every_table().tables.items() if "owner_id" not in table.c}

    assert without == OWNED_BY_NOBODY
    assert all(not table.c.owner_id.nullable for name, table in every_table().tables.items() if name not in without)
