"""Deliver what was committed: claim a message under a lease, run its handler, forget it; fenced by attempt.

A message is delivered at least once. A handler that only touches the record does its work in the very transaction
that forgets the message; one that speaks to a venue commits by itself and may be asked again.
"""

import threading
from collections import deque
from datetime import datetime, timedelta

import structlog

from pilothouse.accounts import trading_accounts
from pilothouse.core.errors import Broken, PilothouseError, Unavailable
from pilothouse.execution import halts, writing
from pilothouse.jobs.giving_back import give_back, is_poisoned, parked, words_of
from pilothouse.kit import outbox
from pilothouse.kit.db import Tx
from pilothouse.kit.outbox import Message
from pilothouse.wiring.compute import fail_broken
from pilothouse.wiring.house import House
from pilothouse.wiring.subscriptions import COMPUTE_TOPICS, SENDING_TOPICS, SUBSCRIPTIONS, Handler, Record, Wire

_log = structlog.get_logger("pilothouse.dispatch")


class Dispatcher:
    """Delivers messages of some topics; several may run side by side.

    limit           so many messages are claimed at once: one, where each may take long
    lease_for       so long they belong to this process, unless a handler lengthens it
    deliver_twice   deliver every message once more after it was handled, as tests do
    """

    def __init__(
        self,
        house: House,
        *,
        topics: tuple[str, ...] = tuple(SUBSCRIPTIONS),
        limit: int = 50,
        lease_for: timedelta = timedelta(seconds=60),
        deliver_twice: bool = False,
    ) -> None:
        """Work on `house`."""
        self._house = house
        self._topics = topics
        self._asked = frozenset(topics)
        self._limit = limit
        self._lease_for = lease_for
        self._twice = deliver_twice
        self._in_hand: deque[Message] = deque()
        self.rung = threading.Event()

    def run_due(self) -> int:
        """Claim what is due and handle it; returns how many messages were handled.

        What was claimed and could not even be given back, because nothing can be written, stays in hand: a later call
        handles it, while the claim holds. Else it, and every order behind it, would wait until the claim ends.
        """
        now = self._house.clock.now()
        self._in_hand = deque(message for message in self._in_hand if message.lease_until > now)
        if not self._in_hand:
            self._in_hand.extend(self._claimed(now))
        handled = 0
        while self._in_hand:
            message = self._in_hand[0]
            self._in_hand.rotate(-1)  # one that fails again does not stand before the others for ever
            self._deliver(message)
            if self._twice:
                self._deliver(message)
            self._in_hand.pop()
            handled += 1
        return handled

    def _claimed(self, now: datetime) -> list[Message]:
        house = self._house

        def claim(tx: Tx) -> list[Message]:
            return outbox.claim(
                tx,
                owner=house.process,
                topics=self._topics,
                limit=self._limit,
                now=now,
                lease_for=self._lease_for,
            )

        due = house.database.read(lambda tx: outbox.next_due(tx, self._asked, owner=house.process, now=now))
        if due is None or due > now:
            return []
        return house.database.write(claim, name="claim")

    def wait_s(self, longest_s: float) -> float:
        """Return how many seconds there is nothing to do, at most `longest_s`."""
        house, now = self._house, self._house.clock.now()
        due = house.database.read(lambda tx: outbox.next_due(tx, self._asked, owner=house.process, now=now))
        if due is None:
            return longest_s
        return min(max((due - house.clock.now()).total_seconds(), 0.0), longest_s)

    def _deliver(self, message: Message) -> None:
        """Run the handler of one message; whatever it raises ends here, in the outbox and in the log."""
        handler = SUBSCRIPTIONS[message.topic]
        try:
            self._run(handler, message)
        except Unavailable as unavailable:
            self._give_back(message, unavailable)
        except Broken as broken:
            self._stop(message, broken)
        except Exception as error:  # a door: one poisoned message must not stop the others
            self._give_back(message, error)

    def _run(self, handler: Handler, message: Message) -> None:
        house = self._house
        meters = house.meters.messages_handled
        if isinstance(handler, Record):
            work = handler.handle

            def in_one(tx: Tx) -> None:
                work(tx, house, message)
                outbox.done(tx, message.id, message.attempt)

            house.database.write(in_one, name=message.topic)
            meters.labels(message.topic, "done").inc()
            return
        assert isinstance(handler, Wire), "there are two kinds of handlers"
        again = handler.handle(house, message)
        if again is None:
            house.database.write(lambda tx: outbox.done(tx, message.id, message.attempt), name="done")
            meters.labels(message.topic, "done").inc()
            return
        retry_at = house.clock.now() + again

        def put_back(tx: Tx) -> None:
            sender = _sender(tx, house, message)
            outbox.fail(tx, message.id, message.attempt, "not finished yet", retry_at, kept_for=sender)

        house.database.write(put_back, name="again")
        meters.labels(message.topic, "again").inc()

    def _give_back(self, message: Message, error: Exception) -> None:
        """Deliver it again later, or park it when it failed too often."""
        house = self._house
        words, known = words_of(error), isinstance(error, PilothouseError)
        _log.warning("message failed", topic=message.topic, message=message.id, attempt=message.attempt, error=words)
        poisoned = is_poisoned(message, error)

        def work(tx: Tx) -> None:
            sender = _sender(tx, house, message)
            give_back(tx, message, error, house.clock.now(), house.operator_id, kept_for=sender)

        house.database.write(work, name="park" if poisoned else "give back")
        house.meters.messages_handled.labels(message.topic, "parked" if poisoned else "failed").inc()
        if poisoned and not known:
            _log.error("message parked", topic=message.topic, message=message.id, exc_info=error)

    def _stop(self, message: Message, broken: Broken) -> None:
        """A law was broken: halt the account the message belongs to, and put the message aside.

        What is computed belongs to no account: it fails, is put aside and shown, and nobody's trading is touched. A
        worker beside the house could not halt anything, either.
        """
        house = self._house
        _log.error("law broken", topic=message.topic, message=message.id, key=message.key, exc_info=broken)
        words, now = f"law broken: {broken}", house.clock.now()
        told = parked(message, words, now, house.operator_id)

        def work(tx: Tx) -> None:
            if message.topic in COMPUTE_TOPICS:
                fail_broken(tx, message, words, now)
                tx.announce(told)
            elif trading_accounts.is_account(tx, message.key):
                halts.halt(tx, house.desk, message.key, house.operator_id, reason=words, by="dispatch")
            else:
                tx.announce(told)
            outbox.park(tx, message.id, message.attempt, str(broken))

        house.database.write(work, name="law broken", urgent=True)
        house.meters.messages_handled.labels(message.topic, "broken").inc()


def _sender(tx: Tx, house: House, message: Message) -> str | None:
    """Return the process that a message of an account is left to first: the one that may send for it.

    Without it one that may not send would take it again and again, and the one that may would get it by chance.
    """
    return writing.sender(tx, message.key, house.clock.now()) if message.topic in SENDING_TOPICS else None
