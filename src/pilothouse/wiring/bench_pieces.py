"""Pieces of a sweep in the data folder: each leaves its trials in a file; whoever tells the whole takes them in.

A file for each delivery, so that a process that was thought dead and the one in its place never write into the same.
What an earlier delivery of a piece made, or an earlier run of the sweep, is not made again.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from pilothouse.backtest.search import Outcome, search
from pilothouse.backtest.search_files import SearchFile, read
from pilothouse.kit.settings import Settings
from pilothouse.wiring.backtest_run import FOLDER
from pilothouse.wiring.backtest_search import SEARCHES, Plan, fresh

_PIECES: Final = "pieces"


def work(settings: Settings, ready: Plan, first: int, count: int, attempt: int, told: Callable[[int], None]) -> int:
    """Make `count` trials of a sweep, from number `first` (from 0) on; returns how many had to be made.

    attempt   which delivery of this piece it is
    told      called with 1 for each trial that is there
    """
    searches = settings.data / FOLDER / SEARCHES
    known = {outcome.name: outcome for outcome in read(searches / f"{ready.name}.jsonl")}
    known |= {outcome.name: outcome for outcome in _made(searches, f"{ready.name}.{first:09}-")}
    part = replace(ready, combinations=islice(ready.combinations, first, first + count), count=count)
    made = 0
    with SearchFile(searches / _PIECES, f"{ready.name}.{first:09}-{attempt}") as file:
        for outcome in search(part.task, fresh(part, known, told)):
            file.add(outcome)
            made += 1
            told(1)
    return made


def take_in(settings: Settings, name: str, file: SearchFile) -> None:
    """Add the trials of all pieces to the file of their sweep, in the order of the pieces."""
    for outcome in _made(settings.data / FOLDER / SEARCHES, f"{name}."):
        file.add(outcome)


def clear(settings: Settings, name: str) -> None:
    """Remove the files of pieces, whose trials stand in the file of their sweep."""
    for path in _files(settings.data / FOLDER / SEARCHES, f"{name}."):
        path.unlink(missing_ok=True)


def _made(searches: Path, begins: str) -> Iterator[Outcome]:
    for path in _files(searches, begins):
        yield from read(path)


def _files(searches: Path, begins: str) -> list[Path]:
    return sorted((searches / _PIECES).glob(f"{begins}*.jsonl"))
