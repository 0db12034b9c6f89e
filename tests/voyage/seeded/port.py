"""Where databases of voyages come from: a kind of database in, the address of one with every table and no row out."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pilothouse.kit.clocks import SystemClock
from pilothouse.migrations.migrate import migrate
from tests import servers
from tests.conftest import PostgresDatabases
from tests.voyage.seeded.worlds import SQLITE


class Port:
    """The databases of one run: a file that is copied, or one of a server.

    folder     where voyages have their place
    template   an SQLite file with every table
    """

    def __init__(self, folder: Path, template: Path, postgres: "AskedFor") -> None:
        """Copy `template`; ask for a server only when it is needed."""
        self.folder, self._template, self._postgres = folder, template, postgres

    @contextmanager
    def books(self, database: str, place: Path) -> Iterator[str]:
        """Yield the address of a database for one voyage, in `place` if it is a file."""
        if database == SQLITE:
            shutil.copyfile(self._template, place / "books.db")
            yield f"sqlite:///{place}/books.db"
            return
        databases = self._postgres()
        name = databases.with_tables()
        yield databases.server.url(name)
        databases.wipe(name)


class AskedFor(Protocol):
    """Who has the databases of a server."""

    def __call__(self) -> PostgresDatabases:
        """Start the server if it does not run yet."""
        ...


class HomePort(Port):
    """The databases of a run that is no test. `close()` it."""

    def __init__(self, folder: Path) -> None:
        """Make the template; start nothing yet."""
        template = folder / "template.db"
        migrate(f"sqlite:///{template}", backup_to=None, clock=SystemClock())
        self._servers: servers.Servers | None = None
        self._databases: PostgresDatabases | None = None
        super().__init__(folder, template, self._asked_for)

    def _asked_for(self) -> PostgresDatabases:
        if self._databases is None:
            self._servers = servers.Servers(servers.new_folder())
            self._databases = PostgresDatabases(self._servers, self._servers.postgres(), "voyage")
        return self._databases

    def close(self) -> None:
        """Stop the server, if one was started."""
        if self._servers is not None:
            self._servers.stop()
