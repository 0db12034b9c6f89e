"""The indicators once more from the same source text, run by the interpreter: no test waits for a compiler.

    uncompiled.catalogue()      the catalogue whose functions are plain Python

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

REAL = "pilothouse.strategies.indicators"
PLAIN = "uncompiled_indicators"
FOLDER = ROOT / "src" / "pilothouse" / "strategies" / "indicators"


class _Text(Loader):
    """Runs the text of one file with the names of the copies in it."""

    def __init__(self, name: str) -> None:
        self.file = FOLDER / f"{name.partition('.')[2] or '__init__'}.py"

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text, and take the compiler out."""
        text = self.file.read_text().replace(REAL, PLAIN)
        exec(compile(text, str(self.file), "exec"), module.__dict__)  # noqa: S102 - our own source text
        if self.file.stem == "compiling":
            module.__dict__["compiled"] = lambda function: function


class _Finder(MetaPathFinder):
    """Finds the copies."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Answer for the copies alone."""
        if fullname != PLAIN and not fullname.startswith(f"{PLAIN}."):
            return None
        return importlib.util.spec_from_loader(fullname, _Text(fullname), is_package=fullname == PLAIN)


@cache
def catalogue() -> dict[str, Any]:
    """Return the catalogue of the copies."""
    sys.meta_path.append(_Finder())
    found: dict[str, Any] = importlib.import_module(f"{PLAIN}.catalogue").CATALOGUE
    return found
