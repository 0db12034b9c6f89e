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
    environment = {**os.environ, "PYTHONPATH": root}
    started = subprocess.Popen([sys.executable, "-c", _SEARCH], stdout=subprocess.PIPE, text=True, env=environment)
    assert started.stdout is not None
    worker = int(started.stdout.readline())
    os.kill(worker, 0)
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stdout.close()

    for _ in range(200):
        if not _is_there(worker):
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("it is still there ten seconds later")


def _is_there(process: int) -> bool:
    """Say whether a process runs; one that only waits to be buried does not."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"
