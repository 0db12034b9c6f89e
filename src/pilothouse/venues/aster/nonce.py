"""Nonces: microseconds that only grow, for one signer, across threads and processes.

The venue refuses a nonce that was used and one that lies outside of its window. The last one given is kept in a file
under a lock, so that two processes with the same signer, or one that starts again, never give the same.

A clock that jumped ahead and came back, the venue's or ours, leaves a last nonce that lies in what is the future again.
No sound clock gives one more than eight seconds ahead of the venue's: what lies further is not gone on from.
"""

import fcntl
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from pilothouse.core.errors import Refused

AHEAD_MOST: Final = timedelta(seconds=8)
"""How far a nonce may be moved behind its stamp to make it grow; further, and an old request would look young. So no
nonce lies further ahead of the venue's clock either, as long as that clock is right."""

_AHEAD_US = AHEAD_MOST // timedelta(microseconds=1)
_DIGITS = 20
_log = structlog.get_logger("pilothouse.venues.aster")


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

    def next(self, at_us: int, now_us: int | None = None) -> int:
        """Return a nonce above every one given before by a sound clock: the instant `at_us` itself, or a little later.

        at_us    when the request was stamped, in microseconds of the venue's clock
        now_us   what the venue's clock shows now; None: the request was stamped just now

        Raises StampTooOld if it would have to lie more than eight seconds behind the stamp. Should a nonce be given a
        second time after a clock has come back, the venue refuses it, and the request is signed anew.
        """
        now_us = at_us if now_us is None else now_us
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                last = self._read()
                if last > now_us + _AHEAD_US:
                    ahead = f"{(last - now_us) / 1_000_000:.1f} s"
                    _log.warning("clock_came_back", ahead=ahead, what="nonces go on from the venue's time")
                    last = now_us
                nonce = max(at_us, last + 1)
                if nonce > at_us + _AHEAD_US:
                    raise StampTooOld(
                        "stamped more than eight seconds before the last request that was sent; stamp it anew"
                    )
                os.pwrite(self._file, str(nonce).zfill(_DIGITS).encode("ascii"), 0)
                return nonce
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _read(self) -> int:
        text = os.pread(self._file, _DIGITS, 0)
        return int(text) if len(text) == _DIGITS and text.isdigit() else 0
