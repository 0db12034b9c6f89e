"""The key that seals credentials: where it comes from, and how another one takes its place.

    sealing.key              seals, and opens
    sealing.key.next         made by a rotation that is not finished: opens
    sealing.key.old-<date>   from before a rotation: opens until it is forgotten

Each step of a rotation is durable before the next begins, and after each of them everything opens: who is killed in
between rotates again, and that goes on where it stopped.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pilothouse.accounts import venue_keys
from pilothouse.accounts.audit import record
from pilothouse.core.clock import Clock
from pilothouse.core.errors import Conflict, Refused
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.durable import sync
from pilothouse.kit.sealed import Sealer, key_id, load_or_make_key, write_private
from pilothouse.kit.settings import Settings

KEY_FILE = "sealing.key"
"""What seals credentials, in the data folder (mode 0600); without it they do not open."""

_one_at_a_time = threading.Lock()


class KeyFileMissing(Refused):
    """The file that was named for the key is not there."""

    code = "key_file_missing"


class KeyGivenTwice(Refused):
    """The key is given in a variable and as a file."""

    code = "key_given_twice"


class KeyFolderClosed(Refused):
    """A new key cannot be written beside the present one."""

    code = "key_folder_closed"


class NothingToRotate(Conflict):
    """The key comes from outside, and no other one was given."""

    code = "nothing_to_rotate"


class RotationUnfinished(Conflict):
    """Older keys cannot go while something is sealed with them."""

    code = "rotation_unfinished"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """Where the keys of one house are.

    path    of the file whose key seals; beside it stand those that only open
    given   keys that were given in a variable: the first one seals, and the files only open
    """

    path: Path
    given: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return where the keys of a house are. Raises KeyGivenTwice, KeyFileMissing."""
        given = tuple(bytes.fromhex(each) for each in settings.sealing_key.split(",") if each)
        if given and settings.sealing_key_file:
            raise KeyGivenTwice("set PILOTHOUSE_SEALING_KEY or PILOTHOUSE_SEALING_KEY_FILE, not both")
        path = Path(settings.sealing_key_file) if settings.sealing_key_file else settings.data / KEY_FILE
        if settings.sealing_key_file and not path.exists():
            raise KeyFileMissing(
                f"PILOTHOUSE_SEALING_KEY_FILE names {path}, which is not there; a new one is made with: "
                f"(umask 077; openssl rand -hex 32 > {path})"
            )
        return cls(path, given)

    @property
    def unfinished(self) -> Path:
        """Return the file of a key that is about to take the place of the present one."""
        return self.path.with_name(f"{self.path.name}.next")

    @property
    def older(self) -> list[Path]:
        """Return the files with keys from before, oldest first."""
        return sorted(self.path.parent.glob(f"{self.path.name}.old-*"))

    @property
    def idle(self) -> list[Path]:
        """Return the files whose keys only open."""
        beside = [*self.older, *(path for path in (self.unfinished,) if path.exists())]
        return [*beside, *(path for path in (self.path,) if self.given and path.exists())]

    def sealer(self) -> Sealer:
        """Return what seals and opens; the key is made at the first start. Raises KeyFileUnsafe."""
        keys = self.given or (load_or_make_key(self.path),)
        return Sealer(*keys, *(load_or_make_key(path) for path in self.idle))


@dataclass(frozen=True, slots=True)
class KeyState:
    """How credentials are sealed; ids tell nothing of the keys.

    source       "variable" or "file"
    key_id       of the key that seals
    sealed       credentials, all of them
    sealed_older of which are sealed with another key than that
    sealed_lost  of which no key is known here that opens them
    older        names of the files, or ids of the given keys, that only open
    unfinished   whether a rotation was begun and not finished
    """

    source: str
    path: str | None
    key_id: str
    sealed: int
    sealed_older: int
    sealed_lost: int
    older: tuple[str, ...]
    unfinished: bool


def state(tx: Tx, place: SealingKey, sealer: Sealer) -> KeyState:
    """Return how credentials are sealed now."""
    counts = venue_keys.sealed_with(tx)
    known = sealer.known
    return KeyState(
        source="variable" if place.given else "file",
        path=None if place.given else str(place.path),
        key_id=sealer.current,
        sealed=sum(counts.values()),
        sealed_older=sum(count for each, count in counts.items() if each != sealer.current),
        sealed_lost=sum(count for each, count in counts.items() if each not in known),
        older=(*(key_id(each) for each in place.given[1:]), *(path.name for path in place.idle)),
        unfinished=not place.given and place.unfinished.exists(),
    )


def rotate(database: Database, place: SealingKey, sealer: Sealer, clock: Clock, *, owner_id: str, by: str) -> KeyState:
    """Seal everything with another key and keep the old one; returns how things are then.

    A key in a variable cannot be changed from here: then everything is sealed with the first one given.
    Raises NothingToRotate, KeyFolderClosed, KeyFileUnsafe, and SealBroken if something does not open: then nothing
    was changed.
    """
    with _one_at_a_time:
        for _ in steps(database, place, sealer, clock, owner_id=owner_id, by=by):
            pass
    return database.read(lambda tx: state(tx, place, sealer))


def steps(
    database: Database, place: SealingKey, sealer: Sealer, clock: Clock, *, owner_id: str, by: str
) -> Iterator[str]:
    """Rotate, and yield what was done after each step: whoever stops in between has lost nothing."""

    def seal(tx: Tx) -> None:
        now = clock.now()
        count = venue_keys.seal_anew(tx, sealer, now=now)
        detail = {"key_id": sealer.current, "credentials": count}
        record(tx, owner_id=owner_id, who=by, what="sealing_key.rotated", now=now, detail=detail)

    if place.given:
        if not database.read(lambda tx: state(tx, place, sealer)).sealed_older:
            raise NothingToRotate(
                "everything is sealed with the first key of PILOTHOUSE_SEALING_KEY; to have another one, put it in "
                "front with a comma behind it, start again, and rotate then: PILOTHOUSE_SEALING_KEY=NEW,OLD"
            )
        database.write(seal, name="keys rotate")
        yield "sealed anew"
        return
    if not os.access(place.path.parent, os.W_OK):
        raise KeyFolderClosed(f"{place.path.parent} cannot be written to: give the new key in PILOTHOUSE_SEALING_KEY")
    fresh = load_or_make_key(place.unfinished)
    yield "another key made"
    # Whatever is kept from here on, by any thread, is sealed with the key that is durable already.
    sealer.renew(fresh)
    database.write(seal, name="keys rotate")
    yield "sealed anew"
    kept = place.path.with_name(f"{place.path.name}.old-{clock.now():%Y-%m-%dT%H-%M-%S-%f}")
    write_private(kept, place.path.read_text("ascii"))
    yield "old key kept"
    place.unfinished.replace(place.path)
    sync(place.path.parent)
    yield "another key in its place"


def forget_old(
    database: Database, place: SealingKey, sealer: Sealer, clock: Clock, *, owner_id: str, by: str
) -> list[str]:
    """Delete the files whose keys only open, once nothing is sealed with them; returns their names.

    Copies of the database that were made before the rotation do not open afterwards.
    Raises RotationUnfinished.
    """
    with _one_at_a_time:
        found = database.read(lambda tx: state(tx, place, sealer))
        if found.unfinished or found.sealed_older:
            raise RotationUnfinished(
                f"{found.sealed_older} of {found.sealed} credentials are sealed with an older key"
                + (", and a rotation was begun" if found.unfinished else "")
                + ": finish it first with `pilothouse keys rotate`"
            )
        gone = [path.name for path in place.idle]
        detail = {"key_id": sealer.current, "files": gone}

        def note(tx: Tx) -> None:
            record(tx, owner_id=owner_id, who=by, what="sealing_key.old_forgotten", now=clock.now(), detail=detail)

        database.write(note, name="keys forget")
        for path in place.idle:
            path.unlink(missing_ok=True)
        sync(place.path.parent)
        sealer.forget_older()
    return gone
