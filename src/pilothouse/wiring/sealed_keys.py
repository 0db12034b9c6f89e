"""From the sealed credentials in the books to adapters that sign with them."""

import threading
from collections.abc import Mapping, Sequence

from pilothouse.accounts import venue_keys
from pilothouse.kit.db import Database
from pilothouse.kit.sealed import SealBroken, Sealer, Secret
from pilothouse.venues.opening import Accounts
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring.sealing_key import SealingKey


class KeyRing:
    """Credentials that were opened, each once; safe for many threads."""

    def __init__(self, database: Database, place: SealingKey) -> None:
        """Read them from `database`; their key is read, or made, when the first of them is needed."""
        self._database = database
        self._place = place
        self._sealer: Sealer | None = None
        self._opened: dict[str, Mapping[str, Secret]] = {}
        self._lock = threading.RLock()

    @property
    def sealer(self) -> Sealer:
        """Return what seals and opens, the same one each time: a rotation renews it. Raises KeyFileUnsafe."""
        with self._lock:
            if self._sealer is None:
                self._sealer = self._place.sealer()
            return self._sealer

    def parts_of(self, account: VenueAccount) -> Mapping[str, Secret]:
        """Return the parts of an account's credential. Raises KeysMissing or SealBroken."""
        parts = self._opened.get(account.id)
        if parts is None:
            with self._lock:
                parts = self._opened[account.id] = self._revealed(account.id)
        return parts

    def _revealed(self, account_id: str) -> Mapping[str, Secret]:
        sealer = self.sealer
        try:
            return self._database.read(lambda tx: venue_keys.reveal(tx, sealer, account_id))
        except SealBroken:  # another process of this house may have rotated the key meanwhile
            self._sealer = fresh = self._place.sealer()
            return self._database.read(lambda tx: venue_keys.reveal(tx, fresh, account_id))

    def drop(self, account_id: str) -> None:
        """Forget an account's credential: it is read anew when it is needed again."""
        with self._lock:
            self._opened.pop(account_id, None)

    def at(self, venue: str) -> Accounts:
        """Return the accounts at one venue, by its key, that can sign."""

        def every_account() -> Sequence[VenueAccount]:
            return [VenueAccount(*each) for each in self._database.read(lambda tx: venue_keys.with_keys(tx, venue))]

        return Accounts(parts_of=self.parts_of, all=every_account)
