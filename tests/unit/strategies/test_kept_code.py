"""Machine code that is kept is the code of this source, these types and these options, whoever writes beside whom."""

import os
import subprocess
import sys
from pathlib import Path

from pilothouse.strategies.indicators.kept_code import KeptCode

COUNT = 6
SOURCE = """
from numba import njit
from pilothouse.strategies.indicators.compiling import compiled, keep
"""
FUNCTION = """
def told{at}(value):
    return value + {more}
in_parallel{at} = njit(parallel=True)(told{at})
keep(in_parallel{at})
told{at} = compiled(told{at})
"""
MEETING = """
import os, sys, time
from pathlib import Path
me, other = sys.argv[1:]
plain = os.replace
def replace(*told):
    # A slow disk: both have looked at what is there before either has written.
    time.sleep(0.05)
    plain(*told)
os.replace = replace
for at in range(written.COUNT):
    function = getattr(written, f"told{at}")
    kept = function._cache.kept._cache_file
    def met(key, code, save=kept.save, at=at):
        Path(f"{me}{at}").touch()
        while not Path(f"{other}{at}").exists():
            time.sleep(0.0002)
        save(key, code)
    kept.save = met
    # Every other function is made for the same types by both.
    given = 1.5 if me == "one" and at % 2 else 1.0 if not at % 2 else 1
    assert function(given) == given + 1
"""
ASKING = """
for at in range(written.COUNT):
    function = getattr(written, f"told{at}")
    print(function(1) if at % 2 else 2, function(1.5 if at % 2 else 1.0), sum(function.stats.cache_misses.values()))
"""
DYING = """
import os
plain = os.replace
def replace(*told):
    plain(*told)
    os._exit(9)
os.replace = replace
written.told0(5)
"""


def write(folder: Path, more: int = 1) -> None:
    """Write a module of some functions that all add `more`."""
    functions = "".join(FUNCTION.format(at=at, more=more) for at in range(COUNT))
    (folder / "written.py").write_text(f"{SOURCE}\nCOUNT = {COUNT}\n{functions}")


def start(folder: Path, code: str, *told: str) -> "subprocess.Popen[str]":
    """Start a process that knows the module; none of its bytecode is kept, which looks at seconds alone."""
    around = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}", "PYTHONDONTWRITEBYTECODE": "1"}
    around.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", f"import written\n{code}", *told]
    return subprocess.Popen(command, cwd=folder, env=around, stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]", ended: int = 0) -> str:
    """Return what a process printed, when it has ended as it should."""
    out, _ = process.communicate(timeout=120)
    assert process.returncode == ended
    return out.strip()


def kept(folder: Path) -> list[str]:
    """Return the names of what is kept."""
    return [each.name for each in (folder / "__pycache__").iterdir()]


def test_two_processes_that_save_at_once_keep_both(tmp_path: Path) -> None:
    """A house has several benches, and all of them compile at the first backtest after an upgrade."""
    write(tmp_path)
    for process in [start(tmp_path, MEETING, *names) for names in (("one", "other"), ("other", "one"))]:
        said(process)

    assert said(start(tmp_path, ASKING)) == "\n".join(f"2 {2.5 if at % 2 else 2.0} 0" for at in range(COUNT))
    assert [name for name in kept(tmp_path) if not name.endswith(".nbc")] == []


def test_who_dies_while_it_saves_leaves_no_old_code_under_a_new_name(tmp_path: Path) -> None:
    """An upgrade that is killed at the wrong moment must not compute by yesterday's rules for ever."""
    tell = "print(written.told0(5))"
    write(tmp_path)
    assert said(start(tmp_path, tell)) == "6"
    before = set(kept(tmp_path))
    write(tmp_path, more=2)

    said(start(tmp_path, DYING), ended=9)
    assert said(start(tmp_path, tell)) == "7"
    # What is of no use any more went, or every upgrade would leave megabytes behind.
    said(start(tmp_path, "written.told0(5.5)"))
    assert len(kept(tmp_path)) == 2
    assert before.isdisjoint(kept(tmp_path))


def test_code_made_in_parallel_is_not_taken_for_code_that_was_not(tmp_path: Path) -> None:
    """It starts threads, where a process was promised one core; the compiler's own cache knows no difference."""
    write(tmp_path)
    said(start(tmp_path, "written.in_parallel0(5)"))

    assert said(start(tmp_path, "print(written.told0(5), sum(written.told0.stats.cache_misses.values()))")) == "6 1"
    assert len(kept(tmp_path)) == 2


def test_code_that_is_not_whole_is_made_anew(tmp_path: Path) -> None:
    """A machine that lost its power may keep the name of a file and not what was written into it."""
    code = KeptCode(tmp_path, "averages.sma-22", "sources", "options")
    code.save(("int64", "processor"), b"machine code")
    assert code.load(("int64", "processor")) == b"machine code"
    assert code.load(("float64", "processor")) is None
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()

    for torn in (b"", whole[:-1], bytes(len(whole))):
        file.write_bytes(torn)
        assert code.load(("int64", "processor")) is None


def test_a_folder_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    """A full disk costs the next process some seconds, and this one nothing."""
    code = KeptCode(tmp_path / "gone", "averages.sma-22", "sources", "options")
    code.save(("int64", "processor"), b"machine code")

    assert code.load(("int64", "processor")) is None
