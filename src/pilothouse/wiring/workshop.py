"""A workshop beside a house: settings in; its database, and benches over its data folder, out. No venue, key or door.

What it computes with lies in the data folder: kept candles, files, strategies, results. So it must be the folder of the
house whose database it is, on the same machine or mounted from there; a folder that is another one is refused.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pilothouse.accounts import house as house_values
from pilothouse.core.clock import Clock
from pilothouse.core.errors import Refused
from pilothouse.core.facts import FactKind
from pilothouse.kit import schema
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.settings import Settings
from pilothouse.wiring.benches import Benches

HOUSE_KEY: Final = "client_id_key"

MARK: Final = "house.id"
"""A file in the data folder that says whose it is: a hash that tells nothing of the key it was made of."""


class NoHouse(Refused):
    """The database is none in which a house of this version keeps its books."""

    code = "no_house"


class OtherFolder(Refused):
    """The data folder is not the one of the house."""

    code = "other_data_folder"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a process that only computes has open."""

    settings: Settings
    clock: Clock
    process: str
    database: Database
    benches: Benches

    def close(self) -> None:
        """End the benches and let go of the database."""
        self.benches.close()
        self.database.close()


def mark(data: Path, house_key: str) -> None:
    """Say in a data folder whose it is. A folder that cannot be written is left as it is: no worker can use it."""
    wanted = _mark_of(house_key)
    with suppress(OSError):
        if _found(data) != wanted:
            path = data / MARK
            path.touch(mode=0o600)
            path.write_text(f"{wanted}\n", encoding="ascii")


def open_workshop(settings: Settings, clock: Clock | None = None) -> Workshop:
    """Open the database and the data folder of a house. Raises NoHouse, OtherFolder, Unavailable."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, clock=clock, readers=2, writers=2)
    database.heard_kinds.add(
        FactKind.ALARM_RAISED.value
    )  # the house hears of it; nothing else that is told here is heard
    try:
        house_key = check(database)
        if _found(settings.data) != _mark_of(house_key):
            raise OtherFolder(
                f"{settings.data} is not the data folder of the `pilothouse up` whose database this is; candles, "
                "strategies and results lie there: set PILOTHOUSE_DATA to the same folder, or mount it on this machine"
            )
    except BaseException:
        database.close()
        raise
    process = f"worker:{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(3)}"
    return Workshop(settings, clock, process, database, Benches(settings))


def check(database: Database) -> str:
    """Return the house's key, which is secret. Raises NoHouse if the books are not those of a house of this version."""

    def look(tx: Tx) -> tuple[str | None, str | None]:
        revision = schema.revision(tx.connection)
        return revision, house_values.value(tx, HOUSE_KEY) if revision == schema.HEAD else None

    revision, key = database.read(look)
    if revision != schema.HEAD:
        found = "has no tables of ours" if revision is None else f"is at revision {revision}"
        raise NoHouse(
            f"the database {found}, this version works with {schema.HEAD}: start `pilothouse up` of the same version"
        )
    if key is None:
        raise NoHouse("no house was ever opened on this database: start `pilothouse up` first")
    return key


def _mark_of(house_key: str) -> str:
    return hashlib.sha256(f"pilothouse data folder\n{house_key}".encode()).hexdigest()[:32]


def _found(data: Path) -> str | None:
    try:
        return (data / MARK).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
