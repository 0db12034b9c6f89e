"""Machine code on the disk, a file for each function, types, options and sources: machine code in, the same out.

The compiler's own cache writes an index that names numbered files, and the index first. So another process, or the next
one after a death between the two, found yesterday's code under today's name; two processes that saved at once gave one
number to two pieces of code, and one was called as the other; and code that was compiled in parallel was taken for code
that was not. Here a name says all of what the code was made from, so nobody writes over what another reads as his.
"""

import contextlib
import hashlib
import pickle
import struct
import uuid
from pathlib import Path
from typing import Any, Final

from numba import __version__ as compiler_version
from numba.core.serialize import dumps

_LENGTH: Final = struct.Struct("<Q")


class KeptCode:
    """Stands in for the compiler's index and its numbered files; it calls `load`, `save` and `flush`.

    folder    where the machine code is kept
    name      of the function: file, name and line
    sources   a hash over everything that the function is made from
    options   how it is compiled: the same function in another way is another piece of code
    """

    def __init__(self, folder: Path, name: str, sources: str, options: str) -> None:
        self.sources = sources
        self._folder, self._name, self._options = folder, name, options
        self._made_from = _short(f"{compiler_version} {sources}")

    def load(self, key: Any) -> Any:
        """Return what was saved under a key (types and processor); None if nothing was, or not all of it is there."""
        try:
            with self._path(key).open("rb") as file:
                held = file.read()
        except OSError:
            return None
        # A machine that lost its power may have kept the name and not what was written.
        if len(held) < _LENGTH.size or _LENGTH.unpack_from(held)[0] != len(held):
            return None
        kept_key, code = pickle.loads(memoryview(held)[_LENGTH.size :])  # noqa: S301 - written by ourselves, beside the sources
        return code if kept_key == key else None

    def save(self, key: Any, code: Any) -> None:
        """Keep it, whole or not at all; where it cannot be kept, it is made anew by the next process.

        What was made from other sources of this function is removed.
        """
        held: bytes = dumps((key, code))  # type: ignore[no-untyped-call]  # the compiler tells no types
        path = self._path(key)
        written = path.with_suffix(f".{uuid.uuid4().hex[:16]}")
        try:
            written.write_bytes(_LENGTH.pack(_LENGTH.size + len(held)) + held)
            written.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                written.unlink()
            return
        for found in self._folder.glob(f"{self._name}.*.nb[ci]"):
            if not found.name.startswith(f"{self._name}.{self._made_from}."):
                with contextlib.suppress(OSError):
                    found.unlink()

    def flush(self) -> None:
        """Remove all that is kept of this function."""
        for found in self._folder.glob(f"{self._name}.*.nb[ci]"):
            with contextlib.suppress(OSError):
                found.unlink()

    def _path(self, key: Any) -> Path:
        types, *rest = key
        told = _short(f"{self._options} {types} {rest}")
        return self._folder / f"{self._name}.{self._made_from}.{told}.nbc"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
