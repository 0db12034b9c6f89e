"""The HTTP client over real sockets: what certainly was not sent, what may have arrived, and what was answered."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from pilothouse.kit.exact_json import NotJson
from pilothouse.kit.http_client import Answered, HttpClient, HttpLimits, Refused, Unknown

PATIENT = HttpLimits(connect_s=60, read_s=60, write_s=60, pool_s=60, answer_s=60, kept_s=100)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Listener:
    """A server that reads what comes and does what it is told; nothing of HTTP is hidden by a library."""

    def __init__(self, act: Callable[[socket.socket, bytes], bool]) -> None:
        """Call `act` with each request's bytes; it says whether the connection stays."""
        self.requests: list[bytes] = []
        self.connections = self.closed = 0
        self._act = act
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while came := self._request(connection):
                self.requests.append(came)
                try:
                    if not self._act(connection, came):
                        break
                except OSError:  # the client has had enough
                    break
        self.closed += 1

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        """Return one whole request, or nothing when there is none any more."""
        came = b""
        while True:
            head, end, body = came.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            if end and len(body) >= int(length[1] if length else 0):
                return came
            try:
                piece = connection.recv(65_536)
            except OSError:
                return b""
            if not piece:
                return b""
            came += piece

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def answering(answer: bytes) -> Callable[[socket.socket, bytes], bool]:
    """Return what answers every request so and keeps the connection."""

    def act(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer)
        return True

    return act


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket, bytes], bool]], Listener]]:
    """Return what opens listeners."""
    opened: list[Listener] = []

    def open_one(act: Callable[[socket.socket, bytes], bool]) -> Listener:
        opened.append(Listener(act))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


Listen = Callable[[Callable[[socket.socket, bytes], bool]], Listener]


def until(check: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


def test_bytes_are_sent_as_they_were_given(listen: Listen) -> None:
    """A signature is over bytes: one that is encoded again is refused."""
    server = listen(answering(OK))
    with HttpClient(server.url + "/base", limits=PATIENT) as client:
        client.send("POST", "/a%2Fb", query="x=%2f&y='()*~", body=b"q=1%20", headers={"X-Own": "1"})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")

    assert head.startswith(b"POST /base/a%2Fb?x=%2f&y='()*~ HTTP/1.1\r\n")
    assert b"x-own: 1" in head.lower()
    assert b"cookie" not in head.lower()
    assert body == b"q=1%20"


def test_an_answer_is_exact(listen: Listen) -> None:
    """A price that was a float for a moment is another price."""
    text = b'{"price": 65000.100000000000001, "id": 12345678901234567890}'
    server = listen(
        answering(b"HTTP/1.1 418 Teapot\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    )
    with HttpClient(server.url, limits=PATIENT) as client:
        answer = client.send("GET", "/")

    assert isinstance(answer, Answered)
    assert (answer.status, answer.headers["retry-after"]) == (418, "7")
    assert answer.json() == {"price": Decimal("65000.100000000000001"), "id": 12345678901234567890}


def test_what_is_no_json_is_said_so(listen: Listen) -> None:
    """Gateways answer with pages."""
    server = listen(answering(b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>"))
    with HttpClient(server.url, limits=PATIENT) as client:
        answer = client.send("GET", "/")
    assert isinstance(answer, Answered)
    with pytest.raises(NotJson):
        answer.json()


def test_nobody_there_is_refused() -> None:
    """Not one byte was sent."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with HttpClient(f"http://127.0.0.1:{port}") as client:
        assert isinstance(client.send("POST", "/order", body=b"x"), Refused)


def test_no_free_connection_is_refused(listen: Listen) -> None:
    """A request that waited for a connection in vain was not sent."""
    held = threading.Event()

    def hold(connection: socket.socket, _: bytes) -> bool:
        held.wait(60)
        connection.sendall(OK)
        return False

    server = listen(hold)
    with HttpClient(server.url, limits=replace(PATIENT, connections=1, pool_s=0.1)) as client:
        first = threading.Thread(target=client.send, args=("GET", "/"))
        first.start()
        until(lambda: bool(server.requests))
        second = client.send("POST", "/order", body=b"x")
        held.set()
        first.join()

    assert isinstance(second, Refused)
    assert len(server.requests) == 1


def _reset(connection: socket.socket, _: bytes) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


def _silent(_: socket.socket, __: bytes) -> bool:
    time.sleep(0.5)
    return False


def _half(connection: socket.socket, _: bytes) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    return False


def _drip(connection: socket.socket, _: bytes) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _number in range(100):
        connection.sendall(b" ")
        time.sleep(0.02)
    return False


BROKEN = {
    "closed": lambda _, __: False,
    "reset": _reset,
    "silent": _silent,
    "half an answer": _half,
    "an answer that drips": _drip,
    "no HTTP": answering(b"hello\r\n\r\n"),
    "too long": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b" " * 5_000),
    "encoded": answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_was_sent_and_not_answered_whole_is_unknown(listen: Listen, how: str) -> None:
    """It may have arrived; and it is sent once, whatever happens."""
    server = listen(BROKEN[how])
    limits = replace(PATIENT, read_s=0.2, answer_s=0.3, answer_bytes=2_000)
    with HttpClient(server.url, limits=limits) as client:
        answer = client.send("POST", "/order", body=b"x=1")
        until(lambda: bool(server.requests))  # who gave up soon may have done so before it was read

    assert isinstance(answer, Unknown)
    assert len(server.requests) == 1


def test_a_connection_is_used_again(listen: Listen) -> None:
    """A handshake costs more than an order."""
    server = listen(answering(OK))
    with HttpClient(server.url, limits=PATIENT) as client:
        for _ in range(5):
            assert isinstance(client.send("POST", "/", body=b"x"), Answered)

    assert server.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_not_used(listen: Listen) -> None:
    """The other side closes idle connections; that is no reason for an order to be unknown."""

    def once(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(OK)
        return False

    server = listen(once)
    with HttpClient(server.url, limits=PATIENT) as client:
        for number in range(1, 4):
            assert isinstance(client.send("POST", "/", body=b"x"), Answered)
            until(lambda number=number: server.closed == number)  # type: ignore[misc]  # the number of this round

    assert server.connections == 3


def test_a_redirect_is_an_answer_and_not_followed(listen: Listen) -> None:
    """A signed request goes where it was meant to go, or nowhere."""
    server = listen(answering(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"))
    with HttpClient(server.url, limits=PATIENT) as client:
        answer = client.send("POST", "/", body=b"x")

    assert isinstance(answer, Answered)
    assert answer.status == 307
    assert len(server.requests) == 1


def test_a_proxy_of_the_environment_is_not_asked(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets a variable must not see what is signed."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = listen(answering(OK))
    with HttpClient(server.url, limits=PATIENT) as client:
        assert isinstance(client.send("GET", "/"), Answered)


def test_a_proxy_that_is_named_is_used(listen: Listen) -> None:
    """Some houses may reach the world through one only."""
    proxy = listen(answering(OK))
    with HttpClient("http://example.invalid", proxy=proxy.url, limits=PATIENT) as client:
        assert isinstance(client.send("GET", "/a"), Answered)

    assert proxy.requests[0].startswith(b"GET http://example.invalid/a HTTP/1.1")


@pytest.mark.parametrize("base", ["ftp://x", "http://", "http://u:p@x", "http://x/?q=1", "//x"])
def test_a_base_that_is_no_address_is_refused_at_once(base: str) -> None:
    """Not when the first order is to be sent."""
    with pytest.raises(ValueError, match="base address"):
        HttpClient(base)
