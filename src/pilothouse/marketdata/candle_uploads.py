"""Files of candles or rates that users sent: bytes come in; they lie in the data folder of their owner, told of.

A file is a folder: what was sent, under its own name, and what was read of it. It is made beside its place and renamed,
so that whoever dies on the way leaves nothing that looks like a file; such rests are taken away with the next one.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from pilothouse.core.errors import Conflict, Invalid, NotFound, Problem, Refused
from pilothouse.kit.durable import sync

ENDINGS: Final = (".csv", ".csv.gz", ".zip", ".parquet", ".feather", ".json")
UPLOADS: Final = "uploads"
"""The folder in the data folder in which lie the files that users sent."""

RATES: Final = ".funding"
"""The folder in that one in which lie the files of funding rates; no owner is called so."""

MARK: Final = "upload:"
"""Stands before the name of such a file where files are named."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_OWNER: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_TOLD: Final = "told.json"
_DRAFT: Final = ".draft-"
_ABANDONED_S: Final = 86_400


class UploadTaken(Conflict):
    """Another file has this name already."""

    code = "upload_taken"


class NoSuchUpload(NotFound):
    """The user has no file of that name."""

    code = "no_such_upload"


class TooManyUploads(Refused):
    """The user has as many files as one may have."""

    code = "too_many_uploads"


class Draft:
    """A file that is on its way in: `add` to it part after part, `end` it, then keep it or throw it away.

    path    where it lies until then
    bytes   that came so far
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Begin an empty file in a new folder."""
        folder.mkdir(mode=0o700)
        self.folder, self.path, self.bytes = folder, folder / name, 0
        self._digest = hashlib.sha256()
        self._file = _fresh(self.path)

    def add(self, part: bytes) -> None:
        """Write down some more of it."""
        self._digest.update(part)
        self.bytes += len(part)
        self._file.write(part)

    def end(self) -> str:
        """Make it durable; return its SHA-256, hexadecimal."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def drop(self) -> None:
        """Throw it away; one that was kept stays."""
        self._file.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Uploads:
    """The files of all users, below one folder."""

    def __init__(self, folder: Path) -> None:
        """Keep them below `folder`, which is made with the first one."""
        self._folder = folder

    def begin(self, owner_id: str, name: str, *, most: int, now_s: float) -> Draft:
        """Return a draft of a new file.

        most    files that a user may have
        now_s   seconds since 1970
        Raises Invalid for a name that is none, UploadTaken, TooManyUploads.
        """
        mine = self._mine(owner_id)
        self._refuse_name(name)
        if (mine / name).exists():
            raise UploadTaken(f"you have a file {name!r} already; remove it first, or choose another name")
        count = sum(1 for _ in self.every(owner_id))
        if count >= most:
            raise TooManyUploads(f"you have {count} files, and {most} is the most: remove some")
        for folder in (self._folder, mine):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(mine, now_s)
        return Draft(mine / f"{_DRAFT}{secrets.token_hex(8)}", name)

    def keep(self, owner_id: str, draft: Draft, told: Mapping[str, Any]) -> None:
        """Keep a draft under its name, with what is told of it. Raises UploadTaken; then it is gone."""
        with _fresh(draft.folder / _TOLD) as file:
            file.write(json.dumps(dict(told)).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            draft.folder.rename(self._mine(owner_id) / draft.path.name)
        except OSError as error:
            draft.drop()
            raise UploadTaken(f"you have a file {draft.path.name!r} already") from error
        sync(self._mine(owner_id))

    def every(self, owner_id: str) -> Iterator[dict[str, Any]]:
        """Yield what is told of each file of a user, in order of name."""
        for path in sorted(self._mine(owner_id).glob(f"*/{_TOLD}")):
            if not path.parent.name.startswith("."):
                yield json.loads(path.read_text(encoding="utf-8"))

    def told(self, owner_id: str, name: str) -> dict[str, Any]:
        """Return what is told of a file. Raises NoSuchUpload."""
        found = self._of(owner_id, name) / _TOLD
        if not found.is_file():
            raise _unknown(name)
        told: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
        return told

    def has(self, owner_id: str, name: str) -> bool:
        """Say whether a user has a file of that name."""
        return bool(_NAME.fullmatch(name)) and (self._mine(owner_id) / name / _TOLD).is_file()

    def path(self, owner_id: str, name: str) -> Path:
        """Return where a file lies. Raises NoSuchUpload."""
        found = self._of(owner_id, name) / name
        if not found.is_file():
            raise _unknown(name)
        return found

    def remove(self, owner_id: str, name: str) -> None:
        """Take a file away. Raises NoSuchUpload."""
        self.path(owner_id, name)
        gone = self._mine(owner_id) / f"{_DRAFT}{secrets.token_hex(8)}"
        self._of(owner_id, name).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _mine(self, owner_id: str) -> Path:
        if not _OWNER.fullmatch(owner_id):
            raise Invalid([Problem("owner", f"{owner_id[:40]!a} came", "the id of a user", "form")])
        return self._folder / owner_id

    def _of(self, owner_id: str, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise _unknown(name)
        return self._mine(owner_id) / name

    @staticmethod
    def _refuse_name(name: str) -> None:
        if not _NAME.fullmatch(name) or not name.lower().endswith(ENDINGS) or ".." in name:
            allowed = f"letters, digits, . _ -, no more than 120, with the ending of its kind: {', '.join(ENDINGS)}"
            raise Invalid([Problem("name", f"{name[:60]!a} came", allowed, "form")])


def _unknown(name: str) -> NoSuchUpload:
    return NoSuchUpload(f"you have no file {name[:60]!a}")


def _clear(mine: Path, now_s: float) -> None:
    """Take away what others left behind who died."""
    for path in mine.glob(f"{_DRAFT}*"):
        if now_s - path.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)


def _fresh(path: Path) -> BinaryIO:
    """Open a new file that nobody else on this machine may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
