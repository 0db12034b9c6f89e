"""What searches found, on disk: a sweep or a walk forward goes in by its name; it comes out to be shown again.

The trials themselves lie in the files of `search_files.py`; here is what was made of them, as plain data. A search that
went on, or was made again, takes the place of what it found before.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pilothouse.core.errors import Invalid, Problem

SWEEP: Final = "sweep"
WALK: Final = "walkforward"
_NAME_LEAST: Final = 6


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """One search.

    name      SHA-256 of all that it depends on, hexadecimal
    kind      SWEEP or WALK
    strategy  by which its trials are counted
    search    the name of the file of its trials
    told      as `told_search` or `told_walk` returned it
    spec      what stays the same in every trial, as canonical JSON
    """

    name: str
    kind: str
    strategy: str
    search: str
    told: dict[str, Any]
    spec: str


class SearchShelf:
    """The folder of all of them."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, which is made with the first one."""
        self._folder = folder

    def put(self, kept: KeptSearch) -> None:
        """Keep a search, durably and whole, in the place of what it had found before."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        words = {
            "name": kept.name, "kind": kept.kind, "strategy": kept.strategy, "search": kept.search, "told": kept.told,
            "spec": kept.spec,
        }  # fmt: skip
        try:
            with draft.open("x", encoding="utf-8") as file:
                json.dump(words, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._place(kept.name))
        finally:
            draft.unlink(missing_ok=True)

    def every(self) -> Iterator[tuple[int, KeptSearch]]:
        """Yield when each was kept, nanoseconds since 1970, and it, the newest first; a damaged one is left out."""
        places = [(path.stat().st_mtime_ns, path) for path in self._folder.glob("*.json")]
        for at_ns, path in sorted(places, key=lambda each: (-each[0], each[1].name)):
            found = _read(path)
            if found is not None:
                yield at_ns, found

    def named(self, start: str) -> KeptSearch | None:
        """Return the one whose name begins so, None where none does. Raises Invalid where several do."""
        if len(start) < _NAME_LEAST or not start.isalnum():
            return None
        found = [each for path in sorted(self._folder.glob(f"{start}*.json")) if (each := _read(path)) is not None]
        if len(found) > 1:
            came = f"{start} names {len(found)} searches"
            raise Invalid([Problem("name", came, "more of its letters", "ambiguous")])
        return found[0] if found else None

    def remove(self, name: str) -> None:
        """Take one away; its trials stay, and stay counted."""
        self._place(name).unlink(missing_ok=True)

    def _place(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _read(path: Path) -> KeptSearch | None:
    try:
        told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = ("name", "kind", "strategy", "search", "told", "spec")
        return KeptSearch(**{name: told[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError):
        return None
