"""Compile a function over arrays when it is first called, and keep the machine code on disk until a source changes.

The compiler's own disk cache looks at the file of the outer function alone. If a function that it calls, in another
file, was changed, yesterday's machine code would answer without a word. So the stamp here is a hash over all files of
the function's folder; a compiled function calls only those of its own folder. How it lies on the disk: `kept_code`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numba.core.caching import FunctionCache, NullCache
from numba.core.runtime.nrt import rtsys
from numpy.typing import NDArray

from pilothouse.strategies.indicators.kept_code import KeptCode

P = ParamSpec("P")
R = TypeVar("R")

# One column: float64[n], oldest bar first.
Column = NDArray[np.float64]
# A column of whole numbers: session ids, times.
Whole = NDArray[np.int64]


_FOLDER: Any = FunctionCache

_MADE: Counter[str] = Counter()
"""How many pieces of machine code this process began to make, and how many are made; for words alone."""


def is_compiling() -> bool:
    """Say whether machine code is made at this moment, because what is kept is of another version or of none."""
    return _MADE["begun"] > _MADE["done"]


@cache
def sources_stamp(folder: Path) -> str:
    """Return a hash over every source file of a folder: what the machine code of its functions was made from."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function as machine code, made at its first call for the types it is called with.

    Floats are computed strictly as written (no fused or reordered operations), so that the same source run by the
    interpreter gives the same bits. Where no folder can keep the machine code, it is made anew in each process.
    """
    return _made(function)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Return the same, to be written into whatever compiled function calls it.

    For what a loop calls for every bar or trade: handing over some arrays takes longer than most such functions do.
    """
    return _made(function, forceinline=True)


def _made(function: Callable[P, R], **further: Any) -> Callable[P, R]:
    made: Any = njit(nogil=True, error_model="numpy", **further)(function)
    keep(made)
    return cast("Callable[P, R]", made)


def keep(made: Any) -> None:
    """Let the machine code of what the compiler made be kept; also beside the same function compiled otherwise."""
    if hasattr(made, "_cache"):  # absent when compiling is switched off
        made._cache = MachineCode(made.py_func, made.targetoptions)  # noqa: SLF001 - the compiler offers no other way to say it


class MachineCode(NullCache):
    """The machine code of one function on disk: looked for when it is first wanted, and told old by `sources_stamp`.

    Hundreds of functions are imported where a dozen are called, so that importing one touches no disk. What the
    compiler needs for compiling alone, a tenth of a second of imports, is loaded only where something is missing.
    """

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        """Look for nothing yet; `options` are those that it is compiled with."""
        self._function, self._options = function, options

    @cached_property
    def kept(self) -> Any:
        """Return the compiler's own cache; one that keeps nothing where no folder may be written."""
        try:
            found: Any = _FOLDER(self._function)
        except RuntimeError:  # a read-only installation without a home
            return NullCache()
        sources = sources_stamp(Path(self._function.__code__.co_filename).parent)
        name = found._impl.filename_base  # noqa: SLF001 - as above
        options = repr(sorted(self._options.items()))
        found._cache_file = KeptCode(Path(found.cache_path), name, sources, options)  # noqa: SLF001 - as above
        return found

    @property
    def cache_path(self) -> str | None:
        """Return the folder, None where there is none."""
        path: str | None = self.kept.cache_path
        return path

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is kept for a signature; None if nothing is, and then the compiler is ready."""
        rtsys.initialize(target_context)  # what arrays that machine code makes are made by
        kept = self.kept
        found = kept._load_overload(sig, target_context) if isinstance(kept, _FOLDER) else None  # noqa: SLF001 - without its first line, which readies the compiler
        if found is None:
            _MADE["begun"] += 1
            target_context.refresh()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature."""
        self.kept.save_overload(sig, data)
        _MADE["done"] += 1
