"""Every trial that was ever made, counted: a spec and its Sharpe ratio go in; how many there were comes out.

Who forgets the failures of yesterday believes in the winner of today. One file for each strategy, a line for each
trial, only ever added to; the same spec counts once, however often it is run.
"""

import contextlib
import fcntl
import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from pilothouse.backtest.curves import Floats

_LINE_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination that was tried.

    name     SHA-256 of its spec
    sharpe   of its returns, per observation; NaN where it has none
    """

    name: str
    sharpe: float


class Trials:
    """The ledger of all trials."""

    def __init__(self, folder: Path) -> None:
        """Keep it below `folder`, which is made with the first trial."""
        self._folder = folder

    def count(self, strategy: str, trials: Iterable[Trial]) -> int:
        """Add trials to the ledger, durably, each once; returns how many there are in all."""
        with self._held(strategy) as file:
            known = {trial.name for trial in _read(file)}
            fresh = {trial.name: trial for trial in trials if trial.name not in known}
            if fresh:
                file.seek(0)
                whole = not (text := file.read()) or text.endswith("\n")
                file.write("" if whole else "\n")  # a line that was cut stays a line of its own
                file.write("".join(_line(trial) for trial in fresh.values()))
                file.flush()
                os.fsync(file.fileno())
            return len(known) + len(fresh)

    def of(self, strategy: str) -> list[Trial]:
        """Return every trial of a strategy, in the order in which they were made."""
        path = self._path(strategy)
        if not path.exists():
            return []
        with path.open(encoding="utf-8") as file:
            found = {trial.name: trial for trial in _read(file)}
        return list(found.values())

    def sharpes(self, strategy: str) -> Floats:
        """Return float64[n], the Sharpe ratio of each trial, per observation; NaN where there is none."""
        return np.array([trial.sharpe for trial in self.of(strategy)], dtype=np.float64)

    def _path(self, strategy: str) -> Path:
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', strategy)[:100]}.jsonl"

    @contextlib.contextmanager
    def _held(self, strategy: str) -> Iterator[TextIO]:
        """Yield the file of a strategy, for one writer at a time."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path(strategy).open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def _line(trial: Trial) -> str:
    sharpe = trial.sharpe if math.isfinite(trial.sharpe) else None
    return json.dumps({"name": trial.name, "sharpe": sharpe}) + "\n"


def _read(file: TextIO) -> Iterator[Trial]:
    """Yield what can be read: a last line that was cut by a power failure is no trial."""
    for line in file:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found = json.loads(line[:_LINE_MOST])
            sharpe = found["sharpe"]
            yield Trial(str(found["name"]), math.nan if sharpe is None else float(sharpe))
