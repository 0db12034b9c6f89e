"""Compile a function over arrays when it is first called, and keep the machine code on disk until a source changes.

The compiler's own disk cache looks at the file of the outer function alone. If a function that it calls, in another
file, was changed, yesterday's machine code would answer without a word. So the stamp here is a hash over all files of
the function's folder; a compiled function calls only those of its own folder.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")

# One column: float64[n], oldest bar first.
Column = NDArray[np.float64]
# A column of whole numbers: session ids, times.
Whole = NDArray[np.int64]


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
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        made = njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that may be written: a read-only installation without a home
        return cast("Callable[P, R]", njit(**options)(function))
    kept: Any = getattr(made, "_cache", None)
    if hasattr(kept, "_cache_file"):  # absent when compiling is switched off
        kept._cache_file._source_stamp = sources_stamp(Path(function.__code__.co_filename).parent)  # noqa: SLF001 - the compiler offers no other way to say it
    return cast("Callable[P, R]", made)
