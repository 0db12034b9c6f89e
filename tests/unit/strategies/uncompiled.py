"""Indicators and built-in strategies once more from the same source text, run by the interpreter.

No test waits for a compiler.

    uncompiled.catalogue()     the catalogue whose functions are plain Python
    uncompiled.strategies()    the built-in strategies that use them

That machine code says the same to the last bit is tested apart, on all of them in the long runs.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tools.tidy import ROOT

ROOM = "pilothouse.strategies"
FOLDER = ROOT / "src" / "pilothouse" / "strategies"
COPIED = ("indicators", "builtin", "registry")
PLAIN = "uncompiled_strategies"


class _Text(Loader):
    """Runs the text of one file with the names of the copies in it."""

    def __init__(self, name: str) -> None:
        path = FOLDER.joinpath(*name.split(".")[1:])
        self.is_folder = path.is_dir()
        self.file = path / "__init__.py" if self.is_folder else path.with_suffix(".py")

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text, and take the compiler out."""
        text = self.file.read_text()
        for copied in COPIED:
            text = text.replace(f"{ROOM}.{copied}", f"{PLAIN}.{copied}")
        exec(compile(text, str(self.file), "exec"), module.__dict__)  # noqa: S102 - our own source text
        if self.file.stem == "compiling":
            module.__dict__["compiled"] = lambda function: function


class _Finder(MetaPathFinder):
    """Finds the copies."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Answer for the copies alone."""
        if fullname != PLAIN and not fullname.startswith(f"{PLAIN}."):
            return None
        text = _Text(fullname)
        return importlib.util.spec_from_loader(fullname, text, origin=str(text.file), is_package=text.is_folder)


@cache
def _found() -> None:
    sys.meta_path.append(_Finder())


@cache
def catalogue() -> dict[str, Any]:
    """Return the catalogue of the copies."""
    _found()
    found: dict[str, Any] = importlib.import_module(f"{PLAIN}.indicators.catalogue").CATALOGUE
    return found


@cache
def strategies() -> dict[str, Any]:
    """Return the built-in strategies of the copies, by name."""
    _found()
    described = importlib.import_module(f"{PLAIN}.registry").BUILT_IN
    return {name: entry.strategy for name, entry in described.items()}
