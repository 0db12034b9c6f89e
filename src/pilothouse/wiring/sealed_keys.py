"""From the sealed credentials in the books to adapters that sign with them."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from pilothouse.accounts import venue_keys
from pilothouse.kit.db import Database
from pilothouse.kit.sealed import Sealer, Secret, load_or_make_key
from pilothouse.venues.opening import Accounts
from pilothouse.venues.port import VenueAccount

KEY_FILE = "sealing.key"
"""What seals credentials, in the data folder (mode 0600); without it they do not open."""

OLDER_KEYS = "sealing.key.old-*"
"""Keys from before a rotation: they open until everything was sealed anew."""


def open_sealer(data: Path) -> Sealer:
    """Return the sealer of a data folder, whose key is made at the first start. Raises KeyFileUnsafe."""
    older = [load_or_make_key(path) for path in sorted(data.glob(OLDER_KEYS))]
    return Sealer(load_or_make_key(data / KEY_FILE), *older)


class KeyRing:
    """Credentials that were opened, each once; safe for many threads."""

    def __init__(self, database: Database, data: Path) -> None:
        """Read them from `database`; the sealer of the folder `data` is opened with the first of them."""
        self._database = database
        self._data = data
        self._opened: dict[str, Mapping[str, Secret]] = {}
        self._lock = threading.Lock()

    def parts_of(self, account: VenueAccount) -> Mapping[str, Secret]:
        """Return the parts of an account's credential. Raises KeysMissing or SealBroken."""
        parts = self._opened.get(account.id)
        if parts is None:
            with self._lock:
                sealer = open_sealer(self._data)
                parts = self._database.read(lambda tx: venue_keys.reveal(tx, sealer, account.id))
                self._opened[account.id] = parts
        return parts

    def drop(self, account_id: str) -> None:
        """Forget an account's credential: it is read anew when it is needed again."""
        with self._lock:
            self._opened.pop(account_id, None)

    def at(self, venue: str) -> Accounts:
        """Return the accounts at one venue, by its key, that can sign."""

        def every_account() -> Sequence[VenueAccount]:
            return [VenueAccount(*each) for each in self._database.read(lambda tx: venue_keys.with_keys(tx, venue))]

        return Accounts(parts_of=self.parts_of, all=every_account)
