"""What voyages begin with."""

from pathlib import Path

import pytest

from tests.conftest import PostgresDatabases
from tests.voyage.seeded.port import Port


@pytest.fixture
def port(_sqlite_template: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Port:
    """Return where databases come from, in a folder of its own; the server is started for a voyage that needs it."""

    def postgres() -> PostgresDatabases:
        found: PostgresDatabases = request.getfixturevalue("_postgres")
        return found

    return Port(tmp_path, _sqlite_template, postgres)
