"""The trusting side: a confined process is started, asked, waited for no longer than it is worth, and ended.

One question at a time, each bounded in time. A process that does not answer, answers nonsense or dies is ended and
named with its last words; the next question begins a new one. Nothing that it says is ever run.
"""

import contextlib
import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pilothouse.core.errors import Refused, Unavailable
from pilothouse.sandbox.confine import Bounds
from pilothouse.sandbox.frames import Array, Frame, FrameBroken, read_frame, write_frame

START_S: Final = 60.0
"""A process must stand behind its walls within so many seconds."""

_LAST_WORDS: Final = 4_000
_PIPE_BYTES: Final = 1 << 20


class NotConfined(Refused):
    """A kernel that cannot wall in code that nobody vouched for."""

    code = "not_confined"


class StrategyHung(Unavailable):
    """The code of a strategy did not answer in time; its process was ended."""

    code = "strategy_hung"


class StrategyDied(Unavailable):
    """The process of a strategy ended by itself, or for what it used; its last words are told."""

    code = "strategy_died"


_PLENTY: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Cell:
    """What a confined process may see and use.

    folders    where strategies lie; they may be read
    trusted    whether the operator vouched for them: then they run even where walls are missing
    cache      a folder that outlives the process, for compiled code; a fresh one that dies with it, if None
    """

    folders: tuple[Path, ...]
    trusted: bool = False
    bounds: Bounds = _PLENTY
    cache: Path | None = None


class Prisoner:
    """A process behind walls, and the one who asks it: one question at a time, whoever asks."""

    def __init__(self, cell: Cell) -> None:
        """Start nothing yet: the first question does."""
        self._cell = cell
        self._turn = threading.Lock()
        self.asked = 0
        """How many questions were put to it."""
        self._process: subprocess.Popen[bytes] | None = None
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._last: weakref.finalize[[subprocess.Popen[bytes], tempfile.TemporaryDirectory[str]], Prisoner] | None = (
            None
        )
        self.missing: tuple[str, ...] = ()
        """Walls that could not be built around trusted code, in words."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int | None:
        """Return the number of the process, None while there is none."""
        return self._process.pid if self._process else None

    def ask(self, data: dict[str, Any], arrays: Mapping[str, Array] | None = None, *, within_s: float) -> Frame:
        """Return the answer to one question.

        Raises NotConfined, StrategyHung, StrategyDied; after each of them the next question starts a new process.
        """
        with self._turn:
            deadline = time.monotonic() + within_s
            if self._process is None or self._process.poll() is not None:
                self._start()
                deadline = time.monotonic() + within_s
            self.asked += 1
            answer = self._exchange(Frame({**data, "order": self.asked}, arrays or {}), deadline, within_s)
            if answer.data.get("order") != self.asked:
                raise self._died("it answered what was not asked")
            return answer

    def end(self) -> None:
        """End the process, if there is one."""
        with self._turn:
            self._stop()

    def _exchange(self, frame: Frame | None, deadline: float, within_s: float) -> Frame:
        process = self._process
        assert process is not None, "a process was started"
        assert process.stdin is not None, "its pipes are ours"
        assert process.stdout is not None, "its pipes are ours"
        pipe = _Pipe(process.stdin.fileno(), process.stdout.fileno(), deadline)
        try:
            if frame is not None:
                write_frame(pipe.write, frame)
            answer = read_frame(pipe.read)
        except TimeoutError as error:
            self._stop()
            raise StrategyHung(f"a strategy did not answer within {within_s:g} s; its process was ended") from error
        except (FrameBroken, BrokenPipeError, MemoryError) as error:
            raise self._died(str(error)) from error
        if answer is None:
            raise self._died("it ended")
        return answer

    def _died(self, what: str) -> StrategyDied:
        process = self._process
        words = ""
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
            words = self._last_words()
        code = process.returncode if process is not None else None
        self._stop()
        ended = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        told = f"; it said last: {words}" if words else ""
        return StrategyDied(f"the process of a strategy is gone ({what}, {ended}){told}")

    def _last_words(self) -> str:
        if self._own is None:
            return ""
        with (Path(self._own.name) / "said").open("rb") as said:
            said.seek(0, os.SEEK_END)
            said.seek(max(0, said.tell() - _LAST_WORDS))
            return said.read().decode("utf-8", "replace").strip()

    def _start(self) -> None:
        self._stop()
        self._own = tempfile.TemporaryDirectory(prefix="pilothouse-cell-")
        place = Path(self._own.name)
        writable = self._cell.cache or place / "cache"
        writable.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (place / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "pilothouse.sandbox.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=place,
                env=_bare_environment(writable),
                start_new_session=True,
            )
        self._process = process
        # Whoever forgets to end it, ends it with the last word that names it, and with the interpreter.
        self._last = weakref.finalize(self, _put_down, process, self._own)
        assert process.stdin is not None, "asked for just now"
        assert process.stdout is not None, "asked for just now"
        for end in (process.stdin.fileno(), process.stdout.fileno()):
            os.set_blocking(end, False)
            with contextlib.suppress(OSError):  # a smaller pipe is slower and nothing else
                fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._wall_in(writable)

    def _wall_in(self, writable: Path) -> None:
        cell, process = self._cell, self._process
        assert process is not None, "started just now"
        assert process.stdin is not None, "asked for just now"
        told = {
            "readable": [str(folder) for folder in _readable(cell.folders)],
            "writable": str(writable),
            "bounds": asdict(cell.bounds),
            "trusted": cell.trusted,
        }
        deadline = time.monotonic() + START_S
        try:
            _Pipe(process.stdin.fileno(), -1, deadline).write(memoryview(json.dumps(told).encode() + b"\n"))
        except (BrokenPipeError, TimeoutError) as error:
            raise self._died("it did not start") from error
        walls = self._exchange(None, deadline, START_S).data.get("walls", {})
        self.missing = tuple(str(each) for each in walls.get("missing", ()))
        if not walls.get("hold") and not cell.trusted:
            self._stop()
            raise NotConfined(
                f"this system has no {', no '.join(self.missing)}: only strategies that you vouch for can run here; "
                "set PILOTHOUSE_TRUSTED_STRATEGIES=yes if you wrote or read all that lie in their folder"
            )

    def _stop(self) -> None:
        self._process = self._own = None
        if self._last is not None:
            self._last()
            self._last = None


def _put_down(process: subprocess.Popen[bytes], own: tempfile.TemporaryDirectory[str]) -> None:
    """End a process and take its folder away."""
    process.kill()
    process.wait()
    for end in (process.stdin, process.stdout):
        if end is not None:
            with contextlib.suppress(OSError):
                end.close()
    shutil.rmtree(own.name, ignore_errors=True)
    own.cleanup()


class _Pipe:
    """Both ends of a process, with a time after which nobody waits any more."""

    def __init__(self, into: int, out: int, deadline: float) -> None:
        self._into, self._out, self._deadline = into, out, deadline

    def write(self, part: memoryview) -> None:
        """Write all of it. Raises TimeoutError, BrokenPipeError."""
        while part:
            try:
                part = part[os.write(self._into, part) :]
            except BlockingIOError:
                self._wait(self._into, selectors.EVENT_WRITE)

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer at the end. Raises TimeoutError."""
        found = bytearray(count)
        view, at = memoryview(found), 0
        while at < count:
            try:
                got = os.readv(self._out, [view[at : at + (1 << 24)]])
            except BlockingIOError:
                self._wait(self._out, selectors.EVENT_READ)
                continue
            if not got:
                break
            at += got
        view.release()
        return bytes(found[:at]) if at < count else bytes(found)

    def _wait(self, end: int, event: int) -> None:
        left = self._deadline - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(end, event)
            if left <= 0 or not selector.select(left):
                raise TimeoutError


def _bare_environment(writable: Path) -> dict[str, str]:
    """Return the variables of a confined process: none of ours, so no key and no address."""
    return {
        "LANG": "C.UTF-8",
        "HOME": str(writable),
        "TMPDIR": str(writable),
        "NUMBA_CACHE_DIR": str(writable),
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    } | {name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ}


def _readable(folders: Sequence[Path]) -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    return [*folders, package]
