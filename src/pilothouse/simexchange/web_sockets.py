"""One WebSocket connection: frames in, subscriptions out. The protocol itself is the library's, without its I/O."""

import asyncio
from typing import Any

import msgspec
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from pilothouse.simexchange.front import Front
from pilothouse.simexchange.requests import Request, merged
from pilothouse.simexchange.socket_calls import SocketCalls
from pilothouse.simexchange.streams import Hub

_BUFFERED_MAX = 8 * 1_024 * 1_024
"""A client that does not read is cut off, as real venues do."""

ASKED_PER_SECOND = 10
"""Frames that a listener may send in a second before it is cut off."""

_PREFIXES = ("/fstream", "/sstream", "/public", "/market", "/private")
_ROUTES = {"/public": "public", "/market": "market", "/private": "private"}


class WebSocketConnection:
    """A client that listens to streams."""

    def __init__(self, transport: asyncio.Transport, hub: Hub, front: Front) -> None:
        self._combined = False
        self._route = ""
        self._calls: SocketCalls | None = None
        self._front = front
        self._transport, self._hub = transport, hub
        self._protocol = ServerProtocol(max_size=1_048_576)
        self._is_open = False
        self._asked_in = (0, 0)

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                self._protocol.send_response(self._protocol.accept(event))
                self._is_open = True
                self._flush()
                self._opened(event.path)
            elif isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.BINARY}:
                self._asked(bytes(event.data))
        self._flush()

    def send(self, text: bytes) -> None:
        """Send a text."""
        if not self._is_open or self._transport.is_closing():
            return
        self._protocol.send_text(text)
        self._flush()
        if self._transport.get_write_buffer_size() > _BUFFERED_MAX:
            self.drop()

    def tell(self, name: str, text: bytes) -> None:
        """Send what a stream says: bare, with its name, or as an event of a subscription."""
        if self._calls is not None:
            self.send(b'{"subscriptionId":0,"event":' + text + b"}")
        elif self._combined:
            self.send(b'{"stream":"' + name.encode() + b'","data":' + text + b"}")
        else:
            self.send(text)

    def ping(self) -> None:
        """Ask whether the client is still there."""
        if self._is_open and not self._transport.is_closing():
            self._protocol.send_ping(b"")
            self._flush()

    def drop(self) -> None:
        """Cut the connection without a word."""
        self.left()
        self._transport.abort()

    def finish(self) -> None:
        """Say goodbye."""
        if self._is_open and not self._transport.is_closing():
            self._protocol.send_close(CloseCode.GOING_AWAY)
            self._flush()
        self.left()

    def left(self) -> None:
        """Forget what it listened to."""
        self._is_open = False
        self._hub.leave(self)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _opened(self, path: str) -> None:
        """Subscribe to what the address names: /ws/<stream>, /stream?streams=a/b, /ws?listenKey=..."""
        place, _, query = path.partition("?")
        place = merged(place)
        for prefix in _PREFIXES:
            if place.startswith(prefix + "/"):
                place = place.removeprefix(prefix)
                self._route = _ROUTES.get(prefix, "")
                break
        if place.startswith(("/ws-api", "/ws-fapi")):
            self._calls = SocketCalls(self._front, self._hub, is_spot=place.startswith("/ws-api"))
            return
        request = Request("GET", place, query, "", {})
        self._combined = place.startswith("/stream")
        events = frozenset(each for each in request.text("events").split("/") if each)
        names = [each for each in request.text("streams").split("/") if each]
        names += [each for each in place.removeprefix("/ws").removeprefix("/stream").split("/") if each]
        if request.text("listenKey"):
            names.append(request.text("listenKey"))
        for name in names:
            self._hub.subscribe(self, name, events, self._route)

    def _is_too_much(self) -> bool:
        """Count what came in this second; say whether it is more than the venue bears, where limits are enforced."""
        second = self._front.exchange.clock.now() // 1_000_000
        self._asked_in = (second, self._asked_in[1] + 1 if self._asked_in[0] == second else 1)
        return self._front.limits.enforced and self._asked_in[1] > ASKED_PER_SECOND

    def _asked(self, text: bytes) -> None:
        if self._calls is None and self._is_too_much():
            self._protocol.send_close(CloseCode.POLICY_VIOLATION, "Too many requests")
            self.left()
            return
        try:
            asked: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            self._refuse(None, 3, "Invalid JSON: expected value at line 1 column 1")
            return
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            self._refuse(None, 0, "Unknown property")
            return
        if self._calls is not None:
            self.send(msgspec.json.encode(self._calls.answer(asked, self)))
            return
        number, method, names = asked.get("id"), asked["method"].upper(), asked.get("params") or []
        if isinstance(number, bool | float | list | dict):
            self._refuse(None, 2, "Invalid request: request ID must be an unsigned integer")
        elif method == "SUBSCRIBE" and isinstance(names, list):
            for name in names:
                self._hub.subscribe(self, str(name), route=self._route)
            self._reply(number, None)
        elif method == "UNSUBSCRIBE" and isinstance(names, list):
            for name in names:
                self._hub.unsubscribe(self, str(name))
            self._reply(number, None)
        elif method == "LIST_SUBSCRIPTIONS":
            self._reply(number, self._hub.heard_by(self))
        elif method == "SET_PROPERTY" and names[:1] == ["combined"]:
            self._combined = bool(names[1:] and names[1])
            self._reply(number, None)
        elif method == "GET_PROPERTY":
            self._reply(number, self._combined)
        else:
            self._refuse(number, 2, f"Invalid request: unknown method {method}")

    def _reply(self, number: Any, result: Any) -> None:
        self.send(msgspec.json.encode({"result": result, "id": number}))

    def _refuse(self, number: Any, code: int, text: str) -> None:
        self.send(msgspec.json.encode({"error": {"code": code, "msg": text}, "id": number}))
