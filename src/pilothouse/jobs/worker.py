"""A process that only computes backtests, beside a house: messages of the compute queue are claimed and worked on.

What it is at when it is told to stop is given back at once, and goes on elsewhere; what a killed one was at is taken up
by another when its lease is over. Trials of a search that were made are not made again.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import structlog

from pilothouse.accounts import users
from pilothouse.backtest import computers
from pilothouse.backtest.asking import BACKTEST_TOPIC
from pilothouse.backtest.computers import Presence
from pilothouse.backtest.pieces import PIECE_TOPIC, WHOLE_TOPIC
from pilothouse.core.errors import PilothouseError
from pilothouse.jobs.giving_back import give_back, is_poisoned, words_of
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import Message
from pilothouse.wiring.compute import Computing, compute, compute_piece, compute_whole, lease_of
from pilothouse.wiring.workshop import NoHouse, Workshop, check

LOOK_S: Final = 0.5
"""Nobody rings at a process beside the house: so often it looks for work."""

_HANDLERS: Final[Mapping[str, Callable[[Computing, Message], timedelta | None]]] = MappingProxyType(
    {BACKTEST_TOPIC: compute, PIECE_TOPIC: compute_piece, WHOLE_TOPIC: compute_whole}
)

_log = structlog.get_logger("pilothouse.worker")


class Worker:
    """Works on `jobs` backtests at once, each in a process of its own, until it is told to stop."""

    def __init__(self, shop: Workshop, jobs: int) -> None:
        """Begin nothing yet."""
        self._shop, self._jobs = shop, jobs
        self._stopping = threading.Event()
        self._presence = Presence(shop.database, shop.clock, shop.process)
        self.reason: str | None = None
        """Why it stopped by itself; None: it was told to."""

    def stop(self) -> None:
        """Let `run` come back."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`, or until it cannot go on (`reason`); what is under way is given back."""
        threads = [
            threading.Thread(target=self._loop, name=f"pilothouse-compute-{number}", daemon=True)
            for number in range(self._jobs)
        ]
        self._presence.tell()
        for thread in threads:
            thread.start()
        while not self._stopping.wait(computers.EVERY_S):
            if not all(thread.is_alive() for thread in threads):
                self.reason = "a thread that computes has ended; what it said stands above"
                break
            self._tell()
        self._stopping.set()
        self._shop.benches.close()  # whoever waits for one gives back what it was at
        for thread in threads:
            thread.join()
        try:
            self._presence.leave()
        except PilothouseError as error:
            _log.warning("presence_not_ended", why=str(error))

    def _tell(self) -> None:
        """Say that it is there, unless the house was updated and its tables are others now."""
        try:
            check(self._shop.database)
            self._presence.tell()
        except NoHouse as changed:
            self.reason = str(changed)
            self._stopping.set()
        except PilothouseError as error:
            _log.warning("presence_not_told", why=str(error))

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                message = self._claimed()
                if message is None:
                    self._stopping.wait(LOOK_S)
                else:
                    self._work_on(message)
            except PilothouseError as error:  # the database is away: what was claimed is taken up when its lease ends
                _log.warning("database_away", why=str(error))
                self._stopping.wait(LOOK_S)

    def _claimed(self) -> Message | None:
        shop, topics = self._shop, frozenset(_HANDLERS)
        now = shop.clock.now()
        due = shop.database.read(lambda tx: outbox.next_due(tx, topics))
        if due is None or due > now:
            return None
        found = shop.database.write(
            lambda tx: outbox.claim(
                tx, owner=shop.process, topics=topics, limit=1, now=now, lease_for=lease_of(shop.settings)
            ),
            name="claim",
        )
        return found[0] if found else None

    def _work_on(self, message: Message) -> None:
        shop = self._shop
        try:
            _HANDLERS[message.topic](shop, message)
        except Exception as error:  # a door: one poisoned message must not stop the others
            self._give_back(message, error)
            return
        shop.database.write(lambda tx: outbox.done(tx, message.id, message.attempt), name="done")

    def _give_back(self, message: Message, error: Exception) -> None:
        """Let another delivery have it: at once where this process stops, else later; put aside what always fails."""
        shop, stopping = self._shop, self._stopping.is_set()
        tell = _log.info if stopping else _log.warning
        tell("given_back", topic=message.topic, message=message.id, attempt=message.attempt, error=words_of(error))
        poisoned = is_poisoned(message, error, stopping=stopping)

        def work(tx: Tx) -> None:
            now = shop.clock.now()
            give_back(tx, message, error, now, users.ensure_operator(tx, now=now).id, stopping=stopping)

        shop.database.write(work, name="park" if poisoned else "give back")
