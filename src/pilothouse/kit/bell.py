"""The bell of this process: whoever subscribed hears facts once they are durable, in the order of their commits."""

import threading
from collections.abc import Callable, Sequence

from pilothouse.core.facts import StampedFact

Listener = Callable[[Sequence[StampedFact]], object]


class Bell:
    """Listeners are called on the committing thread: they hand the facts on and return at once."""

    def __init__(self) -> None:
        """Begin without listeners."""
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each batch of facts from now on; returns what ends it."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who is called, in order."""
        return self._listeners
