"""Which processes compute backtests: each says again and again that it is there; who no longer does is gone."""

from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import Clock
from pilothouse.kit import lease
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.lease import Held

EVERY_S: Final = 20.0
_LIFE: Final = timedelta(seconds=3 * EVERY_S)
_PREFIX: Final = "computes:"


class Presence:
    """That one process computes; `tell` every EVERY_S seconds, `leave` at the end."""

    def __init__(self, database: Database, clock: Clock, process: str) -> None:
        """Say nothing yet."""
        self._database, self._clock, self._process = database, clock, process
        self._held: Held | None = None

    def tell(self) -> None:
        """Say that it is there."""
        self._held = self._database.write(self._tell, name="computes")

    def _tell(self, tx: Tx) -> Held | None:
        now = self._clock.now()
        held = lease.renew(tx, self._held, now=now, lease_for=_LIFE) if self._held is not None else None
        if held is not None:
            return held
        lease.forget(tx, _PREFIX, before=now - _LIFE)  # each process has a name of its own, and many are gone
        return lease.acquire(tx, f"{_PREFIX}{self._process}", owner=self._process, now=now, lease_for=_LIFE)

    def leave(self) -> None:
        """Say that it is gone."""
        held, self._held = self._held, None
        if held is not None:
            self._database.write(lambda tx: lease.release(tx, held, now=self._clock.now()), name="computes no more")


def present(tx: Tx, now: datetime) -> list[str]:
    """Return the names of the processes that compute."""
    return sorted(held.owner for held in lease.held(tx, _PREFIX, now=now))
