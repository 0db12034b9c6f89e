"""A process that is stopped, or killed, in the middle of a commit: who can write then, and what is there."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from pilothouse.cli.watcher import let_go_on
from pilothouse.core.errors import Unavailable
from pilothouse.kit import engines
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database
from pilothouse.kit.engines import CommitUnknown, Lost
from pilothouse.kit.transaction import Tx

# Writes a row, says so right before its commit, and commits when a line comes in.
_WRITER = """
import sys
from sqlalchemy import text
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.db import Database

def before(name):
    if name.startswith("before:half"):
        print("in", flush=True)
        sys.stdin.readline()

db = Database(sys.argv[1], clock=SystemClock(), witness=before)
db.write(lambda tx: tx.execute(text("INSERT INTO seen VALUES ('theirs')")).close(), name="half")
print("done", flush=True)
db.close()
"""


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Yield books that give up soon when somebody else holds them."""
    monkeypatch.setattr(engines, "_BUSY_MS", 300)
    db = Database(f"sqlite:///{tmp_path / 'books.sqlite'}", clock=SystemClock())
    db.write(lambda tx: tx.execute(text("CREATE TABLE seen (who TEXT)")).close(), name="table")
    yield db
    db.close()


@pytest.fixture
def writer(books: Database, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a process that is right before its commit, and holds the books."""
    words = [sys.executable, "-c", _WRITER, f"sqlite:///{tmp_path / 'books.sqlite'}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        yield process
        if process.poll() is None:
            process.kill()


def _ours(books: Database) -> None:
    books.write(lambda tx: tx.execute(text("INSERT INTO seen VALUES ('ours')")).close(), name="ours")


def _seen(books: Database) -> list[str]:
    return sorted(books.read(lambda tx: list(tx.execute(text("SELECT who FROM seen")).scalars())))


def _until(look: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not look() and time.monotonic() < end:
        time.sleep(0.01)
    return look()


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


def test_who_is_stopped_in_a_commit_keeps_others_from_writing_and_not_from_reading(
    books: Database, writer: "subprocess.Popen[bytes]"
) -> None:
    """A write fails as one that did not happen, and may be asked for again; what was there before can be read."""
    os.kill(writer.pid, signal.SIGSTOP)
    assert _until(lambda: _is_stopped(writer.pid))

    with pytest.raises(Lost):
        _ours(books)

    assert _seen(books) == []


def test_who_is_killed_in_a_commit_leaves_the_books_free_at_once(
    books: Database, writer: "subprocess.Popen[bytes]"
) -> None:
    """The system takes its locks away; half a commit is none."""
    writer.kill()
    writer.wait(60)

    _ours(books)

    assert _seen(books) == ["ours"]


def test_who_is_stopped_in_a_commit_is_let_go_on_finishes_it_and_frees_the_books(
    books: Database, writer: "subprocess.Popen[bytes]"
) -> None:
    """So the watcher gets to write: it has nothing to fear from a house whose leases are over."""
    os.kill(writer.pid, signal.SIGSTOP)
    assert _until(lambda: _is_stopped(writer.pid))
    with pytest.raises(Lost):
        _ours(books)

    assert let_go_on(writer.pid) is True

    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(b"go on\n")
    writer.stdin.close()
    assert writer.stdout.readline() == b"done\n"
    writer.wait(60)  # closing the books takes a lock once more
    _ours(books)
    assert _seen(books) == ["ours", "theirs"]


def test_only_what_is_stopped_is_let_go_on(writer: "subprocess.Popen[bytes]") -> None:
    """A process that works, or waits, or is gone, is left alone."""
    assert let_go_on(writer.pid) is False
    writer.kill()
    writer.wait(60)
    assert let_go_on(writer.pid) is False


@pytest.mark.postgres
def test_who_stands_still_with_a_lock_on_postgresql_loses_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits behind it writes as soon as the server gave the lock back, and nothing of the other is there."""
    two = Database(postgres_url, clock=SystemClock())
    monkeypatch.setattr(engines, "_STANDS_STILL_MS", 500)
    one = Database(postgres_url, clock=SystemClock())
    two.write(lambda tx: tx.execute(text("CREATE TABLE seen (who TEXT)")).close(), name="table")
    held, on = threading.Event(), threading.Event()

    def stands_still(tx: Tx) -> None:
        tx.lock("books")
        tx.execute(text("INSERT INTO seen VALUES ('first')")).close()
        held.set()
        on.wait(60)

    def goes_first() -> None:
        while True:
            try:
                return one.write(stands_still, name="first")
            except Unavailable:
                if held.is_set():
                    raise  # else this machine was so busy that half a second passed before it stood still

    def comes_behind(tx: Tx) -> None:
        tx.lock("books")
        tx.execute(text("INSERT INTO seen VALUES ('second')")).close()

    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(goes_first)
            assert held.wait(60), first.exception(1)
            two.write(comes_behind, name="second")
            on.set()
            with pytest.raises(CommitUnknown):
                first.result(60)
        assert two.read(lambda tx: tx.execute(text("SELECT who FROM seen")).scalars().all()) == ["second"]
    finally:
        on.set()
        one.close()
        two.close()
