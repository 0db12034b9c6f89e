"""What every test may ask for: a frozen clock, a database of either kind with all tables, and no network.

    clock          a FrozenClock that stands at 2026-01-05T12:00:00Z until a test moves it
    database_url   an address of a fresh and EMPTY database; the test runs on SQLite and on PostgreSQL
    database       a `pilothouse.kit.db.Database` with every table, empty, and closed afterwards; on both
    dialect        "sqlite" or "postgresql": which of the two this run of the test is on
    tables_url     the address of an empty database with every table, for tests that open it themselves
    postgres_url   a fresh and empty PostgreSQL, for what only PostgreSQL does
    valkey_url     the address of a Valkey, emptied before the test
    benches        processes that compute backtests, shared by all tests of a worker; see tests/bench_files.py

The servers are real (tests/servers.py). They start when the first test needs them and are shared by all workers.
"""

import importlib
import itertools
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import pytest

from tests import servers

if TYPE_CHECKING:
    from pilothouse.kit.clocks import FrozenClock
    from pilothouse.kit.db import Database
    from tests.bench_files import SharedBenches

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SOURCE = Path(__file__).parent.parent / "src" / "pilothouse"
TEMPLATE = "every_table"
MEMORY = "/dev/shm"  # noqa: S108 - pytest makes a folder in it that is ours alone
MEMORY_BYTES_MIN = 4_000_000_000

# Hundreds of processes import the house in a run, and compiling it anew takes each a second and more. So bytecode is
# kept, even where the environment says otherwise.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No deadline and no complaint about slowness: a machine shared by others is slow at times, and no test asserts a time.
hypothesis.settings.register_profile(
    "house", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")


# ── No network ────────────────────────────────────────────────────────────────────────────────────


class NetworkRefused(RuntimeError):
    """A test reached for the network; tests speak to this machine alone."""


def _stay_at_home(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse every connection, datagram and name that leaves this machine. An audit hook cannot be patched away."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a unix socket's address is a path
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    else:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not name or name in {"localhost", "::1", "0.0.0.0", "::"} or name.startswith(("127.", "::1%")):  # noqa: S104 - nothing is bound here
        return
    message = f"{event} to {name!r}: a test may only speak to 127.0.0.1, ::1 and unix sockets"
    raise NetworkRefused(message)


sys.addaudithook(_stay_at_home)


# ── The long runs stand apart ─────────────────────────────────────────────────────────────────────


_SOAK_MOST_S = 10_800
"""After so many seconds a long test that says nothing of its own is ended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--soak`: run the tests marked soak, and those alone."""
    parser.addoption("--soak", action="store_true", help="run the long tests marked soak, and those alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests marked soak out of an ordinary run, and all others out of a soak; begin with the slow ones."""
    wanted = bool(config.getoption("--soak"))
    others = [item for item in items if _is_soak(item) is not wanted]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _is_soak(item) is wanted]
    for item in items if wanted else ():
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SOAK_MOST_S))
    # One that begins last would be waited for by all other workers.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _is_soak(item: pytest.Item) -> bool:
    """Say whether a test is one of the long ones, at all or on its database."""
    if item.get_closest_marker("soak") is not None:
        return True
    there = item.get_closest_marker("soak_on")
    drawn = getattr(item, "callspec", None)
    return there is not None and drawn is not None and drawn.params.get("dialect") in there.args


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many workers `-n auto` means: one more than cores, since journeys wait more than they work."""
    return (os.cpu_count() or 1) + 1


# ── One set of servers for one run, however many workers ──────────────────────────────────────────


def pytest_configure(config: pytest.Config) -> None:
    """Open the folder of this run, in the process that the person started; workers are told of it."""
    if hasattr(config, "workerinput"):
        config.stash[SERVERS] = servers.Servers(Path(config.workerinput["servers"]))
        return
    servers.sweep()
    _write_into_memory()
    config.stash[SERVERS] = servers.Servers(servers.new_folder())
    signal.signal(signal.SIGTERM, _end_orderly)


def _write_into_memory() -> None:
    """Let tests write into memory, where there is room: none asks what a disk forgets without power."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


def _end_orderly(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Let SIGTERM end a run as Ctrl-C does, so that the servers end with it."""
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the servers of this run live."""
    node.workerinput["servers"] = str(node.config.stash[SERVERS].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers, when the last worker has ended."""
    if not hasattr(config, "workerinput") and SERVERS in config.stash:
        config.stash[SERVERS].stop()


SERVERS = pytest.StashKey[servers.Servers]()


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────


def _make_tables(url: str) -> None:
    """Create every table of the house in the empty database at `url`."""
    import sqlalchemy  # noqa: PLC0415 - a test of a pure room starts without the database layer

    columns = importlib.import_module("pilothouse.kit.columns")
    for path in sorted([*SOURCE.glob("*/tables.py"), SOURCE / "kit" / "outbox.py", SOURCE / "kit" / "lease.py"]):
        if path.exists():
            importlib.import_module(f"pilothouse.{path.parent.name}.{path.stem}")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        columns.metadata.create_all(connection)
    engine.dispose()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with every table, made once per worker and copied for each test."""
    path = tmp_path_factory.mktemp("template") / "house.sqlite"
    _make_tables(f"sqlite:///{path}")
    # A copied file is whole only when nothing of it is left in a write-ahead log beside it.
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


# ── PostgreSQL ────────────────────────────────────────────────────────────────────────────────────

# Small tables are deleted from, which takes two milliseconds for all of them; a large one is cut off.
WIPE = """
DO $$
DECLARE part record;
BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);
  FOR part IN SELECT oid::regclass AS name, relkind, pg_relation_size(oid) AS bytes FROM pg_class
              WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace
  LOOP
    IF part.relkind = 'S' THEN EXECUTE format('ALTER SEQUENCE %s RESTART', part.name);
    ELSIF part.bytes > 1000000 THEN EXECUTE format('TRUNCATE %s CASCADE', part.name);
    ELSE EXECUTE format('DELETE FROM %s', part.name);
    END IF;
  END LOOP;
END $$
"""


@dataclass
class PostgresDatabases:
    """The databases of one worker: fresh ones, and one with every table that is wiped and used again."""

    run: servers.Servers
    server: servers.Postgres
    worker: str
    counter: Iterator[int] = field(default_factory=itertools.count)
    wiped: list[str] = field(default_factory=list)

    def fresh(self, template: str = "template0") -> str:
        """Return the name of a new database."""
        name = f"t_{self.worker}_{next(self.counter)}"
        with self.server.connect() as connection:
            connection.execute(_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        with self.server.connect() as connection:
            connection.execute(_sql(f"DROP DATABASE {name} WITH (FORCE)"))

    def with_tables(self) -> str:
        """Return the name of a database with every table and no row."""
        if self.wiped:
            return self.wiped.pop()
        self.run.once("template", self._make_template)
        return self.fresh(TEMPLATE)

    def wipe(self, name: str) -> None:
        """Take every row out of a database and send its other guests away, so that it can be used again."""
        with self.server.connect(name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(_sql(WIPE))
        self.wiped.append(name)

    def _make_template(self) -> dict[str, Any]:
        with self.server.connect() as connection:
            connection.execute(_sql(f"DROP DATABASE IF EXISTS {TEMPLATE}"))
            connection.execute(_sql(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 STRATEGY file_copy"))
        _make_tables(self.server.url(TEMPLATE))
        return {}


def _sql(text: str) -> Any:
    """Return `text` as psycopg's query type: it asks for literals, and names of databases cannot be bound."""
    return text


@pytest.fixture(scope="session")
def _postgres(request: pytest.FixtureRequest) -> PostgresDatabases:
    """Return the databases of this worker on the server of this run."""
    run: servers.Servers = request.config.stash[SERVERS]
    return PostgresDatabases(run, run.postgres(), os.environ.get("PYTEST_XDIST_WORKER", "alone"))


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the address of a fresh and empty PostgreSQL database."""
    databases: PostgresDatabases = request.getfixturevalue("_postgres")
    name = databases.fresh()
    yield databases.server.url(name)
    databases.drop(name)


# ── What tests ask for ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def clock() -> "FrozenClock":
    """Return a clock that stands at noon UTC of a Monday until the test moves it."""
    from pilothouse.kit.clocks import FrozenClock  # noqa: PLC0415 - as in _make_tables

    return FrozenClock(NOON)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def dialect(request: pytest.FixtureRequest) -> str:
    """Return which database this run of the test is on."""
    return str(request.param)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a fresh and empty database; nothing is in it, not even a table."""
    if dialect == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'house.sqlite'}"


@pytest.fixture
def tables_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a database with every table of the house and no row."""
    if dialect == "postgresql":
        databases: PostgresDatabases = request.getfixturevalue("_postgres")
        name = databases.with_tables()
        yield databases.server.url(name)
        databases.wipe(name)
    else:
        path = tmp_path / "tables.sqlite"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"


@pytest.fixture
def database(tables_url: str, clock: "FrozenClock") -> Iterator["Database"]:
    """Yield an open Database with every table and no row; it is closed after the test."""
    from pilothouse.kit.db import Database  # noqa: PLC0415 - as in _make_tables

    opened = Database(tables_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def valkey_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a Valkey with nothing in it; each worker has a numbered database of its own."""
    import valkey  # noqa: PLC0415 - few tests need it

    address = request.config.stash[SERVERS].valkey()
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = f"{address.removesuffix('0')}{number}"
    with valkey.Valkey.from_url(url) as client:
        client.flushdb()
    return url


# ── Benches ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def benches(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SharedBenches]":
    """Yield the benches of all tests of this worker; each process of them starts with its first question."""
    from tests.bench_files import SharedBenches  # noqa: PLC0415 - a test of a pure room starts without the house

    shared = SharedBenches.over(tmp_path_factory.mktemp("benches"))
    yield shared
    shared.end()
