"""Engines share what they have compiled, and nothing else."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.commits import in_one_transaction
from pilothouse.kit.db import Database, Tx
from tests.slices.kit.probe import note, notes, own


@pytest.fixture
def beside(tmp_path: Path, clock: FrozenClock) -> Iterator[Database]:
    """Yield a second database, always on SQLite, with the table of the notes alone."""
    url = f"sqlite:///{tmp_path / 'beside.sqlite'}"
    in_one_transaction(url, own.create_all)
    database = Database(url, clock=clock)
    yield database
    database.close()


def test_two_databases_are_told_the_same_words_and_answer_each_for_itself(
    db: Database, beside: Database, clock: FrozenClock
) -> None:
    """A statement is compiled once in a process; it must bring each one's rows, and fit each one's dialect."""
    both = ((db, "here", Decimal("1.50")), (beside, "there", Decimal(-7)))
    for database, text, number in both:
        database.write(note(text, number=number, at=clock.now(), plain=[text]), name="n")
    for database, text, number in both:
        found = database.read(_all_but_none)
        assert [tuple(row) for row in found] == [(text, number, clock.now(), [text])]


def _all_but_none(tx: Tx) -> Sequence[Row[Any]]:
    return tx.execute(select(notes).where(notes.c.text != "nobody")).all()
