"""Facts: told after their commit, in the order of the commits, live and later alike."""

import random
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete

from pilothouse.core.facts import Fact, FactKind, StampedFact
from pilothouse.kit import outbox, told_facts
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.tables import facts

Opener = Callable[..., Database]


def announced(db: Database, *names: str, owner: str = "own_1", key: str = "") -> Callable[[Tx], None]:
    """Return a unit of work that announces one fact for each name."""

    def work(tx: Tx) -> None:
        for name in names:
            payload = {"name": name, "price": Decimal("1.50")}
            tx.announce(Fact(FactKind.ORDER_CHANGED, owner, db.clock.now(), "acc_1", payload, key))

    return work


def and_then_fail(work: Callable[[Tx], None]) -> Callable[[Tx], None]:
    """Return a unit of work that does `work` and is rolled back."""

    def failing(tx: Tx) -> None:
        work(tx)
        raise KeyError

    return failing


def all_facts(tx: Tx) -> list[StampedFact]:
    """Return every fact there is."""
    return told_facts.facts_after(tx, 0, owner_id=None, limit=100_000)


class TestAnnounce:
    """Telling."""

    def test_a_fact_is_heard_as_it_is_read_later(self, db: Database) -> None:
        """Who follows live and who comes back with a Last-Event-ID are told the same."""
        heard: list[StampedFact] = []
        db.bell.subscribe(heard.extend)
        db.write(announced(db, "a", "b"), name="n")
        db.write(announced(db, "c"), name="n")
        assert heard == db.read(all_facts)
        assert [each.fact.payload for each in heard] == [{"name": name, "price": "1.5"} for name in "abc"]

    def test_a_unit_that_fails_tells_nothing(self, db: Database) -> None:
        """What did not happen is not news."""
        heard: list[StampedFact] = []
        db.bell.subscribe(heard.extend)
        with pytest.raises(KeyError):
            db.write(and_then_fail(announced(db, "a")), name="n")
        assert (heard, db.read(all_facts)) == ([], [])

    def test_a_payload_that_is_not_exact_fails_the_unit_that_told_it(self, db: Database) -> None:
        """A float in the news is a float in somebody's books."""
        fact = Fact(FactKind.ORDER_CHANGED, "own_1", db.clock.now(), payload={"price": 1.5})
        with pytest.raises(TypeError):
            db.write(lambda tx: tx.announce(fact), name="n")

    def test_it_is_heard_only_once_it_can_be_read(self, db: Database) -> None:
        """Whoever hears of an order and looks for it finds it."""
        found: list[bool] = []

        def listen(told: Sequence[StampedFact]) -> None:
            found.append(db.read(all_facts)[-len(told) :] == list(told))

        db.bell.subscribe(listen)
        for name in "abc":
            db.write(announced(db, name), name="n")
        assert found == [True, True, True]

    def test_a_listener_that_fails_does_not_deafen_the_others(self, db: Database) -> None:
        """One broken connection, one broken stream; not all of them."""
        heard: list[StampedFact] = []
        db.bell.subscribe(lambda _: Decimal(1) / 0)
        end = db.bell.subscribe(heard.extend)
        db.write(announced(db, "a"), name="n")
        end()
        db.write(announced(db, "b"), name="n")
        assert [each.fact.payload["name"] for each in heard] == ["a"]

    def test_ids_are_never_given_twice(self, opened: Opener) -> None:
        """A reader that asks for what comes after an id must not miss something new under an old number."""
        db = opened()
        db.write(announced(db, "a", "b"), name="n")
        last = db.read(told_facts.last_fact_id)
        db.write(lambda tx: tx.execute(delete(facts)), name="n")
        db.close()
        db = opened()
        db.write(announced(db, "c"), name="n")
        assert db.read(told_facts.last_fact_id) > last


def test_whoever_reads_on_from_the_last_id_misses_nothing_while_many_write(db: Database) -> None:
    """Ids become visible in their order: a stream that follows by id would lose a fact that appears behind it."""
    heard: list[int] = []
    followed: list[int] = []
    db.bell.subscribe(lambda told: heard.extend(each.id for each in told))
    ended = threading.Event()

    def follow() -> None:
        last_round = False
        while not last_round:
            last_round = ended.is_set()
            last = followed[-1] if followed else 0
            found = db.read(lambda tx, last=last: told_facts.facts_after(tx, last, owner_id=None, limit=50))  # type: ignore[misc]  # mypy cannot type the default
            followed.extend(each.id for each in found)
            last_round = last_round and not found

    def tell(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(30):
            names = [f"{seed}/{number}/{part}" for part in range(chance.randint(1, 3))]
            work = announced(db, *names)
            if chance.random() < 0.2:
                assert isinstance(db.submit(and_then_fail(work), name="n").exception(60), KeyError)
            else:
                db.write(work, name="n")

    follower = threading.Thread(target=follow)
    follower.start()
    tellers = [threading.Thread(target=tell, args=(seed,)) for seed in range(6)]
    for each in tellers:
        each.start()
    for each in tellers:
        each.join()
    ended.set()
    follower.join()

    stored = [each.id for each in db.read(all_facts)]
    assert stored == sorted(set(stored))
    assert heard == stored
    assert followed == stored


class TestFactsAfter:
    """Reading on."""

    def test_each_owner_reads_their_own(self, db: Database) -> None:
        """Nobody hears of another's orders."""
        db.write(announced(db, "mine"), name="n")
        db.write(announced(db, "theirs", owner="own_2"), name="n")
        found = db.read(lambda tx: told_facts.facts_after(tx, 0, owner_id="own_2", limit=9))
        assert [each.fact.payload["name"] for each in found] == ["theirs"]

    def test_reading_goes_on_behind_the_last_id_and_in_portions(self, db: Database) -> None:
        """A console that was away for an hour catches up page by page."""
        db.write(announced(db, *"abcde"), name="n")
        names, last = "", 0
        while found := db.read(lambda tx, last=last: told_facts.facts_after(tx, last, owner_id="own_1", limit=2)):  # type: ignore[misc]  # as above
            names += "".join(each.fact.payload["name"] for each in found)
            last = found[-1].id
        assert names == "abcde"

    def test_old_facts_are_forgotten_in_portions(self, opened: Opener) -> None:
        """The file does not grow for ever."""
        db = opened()
        db.write(announced(db, "a", "b", "c"), name="n")
        later = db.clock.now() + timedelta(seconds=1)
        assert db.write(lambda tx: told_facts.forget_facts(tx, later, limit=2), name="n") == 2
        assert db.write(lambda tx: told_facts.forget_facts(tx, later, limit=2), name="n") == 1
        assert db.write(lambda tx: told_facts.forget_facts(tx, later), name="n") == 0


class TestHeardKinds:
    """Facts that somebody in the house waits for."""

    def claimed(self, db: Database) -> list[Fact]:
        """Claim everything and return the facts in it."""

        def work(tx: Tx) -> list[outbox.Message]:
            return outbox.claim(
                tx,
                owner="me",
                topics={"order.changed"},
                limit=99,
                now=db.clock.now(),
                lease_for=timedelta(seconds=9),
            )

        return [outbox.fact_in(each) for each in db.write(work, name="n")]

    def test_a_message_carries_the_fact_to_its_handlers(self, db: Database) -> None:
        """What rises through the house is a committed row."""
        woken: list[int] = []
        db.wake.add(lambda: woken.append(1))
        db.write(announced(db, "unheard"), name="n")
        db.heard_kinds = {FactKind.ORDER_CHANGED}
        db.write(announced(db, "heard"), name="n")
        assert woken == [1]
        assert self.claimed(db) == [db.read(all_facts)[-1].fact]

    def test_facts_with_a_key_are_joined_until_one_is_taken(self, db: Database) -> None:
        """A hundred ticks wake a bot once; the tick after it began wakes it again."""
        db.heard_kinds = {FactKind.ORDER_CHANGED}
        for name in "abc":
            db.write(announced(db, name, name, key="acc_1/BTCUSDT"), name="n")
        assert [each.payload["name"] for each in self.claimed(db)] == ["a"]
        db.write(announced(db, "d", key="acc_1/BTCUSDT"), name="n")
        assert [each.payload["name"] for each in self.claimed(db)] == ["d"]
