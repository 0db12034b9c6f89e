"""`pilothouse up` has a watcher beside it: a process of its own that is there as long as it is, and once."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house_process import HouseProcess


def _children(pid: int) -> list[int]:
    """Return the processes that `pid` started and that live."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    tasks = Path(f"/proc/{pid}/task")
    for task in tasks.iterdir():
        found += (task / "children").read_text().split()
    return sorted({int(each) for each in found})


def _until(look: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return True
        time.sleep(0.1)
    return look()


@pytest.mark.timeout(120)
def test_the_watcher_is_started_again_when_it_dies_and_ends_with_the_house(tmp_path: Path) -> None:
    """Killed, it comes back; and it leaves nobody behind when the house is stopped, or killed over paper money."""
    with HouseProcess(tmp_path, settings={"WATCHER": "yes"}).start() as house:
        pid = house.pid
        assert _until(lambda: len(_children(pid)) == 1)
        (first,) = _children(pid)
        os.kill(first, signal.SIGKILL)
        assert _until(lambda: bool(_children(pid)) and _children(pid) != [first])
        (second,) = _children(pid)
        house.kill()
        # Its house is gone, and there is no real account that somebody has to look after.
        assert _until(lambda: not Path(f"/proc/{second}").exists() or _is_zombie(second))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
