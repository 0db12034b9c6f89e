"""The power goes: before the commit nothing is there, after it everything is, and nobody is told too early."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from pilothouse.core.errors import Unavailable
from pilothouse.core.facts import Fact, FactKind
from pilothouse.kit import outbox, told_facts
from pilothouse.kit.db import Database, Tx
from tests.slices.kit.probe import note, written

Opener = Callable[..., Database]

DIES = """
import os, signal, sys
from sqlalchemy import text
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database

url, when = sys.argv[1:]

def witness(name):
    print(name, flush=True)
    if name == when:
        os.kill(os.getpid(), signal.SIGKILL)

def work(tx):
    tx.execute(text("INSERT INTO notes (text) VALUES ('written')"))
    tx.after_commit(lambda: print("told", flush=True))

Database(url, clock=SystemClock(), witness=witness).write(work, name="unit")
print("answered", flush=True)
"""


@pytest.mark.parametrize(
    ("when", "seen", "left"),
    [
        ("before:unit", ["before:unit"], []),
        ("unit", ["before:unit", "unit"], ["written"]),
        ("never", ["before:unit", "unit", "told", "answered"], ["written"]),
    ],
)
def test_a_killed_process_leaves_all_of_a_unit_or_nothing(
    opened: Opener, url: str, when: str, seen: list[str], left: list[str]
) -> None:
    """SIGKILL right before and right after the commit: no third state exists, and nothing was told in between."""
    died = subprocess.run([sys.executable, "-c", DIES, url, when], capture_output=True, text=True, check=False)
    assert died.stdout.split() == seen, died.stderr
    assert opened().read(written) == left


class Crash(BaseException):
    """A crash that a test can survive."""


@pytest.mark.parametrize(("when", "left"), [("before:unit", []), ("unit", ["written"])])
def test_a_witness_that_raises_stops_the_database_there(opened: Opener, when: str, left: list[str]) -> None:
    """So a test can let the house die at every commit without losing its own process."""

    def witness(name: str) -> None:
        if name == when:
            raise Crash(name)

    db = opened(witness=witness)
    told: list[object] = []
    db.bell.subscribe(told.append)
    db.wake.add(lambda: told.append("woken"))

    def work(tx: Tx) -> None:
        note("written")(tx)
        tx.announce(Fact(FactKind.ACCOUNT_HALTED, "own_1", db.clock.now()))
        outbox.put(tx, "topic", key="k", payload={}, now=db.clock.now())
        tx.after_commit(lambda: told.append("hook"))

    with pytest.raises(Crash):
        db.write(work, name="unit")
    with pytest.raises(Unavailable):
        db.write(note("later"), name="later")
    db.close()

    again = opened()
    assert told == []
    assert again.read(written) == left
    assert len(again.read(lambda tx: told_facts.facts_after(tx, 0, owner_id=None, limit=9))) == len(left)
    assert again.read(outbox.counts)["ready"] == len(left)
