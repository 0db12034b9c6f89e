"""Who comes while the house is being opened: kept waiting as long as a sender surely waits, then told to come again.

A bound socket goes in, before anything large is imported. TradingView sends again what was refused or answered with
503, four times in all, and never what it waited for in vain; so a wait on the porch ends in time, with an answer.
Nothing is taken in here: who waits is let in by the server as soon as it serves.
"""

import json
import math
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

KEPT_S: Final = 1.2
"""So long the first of those who wait is kept; TradingView waits 3 s, and the house itself needs some of them."""

_TICK_S: Final = 0.05
_LEAVING_S: Final = 1.0
_READ_BYTES: Final = 1 << 17
_WAITING_MOST: Final = 2048

_WORDS: Final = "Pilothouse is starting: nothing of this was taken in; send it again in a moment"
_BODY: Final = json.dumps(
    {
        "success": False,
        "message": _WORDS,
        "type": "urn:pilothouse:problem:starting",
        "title": "Service Unavailable",
        "error": "Service Unavailable",
        "status": 503,
        "detail": _WORDS,
        "code": "starting",
    }
).encode()
_ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)


class Porch:
    """A listening socket before there is a server. `leave` it to the server, or close it."""

    def __init__(self, listener: socket.socket) -> None:
        """Begin to listen on `listener`, which is bound, and to look after who comes."""
        self.listener = listener
        listener.setblocking(False)
        listener.listen(_WAITING_MOST)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="pilothouse-porch", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Send nobody away any more: the server lets in who waits, and who comes."""
        self._over.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()
        self._thread.join()
        self.listener.close()

    def _look_after(self) -> None:
        """Send away who has waited for too long, again and again until the house opens."""
        since: float | None = None
        with selectors.DefaultSelector() as watched:
            watched.register(self.listener, selectors.EVENT_READ)
            while not self._over.is_set():
                spoke = [key for key, _ in watched.select(_TICK_S)]
                now = time.monotonic()
                _see_off(watched, spoke, now)
                if all(key.fileobj is not self.listener for key in spoke):
                    continue
                since = since or now
                if now - since < KEPT_S:
                    self._over.wait(_TICK_S)  # the listener has something to say for as long as somebody waits
                else:
                    since = None
                    self._send_away(watched, now)
            _see_off(watched, (), math.inf)

    def _send_away(self, watched: selectors.BaseSelector, now: float) -> None:
        """Answer everybody who waits; they stay for a moment, because who is cut off hears no answer."""
        with suppress(BlockingIOError):
            while not self._over.is_set():
                guest, _ = self.listener.accept()
                guest.setblocking(False)
                with suppress(OSError):
                    _heard(guest)
                    guest.send(_ANSWER)
                    guest.shutdown(socket.SHUT_WR)
                watched.register(guest, selectors.EVENT_READ, data=now + _LEAVING_S)


def _see_off(watched: selectors.BaseSelector, spoke: Sequence[selectors.SelectorKey], now: float) -> None:
    """Hear out those who were answered, and close on who has gone, or stays for too long."""
    for key in list(watched.get_map().values()):
        guest, until = key.fileobj, key.data
        if until is None or not isinstance(guest, socket.socket):
            continue
        if now > until or (key in spoke and not _heard(guest)):
            watched.unregister(guest)
            guest.close()


def _heard(guest: socket.socket) -> bool:
    """Take in what somebody says; returns False once they have hung up."""
    try:
        return guest.recv(_READ_BYTES) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def listen_on(host: str, port: int) -> socket.socket:
    """Return a socket that holds an address; nobody is let in yet. Raises OSError with the reason and a way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"{host}:{port} cannot be listened on ({error.strerror}); "
            "stop what uses it, or choose another PILOTHOUSE_PORT"
        ) from error
    return listener
