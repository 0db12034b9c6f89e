"""A database with the house's tables and one of the tests' own, thrown away after each test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pilothouse.kit import engines
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.commits import in_one_transaction
from pilothouse.kit.db import Database
from tests.slices.kit.probe import own

Opener = Callable[..., Database]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transactions that a test holds open stand still for as long as a busy machine may need to go on with it."""
    monkeypatch.setattr(engines, "_BUSY_MS", 100_000)
    monkeypatch.setattr(engines, "_STANDS_STILL_MS", 100_000)


@pytest.fixture
def url(tables_url: str) -> Iterator[str]:
    """Yield the address of a database in which every table of the house and that of the notes stand empty."""
    in_one_transaction(tables_url, own.create_all)
    yield tables_url
    in_one_transaction(tables_url, own.drop_all)


@pytest.fixture
def opened(url: str, clock: FrozenClock) -> Iterator[Opener]:
    """Return what opens that database, as often and in whatever way a test likes; all are closed afterwards."""
    databases: list[Database] = []

    def open_(**options: Any) -> Database:
        databases.append(Database(url, **{"clock": clock, **options}))
        return databases[-1]

    yield open_
    for database in databases:
        database.close()


@pytest.fixture
def db(opened: Opener) -> Database:
    """Return that database, open."""
    return opened()
