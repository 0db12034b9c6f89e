"""`pilothouse up` with a paper venue that hears an order and never answers, and a clock that can be set forward.

The next order is in doubt until the file `answers` appears in the data directory; the clock is as many seconds ahead as
the file `ahead` says.
"""

import os
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from pilothouse.cli.up import run
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.settings import Settings
from pilothouse.venues.paper_faults import Fault, PaperFaults
from pilothouse.wiring.build import Parts

AHEAD, ANSWERS = "ahead", "answers"


class SetForward(SystemClock):
    """The time of this machine, and as much more as the file says."""

    def __init__(self, data: Path) -> None:
        """Look into `data`."""
        self._file = data / AHEAD

    def now(self) -> datetime:
        """Return the present instant, set forward."""
        ahead = int(self._file.read_text()) if self._file.exists() else 0
        return super().now() + timedelta(seconds=ahead)


def main() -> int:
    """Run until stopped."""
    settings = Settings.from_environment(os.environ)
    faults = PaperFaults()
    faults.arm(Fault.LOSE_REQUEST)
    faults.arm(Fault.LOSE_ANSWER, "find", times=1_000_000)

    def answer() -> None:
        while not (settings.data / ANSWERS).exists():
            time.sleep(0.05)
        faults.disarm()

    threading.Thread(target=answer, daemon=True).start()
    return run(settings, Parts(clock=SetForward(settings.data), paper_faults=faults))


if __name__ == "__main__":
    sys.exit(main())
