"""Which accounts were opened, changed or closed: told by whoever did it, heard by whoever listens for them."""

import threading


class Changes:
    """Accounts that changed since somebody looked. Safe for many threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ids: set[str] = set()
        self._rung = threading.Event()
        self._lock = threading.Lock()

    def tell(self, account_id: str) -> None:
        """Say that an account changed."""
        with self._lock:
            self._ids.add(account_id)
        self._rung.set()

    def ring(self) -> None:
        """Wake who waits, though nothing changed."""
        self._rung.set()

    def take(self) -> set[str]:
        """Return which accounts changed since this was asked last."""
        self._rung.clear()
        with self._lock:
            taken, self._ids = self._ids, set()
        return taken

    def wait(self, seconds: float) -> None:
        """Wait until something is told, for so long at most."""
        self._rung.wait(seconds)
