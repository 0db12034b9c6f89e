"""From when on nothing more of a request leaves, whoever counted it.

In: what is kept with the request, each time it is asked for. Out: that, if this machine has counted it since it was
started; else the tick at which this process first asked, and as much later as somebody may still have it in hand.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from pilothouse.core.clock import Clock, Tick

_KEPT: Final = 10_000


def is_over(clock: Clock, until: datetime, tick: Tick) -> bool:
    """Say whether a request may not be put on the wire any more, by the wall clock or by the machine's count.

    until, tick   the same instant, as the wall clock and as this machine counts it; the earlier of both counts
    """
    return clock.now() >= until or clock.tick().us >= tick.us


class Elapsed:
    """What this process remembers of what it asks for and did not see leave. Safe for many threads."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._first: OrderedDict[str, Tick] = OrderedDict()
        self._lock = threading.Lock()

    def ended(self, name: str, kept: Tick | None, now: Tick, held_for: timedelta) -> Tick:
        """Return the tick, of this boot, from which on nothing more of a request leaves.

        name       of the order or the change; the first call for it begins to count, where counting is needed
        kept       what is stored with it; None: nothing, because it is from before such counts were kept
        held_for   how long whoever has it in hand may keep it
        """
        if kept is not None and kept.boot == now.boot:
            return kept
        with self._lock:
            first = self._first.setdefault(name, now.later(held_for))
            while len(self._first) > _KEPT:
                self._first.popitem(last=False)
        return first

    def over(self, name: str) -> None:
        """Forget a request whose outcome is known."""
        with self._lock:
            self._first.pop(name, None)
