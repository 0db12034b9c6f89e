"""The books of a house that is stopped, for commands that must work without its API.

Whoever may write the data folder owns the house anyway.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilothouse.kit.db import Database
    from pilothouse.kit.settings import Settings


@contextmanager
def books(settings: "Settings", *, made_by_first_start: str) -> Iterator["Database"]:
    """Open the books for as long as the `with` lasts, and keep the house from starting meanwhile.

    made_by_first_start   what is missing besides, if there is no data folder

    Raises HouseTaken while it runs, Refused if there is nothing to open.
    """
    from pilothouse.core.errors import Refused
    from pilothouse.kit.clocks import SystemClock
    from pilothouse.kit.db import Database
    from pilothouse.kit.lease import house_lock

    if not settings.data.is_dir():
        raise Refused(
            f"there is no data folder {settings.data}: the first `pilothouse up` makes it, and {made_by_first_start}"
        )
    with house_lock(settings.data):
        database = Database(settings.database_url, clock=SystemClock())
        try:
            yield database
        finally:
            database.close()
