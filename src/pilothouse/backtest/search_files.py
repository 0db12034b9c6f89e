"""A search on disk: trials go in, a line each, as they are done; the same search goes on where it stopped."""

import base64
import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import numpy as np

from pilothouse.backtest.search import Outcome


def search_name(spec: str, words: str) -> str:
    """Return what a search is called: the hash of its spec without parameters, and of what it varies."""
    return hashlib.sha256(f"{spec}\n{words}".encode()).hexdigest()


class SearchFile:
    """The trials of one search, only ever added to; closed by leaving a `with`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Open, or begin, the file of a search below `folder`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}.jsonl"
        self.known = {outcome.name: outcome for outcome in read(self.path)}
        whole = not self.path.exists() or not self.path.stat().st_size or self.path.read_bytes()[-1:] == b"\n"
        self._file: TextIO = self.path.open("a", encoding="utf-8")
        if not whole:
            self._file.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Keep one trial."""
        if outcome.name not in self.known:
            self.known[outcome.name] = outcome
            self._file.write(_line(outcome))
            self._file.flush()


def read(path: Path) -> Iterator[Outcome]:
    """Yield the trials of a file that can be read; a line that was cut is none."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                yield _outcome(json.loads(line))


def _line(outcome: Outcome) -> str:
    told = {
        "name": outcome.name, "params": outcome.params, "metrics": outcome.metrics,
        "sharpe": outcome.sharpe if math.isfinite(outcome.sharpe) else None, "per_year": outcome.per_year,
        "returns": base64.b64encode(outcome.returns.astype("<f4").tobytes()).decode(), "error": outcome.error,
        "engine": outcome.engine, "denied": outcome.denied, "shorts": outcome.shorts,
    }  # fmt: skip
    return json.dumps(told) + "\n"


def _outcome(told: dict[str, Any]) -> Outcome:
    sharpe = told["sharpe"]
    returns = np.frombuffer(base64.b64decode(told["returns"]), dtype="<f4")
    return Outcome(
        told["name"], told["params"], told["metrics"], math.nan if sharpe is None else float(sharpe),
        float(told["per_year"]), returns, told["error"], told.get("engine", ""),
        told.get("denied", 0), told.get("shorts", False),
    )  # fmt: skip
