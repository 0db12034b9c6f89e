"""Budgets of requests, shared by all processes: what a request weighs goes in, how long to wait comes out.

A venue counts requests by address and orders by account, and bans who goes on. Each process spends from what it knows
and tells the others through the database; reads wait for that, orders never do: a part of each budget is kept for them
that no read may touch, and it is wide enough for what other processes have not told yet.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from pilothouse.core.clock import EPOCH, Clock
from pilothouse.core.errors import PilothouseError
from pilothouse.kit.db import Database
from pilothouse.kit.tables import budgets
from pilothouse.kit.transaction import Tx

NOTHING = timedelta(0)
_STALE_S = 1.0
"""What is known of the others is asked anew when it is older than this, in seconds."""

_BOOKS_WITHIN_S = 2.0
_log = structlog.get_logger("pilothouse.kit.throttle")


class Use(StrEnum):
    """What a request is for. FIRST: to learn what may be spent at all, which the house does not know yet."""

    READ = "read"
    ORDER = "order"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in each window.

    name     says whose it is: venue, and address or key
    limit    weight for each window, above zero
    window_s seconds; windows begin at whole multiples since 1970, as venues count them
    kept     of the limit, only for orders
    """

    name: str
    limit: int
    window_s: int = 60
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process has to tell: it spent `count` in that window."""

    name: str
    window_no: int
    count: int
    blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What all processes together have spent in a window, and until when nothing may be spent."""

    name: str
    window_no: int
    used: int
    blocked_until: datetime | None


class Books(Protocol):
    """Where processes tell each other what they have spent."""

    def tell(self, spent: Sequence[Spent]) -> "Future[list[Standing]]":
        """Add what was spent and return what all have spent together, for each, in the same order."""
        ...


_ROW = select(budgets.c.window_no, budgets.c.used, budgets.c.blocked_until).where(
    budgets.c.name == bindparam("of_name")
)


def _upsert(insert: Callable[..., sqlite.Insert | postgresql.Insert]) -> sqlite.Insert | postgresql.Insert:
    row = insert(budgets)
    return row.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "window_no": row.excluded.window_no,
            "used": row.excluded.used,
            "blocked_until": row.excluded.blocked_until,
        },
    )


_PUT = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}


class SharedBooks:
    """Books in the database of the house."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def tell(self, spent: Sequence[Spent]) -> "Future[list[Standing]]":
        """Add what was spent, in one transaction."""
        return self._database.submit(lambda tx: _told(tx, spent), name="budgets", urgent=True)


def _told(tx: Tx, spent: Sequence[Spent]) -> list[Standing]:
    for name in sorted({each.name for each in spent}):
        tx.lock(f"budget:{name}")
    return [_one_told(tx, each) for each in spent]


def _one_told(tx: Tx, spent: Spent) -> Standing:
    row = tx.execute(_ROW, {"of_name": spent.name}).one_or_none()
    before = Standing(spent.name, *row) if row is not None else None
    after = merged(before, spent)
    if after != before:
        values = {"name": after.name, "window_no": after.window_no, "used": after.used}
        tx.execute(_PUT[tx.dialect], values | {"blocked_until": after.blocked_until})
    return after


def merged(before: Standing | None, spent: Spent) -> Standing:
    """Return what stands in the books once `spent` was told; what comes late, of a window that is over, counts not."""
    if before is None:
        return Standing(spent.name, spent.window_no, spent.count, spent.blocked_until)
    ends = [end for end in (before.blocked_until, spent.blocked_until) if end is not None]
    used, window_no = before.used, before.window_no
    if spent.window_no == window_no:
        used += spent.count
    elif spent.window_no > window_no:
        used, window_no = spent.count, spent.window_no
    return Standing(spent.name, window_no, used, max(ends) if ends else None)


class OwnBooks:
    """Books of one process alone: for tools and tests."""

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self._standing: dict[str, Standing] = {}
        self._lock = threading.Lock()

    def tell(self, spent: Sequence[Spent]) -> "Future[list[Standing]]":
        """Add what was spent, at once."""
        with self._lock:
            after = [merged(self._standing.get(each.name), each) for each in spent]
            self._standing |= {each.name: each for each in after}
        future: Future[list[Standing]] = Future()
        future.set_result(after)
        return future


@dataclass(slots=True)
class _Page:
    """What this process knows of one budget in one window."""

    window_no: int
    known: int = 0  # by all processes, as far as they told
    unsaid: int = 0  # by this one, not told yet
    seen: int = 0  # what the venue itself said last
    blocked_until: datetime | None = None
    asked_at: float | None = None
    telling: bool = field(default=False)

    @property
    def spent(self) -> int:
        return self.known + self.unsaid

    @property
    def used(self) -> int:
        return max(self.spent, self.seen)


class Throttle:
    """Spends from budgets; safe for many threads."""

    def __init__(self, books: Books, clock: Clock) -> None:
        """Share what is spent through `books`."""
        self._books = books
        self._clock = clock
        self._pages: dict[str, _Page] = {}
        self._lock = threading.Lock()

    def take(self, costs: Mapping[Budget, int], use: Use) -> timedelta:
        """Spend `costs` if all of them can be spent now, and return zero; else spend nothing and say how long to wait.

        A read first learns what others have spent, if what is known is older than a second; an order does not wait
        for that. What is asked first waits for nothing but a pause that the venue wants: who has a larger budget than
        usual, and has spent more than the usual one, would otherwise not learn of it before the window ends.
        """
        if use is Use.READ:
            self.learn(costs)
        else:
            self._tell_stale(costs)
        now = self._clock.now()
        with self._lock:
            wait = max((self._wait(budget, weight, use, now) for budget, weight in costs.items()), default=NOTHING)
            if wait == NOTHING:
                for budget, weight in costs.items():
                    self._page(budget, now).unsaid += weight
            return wait

    def learn(self, of: Mapping[Budget, int] | Sequence[Budget]) -> None:
        """Wait until what others have spent is known; without the books, what this process knows is all there is."""
        _wait_for(self._tell_stale(of))

    def observe(self, budget: Budget, used: int) -> None:
        """Take in what the venue says was used; it counts who else uses the address, too.

        Only reads go by it: its windows may begin a moment before or after ours, and an order is not held back for
        what was spent a minute ago. If there is nothing left, the venue says so, and that is obeyed.
        """
        with self._lock:
            self._page(budget, self._clock.now()).seen = used

    def block(self, budget: Budget, wait: timedelta) -> None:
        """Let nobody spend from `budget` for so long: the venue has said so. Every process is told."""
        now = self._clock.now()
        with self._lock:
            page = self._page(budget, now)
            page.blocked_until = max(page.blocked_until or now, now + wait)
            page.asked_at = None
        _wait_for(self._tell_stale([budget]))

    def used(self, budget: Budget) -> int:
        """Return what was used in the present window, as far as this process knows."""
        with self._lock:
            return self._page(budget, self._clock.now()).used

    def _wait(self, budget: Budget, weight: int, use: Use, now: datetime) -> timedelta:
        page = self._page(budget, now)
        if page.blocked_until is not None and now < page.blocked_until:
            return page.blocked_until - now
        if use is Use.FIRST:
            return NOTHING
        used, limit = (page.spent, budget.limit) if use is Use.ORDER else (page.used, budget.limit - budget.kept)
        if used + weight <= limit:
            return NOTHING
        return EPOCH + timedelta(seconds=(page.window_no + 1) * budget.window_s) - now

    def _page(self, budget: Budget, now: datetime) -> _Page:
        """Return the page of the present window; the lock is held."""
        window_no = (now - EPOCH) // timedelta(seconds=budget.window_s)
        page = self._pages.get(budget.name)
        if page is None or page.window_no < window_no:
            blocked = page.blocked_until if page is not None else None
            page = self._pages[budget.name] = _Page(window_no, blocked_until=blocked)
        return page

    def _tell_stale(self, of: Mapping[Budget, int] | Sequence[Budget]) -> threading.Event | None:
        """Tell what is unsaid of those budgets whose page is stale, and learn what others have spent.

        Returns what is set once it was learned; None if there was nothing to tell.
        """
        now, instant = self._clock.now(), self._clock.monotonic()
        told: list[tuple[_Page, int]] = []
        spent: list[Spent] = []
        with self._lock:
            for budget in of:
                page = self._page(budget, now)
                fresh = page.asked_at is not None and instant - page.asked_at < _STALE_S
                if fresh or page.telling:
                    continue
                page.telling = True
                told.append((page, page.unsaid))
                spent.append(Spent(budget.name, page.window_no, page.unsaid, page.blocked_until))
        if not spent:
            return None
        learned = threading.Event()
        try:
            future = self._books.tell(spent)
        except PilothouseError as error:
            _log.warning("budgets_not_shared", error=repr(error))
            with self._lock:
                for page, _ in told:
                    page.telling = False
            return None
        future.add_done_callback(lambda done: self._take_in(done, told, instant, learned))
        return learned

    def _take_in(
        self,
        done: "Future[list[Standing]]",
        told: Sequence[tuple[_Page, int]],
        instant: float,
        learned: threading.Event,
    ) -> None:
        """Take in what the books say; what could not be told stays unsaid."""
        error = done.exception()
        if error is not None:
            _log.warning("budgets_not_shared", error=repr(error))
        standings = [] if error is not None else done.result()
        with self._lock:
            for page, _ in told:
                page.telling = False
                page.asked_at = instant
            for (page, count), standing in zip(told, standings, strict=False):
                if standing.window_no == page.window_no:
                    page.known, page.unsaid = standing.used, page.unsaid - count
                if standing.blocked_until is not None:
                    page.blocked_until = max(page.blocked_until or standing.blocked_until, standing.blocked_until)
        learned.set()


def _wait_for(learned: threading.Event | None) -> None:
    """Wait until it was learned, for a while: without the books, what is known here is all there is."""
    if learned is not None and not learned.wait(_BOOKS_WITHIN_S):
        _log.warning("budgets_not_shared", error="the books do not answer")
