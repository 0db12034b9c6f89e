"""A database tells whether it is whole, and what time it has, without being changed."""

import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from pilothouse.core.errors import Unavailable
from pilothouse.kit import soundness


def test_a_sound_database_has_no_faults(tables_url: str) -> None:
    """The doctor is to be believed when it says that all is well."""
    assert soundness.faults(tables_url) == []


def test_looking_makes_no_database(tmp_path: Path) -> None:
    """A doctor that leaves a file behind has changed what it looked at."""
    file = tmp_path / "pilothouse.db"

    with pytest.raises(soundness.NoDatabase, match="first start"):
        soundness.faults(f"sqlite:///{file}")
    assert not file.exists()


def _filled(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute("CREATE INDEX i ON t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{n:0200}",) for n in range(400)])
    connection.close()


@pytest.mark.parametrize("at", [0, 4096 * 6])
def test_a_damaged_file_is_found_out(at: int, tmp_path: Path) -> None:
    """A disk that lies is found before it costs money: in the first page as in any other."""
    file = tmp_path / "pilothouse.db"
    _filled(file)
    with file.open("r+b") as raw:
        raw.seek(at)
        raw.write(b"\x5a" * 2048)

    assert soundness.faults(f"sqlite:///{file}")


def test_the_clock_of_the_database_is_asked_where_it_has_one(tables_url: str, dialect: str) -> None:
    """SQLite goes by the clock of its machine; a server has its own, and it may be wrong."""
    at = soundness.clock_of(tables_url)

    if dialect == "sqlite":
        assert at is None
    else:
        assert isinstance(at, datetime)
        assert at.tzinfo is not None


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """What to do about it depends on knowing that it is this."""
    with pytest.raises(Unavailable):
        soundness.faults("postgresql+psycopg://nobody@127.0.0.1:1/none")
