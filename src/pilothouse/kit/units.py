"""Units of work that wait their turn for the database."""

import contextvars
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from pilothouse.core.errors import Unavailable
from pilothouse.kit.chain import Line
from pilothouse.kit.transaction import Tx

CROWD = 32
"""So many units that wait at once are a crowd."""

CROWDED_S = 0.25
"""For so long after there was a crowd it counts as still there: it comes back as soon as it is let in."""

GATHER_S = 0.010
"""So long the writer lets a crowd come back before it goes on."""

GATHER_LOOKS = 10
"""So often it looks meanwhile whether all are there."""


class Closing(Unavailable):
    """The database takes no more work: the house is closing."""

    code = "closing"


class Unit:
    """One piece of work, who waits for it, and what became of it."""

    __slots__ = ("context", "error", "future", "lane", "lines", "name", "result", "tx", "work")

    def __init__(self, work: Callable[[Tx], Any], name: str, future: Future[Any], lane: str | None = None) -> None:
        """Keep the work together with the context (correlation ids) of whoever submitted it.

        lane   units of one lane are done one after the other, in the order they came; None: beside all others
        """
        self.lane = lane
        self.work = work
        self.name = name
        self.future = future
        self.context = contextvars.copy_context()
        self.tx: Tx | None = None
        self.lines: Sequence[Line] = ()
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Tell whoever waits."""
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class UnitQueue:
    """First in, first out; urgent ones before all others. For many threads on both sides."""

    def __init__(self, monotonic: Callable[[], float], pause: Callable[[float], object] | None = None) -> None:
        """Begin empty and open.

        monotonic   tells seconds that never go back
        pause       waits so many seconds; until the queue is closed at the latest, if it is not given
        """
        self._urgent: deque[Unit] = deque()
        self._others: deque[Unit] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._monotonic = monotonic
        self._crowded_at = -math.inf
        self._closed: Exception | None = None
        self._ends = threading.Event()
        self._pause = pause or self._ends.wait
        # Behind a unit of its lane that is not done yet: nobody may begin these.
        self._behind: dict[str, deque[tuple[Unit, bool]]] = {}

    def put(self, unit: Unit, *, urgent: bool) -> None:
        """Add `unit`. Raises what the queue was closed with."""
        with self._changed:
            if self._closed is not None:
                raise self._closed
            if unit.lane is not None:
                if unit.lane in self._behind:
                    self._behind[unit.lane].append((unit, urgent))
                    return
                self._behind[unit.lane] = deque()
            (self._urgent if urgent else self._others).append(unit)
            if len(self._urgent) + len(self._others) >= CROWD:
                self._crowded_at = self._monotonic()
            self._changed.notify()

    def finished(self, unit: Unit) -> None:
        """Let the next unit of its lane be begun, before all that came later."""
        if unit.lane is None:
            return
        with self._changed:
            behind = self._behind.get(unit.lane)
            if not behind:
                self._behind.pop(unit.lane, None)
                return
            following, urgent = behind.popleft()
            (self._urgent if urgent else self._others).appendleft(following)
            self._changed.notify()

    def take(self) -> Unit | None:
        """Wait for a unit and return it; None once the queue is closed and empty."""
        with self._changed:
            while not self._urgent and not self._others:
                if self._closed is not None:
                    return None
                self._changed.wait()
            return self._next()

    def take_now(self) -> Unit | None:
        """Return a unit if one waits."""
        with self._changed:
            return self._next()

    def gather(self, wanted: int) -> None:
        """In a crowd, wait for a moment: until `wanted` units wait, or an urgent one, or GATHER_S is over.

        Whoever was answered comes back at once. While the thread that lets them in and the one that commits take turns
        for each of them, both are slower than one after the other; and what comes together is made durable together.
        """
        for _ in range(GATHER_LOOKS):
            if len(self._others) >= wanted or self._urgent or not self.is_crowded():
                return
            self._pause(GATHER_S / GATHER_LOOKS)

    def drain(self) -> list[Unit]:
        """Return every unit that nobody has begun, whatever its lane; the queue is empty then."""
        with self._changed:
            left = [*self._urgent, *self._others, *(unit for behind in self._behind.values() for unit, _ in behind)]
            self._urgent.clear()
            self._others.clear()
            self._behind.clear()
            return left

    def close(self, reason: Exception) -> None:
        """Take no more units; those that wait are still given out."""
        with self._changed:
            self._closed = self._closed or reason
            self._ends.set()
            self._changed.notify_all()

    def is_crowded(self) -> bool:
        """Say whether CROWD units waited at once within the last CROWDED_S seconds."""
        return self._monotonic() - self._crowded_at < CROWDED_S

    @property
    def closed(self) -> bool:
        """Say whether it takes no more units."""
        return self._closed is not None

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others) + sum(map(len, tuple(self._behind.values())))

    def _next(self) -> Unit | None:
        for units in (self._urgent, self._others):
            if units:
                return units.popleft()
        return None
