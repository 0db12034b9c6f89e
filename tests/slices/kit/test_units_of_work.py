"""Units of work: all or nothing each, durable before anybody is told, and never in each other's way."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from pilothouse.core.errors import Broken, Unavailable
from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit.chain import Chains
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.engines import CommitUnknown, Lost, OutOfMemory
from pilothouse.kit.log import bind, correlation
from pilothouse.kit.units import Closing
from tests.slices.kit.probe import Gate, note, written

Opener = Callable[..., Database]


class Wrong(Exception):
    """What a unit of work raises in these tests."""


def and_then_fail(work: Callable[[Tx], Any]) -> Callable[[Tx], Any]:
    """Return a unit of work that does `work` and raises."""

    def failing(tx: Tx) -> None:
        work(tx)
        raise Wrong

    return failing


class TestSubmit:
    """What becomes of a unit of work."""

    def test_a_result_is_told_once_it_is_durable(self, db: Database) -> None:
        """Whoever has the answer can build on it, also after a power cut."""
        assert db.submit(note("one"), name="n").result(60) == "one"
        assert db.read(written) == ["one"]

    def test_a_unit_that_fails_leaves_nothing_and_tells_why(self, db: Database) -> None:
        """Half of a decision is worse than none."""
        with pytest.raises(Wrong):
            db.write(and_then_fail(note("half")), name="n")
        assert db.read(written) == []

    def test_one_that_fails_does_not_take_along_those_it_is_committed_with(self, opened: Opener) -> None:
        """Alerts of different people share a flush to the disk, and nothing else."""
        seen: list[str] = []
        db = opened(witness=seen.append, writers=1)
        gate = Gate()
        held = db.submit(gate, name="gate")
        assert gate.entered.wait(60)
        futures = [
            db.submit(note("a"), name="a"),
            db.submit(and_then_fail(note("b")), name="b"),
            db.submit(note("a"), name="again"),  # violates the primary key
            db.submit(note("c"), name="c"),
        ]
        gate.opened.set()
        held.result(60)

        assert futures[0].result(60) == "a"
        assert isinstance(futures[1].exception(60), Wrong)
        assert isinstance(futures[2].exception(60), IntegrityError)
        assert futures[3].result(60) == "c"
        assert db.read(written) == ["a", "c"]
        grouped = ["before:gate+a+c", "gate+a+c"]
        assert seen == (
            grouped if db.dialect == "sqlite" else ["before:gate", "gate", "before:a", "a", "before:c", "c"]
        )

    def test_urgent_units_go_first_and_the_others_keep_their_order(self, opened: Opener) -> None:
        """A fill is settled before the next alert is decided on."""
        db = opened(writers=1)
        gate, order = Gate(), []
        futures: list[Future[Any]] = [db.submit(gate, name="gate")]
        assert gate.entered.wait(60)
        for name, urgent in (("a", False), ("b", False), ("fill", True), ("c", False), ("fill 2", True)):
            futures.append(db.submit(lambda _, name=name: order.append(name), name=name, urgent=urgent))  # type: ignore[misc]  # mypy cannot type the default
        gate.opened.set()
        for future in futures:
            future.result(60)
        assert order == ["fill", "fill 2", "a", "b", "c"]

    def test_many_threads_lose_nothing(self, db: Database) -> None:
        """Every alert that was answered is in the database, once."""

        def some(thread: int) -> None:
            for number in range(25):
                db.write(note(f"{thread}/{number}"), name="n")

        threads = [threading.Thread(target=some, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.read(written) == sorted(f"{thread}/{number}" for thread in range(8) for number in range(25))

    def test_a_unit_that_was_cancelled_before_it_began_is_not_done(self, opened: Opener) -> None:
        """Whoever gave up waiting for their turn is not surprised later."""
        db = opened(writers=1)
        gate = Gate()
        held = db.submit(gate, name="gate")
        assert gate.entered.wait(60)
        given_up = db.submit(note("late"), name="n")
        assert given_up.cancel()
        gate.opened.set()
        held.result(60)
        db.write(note("next"), name="n")
        assert db.read(written) == ["next"]

    def test_the_correlation_goes_along_into_the_unit_and_what_follows_it(self, db: Database) -> None:
        """One id leads from the alert through every thread to the fill."""
        heard: list[str | None] = []

        def work(tx: Tx) -> str | None:
            tx.after_commit(lambda: heard.append(correlation()))
            return correlation()

        with bind(correlation="cor_1"):
            assert db.write(work, name="n") == "cor_1"
        db.write(work, name="n")
        assert heard == ["cor_1", None]

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # on PostgreSQL no two units share a commit
    def test_a_commit_that_fails_tells_everybody_in_it_and_the_next_one_works(self, opened: Opener) -> None:
        """Nobody is told of success before the disk has said so."""
        db = opened()
        db.write(
            lambda tx: tx.execute(
                text("CREATE TABLE child (p TEXT REFERENCES notes (text) DEFERRABLE INITIALLY DEFERRED)")
            ),
            name="ddl",
        )
        told: list[int] = []
        gate = Gate()
        held = db.submit(gate, name="gate")
        assert gate.entered.wait(60)

        def orphan(tx: Tx) -> None:
            tx.after_commit(lambda: told.append(1))
            tx.execute(text("INSERT INTO child VALUES ('nobody')"))  # found out at the commit

        futures: list[Future[Any]] = [db.submit(orphan, name="orphan"), db.submit(note("a"), name="a")]
        gate.opened.set()
        for future in [held, *futures]:
            assert isinstance(future.exception(60), Unavailable)
        assert told == []
        assert db.write(note("b"), name="b") == "b"
        assert db.read(written) == ["b"]

    def test_an_error_does_not_carry_what_was_to_be_stored(self, db: Database) -> None:
        """Errors are logged; a secret that was on its way into a table is none of the log's business."""
        db.write(note("canary-1234"), name="n")
        with pytest.raises(IntegrityError) as refused:
            db.write(note("canary-1234", plain={"secret": "canary-5678"}), name="n")
        assert "canary-5678" not in str(refused.value)


class TestWrite:
    """Waiting for a unit of work."""

    def test_a_write_inside_of_a_unit_is_refused(self, db: Database) -> None:
        """It would wait for itself, for ever."""
        inner = note("inner")
        starts: list[Callable[[], object]] = [
            lambda: db.write(inner, name="inner"),
            lambda: db.submit(inner, name="inner"),
            lambda: db.read(written),
        ]
        for start in starts:
            with pytest.raises(Broken):
                db.write(lambda _, start=start: start(), name="outer")  # type: ignore[misc]  # mypy cannot type the default
        assert db.read(written) == []

    def test_a_hook_may_submit_but_not_wait(self, db: Database) -> None:
        """What follows a commit is new work of its own; the committing thread waits for nobody."""
        outcome: list[BaseException | None] = []
        following: list[Future[str]] = []

        def hook() -> None:
            try:
                db.write(note("waited for"), name="n")
            except Broken as error:
                outcome.append(error)
            following.append(db.submit(note("submitted"), name="n"))

        db.write(lambda tx: tx.after_commit(hook), name="outer")
        assert isinstance(outcome[0], Broken)
        assert following[0].result(60) == "submitted"
        assert db.read(written) == ["submitted"]


class TestRead:
    """Looking without touching."""

    def test_a_read_that_writes_is_refused(self, db: Database) -> None:
        """Nothing is changed on the quiet."""
        with pytest.raises(Broken):
            db.read(note("sly"))
        fact = Fact(FactKind.ACCOUNT_HALTED, "own_1", db.clock.now())
        for ask in (lambda tx: tx.announce(fact), lambda tx: tx.after_commit(print), lambda tx: tx.lock("x")):
            with pytest.raises(Broken):
                db.read(ask)
        assert db.read(written) == []

    def test_a_read_sees_one_moment_however_long_it_takes(self, db: Database) -> None:
        """Position, orders and equity on one page belong together."""
        db.write(note("before"), name="n")

        def look(tx: Tx) -> list[list[str]]:
            first = written(tx)
            other = threading.Thread(target=db.write, args=(note("meanwhile"),), kwargs={"name": "n"})
            other.start()
            other.join()
            return [first, written(tx), db.read(written)]  # the last one is inside of this one

        assert db.read(look) == [["before"], ["before"], ["before"]]
        assert db.read(written) == ["before", "meanwhile"]

    def test_an_error_in_a_read_leaves_the_connection_usable(self, opened: Opener) -> None:
        """One bad page does not close the door for the others."""
        db = opened(readers=1)
        for _ in range(3):
            with pytest.raises((Wrong, OperationalError)):
                db.read(and_then_fail(written))
        assert db.read(written) == []


class TestAfterCommit:
    """What follows a commit."""

    def test_hooks_run_in_order_after_the_commit_and_before_the_answer(self, db: Database) -> None:
        """The hand-off to the wire happens once, and only for what is durable."""
        seen: list[Any] = []

        def work(tx: Tx) -> None:
            note("a")(tx)
            tx.after_commit(lambda: seen.append(db.read(written)))
            tx.after_commit(lambda: seen.append("second"))

        db.write(work, name="n")
        assert seen == [["a"], "second"]

    def test_hooks_of_a_unit_that_failed_are_forgotten(self, db: Database) -> None:
        """What did not happen is not sent."""
        seen: list[int] = []
        with pytest.raises(Wrong):
            db.write(and_then_fail(lambda tx: tx.after_commit(lambda: seen.append(1))), name="n")
        db.write(note("a"), name="n")
        assert seen == []

    def test_a_hook_that_fails_is_logged_and_disturbs_nobody(self, db: Database) -> None:
        """The commit stands; somebody must hear of the rest."""
        seen: list[int] = []

        def work(tx: Tx) -> str:
            tx.after_commit(lambda: Decimal(1) / 0)
            tx.after_commit(lambda: seen.append(1))
            return "done"

        with structlog.testing.capture_logs() as lines:
            assert db.write(work, name="bad hook") == "done"
        assert seen == [1]
        assert [(line["event"], line["unit"]) for line in lines] == [("after_commit_failed", "bad hook")]


class TestClose:
    """The end."""

    def test_closing_finishes_what_was_queued_and_refuses_the_rest(self, opened: Opener) -> None:
        """Ctrl-C loses nothing that was taken in."""
        db = opened(writers=1)
        gate = Gate()
        db.submit(gate, name="gate")
        assert gate.entered.wait(60)
        futures = [db.submit(note(str(number)), name="n") for number in range(250)]
        closing = threading.Thread(target=db.close)
        closing.start()
        while True:  # until close() has begun
            try:
                futures.append(db.submit(note(f"late {len(futures)}"), name="n"))
            except Closing:
                break
        gate.opened.set()
        closing.join()
        assert all(future.result(0) for future in futures)
        db.close()

        again = opened()
        assert len(again.read(written)) == len(futures)


@pytest.mark.postgres
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
class TestPostgres:
    """What only a server does."""

    def test_a_deadlock_is_run_again_and_its_hooks_run_once(self, opened: Opener) -> None:
        """PostgreSQL ends one of the two; nobody outside notices."""
        db = opened(writers=2)
        for name in ("a", "b"):
            db.write(note(name, number=Decimal(0)), name="n")
        meeting = threading.Barrier(2)
        attempts: list[str] = []
        hooks: list[str] = []

        def cross(first: str, second: str) -> Callable[[Tx], None]:
            def work(tx: Tx) -> None:
                attempts.append(first)
                tx.after_commit(lambda: hooks.append(first))
                lock = text("SELECT 1 FROM notes WHERE text = :text FOR UPDATE")
                tx.execute(lock, {"text": first})
                if len(attempts) <= 2:
                    meeting.wait(60)
                tx.execute(lock, {"text": second})

            return work

        futures = [db.submit(cross("a", "b"), name="ab"), db.submit(cross("b", "a"), name="ba")]
        for future in futures:
            future.result(60)
        assert sorted(hooks) == ["a", "b"]
        assert len(attempts) == 3

    def test_a_lost_connection_is_told_as_not_done_and_the_next_unit_works(self, opened: Opener) -> None:
        """The server restarts; the house goes on."""
        db = opened(writers=1)

        def cut(tx: Tx) -> None:
            note("lost")(tx)
            tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        with pytest.raises(Lost):
            db.write(cut, name="cut")
        assert db.write(note("next"), name="n") == "next"
        assert db.read(written) == ["next"]

    def test_a_connection_that_breaks_during_the_commit_leaves_the_outcome_unknown(
        self, opened: Opener, url: str
    ) -> None:
        """It may have happened: that is said, and nothing is repeated."""
        runs: list[int] = []

        def cut(name: str) -> None:
            if name == "before:cut":
                with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
                    other.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

        db = opened(witness=cut, writers=1)

        def work(tx: Tx) -> None:
            runs.append(1)
            note("perhaps")(tx)

        with pytest.raises(CommitUnknown):
            db.write(work, name="cut")
        assert runs == [1]

    def test_a_lock_lets_one_transaction_past_at_a_time(self, opened: Opener) -> None:
        """Decisions for one account are serial, also on many threads."""
        db = opened(writers=4)
        inside: list[int] = []
        most: list[int] = []

        def work(tx: Tx) -> None:
            tx.lock("account/acc_1")
            inside.append(1)
            most.append(len(inside))
            tx.execute(text("SELECT pg_sleep(0.01)"))
            inside.pop()

        for future in [db.submit(work, name="n") for _ in range(12)]:
            future.result(60)
        assert max(most) == 1


class TestLanes:
    """Units of one lane, on PostgreSQL's many writers too."""

    def test_units_of_one_lane_are_done_in_the_order_they_came(self, db: Database) -> None:
        """Alerts of one hook are decided in order of arrival, on many connections too."""
        done: list[tuple[str, int]] = []

        def work(tx: Tx, lane: str, number: int) -> None:
            if number % 7 == 0:
                time.sleep(0.002)  # so that a later unit would overtake if it could
            done.append((lane, number))

        lanes = ("a", "b", "c")
        futures = [
            db.submit(partial(work, lane=lane, number=number), name="one", lane=lane)
            for number in range(60)
            for lane in lanes
        ]
        for future in futures:
            future.result(60)

        assert {lane: [number for name, number in done if name == lane] for lane in lanes} == {
            lane: list(range(60)) for lane in lanes
        }

    def test_a_unit_that_fails_does_not_hold_up_its_lane(self, db: Database) -> None:
        """One poisoned alert must not keep the next one waiting for ever."""

        def fail(tx: Tx) -> None:
            raise Wrong

        first = db.submit(fail, name="bad", lane="a")
        second = db.submit(lambda tx: tx.dialect, name="good", lane="a")

        with pytest.raises(Wrong):
            first.result(60)
        assert second.result(60) == db.dialect


class TestMemory:
    """What becomes of a unit for which there is no memory: it did not happen, or nobody can say; work goes on."""

    def test_a_unit_without_memory_did_not_happen_and_may_be_asked_for_again(self, db: Database) -> None:
        """The machine is short for a moment; that is no reason to stop for ever."""

        def short(tx: Tx) -> None:
            note("half")(tx)
            raise MemoryError

        with pytest.raises(OutOfMemory):
            db.write(short, name="short")
        assert db.read(written) == []
        assert db.write(note("one"), name="n") == "one"
        assert db.read(written) == ["one"]

    @pytest.mark.parametrize("where", ["before the commit", "behind it"])
    def test_the_books_go_on_when_memory_was_short_around_a_commit(
        self, db: Database, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        """Before it nothing happened; behind it nobody can say, and the next question finds it."""
        name = {"before the commit": "append", "behind it": "keep"}[where]
        told = (OutOfMemory,) if where == "before the commit" else (CommitUnknown, OutOfMemory)
        real, left = getattr(Chains, name), [1]

        def short(self: Chains, *args: Any) -> Any:
            if left:
                left.pop()
                raise MemoryError
            return real(self, *args)

        monkeypatch.setattr(Chains, name, short)

        def recorded(tx: Tx) -> None:
            note("one")(tx)
            tx.record("chain", "about", "said", {})

        with pytest.raises(told):
            db.write(recorded, name="short")
        assert db.read(written) == (["one"] if where == "behind it" else [])
        assert db.write(note("two"), name="n") == "two"
