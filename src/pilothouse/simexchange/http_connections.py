"""One HTTP connection, kept alive: bytes in, answers out in order; it becomes a WebSocket where the client asks.

A protocol of its own over a C parser instead of a framework, so that load tests measure who trades, not the exchange.
"""

import asyncio
from collections import deque
from functools import partial
from http import HTTPStatus

import httptools
import msgspec

from pilothouse.simexchange.control import PREFIX, Control
from pilothouse.simexchange.front import LATER, RESET, SILENT, Front, Reply
from pilothouse.simexchange.requests import Request, merged
from pilothouse.simexchange.streams import Hub
from pilothouse.simexchange.web_sockets import WebSocketConnection
from pilothouse.simexchange.wire_errors import WireError

BODY_MAX = 1_048_576
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class HttpConnection(asyncio.Protocol):
    """A client over HTTP."""

    def __init__(self, front: Front, hub: Hub, control: Control, everyone: set["HttpConnection"]) -> None:
        self._front, self._hub, self._control, self._everyone = front, hub, control, everyone
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._url = b""
        self._body: list[bytes] = []
        self._size = 0
        self._first: bytes | None = b""
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._is_held = False
        self._ip = ""
        self._transport: asyncio.Transport
        self.socket: WebSocketConnection | None = None

    # ── asyncio ───────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport), "we listen on TCP"
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._ip = str(peer[0]) if peer else ""
        self._everyone.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._everyone.discard(self)
        if self.socket is not None:
            self.socket.left()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self.socket is not None:
            self.socket.feed(data)
            return
        if self._first is not None:
            self._first += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.socket = WebSocketConnection(self._transport, self._hub, self._front)
            self.socket.feed(self._first or data)
        except httptools.HttpParserError:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()

    def close(self) -> None:
        """End it from our side."""
        if self.socket is not None:
            self.socket.finish()
        self._transport.close()

    # ── the parser's calls ────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._headers, self._url, self._body, self._size = {}, b"", [], 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._size += len(body)
        if self._size <= BODY_MAX:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer a request, or keep it until those before it are answered."""
        if self._parser.should_upgrade():
            return
        self._first = None
        path, _, query = self._url.decode("latin-1").partition("?")
        body = b"".join(self._body).decode("utf-8", "replace")
        request = Request(self._parser.get_method().decode(), merged(path), query, body, self._headers, self._ip)
        keep = self._parser.should_keep_alive()
        if self._is_held:
            self._waiting.append((request, keep))
        else:
            self._answer(request, keep=keep)

    # ── answers ───────────────────────────────────────────────────────────────────────────────────

    def _answer(self, request: Request, *, keep: bool, is_late: bool = False) -> None:
        if self._size > BODY_MAX:
            reply = Reply(413, b"{}")
        elif request.path.startswith(PREFIX):
            reply = self._controlled(request)
        else:
            reply = self._front.answer(request, is_late=is_late)
        if reply.how == SILENT:
            self._is_held = True
        elif reply.how == LATER:
            self._is_held = True
            asyncio.get_running_loop().call_later(reply.delay_ms / 1_000, partial(self._queued, request, keep=keep))
        elif reply.delay_ms > 0:
            self._is_held = True
            asyncio.get_running_loop().call_later(reply.delay_ms / 1_000, partial(self._late, reply, keep=keep))
        else:
            self._write(reply, keep=keep)

    def _controlled(self, request: Request) -> Reply:
        try:
            return Reply(200, msgspec.json.encode(self._control.answer(request)))
        except WireError as error:
            return Reply(error.status, msgspec.json.encode(error.body))

    def _queued(self, request: Request, *, keep: bool) -> None:
        self._is_held = False
        self._answer(request, keep=keep, is_late=True)
        self._next()

    def _late(self, reply: Reply, *, keep: bool) -> None:
        self._write(reply, keep=keep)
        self._is_held = False
        self._next()

    def _next(self) -> None:
        while self._waiting and not self._is_held and not self._transport.is_closing():
            request, keep = self._waiting.popleft()
            self._answer(request, keep=keep)

    def _write(self, reply: Reply, *, keep: bool) -> None:
        if self._transport.is_closing():
            return
        if reply.how == RESET:
            self._transport.abort()
            return
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        end = "" if keep else "Connection: close\r\n"
        head = (
            f"Date: {self._front.date()}\r\nContent-Type: {reply.content}\r\n"
            f"Content-Length: {len(reply.body)}\r\n{lines}{end}\r\n"
        )
        self._transport.write(_LINES[reply.status] + head.encode("latin-1") + reply.body)
        if not keep:
            self._transport.close()
