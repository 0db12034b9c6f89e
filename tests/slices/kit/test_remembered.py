"""What the writer remembers of rows that seldom change, and of messages that wait: never an older answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, select, text, update

from pilothouse.kit import outbox
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.hot import hot
from tests.slices.kit.probe import note, notes

Opener = Callable[..., Database]

_WRITTEN = hot(
    select(notes.c.text).where(notes.c.text != bindparam("but")).order_by(notes.c.text),
    lambda row: row.text,
    seldom=True,
)
_RENAME = hot(update(notes).where(notes.c.text == bindparam("before")))


def seen(tx: Tx) -> list[Any]:
    """Return what the statement that is remembered finds."""
    return tx.execute(_WRITTEN, {"but": "-"}).all()


def look(db: Database) -> list[Any]:
    """Ask the writer."""
    return db.write(seen, name="look")


class TestRows:
    """Rows that seldom change."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda tx: tx.execute(_RENAME, {"before": "a", "text": "b"}),
            lambda tx: tx.execute(update(notes).values(text="b")),
            lambda tx: tx.execute(text("UPDATE notes SET text = 'b'")),
        ],
        ids=["hot", "built", "as text"],
    )
    def test_what_this_writer_changes_it_sees_at_once_and_later(
        self, db: Database, change: Callable[[Tx], Any]
    ) -> None:
        """A limit that was tightened holds for the very next order."""
        db.write(note("a"), name="n")
        assert look(db) == look(db) == ["a"]

        def work(tx: Tx) -> tuple[list[Any], list[Any]]:
            before = seen(tx)
            change(tx)
            return before, seen(tx)

        assert db.write(work, name="w") == (["a"], ["b"])
        assert look(db) == ["b"]

    def test_what_another_process_changes_is_seen_by_the_next_transaction(self, opened: Opener) -> None:
        """A halt that was set by a command beside the house holds for the next alert."""
        ours, theirs = opened(), opened()
        ours.write(note("a"), name="n")
        assert look(ours) == ["a"]
        theirs.write(note("b"), name="n")
        assert look(ours) == ["a", "b"]

    def test_what_was_rolled_back_was_never_there(self, db: Database) -> None:
        """A unit that failed leaves nothing behind, in nobody's memory either."""
        db.write(note("a"), name="n")

        def work(tx: Tx) -> None:
            note("b")(tx)
            assert seen(tx) == ["a", "b"]
            raise KeyError

        with pytest.raises(KeyError):
            db.write(work, name="w")
        assert look(db) == ["a"]

    def test_what_was_asked_about_something_else_is_another_answer(self, db: Database) -> None:
        """One hook's row is not another's."""
        db.write(note("a"), name="n")
        db.write(note("b"), name="n")
        found = db.write(lambda tx: [tx.execute(_WRITTEN, {"but": but}).all() for but in "abb"], name="w")
        assert found == [["b"], ["a"], ["a"]]

    def test_who_changes_the_list_changes_nobody_elses(self, db: Database) -> None:
        """The rows are shared, the list of them is not."""
        db.write(note("a"), name="n")
        db.write(lambda tx: seen(tx).clear(), name="w")
        assert look(db) == ["a"]


class TestMessages:
    """Messages with a key, of which one may wait."""

    def put(self, tx: Tx) -> str | None:
        """Put a message with a key."""
        now = self.db.clock.now()
        return outbox.put(tx, "send", key="acc_1", payload={}, now=now, dedupe_key="turn")

    def claim(self, tx: Tx) -> list[str]:
        """Claim what is due."""
        now, long = self.db.clock.now(), timedelta(seconds=10)
        claimed = outbox.claim(tx, owner="me", topics=("send",), limit=9, now=now, lease_for=long)
        return [message.id for message in claimed]

    @pytest.fixture(autouse=True)
    def _opened(self, db: Database) -> None:
        self.db = db

    def test_one_that_was_claimed_in_the_same_group_waits_no_more(self) -> None:
        """Whoever claimed it may have looked before: the new reason is a new message."""

        def work(tx: Tx) -> list[Any]:
            first = self.put(tx)
            again = self.put(tx)
            claimed = self.claim(tx)
            return [first, again, claimed == [first], self.put(tx)]

        first, again, is_claimed, second = self.db.write(work, name="w")
        assert (again, is_claimed) == (None, True)
        assert second not in {None, first}

    def test_one_whose_unit_failed_does_not_wait(self) -> None:
        """A turn that was wanted by a unit that failed is wanted anew by the next one."""

        def work(tx: Tx) -> None:
            self.put(tx)
            raise KeyError

        with pytest.raises(KeyError):
            self.db.write(work, name="w")
        assert self.db.write(self.put, name="p") is not None

    def test_one_that_another_process_has_claimed_waits_no_more(self, opened: Opener) -> None:
        """Somebody beside the house takes messages over: ours must not count on one that is gone."""
        assert self.db.write(self.put, name="p") is not None
        assert self.db.write(self.put, name="p") is None
        assert opened().write(self.claim, name="c") != []
        assert self.db.write(self.put, name="p") is not None
