"""Messages: committed with their cause, delivered at least once, finished by the latest delivery alone."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from pilothouse.kit import outbox
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.outbox import Lease, Message
from tests.slices.kit.probe import note, written

SECOND = timedelta(seconds=1)
Opener = Callable[..., Database]


def put(db: Database, topic: str = "send", **options: Any) -> str | None:
    """Put a message in a unit of its own and return its id."""
    values = {"key": "acc_1", "payload": {"order": "ord_1"}, "now": db.clock.now(), **options}
    return db.write(lambda tx: outbox.put(tx, topic, **values), name="put")


def claim(db: Database, owner: str = "me", topics: tuple[str, ...] = ("send",), limit: int = 100) -> list[Message]:
    """Claim what is due, for ten seconds."""
    return db.write(
        lambda tx: outbox.claim(
            tx, owner=owner, topics=topics, limit=limit, now=db.clock.now(), lease_for=timedelta(seconds=10)
        ),
        name="claim",
    )


def done(db: Database, message: Message) -> bool:
    """Say that `message` was handled."""
    return db.write(lambda tx: outbox.done(tx, message.id, message.attempt), name="done")


class TestPut:
    """Putting a message."""

    def test_it_is_there_if_and_only_if_its_cause_is(self, db: Database) -> None:
        """No order without the message that sends it, no message without its order."""

        def work(tx: Tx) -> None:
            note("order")(tx)
            outbox.put(tx, "send", key="acc_1", payload={"order": "a"}, now=db.clock.now())
            raise KeyError

        with pytest.raises(KeyError):
            db.write(work, name="n")
        assert (claim(db), db.read(written)) == ([], [])

    def test_a_message_that_already_waits_is_not_put_twice(self, db: Database) -> None:
        """A hundred reasons to reconcile an account are one reconciliation."""
        first = put(db, dedupe_key="reconcile/acc_1")
        assert put(db, dedupe_key="reconcile/acc_1") is None
        assert put(db, dedupe_key="reconcile/acc_2") is not None
        assert claim(db)[0].id == first

    def test_once_it_is_taken_a_new_reason_is_a_new_message(self, db: Database) -> None:
        """The handler that runs may have looked before the new reason came."""
        put(db, dedupe_key="reconcile/acc_1")
        claim(db)
        assert put(db, dedupe_key="reconcile/acc_1") is not None

    def test_the_dispatcher_is_woken_by_the_commit(self, db: Database) -> None:
        """No polling: work begins when it is durable, and not when it failed or is handed on in memory."""
        woken: list[int] = []
        db.wake.add(lambda: woken.append(sum(db.read(outbox.counts).values())))
        put(db)
        assert woken == [1]
        with pytest.raises(TypeError):
            put(db, payload={"price": 1.5})
        put(db, lease=Lease("me", db.clock.now() + SECOND))
        assert woken == [1]


class TestClaim:
    """Taking messages."""

    def test_what_is_due_comes_in_order_and_what_is_not_stays(self, db: Database, clock: FrozenClock) -> None:
        """First come, first served; a retry waits for its time."""
        later = put(db, available_at=clock.now() + SECOND)
        ids = [put(db) for _ in range(3)]
        put(db, topic="other")
        assert [each.id for each in claim(db, limit=2)] == ids[:2]
        assert [each.id for each in claim(db)] == ids[2:]
        assert claim(db) == []
        clock.advance(SECOND)
        assert [each.id for each in claim(db)] == [later]

    def test_a_claim_brings_what_was_put(self, db: Database, clock: FrozenClock) -> None:
        """Topic, key and payload, the number of the attempt and the end of the lease."""
        id_ = put(db, payload={"order": "ord_1", "legs": [1, 2]})
        assert id_ is not None
        now = clock.now()
        expected = Message(id_, "send", "acc_1", {"order": "ord_1", "legs": [1, 2]}, 1, now + 10 * SECOND, now)
        assert claim(db) == [expected]

    def test_two_who_claim_at_once_never_get_the_same(self, db: Database) -> None:
        """Two processes, one order: it is sent by one of them."""
        ids = [put(db) for _ in range(60)]
        taken: list[str] = []

        def take(owner: str) -> None:
            while found := claim(db, owner=owner, limit=3):
                taken.extend(each.id for each in found)

        threads = [threading.Thread(target=take, args=(str(number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(taken) == Counter(ids)

    @pytest.mark.postgres
    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    def test_a_claim_waits_for_a_reason_that_is_about_to_be_committed(self, db: Database) -> None:
        """Else its handler would look before the change is there, and nobody would look after."""
        put(db, dedupe_key="reconcile/acc_1")
        entered, leave = threading.Event(), threading.Event()

        def joins(tx: Tx) -> None:
            outbox.put(tx, "send", key="acc_1", payload={}, now=db.clock.now(), dedupe_key="reconcile/acc_1")
            entered.set()
            assert leave.wait(60)

        joining = db.submit(joins, name="joins")
        assert entered.wait(60)
        assert claim(db) == []
        leave.set()
        joining.result(60)
        assert len(claim(db)) == 1


class TestLease:
    """Deliveries end; the message does not."""

    def test_when_a_lease_ends_another_gets_the_message_and_the_first_no_longer_counts(
        self, db: Database, clock: FrozenClock
    ) -> None:
        """A process that was stopped and wakes up late must not finish what another has begun."""
        put(db)
        (first,) = claim(db, owner="first")
        clock.advance(9)
        assert claim(db, owner="second") == []
        clock.advance(1)
        (second,) = claim(db, owner="second")
        assert (second.id, second.attempt) == (first.id, 2)

        assert not done(db, first)
        assert not db.write(lambda tx: outbox.fail(tx, first.id, 1, "late", clock.now()), name="n")
        assert not db.write(lambda tx: outbox.park(tx, first.id, 1, "late"), name="n")
        assert not db.write(lambda tx: outbox.extend(tx, first.id, 1, clock.now() + 60 * SECOND), name="n")
        assert done(db, second)
        assert not done(db, second)

    def test_a_lease_can_be_lengthened_while_it_is_ones_own(self, db: Database, clock: FrozenClock) -> None:
        """A backtest takes longer than a lease."""
        put(db)
        (mine,) = claim(db)
        assert db.write(lambda tx: outbox.extend(tx, mine.id, 1, clock.now() + 60 * SECOND), name="n")
        clock.advance(59)
        assert claim(db, owner="another") == []
        assert done(db, mine)

    def test_a_message_born_leased_is_its_makers_until_the_lease_ends(self, db: Database, clock: FrozenClock) -> None:
        """The order is sent from memory at once; if this process dies, another takes over and asks first."""
        id_ = put(db, lease=Lease("me", clock.now() + SECOND))
        assert id_ is not None
        assert claim(db) == []
        clock.advance(SECOND)
        (again,) = claim(db, owner="another")
        assert (again.id, again.attempt) == (id_, 2)
        assert not db.write(lambda tx: outbox.done(tx, id_, 1), name="n")

    def test_a_message_born_leased_is_finished_by_its_maker(self, db: Database, clock: FrozenClock) -> None:
        """The common case: sent, answered, forgotten."""
        id_ = put(db, lease=Lease("me", clock.now() + SECOND))
        assert id_ is not None
        assert db.write(lambda tx: outbox.done(tx, id_, 1), name="n")
        assert db.read(outbox.counts) == {"ready": 0, "leased": 0, "parked": 0}


class TestFailure:
    """What goes wrong stays visible."""

    def test_a_failed_message_comes_again_when_it_was_said(self, db: Database, clock: FrozenClock) -> None:
        """A venue that is down is asked later."""
        put(db)
        (first,) = claim(db)
        assert db.write(lambda tx: outbox.fail(tx, first.id, 1, "down", clock.now() + SECOND), name="n")
        assert claim(db) == []
        clock.advance(SECOND)
        assert [each.attempt for each in claim(db)] == [2]

    def test_a_poisoned_message_is_parked_shown_and_delivered_again_on_request(
        self, db: Database, clock: FrozenClock
    ) -> None:
        """It neither blocks the others nor disappears."""
        put(db)
        (bad,) = claim(db)
        assert db.write(lambda tx: outbox.park(tx, bad.id, 1, "x" * 10_000), name="n")
        clock.advance(1_000)
        assert claim(db) == []
        (shown,) = db.read(outbox.parked)
        assert (shown.id, shown.payload, shown.attempt, len(shown.error)) == (bad.id, {"order": "ord_1"}, 1, 2_000)
        assert db.read(outbox.counts)["parked"] == 1

        assert db.write(lambda tx: outbox.unpark(tx, bad.id, clock.now()), name="n")
        assert not db.write(lambda tx: outbox.unpark(tx, bad.id, clock.now()), name="n")
        (again,) = claim(db)
        assert again.attempt == 2
        assert done(db, again)


class TestKept:
    """Messages that one process gives back for another."""

    def _given_back(self, db: Database, *, kept_for: str) -> Message:
        """Put a message, take it and give it back, due at once."""
        put(db)
        (message,) = claim(db, owner="one")
        given = db.write(
            lambda tx: outbox.fail(tx, message.id, 1, "not mine", db.clock.now(), kept_for=kept_for), name="back"
        )
        assert given
        return message

    def test_it_waits_for_the_one_it_is_kept_for_and_is_not_taken_again_by_its_giver(self, db: Database) -> None:
        """Two processes, one of which may send: it must not be a matter of luck who gets the order."""
        message = self._given_back(db, kept_for="two")
        topics, now = frozenset(("send",)), db.clock.now()
        for other in ("one", "three"):
            assert claim(db, owner=other) == []
            found = db.read(lambda tx, me=other: outbox.next_due(tx, topics, owner=me, now=now))  # type: ignore[misc]  # a default binds the loop variable
            assert found is None, "else it would ask for it without a pause"
        assert db.read(lambda tx: outbox.next_due(tx, topics, owner="two", now=now)) == now
        assert [(each.id, each.suspect) for each in claim(db, owner="two")] == [(message.id, 1)]

    def test_nobody_waits_for_long_for_one_that_does_not_come(self, db: Database, clock: FrozenClock) -> None:
        """The one that may send can die; then whoever is there asks the venue."""
        message = self._given_back(db, kept_for="two")
        clock.advance(outbox.KEPT)
        found = db.read(lambda tx: outbox.next_due(tx, frozenset(("send",)), owner="one", now=clock.now()))
        assert found is not None
        assert found <= clock.now()
        assert [each.id for each in claim(db, owner="one")] == [message.id]

    @pytest.mark.parametrize(
        "ends",
        [
            lambda tx, now: outbox.free_of(tx, "two", "acc_1", now),
            lambda tx, now: outbox.free_others(tx, "one", now),
            lambda tx, now: outbox.set_back(tx, 1_000 * SECOND, now),
        ],
        ids=["its account was taken over", "it is dead", "the clock was set back"],
    )
    def test_nothing_is_kept_for_one_that_is_gone(self, db: Database, ends: Callable[[Tx, datetime], int]) -> None:
        """A start or a take-over goes on at once; a clock that is set back keeps nothing for an hour."""
        message = self._given_back(db, kept_for="two")
        db.write(lambda tx: ends(tx, db.clock.now()), name="ends")
        assert [each.id for each in claim(db, owner="one")] == [message.id]


class TestLag:
    """How far behind the house is."""

    def test_the_oldest_due_message_says_how_late_the_house_is(self, db: Database, clock: FrozenClock) -> None:
        """An alarm rings when messages wait for longer than they should."""
        assert db.read(lambda tx: outbox.lag(tx, clock.now())) == timedelta(0)
        assert db.read(outbox.next_due) is None
        put(db, available_at=clock.now() + 5 * SECOND)
        assert db.read(outbox.next_due) == clock.now() + 5 * SECOND
        assert db.read(lambda tx: outbox.lag(tx, clock.now())) == timedelta(0)
        clock.advance(8)
        assert db.read(lambda tx: outbox.lag(tx, clock.now())) == 3 * SECOND
        claim(db)
        assert db.read(lambda tx: outbox.lag(tx, clock.now())) == timedelta(0)
        assert db.read(outbox.next_due) == clock.now() + 10 * SECOND

    def test_who_delivers_some_topics_is_not_woken_by_the_others(self, db: Database, clock: FrozenClock) -> None:
        """A message that only another may deliver would keep this one asking for it without a pause."""
        now = clock.now()
        put(db, "tell")
        put(db, "send", available_at=now + 5 * SECOND)
        due = {
            topics: db.read(lambda tx, of=frozenset(topics): outbox.next_due(tx, of))  # type: ignore[misc]  # a default binds the loop variable
            for topics in (("send",), ("tell",), ("send", "tell"), ("other",))
        }

        assert due == {
            ("send",): now + 5 * SECOND,
            ("tell",): now,
            ("send", "tell"): now,
            ("other",): None,
        }
        claim(db, topics=("tell",))
        assert db.read(lambda tx: outbox.next_due(tx, frozenset(("tell",)))) == now + 10 * SECOND


def test_everything_put_is_handled_however_often_its_handlers_die(opened: Opener, clock: FrozenClock) -> None:
    """Handlers that vanish, fail or finish in any order: in the end nothing is left and nothing was lost."""
    db = opened()
    ids = {put(db) for _ in range(20)}
    finished: set[str] = set()
    chance = random.Random(7)
    while any(db.read(outbox.counts).values()):
        for message in claim(db, limit=7):
            fate = chance.choice(["done", "failed", "vanished"])
            if fate == "done" and done(db, message):
                finished.add(message.id)
            elif fate == "failed":
                db.write(
                    lambda tx, m=message: outbox.fail(tx, m.id, m.attempt, "failed", clock.now() + SECOND),  # type: ignore[misc]  # mypy cannot type the default
                    name="fail",
                )
        clock.advance(4)
    assert finished == ids
