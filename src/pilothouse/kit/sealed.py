"""Secrets: held so that they do not print, compared in constant time, sealed at rest with AES-256-GCM."""

import hashlib
import hmac
import os
import secrets
import stat
from base64 import b32encode, b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from pathlib import Path
from typing import NoReturn, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pilothouse.core.errors import Broken, Refused
from pilothouse.kit.durable import sync

MASK = "•••"
"""What is shown where a secret stands."""

_KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(Broken):
    """A sealed value does not open: another key, another place than it was sealed for, or it was altered."""

    code = "seal_broken"


class KeyFileUnsafe(Refused):
    """The file that holds a key can be read by others, or does not hold a key."""

    code = "key_file_unsafe"


@final
class Secret:
    """A text that never shows itself: not by repr, str, format, JSON or pickle. `reveal()` is the only way."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hold `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; whoever calls this answers for where it goes."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and same(self._text, other._text)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def same(a: str, b: str) -> bool:
    """Say whether two texts are equal, in a time that tells nothing about where they differ or how long they are."""
    return hmac.compare_digest(_sha256(a), _sha256(b))


def digest(text: str) -> str:
    """Return the SHA-256 of `text` as 64 hex digits: what is stored of a token."""
    return _sha256(text).hex()


def new_token(prefix: str, nbytes: int = 32) -> str:
    """Return a new random token `prefix_...`: lower-case letters and digits, safe in a URL, a shell and a header.

    nbytes   how much chance it carries, 16 or more bytes
    """
    assert nbytes >= 16, "a token of fewer than 128 bits can be guessed"
    text = b32encode(secrets.token_bytes(nbytes)).decode("ascii").rstrip("=").lower()
    return f"{prefix}_{text}" if prefix else text


class Sealer:
    """Seals bytes for one place (table, row and field) under a key; opens what older keys sealed."""

    def __init__(self, key: bytes, *older: bytes) -> None:
        """Seal with `key` from now on and open with it and with `older`; each is 32 bytes."""
        self._current = key_id(key)
        self._ciphers = {key_id(each): AESGCM(each) for each in (key, *older)}

    @property
    def current(self) -> str:
        """Return the id of the key that seals; it tells nothing of the key."""
        return self._current

    @property
    def known(self) -> frozenset[str]:
        """Return the ids of every key that opens."""
        return frozenset(self._ciphers)

    def renew(self, key: bytes) -> None:
        """Seal with `key` from now on; what was sealed before still opens. Safe beside others that seal and open."""
        self._ciphers = {**self._ciphers, key_id(key): AESGCM(key)}
        self._current = key_id(key)

    def forget_older(self) -> None:
        """Open only what the current key sealed, from now on."""
        self._ciphers = {self._current: self._ciphers[self._current]}

    def seal(self, plain: bytes, aad: str) -> str:
        """Return `plain` sealed, as text `v1.<key id>.<base64>`.

        aad   the place it is sealed for, such as "venue_keys/key_01/secret"; opening it elsewhere fails
        """
        nonce, current = secrets.token_bytes(_NONCE_BYTES), self._current
        box = nonce + self._ciphers[current].encrypt(nonce, plain, aad.encode())
        return f"v1.{current}.{urlsafe_b64encode(box).decode('ascii')}"

    def open(self, sealed: str, aad: str) -> bytes:
        """Return what was sealed for `aad`. Raises SealBroken."""
        version, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if version != "v1" or cipher is None:
            raise SealBroken(f"no key with the id {key_id[:16]!r} is known here; was the key file replaced?")
        try:
            box = b64decode(body.encode(), b"-_", validate=True)
            return cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], aad.encode())
        except (InvalidTag, NotBase64, ValueError) as error:
            raise SealBroken(f"what is sealed at {aad} was altered or sealed for another place") from error

    def is_current(self, sealed: str) -> bool:
        """Say whether `sealed` was sealed with the current key; if not, seal it anew when there is time."""
        return sealed_by(sealed) == self._current


def sealed_by(sealed: str) -> str:
    """Return the id of the key that sealed this; empty for what no key of ours sealed."""
    version, _, rest = sealed.partition(".")
    return rest.partition(".")[0] if version == "v1" else ""


def key_id(key: bytes) -> str:
    """Return 12 hex digits that name `key` and tell nothing of it."""
    assert len(key) == _KEY_BYTES, "AES-256 takes a key of 32 bytes"
    return hashlib.sha256(b"pilothouse key id\x00" + key).hexdigest()[:12]


def load_or_make_key(path: Path) -> bytes:
    """Return the 32 bytes kept in `path`, made there (mode 0600) if there is no such file.

    Two processes that come at once get the same key. Raises KeyFileUnsafe if others may read the file.
    """
    if not path.exists():
        _write_once(path, secrets.token_bytes(_KEY_BYTES).hex() + "\n")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileUnsafe(f"{path} has mode {mode:04o}, others may use it; run: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        raise KeyFileUnsafe(f"{path} does not hold a key of {_KEY_BYTES} bytes in hex") from None
    if len(key) != _KEY_BYTES:
        raise KeyFileUnsafe(f"{path} holds {len(key)} bytes, a key has {_KEY_BYTES}")
    return key


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` (mode 0600), durably, and all of it or nothing; what was there is replaced."""
    draft = _draft(path, text)
    draft.replace(path)
    sync(path.parent)


def _write_once(path: Path, text: str) -> None:
    """Write `text` to `path` unless somebody else has just done so."""
    draft = _draft(path, text)
    try:
        os.link(draft, path)  # fails if the file exists, where a rename would replace it
    except FileExistsError:
        return
    finally:
        draft.unlink()
    sync(path.parent)


def _draft(path: Path, text: str) -> Path:
    """Return a new file beside `path` that durably holds `text`, mode 0600."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sha256(text: str) -> bytes:
    # A lone surrogate, as JSON escapes can bring one, is no reason to fail.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
