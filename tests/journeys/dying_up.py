"""`pilothouse up`, with a fuse: it kills itself with SIGKILL at a chosen commit.

The fuse is a file `fuse.json` in the data directory, `{"from": name, "at": n}`. It is picked up right before the first
commit of a unit called `name`, and burns down by one at each commit from then on: before it, and again after it.
Commits that only the market or the clockwork makes do not count. Where the house died stands in `died.txt`.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from pilothouse.cli.up import run
from pilothouse.kit.settings import Settings
from pilothouse.wiring.build import Parts

FUSE, DIED = "fuse.json", "died.txt"

# What happens by itself, alert or not.
BACKGROUND = frozenset({"paper_step", "equity", "sweep", "drive", "invariants"})


class Fuse:
    """Counts commits and kills."""

    def __init__(self, data: Path) -> None:
        """Look for the fuse in `data`."""
        self._data = data
        self._left: int | None = None
        self._lock = threading.Lock()

    def books(self, name: str) -> None:
        """Be the witness of the books."""
        self._see("books", name)

    def paper(self, name: str) -> None:
        """Be the witness of the paper venue's journal."""
        self._see("paper", name)

    def _see(self, database: str, name: str) -> None:
        units = set(name.removeprefix("before:").split("+"))
        if units <= BACKGROUND:
            return
        with self._lock:
            if self._left is None:
                self._pick_up(name, units)
            if self._left is None:
                return
            if self._left == 0:
                (self._data / DIED).write_text(f"{database} {name}\n")
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1

    def _pick_up(self, name: str, units: set[str]) -> None:
        path = self._data / FUSE
        if not name.startswith("before:") or not path.exists():
            return
        told = json.loads(path.read_text())
        if told["from"] in units:
            path.unlink()
            self._left = told["at"]


def lay(data: Path, name: str, at: int) -> None:
    """Lay a fuse into a data directory, whole at once: the house may be looking."""
    draft = data / f"{FUSE}.draft"
    draft.write_text(json.dumps({"from": name, "at": at}))
    draft.replace(data / FUSE)


def main() -> int:
    """Run until stopped or killed."""
    settings = Settings.from_environment(os.environ)
    fuse = Fuse(settings.data)
    return run(settings, Parts(witness=fuse.books, paper_witness=fuse.paper))


if __name__ == "__main__":
    sys.exit(main())
