"""Processes of a search: none of them outlives the one that it works for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_SEARCH = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pilothouse.backtest.search import begin
from tests.unit.backtest.test_guided import task

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), begin, (task(),)) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def test_a_search_that_is_killed_leaves_no_process_behind() -> None:
    """They would wait for ever for somebody who is gone, each with all candles in memory."""
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": f"{root}/src:{root}"}
    started = subprocess.Popen([sys.executable, "-c", _SEARCH], stdout=subprocess.PIPE, text=True, env=environment)
    assert started.stdout is not None
    worker = int(started.stdout.readline())
    os.kill(worker, 0)
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stdout.close()

    _ends(worker)


def test_ctrl_c_ends_the_processes_of_a_search_without_a_word() -> None:
    """A terminal interrupts them all; whoever began the search says what is kept, and pages of tracebacks hide it."""
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": f"{root}/src:{root}"}
    started = subprocess.Popen(
        [sys.executable, "-c", _SEARCH],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    assert started.stdout is not None
    worker = int(started.stdout.readline())
    time.sleep(0.5)
    os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=100)

    _ends(worker)
    assert said.count("Traceback") == 1, "that of whoever began it, who is no command here"
    assert "Process SpawnProcess" not in said


def _ends(process: int) -> None:
    """Wait until a process has ended; fail, and end it, if that does not come."""
    deadline = time.monotonic() + 60
    while _is_there(process):
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            raise AssertionError("it is still there a minute later")
        time.sleep(0.02)


def _is_there(process: int) -> bool:
    """Say whether a process runs; one that only waits to be buried does not."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"
