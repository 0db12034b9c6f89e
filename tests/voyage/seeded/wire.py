"""The wire between house and exchange, inside of one process: requests and sockets, and what becomes of them.

In: what the product's HTTP client and its streams would send over a network. Out: what the exchange answers, after a
time, or nothing. While a request is on its way, other threads of the house may go on (`Port.meanwhile`).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import ConnectionClosedError

from pilothouse.simexchange.front import LATER, RESET, SILENT, Reply
from pilothouse.simexchange.requests import Request, merged
from pilothouse.simexchange.web_sockets import WebSocketConnection
from tests.voyage.seeded.sea import Sea


class Port(Protocol):
    """What one life of the house is, seen from its wires."""

    sea: Sea

    def leaves(self, request: Request) -> None:
        """Hear of a request right before it leaves. Raises if this life is over."""
        ...

    def came_back(self, request: Request, reply: Reply | None) -> None:
        """Hear of what the house is told of it; None: nothing. Raises if this life is over."""
        ...

    def meanwhile(self, seconds: float) -> None:
        """Let so many seconds pass on the wire."""
        ...


class Crossing(httpx.BaseTransport):
    """Takes the place of the HTTP transport of one client."""

    def __init__(self, port: Port) -> None:
        """Carry for one life of the house."""
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request over and its answer back, as the exchange's own connection does."""
        port, sea = self._port, self._port.sea
        method, target = request.method, request.extensions["target"].decode("ascii")
        path, _, query = target.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(method, merged(path), query, request.read().decode("utf-8"), headers, "127.0.0.1")
        patience = float(request.extensions["timeout"]["read"])
        port.leaves(asked)
        request.extensions["trace"]("http11.send_request_headers.started", {})
        begun = sea.now()
        port.meanwhile(_LATENCY_S)
        reply = sea.front.answer(asked)
        if reply.how == LATER:
            delay = reply.delay_ms / 1_000
            if delay >= patience:
                sea.later(delay, lambda: _ignored(sea.front.answer(asked, is_late=True)))
                reply = Reply(0, b"", how=SILENT)
            else:
                port.meanwhile(delay)
                reply = sea.front.answer(asked, is_late=True)
        took = sea.now() - begun
        if reply.how == SILENT or reply.delay_ms / 1_000 >= patience:
            port.meanwhile(max(0.0, patience - took))
            port.came_back(asked, None)
            raise httpx.ReadTimeout("no answer")
        port.meanwhile(_LATENCY_S + reply.delay_ms / 1_000)
        if reply.how == RESET:
            port.came_back(asked, None)
            raise httpx.ReadError("the connection was reset")
        port.came_back(asked, reply)
        told = [*reply.headers, ("Content-Type", reply.content), ("Date", sea.front.date())]
        return httpx.Response(reply.status, headers=told, content=reply.body)

    def close(self) -> None:
        """Nothing is open."""


_LATENCY_S = 0.004


def _ignored(reply: Reply) -> None:
    """Nobody waits for this answer any more."""
    del reply


class _Ended:
    """Stands in a socket behind everything that came before it was cut."""


class Socket(WebSocketConnection):
    """Both ends of a WebSocket: what the exchange says is taken out at `recv`."""

    def __init__(self, port: Port, path: str) -> None:
        """Open `path` at the exchange."""
        sea = port.sea
        super().__init__(None, sea.hub, sea.front)  # type: ignore[arg-type]  # it writes into a queue and to no transport
        self._said: asyncio.Queue[str | _Ended] = asyncio.Queue()
        self._is_open = True
        self._opened(path)

    # ── The exchange's end ────────────────────────────────────────────────────────────────────────

    def send(self, text: Any) -> Any:
        """Say something: bytes come from the exchange, texts from the house."""
        if isinstance(text, str):
            return self._heard(text)
        if self._is_open:
            self._said.put_nowait(text.decode("utf-8"))
        return None

    def drop(self) -> None:
        """Cut it."""
        self.left()
        self._said.put_nowait(_Ended())

    # ── The house's end ───────────────────────────────────────────────────────────────────────────

    async def _heard(self, text: str) -> None:
        if not self._is_open:
            raise ConnectionClosedError(None, None)
        self._asked(text.encode("utf-8"))

    async def recv(self) -> str:
        """Return what was said next. Raises ConnectionClosedError once it was cut."""
        said = await self._said.get()
        if isinstance(said, _Ended):
            raise ConnectionClosedError(None, None)
        return said


class Opening:
    """A socket that is about to be opened, as `websockets.connect` returns it."""

    def __init__(self, port: Port, url: str, is_reachable: Callable[[], bool]) -> None:
        """Open `url`, if the exchange can be reached then."""
        parts = urlsplit(url)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._port, self._is_reachable = port, is_reachable
        self._socket: Socket | None = None

    async def __aenter__(self) -> Socket:
        if not self._is_reachable():
            raise OSError("nobody listens there")
        self._socket = Socket(self._port, self._path)
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.left()
