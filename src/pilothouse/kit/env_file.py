r"""Variables from a `.env` file: lines of NAME=value go in, what they say comes out. Nothing is run or expanded.

NAME=value            # a comment behind a blank
export NAME="a \"quoted\" value"
NAME='taken as it stands'
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pilothouse.core.errors import Refused

NAME = ".env"
_BYTES_MAX = 262_144

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class EnvFileUnreadable(Refused):
    """The file is there and cannot be read."""

    code = "env_file_unreadable"


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What stands in one file.

    not_understood   numbers of the lines that say nothing, from 1; what they hold is not told
    others_may_read  whether its mode lets other users of this machine read it
    """

    path: Path
    values: Mapping[str, str]
    not_understood: tuple[int, ...]
    others_may_read: bool

    def under(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the file's values with those of `environment` over them; an empty one there counts as not set."""
        return {**self.values, **{name: value for name, value in environment.items() if value.strip()}}


def read_env_file(folder: Path) -> EnvFile | None:
    """Return the `.env` of a folder, or None if there is none. Raises EnvFileUnreadable."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
        mode = stat.S_IMODE(path.stat().st_mode)
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise EnvFileUnreadable(f"{path} cannot be read: {why}") from None
    if len(raw) > _BYTES_MAX:
        raise EnvFileUnreadable(f"{path} is larger than {_BYTES_MAX} bytes; that is no file of variables")
    values, wrong = values_in(text)
    return EnvFile(path, values, tuple(wrong), bool(mode & 0o077))


def values_in(text: str) -> tuple[dict[str, str], list[int]]:
    """Return the values by name, the last one of a name, and the numbers of lines that say nothing."""
    values: dict[str, str] = {}
    wrong: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        found = _LINE.fullmatch(bare)
        value = _value(found[2]) if found else None
        if found is None or value is None:
            wrong.append(number)
        else:
            values[found[1]] = value
    return values, wrong


def _value(text: str) -> str | None:
    """Return what is behind the equals sign; None for a quote that does not end."""
    if text.startswith('"'):
        found = _DOUBLE.fullmatch(text)
        return None if found is None else re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), found[1])
    if text.startswith("'"):
        found = _SINGLE.fullmatch(text)
        return None if found is None else found[1]
    return _COMMENT.sub("", text).strip()
