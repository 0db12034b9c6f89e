"""Fresh databases, as many as a voyage needs, and the houses that sail on them."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.http_client import HttpLimits
from pilothouse.venues.ccxt.rest import Tools
from tests.stepped import Stepped


@pytest.fixture(autouse=True, scope="module")
def _patient_with_exchanges(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let houses wait long for an answer: on a busy machine a late one is no lost one, and tests lose their own.

    Voyages under seeds have a clock of their own, by which answers come late on purpose.
    """
    if "seeded" in request.path.parts:
        yield
        return
    patient = HttpLimits(connect_s=60.0, read_s=100.0, write_s=60.0, pool_s=60.0, answer_s=100.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pilothouse.venues.aster.adapter._LIMITS", patient)
        # Of a frozen value, what is left out is kept in the function that makes it.
        made = Tools.__init__
        patched.setattr(made, "__defaults__", (*(made.__defaults__ or ())[:-1], patient))
        yield


@pytest.fixture
def fresh_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Yield what gives the address of one more database with every table and no row."""
    numbers = itertools.count()
    if dialect == "sqlite":
        template = request.getfixturevalue("_sqlite_template")

        def copied() -> str:
            path = tmp_path / f"books-{next(numbers)}.sqlite"
            shutil.copyfile(template, path)
            return f"sqlite:///{path}"

        yield copied
        return
    databases: Any = request.getfixturevalue("_postgres")
    taken: list[str] = []

    def emptied() -> str:
        # One house at a time: the database of the last one is emptied and used again.
        if taken:
            databases.wipe(taken.pop())
        taken.append(databases.with_tables())
        return str(databases.server.url(taken[-1]))

    yield emptied
    for name in taken:
        databases.wipe(name)


@pytest.fixture
def stepped(tables_url: str, tmp_path: Path, clock: FrozenClock) -> Iterator[Stepped]:
    """Yield an open house that is run one step at a time."""
    house = Stepped(tmp_path / "data", tables_url, clock).open()
    yield house
    house.die()
