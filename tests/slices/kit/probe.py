"""A table of the tests' own, and the fixtures' words for it: notes that are written to see what becomes of them."""

from collections.abc import Callable
from threading import Event
from typing import Any

from sqlalchemy import Column, MetaData, Table, Text, insert, select

from pilothouse.kit.columns import Exact, Instant, JsonText
from pilothouse.kit.db import Tx

own = MetaData()
notes = Table(
    "notes",
    own,
    Column("text", Text, primary_key=True),
    Column("number", Exact),
    Column("at", Instant),
    Column("plain", JsonText),
)


def note(text: str, **values: Any) -> Callable[[Tx], str]:
    """Return a unit of work that writes a note and returns its text."""

    def work(tx: Tx) -> str:
        tx.execute(insert(notes), {"text": text, **values})
        return text

    return work


def written(tx: Tx) -> list[str]:
    """Return the texts of all notes, sorted."""
    return sorted(tx.execute(select(notes.c.text)).scalars())


class Gate:
    """A unit of work that keeps a committing thread busy until the test opens the gate."""

    def __init__(self) -> None:
        self.entered = Event()
        self.opened = Event()

    def __call__(self, _: Tx) -> None:
        """Wait for the test."""
        self.entered.set()
        assert self.opened.wait(60), "the test never opened the gate"
