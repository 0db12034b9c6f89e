"""How late it is at least, for an order in doubt: a clock set forward must not make a request too old to arrive.

In: the order, each time it is asked for. Out: an instant that is not later than the wall clock, nor later than the
monotonic one makes it, counted from the first question. What passed before this process first asked, the wall clock
alone tells.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import Clock

_KEPT: Final = 10_000


class Elapsed:
    """What this process remembers of the orders that it asks for. Safe for many threads."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._first: OrderedDict[str, tuple[datetime, float]] = OrderedDict()
        self._lock = threading.Lock()

    def now(self, clock: Clock, order_id: str) -> datetime:
        """Return the instant that it is at least; the first call for an order begins to count."""
        wall, steady = clock.now(), clock.monotonic()
        with self._lock:
            began, since = self._first.setdefault(order_id, (wall, steady))
            while len(self._first) > _KEPT:
                self._first.popitem(last=False)
        return min(wall, began + timedelta(seconds=steady - since))

    def over(self, order_id: str) -> None:
        """Forget an order whose outcome is known."""
        with self._lock:
            self._first.pop(order_id, None)
