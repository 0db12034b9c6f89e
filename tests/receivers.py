"""Places on this machine that alarms are sent to: an HTTP server and a mail server, both real."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Received:
    """What came, oldest first, and how it is answered."""

    url: str = ""
    status: int = 200
    letters: list[dict[str, Any]] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self, number: int = 1, most_s: float = 30.0) -> None:
        """Wait until so many more came."""
        for _ in range(number):
            assert self.came.acquire(timeout=most_s), f"it did not come; came: {self.titles()}"

    def titles(self) -> list[str]:
        """Return the title of each letter."""
        return [letter["title"] for letter in self.letters]


@contextmanager
def webhook() -> Iterator[Received]:
    """Yield what an HTTP server received; its address is one that alarms can go to."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if received.status == 200:
                received.letters.append(json.loads(body))
            self.send_response(received.status)
            self.send_header("content-length", "0")
            self.end_headers()
            received.came.release()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        received.url = f"json://127.0.0.1:{server.server_address[1]}/hook-93c1"
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """The mails that came."""

    url: str = ""
    mails: list[Message] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - the library calls it so
        """Take one mail."""
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Yield what a mail server received; its address is one that alarms can go to."""
    box = Mailbox()
    controller, port = _listening(box)
    try:
        box.url = f"mailto://127.0.0.1:{port}/?from=house@example.com&to=person@example.com&mode=insecure"
        yield box
    finally:
        controller.stop()


def _listening(box: Mailbox) -> tuple[Controller, int]:
    """Return a mail server that listens, and its port; a port that somebody else takes meanwhile is left to them."""
    for left in range(20, -1, -1):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=60.0)
        try:
            controller.start()
        except OSError:
            if not left:
                raise
        else:
            return controller, port
    raise AssertionError("the last try returns or raises")
