"""`pilothouse worker`: computes backtests beside a house, on its machine or another, until it is told to stop."""

import os
import signal
import sys

from pilothouse.core.errors import PilothouseError
from pilothouse.jobs.worker import Worker
from pilothouse.kit import log
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.engines import dialect_of
from pilothouse.kit.settings import Settings
from pilothouse.wiring.workshop import open_workshop


def run(settings: Settings, jobs: int | None) -> int:
    """Work until SIGTERM or SIGINT; returns the exit code. What cannot start says why in one line.

    jobs   so many backtests at once; None: one for each processor
    """
    try:
        log.configure(clock=SystemClock(), level=settings.log_level, form=settings.log_format)
        shop = open_workshop(settings)
    except (PilothouseError, OSError) as reason:
        print(f"Pilothouse worker cannot start: {reason}", file=sys.stderr)
        return 1
    count = jobs or os.cpu_count() or 1
    worker = Worker(shop, count)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    where = "SQLite" if dialect_of(settings.database_url) == "sqlite" else "PostgreSQL"
    print(
        f"Pilothouse worker {shop.process.removeprefix('worker:')} computes {count} at once, for the house of "
        f"{settings.data} on {where}; stop with Ctrl-C, nothing is lost.",
        flush=True,
    )
    try:
        worker.run()
    except PilothouseError as reason:
        print(f"Pilothouse worker stopped: {reason}", file=sys.stderr)
        return 1
    finally:
        shop.close()
    if worker.reason is not None:
        print(f"Pilothouse worker stopped: {worker.reason}", file=sys.stderr)
        return 1
    return 0
