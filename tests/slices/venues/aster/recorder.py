"""A small HTTP and WebSocket server that records what comes and answers what a test told it to.

It knows nothing of the adapter: messages are written here as the venue's pages show them, and what was sent is kept as
it came, byte for byte.
"""

import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

PATIENCE_S = 60.0
"""What is waited for comes long before, unless it never comes."""


@dataclass(frozen=True)
class Heard:
    """One request as it came. `text` is the parameters as they stood, in the query or in the body."""

    method: str
    path: str
    text: str
    in_body: bool
    headers: dict[str, str]

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters, decoded."""
        return dict(parse_qsl(self.text, keep_blank_values=True))


@dataclass(frozen=True)
class Say:
    """One answer. `drop`: read the request and close the connection without a word; `wait_s`: be late."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    wait_s: float = 0.0


Answer = Say | Callable[[Heard], Say]


class Recorder:
    """The server. Answers in a list are given one after the other; the last one stays."""

    def __init__(self) -> None:
        """Listen on 127.0.0.1, on a port of its own."""
        self.heard: list[Heard] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def _answer(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                named = {name.lower(): value for name, value in self.headers.items()}
                heard = Heard(self.command, path, body or query, bool(body), named)
                say = recorder.take(heard)
                if say.wait_s:
                    time.sleep(say.wait_s)
                if say.drop:
                    self.close_connection = True
                    return
                text = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
                self.send_response(say.status)
                for name, value in say.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                try:
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:  # whoever asked has had enough
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are the library's

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer so from now on."""
        self._answers[method, path] = list(answers)

    def take(self, heard: Heard) -> Say:
        """Record a request and return what to answer."""
        self.heard.append(heard)
        answers = self._answers.get((heard.method, heard.path))
        if not answers:
            return Say({"code": -5000, "msg": f"no answer was prepared for {heard.method} {heard.path}"}, 404)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Say) else answer(heard)

    def of(self, method: str, path: str) -> list[Heard]:
        """Return the requests of one kind, in their order."""
        return [each for each in self.heard if (each.method, each.path) == (method, path)]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class StreamRecorder:
    """A WebSocket server: every connection is kept, and the test says what is sent on it."""

    def __init__(self) -> None:
        """Listen on 127.0.0.1, on a port of its own."""
        self.opened: queue.Queue[tuple[str, ServerConnection]] = queue.Queue()
        self.received: queue.Queue[str] = queue.Queue()
        self._server: Server = serve(self._hold, "127.0.0.1", 0, compression=None, ping_interval=None)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _hold(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.opened.put((connection.request.path, connection))
        try:
            for message in connection:
                self.received.put(str(message))
        except ConnectionClosed:
            pass

    def next(self) -> tuple[str, ServerConnection]:
        """Wait for the next connection; return its path and itself."""
        return self.opened.get(timeout=PATIENCE_S)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
