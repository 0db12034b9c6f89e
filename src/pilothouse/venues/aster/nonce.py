"""Nonces: microseconds that only grow, for one signer, across threads and processes.

The venue refuses a nonce that was used and one that lies outside of its window. The last one given is kept in a file
under a lock, so that two processes with the same signer, or one that starts again, never give the same.
"""

import fcntl
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Final

from pilothouse.core.errors import Refused

WINDOW: Final = timedelta(seconds=60)
"""How far from its own clock the venue takes a nonce, at most: its pages say 60 s in one place and 10 s in another. For
what can no longer be accepted, the longer one counts."""

AHEAD_MOST: Final = timedelta(seconds=8)
"""How far a nonce may be moved behind its stamp to make it grow; further, and an old request would look young."""

_AHEAD_US = AHEAD_MOST // timedelta(microseconds=1)
_WINDOW_US = WINDOW // timedelta(microseconds=1)
_DIGITS = 20


class StampTooOld(Refused):
    """The request was stamped so long ago that it is not sent any more."""

    code = "stamp_too_old"


class Nonces:
    """The nonces of one signer. Safe for threads and processes that name the same file."""

    def __init__(self, path: Path) -> None:
        """Keep the last nonce in `path`, made (mode 0600) if it is not there."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()  # flock holds between open files, not between threads that share one

    def next(self, at_us: int) -> int:
        """Return a nonce above every one given before: the instant `at_us` itself, or a little later.

        at_us   when the request was stamped, in microseconds of the venue's clock

        Raises StampTooOld if it would have to lie more than eight seconds behind the stamp.
        """
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                last = self._read()
                if last > at_us + _WINDOW_US:
                    last = 0  # given by a clock that was wrong: so far ahead, the venue has taken none of them
                nonce = max(at_us, last + 1)
                if nonce > at_us + _AHEAD_US:
                    raise StampTooOld(
                        "stamped more than eight seconds before the last request that was sent; stamp it anew"
                    )
                os.pwrite(self._file, str(nonce).zfill(_DIGITS).encode("ascii"), 0)
                return nonce
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def come_back_to(self, now_us: int) -> None:
        """Go on from `now_us`, in microseconds of the venue's clock, if the last nonce lies too far ahead of it.

        For when the venue has said that a nonce lies outside of its window: given by a clock that was wrong, it was
        taken for nothing. Should a nonce be given a second time by this, the venue refuses it, and it is signed anew.
        """
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                if self._read() > now_us + _AHEAD_US:
                    os.pwrite(self._file, str(now_us).zfill(_DIGITS).encode("ascii"), 0)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _read(self) -> int:
        text = os.pread(self._file, _DIGITS, 0)
        return int(text) if len(text) == _DIGITS and text.isdigit() else 0
