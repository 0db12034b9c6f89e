"""Fresh ids that sort by the time they were made. Fulfils `core.ids.Ids`; a test injects ids it can foresee."""

import itertools
import secrets
import threading

from pilothouse.core.clock import Clock, micros
from pilothouse.core.ids import sortable_at


class FreshIds:
    """Ids by the clock, from any thread: later ids of this process always sort behind earlier ones."""

    def __init__(self, clock: Clock, noise: bytes | None = None) -> None:
        """Take the time from `clock`; `noise` (4 bytes, random when None) tells this process from others."""
        self._clock = clock
        self._noise = secrets.token_bytes(4) if noise is None else noise
        self._lock = threading.Lock()
        self._last = 0
        self._count = 0

    def fresh(self, prefix: str) -> str:
        """Return a new id `prefix_...`, 28 characters behind the prefix and its dash."""
        with self._lock:
            now = micros(self._clock.now())
            if now > self._last:
                self._last, self._count = now, 0
            else:  # the same microsecond, a frozen clock, or a clock that was set back
                self._count += 1
                if self._count > 0xFFFF:
                    self._last, self._count = self._last + 1, 0
            at, count = self._last, self._count
        return sortable_at(prefix, at, count, self._noise)


class CountedIds:
    """Ids that a test can foresee: `sig_000001`, `sig_000002`, each prefix counted for itself."""

    def __init__(self) -> None:
        """Begin every prefix at 1."""
        self._counts: dict[str, itertools.count[int]] = {}
        self._lock = threading.Lock()

    def fresh(self, prefix: str) -> str:
        """Return the next id of this prefix."""
        with self._lock:
            count = next(self._counts.setdefault(prefix, itertools.count(1)))
        return f"{prefix}_{count:06d}"
