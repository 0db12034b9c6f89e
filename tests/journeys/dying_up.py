"""`pilothouse up`, with a fuse: it kills itself with SIGKILL at a chosen commit.

The fuse is a file `fuse.json` in the data directory, see `lay`. It is picked up right before the first commit of a unit
of the given name, and burns down by one at each commit from then on. Commits that only the market or the clockwork
makes do not count. Where the house died stands in `died.txt`.
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

FUSE, OUT, DIED = "fuse.json", "fuse.out", "died.txt"

# What happens by itself, alert or not.
BACKGROUND = frozenset(
    {
        "paper_step", "equity", "sweep", "drive", "invariants", "standing", "alarms", "alarm.raised", "alarm.again",
        "budgets", "stream", "heard", "compared", "writers",
    }
)  # fmt: skip


class Fuse:
    """Counts commits and kills."""

    def __init__(self, data: Path) -> None:
        """Look for the fuse in `data`."""
        self._data = data
        self._left: int | None = None
        self._after_too = True
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
            elif (self._data / OUT).exists():
                self._left = None
            if self._left is None or not (self._after_too or name.startswith("before:")):
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
            self._left, self._after_too = told["at"], told["after_too"]


def lay(data: Path, name: str, at: int, *, after_too: bool = True) -> None:
    """Lay a fuse into a data directory, whole at once: the house may be looking.

    name        the unit with whose commit it begins to burn
    at          how many commits pass before it kills
    after_too   count the end of each commit as well as its beginning
    """
    (data / OUT).unlink(missing_ok=True)
    (data / DIED).unlink(missing_ok=True)
    draft = data / f"{FUSE}.draft"
    draft.write_text(json.dumps({"from": name, "at": at, "after_too": after_too}))
    draft.replace(data / FUSE)


def put_out(data: Path) -> None:
    """Let a fuse that still burns end before the next commit."""
    (data / OUT).touch()


def main() -> int:
    """Run until stopped or killed."""
    settings = Settings.from_environment(os.environ)
    fuse = Fuse(settings.data)
    return run(settings, Parts(witness=fuse.books, paper_witness=fuse.paper))


if __name__ == "__main__":
    sys.exit(main())
