"""Benches: processes beside the house that know strategies, candles and results. Questions go in, answers come out.

One answers the doors; others, taken one for each backtest, compute. Nothing that they do holds up an order: they run
at a low priority, with an interpreter of their own. Who no longer wants an answer ends the process.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Final

from pilothouse.core.errors import Refused, Unavailable
from pilothouse.kit.settings import Settings
from pilothouse.wiring import bench_answers

DOOR_S: Final = 120.0
"""So long a door waits for an answer; the first one begins a process, and compiles where nothing was compiled yet."""

IDLE_S: Final = 900.0
"""A bench that nobody asked anything for so long is ended: it holds some 200 MB."""

_DOOR_NICE, _WORK_NICE = 5, 19
_CLOSING_S = 2.0
_OURS = "PILOTHOUSE_"


class BenchGone(Unavailable):
    """The process that computed is gone; what it was at can be done again."""

    code = "bench_gone"


class BenchesClosed(BenchGone):
    """It was ended because its house stops; what it was at had no part in that."""


class BenchBusy(Unavailable):
    """The process that answers did not do so in time; it was ended."""

    code = "bench_busy"


class Stopped(Refused):
    """Whoever asked wants no answer any more."""

    code = "stopped"


Look = Callable[[int | None], bool]
"""Is called some times in a second with the latest progress in ppm (None: none was told); False: stop."""


class Bench:
    """One process, started by the first question; one question at a time."""

    def __init__(self, settings: Settings, nice: int) -> None:
        """Start nothing yet."""
        self._settings, self._nice = settings, nice
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._asked = 0
        self.used_at = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Return the number of the process, None while there is none."""
        return self._process.pid if self._process is not None else None

    def ask(
        self, do: str, asked: dict[str, Any], *, within_s: float | None = DOOR_S, look: Look = lambda _: True,
        every_s: float = 0.25,
    ) -> Any:  # fmt: skip
        """Return the answer to one question. Raises what the question raised, BenchGone, BenchBusy, Stopped."""
        deadline = None if within_s is None else time.monotonic() + within_s
        if not self._turn.acquire(timeout=-1 if within_s is None else within_s):
            raise BenchBusy(f"others asked so much that no answer came within {within_s:g} s; ask again")
        try:
            self._asked += 1
            self._send({"id": self._asked, "do": do, "asked": asked})
            return bench_answers.found(self._wait(deadline, look, every_s))
        finally:
            self.used_at = time.monotonic()
            self._turn.release()

    def close(self) -> None:
        """End the process and never begin one again, whoever waits for it."""
        self._closed = True
        self.kill()
        if self._turn.acquire(timeout=_CLOSING_S):
            try:
                self._end()
            finally:
                self._turn.release()

    def rest(self, idle_s: float) -> None:
        """End the process if nobody asked anything for so long."""
        if self._turn.acquire(blocking=False):
            try:
                if self._process is not None and time.monotonic() - self.used_at >= idle_s:
                    self._end()
            finally:
                self._turn.release()

    def _send(self, question: dict[str, Any]) -> None:
        if self._closed:
            raise self._gone("the house is stopping")
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process is not None, "started just now"
        assert self._process.stdin is not None, "its pipes are ours"
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            self._end()
            raise self._gone(f"the process that computes is gone: {error}") from error

    def _wait(self, deadline: float | None, look: Look, every_s: float) -> dict[str, Any]:
        progress: int | None = None
        while True:
            for told in self._lines(every_s):
                if told.get("id") != self._asked:
                    continue  # an answer to a question of before
                if "progress_ppm" in told:
                    progress = int(told["progress_ppm"])
                    continue
                return told
            if not look(progress):
                self._end()
                raise Stopped("nobody wants this answer any more")
            if deadline is not None and time.monotonic() > deadline:
                self._end()
                raise BenchBusy("no answer came in time; the process was ended, ask again")

    def _lines(self, wait_s: float) -> Iterator[dict[str, Any]]:
        """Yield what has come by now, after waiting for something so long. Raises BenchGone."""
        process = self._process
        if process is None or process.stdout is None:
            raise self._gone("the process that computes was ended")
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(process.stdout, selectors.EVENT_READ)
                if not selector.select(wait_s):
                    return
                came = os.read(process.stdout.fileno(), 1 << 20)
            except (OSError, ValueError) as error:  # closed by who ends the house
                raise self._gone("the process that computes was ended") from error
        if not came:
            self._end()
            raise self._gone(f"the process that computes is gone ({_how(process)})")
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def _gone(self, words: str) -> BenchGone:
        return BenchesClosed(words) if self._closed else BenchGone(words)

    def _start(self) -> None:
        self._end()
        folder = self._settings.data / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(folder / "benches.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(log, "ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pilothouse.wiring.bench_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
                start_new_session=True,
            )
        assert self._process.stdin is not None, "asked for just now"
        # It opens no venue and tells no alarm, so it is not told how.
        bare = replace(self._settings, sealing_key="", alarm_urls="")
        told = {name: str(value) if name == "data" else value for name, value in asdict(bare).items()}
        first = {"nice": self._nice, "settings": told}
        self._process.stdin.write(json.dumps(first).encode() + b"\n")

    def kill(self) -> None:
        """End the process, from any thread: whoever waits for its answer is told that it is gone."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # with the processes that a search began

    def _end(self) -> None:
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Benches:
    """All benches of a house; `wake` is called when a backtest was queued."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self.door = Bench(settings, _DOOR_NICE)
        self.wake: set[Callable[[], object]] = set()
        self._idle: list[Bench] = []
        self._all: list[Bench] = [self.door]
        self._lock = threading.Lock()
        self._closed = False

    def ring(self) -> None:
        """Say that a backtest was queued."""
        for each in tuple(self.wake):
            each()

    @contextmanager
    def take(self) -> Iterator[Bench]:
        """Yield a bench that nobody else works at."""
        with self._lock:
            if self._closed:
                raise BenchesClosed("the house is stopping")
            bench = self._idle.pop() if self._idle else Bench(self._settings, _WORK_NICE)
            if bench not in self._all:
                self._all.append(bench)
        try:
            yield bench
        finally:
            with self._lock:
                self._idle.append(bench)

    def working(self) -> list[int]:
        """Return the processes that compute, or wait to."""
        with self._lock:
            return [bench.pid for bench in self._all if bench is not self.door and bench.pid is not None]

    def rest(self) -> None:
        """End the benches that nobody asked anything for long."""
        for bench in tuple(self._all):
            bench.rest(IDLE_S)

    def stop_work(self) -> None:
        """End those that compute; whoever waits for one is told that it is gone, and gives back what it was at."""
        with self._lock:
            working = [bench for bench in self._all if bench is not self.door]
        for bench in working:
            bench.kill()

    def close(self) -> None:
        """End all of them; whoever waits is told that they are gone."""
        with self._lock:
            self._closed = True
            every = tuple(self._all)
        for bench in every:
            bench.close()


def _how(process: "subprocess.Popen[bytes]") -> str:
    code = process.returncode
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
