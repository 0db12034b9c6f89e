"""A floor whose every change is durable before anybody is told of it.

Changes are decided one after the other, in memory and under a lock; their pages are written in groups, after the lock
was let go. When a page is lost, the pages built on it are refused too, and the floor is built again from the journal.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from pilothouse.core.clock import Clock, micros
from pilothouse.core.errors import Refused, Unavailable, Unknown
from pilothouse.kit.db import Database, Tx
from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.floor import Changes, Floor
from pilothouse.venues import paper_journal as journal

T = TypeVar("T")
R = TypeVar("R")

WRITE_EVERY_STEPS = 8
"""A market in which nothing happens is written every two seconds: it may go back so far when the process dies."""


class Queued(NamedTuple, Generic[T]):
    """An answer that may be given once everything it rests on is durable."""

    answer: T
    durable: Future[None] | None

    def problem(self) -> BaseException | None:
        """Wait, and return what kept it from becoming durable, if anything did."""
        return None if self.durable is None else self.durable.exception()

    def certain(self) -> T:
        """Wait, and return the answer. Raises Unknown if it did not become durable."""
        problem = self.problem()
        if problem is not None:
            raise Unknown(f"the paper venue could not write it down: {problem}") from problem
        return self.answer


class DurableFloor:
    """The floor of the paper venue and its journal; safe for many threads. Open once for each file."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        blank: Callable[[], Floor],
        witness: Callable[[str], None] | None,
        write_every: int = WRITE_EVERY_STEPS,
    ) -> None:
        """Open the journal at `url`, made if it is not there. Raises Broken if it is of a form we cannot read.

        blank         makes the floor on which nothing has happened yet
        write_every   how often markets may merely move before that is written
        """
        journal.prepare(url, clock)
        self._clock = clock
        self._blank = blank
        self._write_every = write_every
        self._database = Database(url, clock=clock, witness=witness, readers=4)
        self._lock = threading.Lock()
        self._last: Future[None] | None = None
        self._closed = False
        self._rebuild()

    def close(self) -> None:
        """Finish what is under way, write down where the markets are, and let go of the journal. Safe to call twice."""
        with self._lock:
            if self._unwritten_steps and self._whole and not self._closed:
                with suppress(Unavailable):  # the journal has stopped; what it holds is the truth
                    self._write(self._floor, Changes(), "paper_close")
            self._closed = True
        self._database.close()

    def change(
        self,
        name: str,
        change: Callable[[Floor, int], T],
        answer: Callable[[T, Changes], R],
        *,
        at_once: bool = True,
    ) -> Queued[R]:
        """Change the floor at the present instant (microseconds) and queue the page of it.

        name      what happens, for whoever watches the commits
        change    may raise Refused as long as nothing was touched
        answer    made of the result and of what was touched, while the floor still stands still: another call may
                  change the same order a moment later
        at_once   without it, markets that merely moved are written with what comes next

        Raises Unavailable if the journal is closed or cannot be read.
        """
        with self._lock:
            floor = self._intact()
            self._whole = False  # until the page is queued: whatever is raised in between leaves half a change
            try:
                result = change(floor, micros(self._clock.now()))
            except Refused:
                self._whole = True
                raise
            changes = floor.drain()
            made = answer(result, changes)
            if self._is_due(floor, changes, at_once=at_once):
                self._write(floor, changes, name)
            self._whole = True
            return Queued(made, self._last)

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """Return what can be traded, by symbol; what was known once stays."""
        return self._floor.contracts

    @property
    def settlement(self) -> str:
        """Return the currency of the whole floor."""
        return self._floor.settlement

    def see(self, look: Callable[[Floor], T]) -> T:
        """Read the floor; returns once what was seen is durable. Raises Unavailable, and what `look` raises."""
        with self._lock:
            queued = Queued(look(self._intact()), self._last)
        return self._unless_lost(queued)

    def glance(self, look: Callable[[Floor], T]) -> T:
        """Read the floor without waiting: for prices, on which no answer rests."""
        with self._lock:
            return look(self._intact())

    def read(self, look: Callable[[Tx], T]) -> T:
        """Read the journal once everything decided so far is in it. Raises Unavailable."""
        with self._lock:
            self._intact()
            queued = Queued(None, self._last)
        self._unless_lost(queued)
        return self._database.read(look)

    @staticmethod
    def _unless_lost(queued: Queued[T]) -> T:
        problem = queued.problem()
        if problem is not None:
            raise Unavailable(f"the paper venue has lost what it had not written: {problem}") from problem
        return queued.answer

    def _write(self, floor: Floor, changes: Changes, name: str) -> None:
        """Queue the next page. The lock is held, so pages are queued in the order in which they were decided."""
        page = self._journal.take(floor, changes, tuple(self._moved))
        self._moved.clear()
        self._unwritten_steps, self._funded_at = 0, floor.funded_at
        self._last = self._database.submit(lambda tx: journal.write(tx, page), name=name)

    def _is_due(self, floor: Floor, changes: Changes, *, at_once: bool) -> bool:
        """Say whether there is something to write now."""
        if changes.markets:
            self._moved |= changes.markets
            self._unwritten_steps += 1
        touched = changes.orders or changes.accounts or changes.holdings or changes.movements or changes.contracts
        many = bool(changes.markets) and (at_once or self._unwritten_steps >= self._write_every)
        return bool(touched) or many or floor.funded_at != self._funded_at

    def _intact(self) -> Floor:
        """Return the floor, built again if it holds what could not be written. The lock is held."""
        lost = self._last is not None and self._last.done() and self._last.exception() is not None
        if lost or not self._whole:
            self._whole = False
            self._database.write(_nothing, name="paper_mend")  # after it, every page that was queued has met its end
            self._last = None
            self._rebuild()
        return self._floor

    def _rebuild(self) -> None:
        self._floor, self._journal = journal.rebuild(self._database, self._blank)
        self._funded_at = self._floor.funded_at
        self._moved: dict[str, None] = dict.fromkeys(self._blank().desks)
        self._unwritten_steps = 0
        self._whole = True


def _nothing(_: Tx) -> None:
    """Change nothing."""
