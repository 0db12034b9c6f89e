"""The raw files of a run: JSON lines, each written out at once, so that anyone can count again what came of it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SENT, ACKNOWLEDGED, FAILED, EVENTS = "sent", "acknowledged", "failed", "events"
TRUTH, BOOKS = "truth", "books"
"""Names of the files: what was sent, what was answered with success and what was not, and why; deaths and faults; the
exchange's own truth, and our books, as they were at the end."""

REFUSED, CUT, SILENT, TOLD = "refused", "cut", "silent", "answered"
"""Why a delivery failed: nobody was there, who was there died over it, no answer came in time, or it was a 5xx."""


class Record:
    """Writes the files of one run. Safe for many threads."""

    def __init__(self, place: Path) -> None:
        """Begin new files in `place`."""
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        self._lock = threading.Lock()
        self._files = {
            name: (place / f"{name}.jsonl").open("w", encoding="utf-8")
            for name in (SENT, ACKNOWLEDGED, FAILED, EVENTS, TRUTH, BOOKS)
        }

    def write(self, name: str, **row: Any) -> None:
        """Write one line."""
        line = json.dumps(row, default=str)
        with self._lock:
            self._files[name].write(f"{line}\n")
            self._files[name].flush()

    def close(self) -> None:
        """End the files."""
        for file in self._files.values():
            file.close()


def lines(place: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file."""
    with (place / f"{name}.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
