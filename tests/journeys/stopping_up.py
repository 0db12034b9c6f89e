"""`pilothouse up`, which stops itself with SIGSTOP in the middle of a commit: the next one after `stop-now` is laid.

So it holds the books on SQLite until somebody lets it go on.
"""

import os
import signal
import sys
import time
from pathlib import Path

from pilothouse.cli.up import run
from pilothouse.kit.settings import Settings
from pilothouse.wiring.build import Parts

STOP_NOW = "stop-now"
_STOPS_WITHIN_S = 0.5


class Stopper:
    """Stops the process right before a commit, in which its writer stays."""

    def __init__(self, data: Path) -> None:
        """Look for the file in `data`."""
        self._file = data / STOP_NOW

    def books(self, name: str) -> None:
        """Be the witness of the books."""
        if name.startswith("before:") and self._file.exists():
            self._file.unlink()
            ends = time.monotonic() + _STOPS_WITHIN_S
            os.kill(os.getpid(), signal.SIGSTOP)
            # Another thread may be the first to stop: until all of them do, this one must not come to its commit.
            while time.monotonic() < ends:
                time.sleep(0.001)


def main() -> int:
    """Run until stopped for good."""
    settings = Settings.from_environment(os.environ)
    return run(settings, Parts(witness=Stopper(settings.data).books), environment=os.environ)


if __name__ == "__main__":
    sys.exit(main())
