"""For which accounts this process may put something on the wire now: leases that were committed go in, yes or no out.

How leases are taken, and why a process that wakes up late can do no harm, stands in `execution/writing.py`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pilothouse.core.clock import Clock
from pilothouse.kit.lease import Held
from pilothouse.venues.keys import VenueKey


@dataclass(frozen=True, slots=True)
class _Right:
    held: Held
    until: float


class Writers:
    """For which accounts this process may send now. Safe for many threads.

    A lease counts by the wall clock, which others see, and by the monotonic one, which nobody sets.
    """

    def __init__(self, clock: Clock) -> None:
        """Hold nothing."""
        self._clock = clock
        self._compared: dict[str, datetime] = {}
        self.on_compared: Callable[[], object] = _nothing
        self._rights: dict[str, _Right] = {}
        self._lock = threading.Lock()

    def hold(self, account_id: str, held: Held, asked_at: float) -> None:
        """Remember a lease that was committed; `asked_at`: the monotonic time before it was asked for."""
        seconds = (held.until - self._clock.now()).total_seconds()
        with self._lock:
            self._rights[account_id] = _Right(held, asked_at + max(seconds, 0.0))

    def compared(self, account_id: str) -> None:
        """Note that this process has just compared an account with its venue in full: before that, nothing is sent."""
        self._compared[account_id] = self._clock.now()
        self.on_compared()

    def compared_at(self, account_id: str) -> datetime | None:
        """Return when this process compared an account last; None: never."""
        return self._compared.get(account_id)

    def drop(self, account_id: str) -> None:
        """Send nothing more for an account."""
        with self._lock:
            self._rights.pop(account_id, None)

    def holds(self) -> dict[str, Held]:
        """Return what is remembered, over or not, by account."""
        with self._lock:
            return {account_id: right.held for account_id, right in self._rights.items()}

    def may_send(self, venue: str, account_id: str) -> bool:
        """Say whether this process may send for an account now. Asked after the request was stamped."""
        if not needs_lease(venue):
            return True
        right = self._rights.get(account_id)
        return right is not None and self._clock.now() < right.held.until and self._clock.monotonic() < right.until

    def in_words(self, venue: str, account_id: str) -> str:
        """Return under which epoch this process sends, for the record; empty where none is needed."""
        right = self._rights.get(account_id) if needs_lease(venue) else None
        return "" if right is None else f", epoch {right.held.epoch}"


def _nothing() -> None:
    """Do nothing."""


@cache
def needs_lease(venue: str) -> bool:
    """Say of a venue, by its key, whether accounts there need a lease: paper venues live and die with their house."""
    return not VenueKey.parse(venue).is_paper
