"""Listen keys: who may hear an account's events, and for how long."""

import hashlib

from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.telling import Telling

LASTS_US = 3_600 * 1_000_000


class ListenKeys:
    """The listen keys of one exchange.

    owners   by key: whose it is, and until when it is good (microseconds)
    """

    def __init__(self, clock: ExchangeClock, telling: Telling, seed: int) -> None:
        self._clock, self._telling, self._seed = clock, telling, seed
        self.owners: dict[str, tuple[str, int]] = {}

    def issue(self, account_id: str) -> str:
        """Return the account's listen key, a new one if none is alive, valid for another hour."""
        now = self._clock.now()
        for key, (owner, until) in self.owners.items():
            if owner == account_id and until > now:
                self.owners[key] = (owner, now + LASTS_US)
                return key
        key = hashlib.blake2b(
            f"{self._seed}|{account_id}|{now}|{len(self.owners)}".encode(), digest_size=32
        ).hexdigest()
        self.owners[key] = (account_id, now + LASTS_US)
        return key

    def drop(self, account_id: str = "", *, expired_only: bool = False, quietly: bool = False) -> None:
        """End listen keys, of one account or of all; those who listen are told (not `quietly`), and hear no more."""
        now = self._clock.now()
        for key, (owner, until) in list(self.owners.items()):
            if (account_id and owner != account_id) or (expired_only and until > now):
                continue
            del self.owners[key]
            if not quietly:
                self._telling.tell(
                    owner, "listenKeyExpired", {"e": "listenKeyExpired", "E": now // 1_000, "listenKey": key}
                )
            self._telling.tell("", "silence", {"owner": owner, "listenKey": key})
