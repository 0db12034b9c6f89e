"""How the house ends or is held up: killed, asked to end, stopped for seconds, or with a disk that is full."""

import contextlib
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.chaos.plan import DISK, KILL, STOP, TERM, Plan
from tests.chaos.record import EVENTS, Record
from tests.house_process import READY_SECONDS_MAX, HouseProcess, NotUp
from tests.plain_http import NO_TLS

STOPPED_S = (2.0, 4.0)
FULL_S = (2.0, 4.0)
_DISK_MB = 1_500
_WEIGHTS = {KILL: 12, TERM: 2, STOP: 1, DISK: 1}


class Disk:
    """The data directory of the house: on a small disk of its own where this user may mount one."""

    def __init__(self, house: HouseProcess) -> None:
        """Put the data directory of `house` on it; nothing runs yet."""
        self._house = house
        self._folder = house.data
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m,mode=0700", "chaos", str(self._folder)]
        self.mounted = os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Let nothing more be written while the block lasts."""
        if not self.mounted:
            limits = resource.prlimit(self._house.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            try:
                yield
            finally:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(self._house.pid, resource.RLIMIT_FSIZE, limits)
            return
        ballast = self._folder / "ballast"
        try:
            _fill(ballast)
            yield
        finally:
            ballast.unlink()

    def close(self) -> None:
        """Let go of the disk; what was on it is gone."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self._folder)], check=True)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        size = 1 << 22
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size >>= 1


class Deaths:
    """Kills the house again and again while a run lasts; `run` on a thread of its own."""

    def __init__(self, plan: Plan, record: Record, house: HouseProcess, disk: Disk) -> None:
        """Prepare; nothing dies before `run`."""
        self._plan, self._record, self._house, self._disk = plan, record, house, disk
        self._chance = plan.chance("deaths")
        self.ending = threading.Event()
        self.died: set[str] = set()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Let the house live and die until `ending` is set; leaves it alive and ready."""
        try:
            for kind in self._kinds():
                if self.ending.wait(self._chance.uniform(*self._plan.alive_s)):
                    return
                self._let_die(kind)
        except BaseException as error:
            self.failure = error
            raise

    def _kinds(self) -> Iterator[str]:
        first = list(self._plan.deaths)
        self._chance.shuffle(first)
        kinds, weights = zip(*_WEIGHTS.items(), strict=True)
        count = 0
        while self._plan.deaths_most is None or count < self._plan.deaths_most:
            yield first.pop() if first else self._chance.choices(kinds, weights)[0]
            count += 1
        self.ending.wait()

    def _let_die(self, kind: str) -> None:
        house, at = self._house, time.time()
        self._record.write(EVENTS, what="death", kind=kind, at=at)
        if kind == STOP:
            os.kill(house.pid, signal.SIGSTOP)
            self._wait(self._chance, STOPPED_S)
            os.kill(house.pid, signal.SIGCONT)
        elif kind == DISK:
            with self._disk.full():
                self._wait(self._chance, FULL_S)
        elif kind == TERM:
            house.stop()
        else:
            house.kill()
        if not house.lives_on():
            if kind in {STOP, DISK}:  # it ended by itself: that is a finding
                self._record.write(EVENTS, what="ended by itself", kind=kind, at=time.time())
                house.kill()
            house.begin()
        until_ready(house)
        self._record.write(EVENTS, what="ready", kind=kind, at=time.time(), died_at=at)
        self.died.add(kind)

    @staticmethod
    def _wait(chance: random.Random, span: tuple[float, float]) -> None:
        time.sleep(chance.uniform(*span))


def until_ready(house: HouseProcess) -> None:
    """Wait until the house says that it is ready. Raises NotUp with its own words."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{house.url}/health/ready", trust_env=False, timeout=5, verify=NO_TLS).status_code == 200:
                return
        if not house.lives_on() or time.monotonic() > deadline:
            raise NotUp(f"the house is not ready: {house.said('err')[-3000:]}")
        time.sleep(0.02)
