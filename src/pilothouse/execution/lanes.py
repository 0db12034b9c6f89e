"""Lanes: orders of one account and instrument leave one after the other, others beside them.

A lane is a queue in memory. What is in it is committed as SENDING already; a lane that dies with its process loses
nothing, because whoever finds such an order asks the venue about it.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pilothouse.core.clock import Clock, Tick
from pilothouse.execution.elapsed import is_over
from pilothouse.venues.port import OrderRequest, VenueAccount

Lane = tuple[str, str]
"""(account id, symbol)"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An order that this process, and nobody else, may put on the wire until `sendable_until`.

    until_tick   the same instant as this machine counts it; the earlier of both counts
    beside   (order id, message id) of the other half of a pair, which leaves by the same request
    """

    order_id: str
    signal_id: str | None
    message_id: str
    venue: str
    account: VenueAccount
    request: OrderRequest
    sendable_until: datetime
    until_tick: Tick
    alert_at: datetime | None
    is_live: bool = False
    protects: bool = False
    beside: tuple[str, str] | None = None

    def is_late(self, clock: Clock) -> bool:
        """Say whether it may not be put on the wire any more, by the wall clock or by the machine's count."""
        return is_over(clock, self.sendable_until, self.until_tick)


class Lanes:
    """Queues of outgoing orders, worked by whoever calls `work` or `work_once`."""

    def __init__(self, batch_most: int = 32) -> None:
        """Start empty; at most `batch_most` orders of a lane leave together."""
        self._batch_most = batch_most
        self._waiting: dict[Lane, deque[Outgoing]] = {}
        self._ready: deque[Lane] = deque()
        self._busy: set[Lane] = set()
        self._doubted: set[Lane] = set()
        self._changed = threading.Condition()
        self._closed = False

    def push(self, outgoing: Outgoing) -> None:
        """Put an order at the end of its lane."""
        lane = (outgoing.account.id, outgoing.request.terms.symbol)
        with self._changed:
            queue = self._waiting.setdefault(lane, deque())
            queue.append(outgoing)
            if lane not in self._busy and len(queue) == 1:
                self._ready.append(lane)
                self._changed.notify()

    def work_once(self, send: Callable[[Sequence[Outgoing]], None], *, wait_s: float | None = 0) -> bool:
        """Send one batch of one lane; returns False if nothing was there within `wait_s` seconds (None: for ever)."""
        with self._changed:
            if not self._ready and not self._closed:
                self._changed.wait(wait_s)
            if not self._ready or self._closed:
                return False
            lane = self._ready.popleft()
            self._busy.add(lane)
            queue = self._waiting[lane]
            batch = [queue.popleft() for _ in range(min(self._batch_most, len(queue)))]
        try:
            send(batch)
        finally:
            with self._changed:
                self._busy.discard(lane)
                if self._waiting.get(lane):
                    self._ready.append(lane)
                    self._changed.notify()
                else:
                    self._waiting.pop(lane, None)
        return True

    def doubt(self, lane: Lane, *, is_so: bool) -> None:
        """Remember whether an order of the lane may not have arrived, so that whoever sends next looks first."""
        with self._changed:
            (self._doubted.add if is_so else self._doubted.discard)(lane)

    def is_doubted(self, lane: Lane) -> bool:
        """Say whether an order of the lane may not have arrived."""
        return lane in self._doubted

    def drain(self) -> list[Outgoing]:
        """Take out everything that still waits: nobody sends it from here any more."""
        with self._changed:
            left = [one for queue in self._waiting.values() for one in queue]
            for queue in self._waiting.values():
                queue.clear()
            self._ready.clear()
        return left

    def waiting(self) -> int:
        """Return how many orders wait in all lanes."""
        with self._changed:
            return sum(len(queue) for queue in self._waiting.values())

    def close(self) -> None:
        """Wake every worker and send no more; what still waits can be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Say whether the lanes were closed."""
        return self._closed
