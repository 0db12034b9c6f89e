"""A user's own tests of a strategy: the file beside it goes in; how each of its functions fared comes out.

`test_NAME.py` lies beside `NAME.py`; each function whose name begins with `test_` and that takes no argument is a test.
They run behind the same walls as the strategy, one question for each, so that one that hangs is ended and named.
"""

import inspect
import linecache
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pilothouse.core.errors import PilothouseError
from pilothouse.sandbox.load import FileBroken, SourceFile, run_in
from pilothouse.sandbox.talk import Cell, Prisoner
from pilothouse.sandbox.walled import heard, where

TEST_S: Final = 60.0
"""So long one test may take before its process is ended."""

TESTS_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Fared:
    """How one test fared; `words`: what went wrong and where, empty if nothing did."""

    name: str
    passed: bool
    words: str


def file_beside(source: SourceFile) -> Path | None:
    """Return the file of tests that lies beside a file of strategies, None if there is none."""
    path = source.path.with_name(f"test_{source.path.stem}.py")
    return path if not source.module and path.is_file() else None


def fared(source: SourceFile, cell: Cell, tests: Path) -> Iterator[Fared]:
    """Run the tests of a file behind walls and yield how each fared."""
    with Prisoner(cell) as prisoner:
        order = {**where(source), "tests": str(tests)}
        try:
            names = heard(prisoner.ask({"do": "tests", **order}, within_s=TEST_S)).data["names"]
        except PilothouseError as error:
            yield Fared(tests.name, False, str(error)[:500])
            return
        if not names:
            yield Fared(tests.name, False, "there is no function in it whose name begins with test_")
        for name in [str(each)[:100] for each in names][:TESTS_MOST]:
            try:
                heard(prisoner.ask({"do": "test", **order, "test": name}, within_s=TEST_S))
                yield Fared(name, True, "")
            except PilothouseError as error:
                yield Fared(name, False, str(error)[:500])


# ── the confined side ─────────────────────────────────────────────────────────────────────────────────


def functions_of(module: ModuleType) -> dict[str, Callable[[], Any]]:
    """Return the tests of a module by name, in the order in which they are written."""
    return {
        name: each
        for name, each in vars(module).items()
        if name.startswith("test_") and inspect.isfunction(each) and each.__module__ == module.__name__
    }


def run_one(path: Path, test: Callable[[], Any]) -> None:
    """Run a test of the file `path`. Raises FileBroken with line and reason; nothing else escapes."""
    wanted = list(inspect.signature(test).parameters)
    if wanted:
        line = test.__code__.co_firstlineno
        raise FileBroken(path, line, f"it wants {', '.join(wanted)}; a test takes no argument")
    try:
        run_in(path, test)
    except FileBroken as broken:
        cause = broken.__cause__
        if not isinstance(cause, AssertionError) or str(cause):
            raise
        last = traceback.extract_tb(cause.__traceback__)[-1]
        raise FileBroken(path, broken.line, f"not so: {_source(last)}") from cause


def _source(frame: traceback.FrameSummary) -> str:
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return line.removeprefix("assert ")[:200]
