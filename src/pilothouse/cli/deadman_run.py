"""The dead man's switch as a process: opened beside the house, looking once a second until it is told to stop."""

import signal
import sys
import threading
from datetime import timedelta

from pilothouse.core.errors import PilothouseError
from pilothouse.jobs.deadman import Deadman
from pilothouse.kit import log
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.settings import Settings
from pilothouse.wiring.aside import Beside, open_beside

LOOK_S = 1.0
AGAIN_S = 5.0


def run(settings: Settings, *, after: timedelta, countdown: timedelta) -> int:
    """Watch until SIGTERM or SIGINT; returns the exit code. What was done is printed, a line each."""
    folder = settings.data / "logs"
    if not settings.data.exists():
        print(f"There is no house in {settings.data}: set PILOTHOUSE_DATA to its data folder", file=sys.stderr)
        return 1
    folder.mkdir(mode=0o700, exist_ok=True)
    log.configure(clock=SystemClock(), level=settings.log_level, form=settings.log_format, file=folder / "deadman.log")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    beside = _opened(settings, stopping)
    if beside is None:
        return 0
    deadman = Deadman(beside, after=after, countdown_for=countdown)
    print(
        f"Watching over {settings.data}: acts when its house is gone for {after.total_seconds():.0f} s behind the end "
        "of its lease",
        flush=True,
    )
    try:
        while not stopping.is_set():
            _look(deadman)
            stopping.wait(LOOK_S)
    finally:
        _close(deadman, beside)
    return 0


def _opened(settings: Settings, stopping: threading.Event) -> Beside | None:
    """Return the desk beside the house; waits for books that cannot be read yet. None: told to stop meanwhile."""
    while not stopping.is_set():
        try:
            return open_beside(settings)
        except PilothouseError as error:
            print(f"The books cannot be read yet: {error}", file=sys.stderr, flush=True)
            stopping.wait(AGAIN_S)
    return None


def _look(deadman: Deadman) -> None:
    try:
        for done in deadman.look():
            print(
                f"flat: account {done.account_id}, its lease taken after {done.taken_s:.1f} s, "
                f"nothing held after {done.flat_s:.1f} s",
                flush=True,
            )
    except PilothouseError as error:  # the books may be busy for a moment; the next look asks again
        print(f"Could not look: {error}", file=sys.stderr, flush=True)


def _close(deadman: Deadman, beside: Beside) -> None:
    try:
        deadman.close()
    except PilothouseError as error:
        print(f"Leases were not given back, they end by themselves: {error}", file=sys.stderr, flush=True)
    beside.close()
