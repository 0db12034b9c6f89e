"""What a strategy of a user can do in its process, and what it cannot."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pilothouse.sandbox.confine import Bounds
from pilothouse.sandbox.talk import Cell, Prisoner, StrategyDied, StrategyHung

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are the kernel's")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of strategies that everybody in this file shares."""
    return tmp_path_factory.mktemp("strategies")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Prisoner]:
    """Yield one process for all that does not end it."""
    with Prisoner(Cell((folder,), bounds=Bounds(memory_bytes=2 * 2**30))) as prisoner:
        yield prisoner


def _run(prisoner: Prisoner, folder: Path, code: str, within_s: float = 100) -> dict[str, object]:
    """Return what importing a file with this code led to."""
    path = folder / f"strategy_{abs(hash(code))}.py"
    path.write_text(code)
    return prisoner.ask({"do": "import", "file": str(path)}, within_s=within_s).data


_OUTSIDE = {
    "a file of the system": "open('/etc/passwd').read()",
    "the root folder": "import os; os.listdir('/')",
    "the variables of its parent": "import os; open(f'/proc/{os.getppid()}/environ').read()",
    "a file elsewhere": "open('/tmp/pilothouse-was-here', 'w')",
    "its own folder": "open(__file__, 'a')",
    "a port of this machine": "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
    "a socket in the file system": "import socket; socket.socket(socket.AF_UNIX)",
    "another program": "import subprocess; subprocess.run(['/bin/true'])",
    "a copy of itself": "import os; os.fork()",
    "a signal to its parent": "import os; os.kill(os.getppid(), 0)",
    "namespaces of others": "import ctypes, os\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.unshare(0x20000) < 0: raise PermissionError(ctypes.get_errno(), 'unshare')",
}


@pytest.mark.parametrize("name", _OUTSIDE)
def test_what_lies_outside_is_not_to_be_had(name: str, shared: Prisoner, folder: Path) -> None:
    """Each try ends with the system's own refusal, told with file, line and reason; the process goes on."""
    broken = _run(shared, folder, f"x = 1\n{_OUTSIDE[name]}\n")["broken"]

    assert isinstance(broken, dict)
    assert broken["line"] >= 2
    assert "PermissionError" in broken["reason"]


def test_it_knows_none_of_our_variables(shared: Prisoner, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a variable of the house is not a key of its strategies."""
    monkeypatch.setenv("PILOTHOUSE_SEALING_KEY", "canary")
    broken = _run(shared, folder, "import os\nraise ValueError(sorted(os.environ.items()))")["broken"]

    assert "PILOTHOUSE" not in str(broken)
    assert "canary" not in str(broken)


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "x = bytearray(4 * 2**30)", "raise KeyboardInterrupt", "1/0"])
def test_what_a_file_raises_goes_no_further(code: str, shared: Prisoner, folder: Path) -> None:
    """Also an exit, also memory that was not there; the next question is answered by the same process."""
    _run(shared, folder, "x = 1")
    before = shared.pid
    broken = _run(shared, folder, code)["broken"]

    assert isinstance(broken, dict)
    assert broken["line"] == 1
    assert _run(shared, folder, "x = 1")["imported"]
    assert shared.pid == before


def test_a_word_that_is_no_python_is_named_with_its_line(shared: Prisoner, folder: Path) -> None:
    """A broken file says file, line and reason."""
    broken = _run(shared, folder, "x = 1\n\ndef f(:\n    pass\n")["broken"]

    assert isinstance(broken, dict)
    assert (broken["line"], broken["reason"]) == (3, "invalid syntax")


def test_threads_are_allowed(shared: Prisoner, folder: Path) -> None:
    """Numeric libraries need them."""
    code = "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()"

    assert _run(shared, folder, code)["imported"]


def test_what_it_prints_disturbs_nobody(shared: Prisoner, folder: Path) -> None:
    """Standard output is not the pipe of the answers."""
    assert _run(shared, folder, "import os\nprint('hello')\nos.write(1, b'junk' * 100)")["imported"]


def test_a_strategy_that_hangs_is_ended_in_time_and_the_next_question_is_answered(folder: Path) -> None:
    """It cannot hold anybody up longer than it was given."""
    with Prisoner(Cell((folder,))) as prisoner:
        _run(prisoner, folder, "x = 1")
        first = prisoner.pid
        with pytest.raises(StrategyHung, match=r"within 0\.3 s"):
            _run(prisoner, folder, "while True: pass", within_s=0.3)
        assert _run(prisoner, folder, "x = 1")["imported"]
        assert prisoner.pid != first


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, sys; sys.stderr.write('my last words'); sys.stderr.flush(); os._exit(1)", "my last words"),
    ],
)
def test_a_strategy_that_dies_is_named_with_its_last_words(code: str, how: str, folder: Path) -> None:
    """Nobody waits for an answer that cannot come."""
    with Prisoner(Cell((folder,))) as prisoner, pytest.raises(StrategyDied, match=how):
        _run(prisoner, folder, code)


def test_a_strategy_that_writes_into_the_pipe_is_not_believed(folder: Path) -> None:
    """It may find the pipe of the answers; what it writes there is bounded and ends its process."""
    code = "import os\nfor n in range(3, 20):\n  try:\n    os.write(n, b'junk' * 100)\n  except OSError:\n    pass"
    with Prisoner(Cell((folder,))) as prisoner:
        with pytest.raises(StrategyDied):
            _run(prisoner, folder, code)
        assert _run(prisoner, folder, "x = 1")["imported"]


def test_processor_time_is_bounded_too(folder: Path) -> None:
    """Whoever asks may be gone; what runs on for nobody ends by itself."""
    with Prisoner(Cell((folder,), bounds=Bounds(cpu_s=1))) as prisoner, pytest.raises(StrategyDied, match="SIG"):
        _run(prisoner, folder, "while True: pass", within_s=100)


def test_nothing_is_left_of_a_process_that_was_ended(folder: Path) -> None:
    """Neither the process nor its folder."""
    prisoner = Prisoner(Cell((folder,)))
    _run(prisoner, folder, "x = 1")
    pid = prisoner.pid
    prisoner.end()

    assert prisoner.pid is None
    assert not Path(f"/proc/{pid}").exists()


def test_columns_travel_both_ways_while_several_ask(shared: Prisoner, folder: Path) -> None:
    """Questions of several threads wait their turn and get their own answers."""
    path = folder / "fine.py"
    path.write_text("x = 1")
    found: list[object] = []

    def ask() -> None:
        order = {"do": "import", "file": str(path)}
        found.append(shared.ask(order, {"column": np.arange(10_000)}, within_s=100).data["imported"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["fine"] * 4


_WITHOUT_LANDLOCK = """
import ctypes, errno, os, struct, sys
from pathlib import Path

# A kernel without landlock, as far as this process and its children can tell: that one call does not exist.
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000)]
packed = b"".join(struct.pack("<HBBI", *line) for line in lines)
kept = ctypes.create_string_buffer(packed, len(packed))
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.byref(Program(len(lines), ctypes.cast(kept, ctypes.c_void_p))), 0, 0) == 0

from pilothouse.sandbox.talk import Cell, NotConfined, Prisoner
file = Path(sys.argv[1])
try:
    Prisoner(Cell((file.parent,))).ask({"do": "import", "file": str(file)}, within_s=100)
except NotConfined as refused:
    print("refused:", refused)
with Prisoner(Cell((file.parent,), trusted=True)) as prisoner:
    imported = prisoner.ask({"do": "import", "file": str(file)}, within_s=100).data["imported"]
    print("trusted:", imported, prisoner.missing)
"""


def test_where_a_wall_is_missing_only_trusted_code_runs_and_it_says_so(folder: Path) -> None:
    """On an older kernel nobody's file is run behind half a wall."""
    path = folder / "vouched.py"
    path.write_text("x = 1")
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_LANDLOCK, str(path)], capture_output=True, text=True, timeout=250, check=True
    )
    refused, trusted = done.stdout.strip().splitlines()

    assert "no landlock" in refused
    assert "PILOTHOUSE_TRUSTED_STRATEGIES" in refused
    assert trusted.startswith("trusted: vouched ('landlock")
