"""Files of users become modules: a folder goes in; what lies in it comes out, by name and content hash.

A file that is broken says file, line and reason, and hurts no other. Runs in a confined process; `find` alone is for
everybody, since it reads and imports nothing.
"""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from pilothouse.core.errors import Invalid, Refused

R = TypeVar("R")

FILES_MOST: Final = 1_000
BYTES_MOST: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of strategies.

    name      without folder and ending, or that of an entry point
    content   SHA-256 of its bytes, or of its package, hexadecimal: the version of everything in it
    module    under which a file of an installed package is imported; empty for a file of a folder
    root      where that package lies
    kind      the one class that is meant; empty for all
    """

    name: str
    path: Path
    content: str
    module: str = ""
    root: Path | None = None
    kind: str = ""


class FileBroken(Refused):
    """A file that cannot be imported; `line` is where, 0 where that is not known."""

    code = "strategy_broken"

    def __init__(self, path: Path, line: int, reason: str) -> None:
        """Say file, line and reason, as editors understand it."""
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")
        self.path, self.line, self.reason = path, line, reason


def find(folders: Sequence[Path]) -> list[SourceFile]:
    """Return the files of strategies in `folders` by name; the first of two with one name counts.

    Files and folders whose name begins with _ or . are helpers of others, and no strategies; `test_NAME.py` are tests.
    """
    found: dict[str, SourceFile] = {}
    for folder in folders:
        for path in sorted(_files(folder)):
            if path.stem not in found:
                found[path.stem] = SourceFile(path.stem, path, hashlib.sha256(path.read_bytes()).hexdigest())
    return sorted(found.values(), key=lambda each: each.name)


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for count, path in enumerate(folder.iterdir()):
        if count >= FILES_MOST:
            return
        plain = path.name.endswith(".py") and not path.name.startswith(("_", ".", "test_"))
        if plain and path.is_file() and path.stat().st_size <= BYTES_MOST:
            yield path


def run_in(path: Path, call: Callable[[], R]) -> R:
    """Return what a function of a file returns. Raises FileBroken with the line of the file that failed; Invalid."""
    try:
        return call()
    except Invalid:
        raise
    except BaseException as error:  # as in import_file: whatever it raises is told and goes no further
        raise FileBroken(path, line_in(path, error), told(error)) from error


def import_file(path: Path) -> ModuleType:
    """Return the module of a file, imported anew. Raises FileBroken; nothing that the file does escapes as another."""
    name = f"pilothouse_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileBroken(path, 0, "this is no Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise FileBroken(path, error.lineno or 0, f"{error.msg}") from error
    except BaseException as error:  # a file may raise anything, also an exit; it is told and goes no further
        del sys.modules[name]
        raise FileBroken(path, line_in(path, error), told(error)) from error
    finally:
        sys.path.remove(folder)
    return module


def import_installed(path: Path, module: str, root: Path) -> ModuleType:
    """Return a module of an installed package that lies in `root`. Raises FileBroken; nothing else escapes."""
    if str(root) not in sys.path:
        sys.path.append(str(root))
    try:
        return importlib.import_module(module)
    except SyntaxError as error:
        raise FileBroken(Path(error.filename or path), error.lineno or 0, f"{error.msg}") from error
    except BaseException as error:  # as in import_file
        raise FileBroken(path, line_in(path, error), told(error)) from error


def line_in(path: Path, error: BaseException) -> int:
    """Return the last line of `path` through which `error` came, 0 if none."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else 0


def told(error: BaseException) -> str:
    """Return kind and words of an error in one line."""
    words = " ".join(str(error).split())[:400]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
