"""Who comes while the house is being opened is kept waiting, and never in vain."""

import json
import socket
from collections.abc import Iterator

import pytest

from pilothouse.cli.porch import KEPT_S, Porch, listen_on

ALERT = b"POST /webhook/tradingview HTTP/1.1\r\nHost: house\r\nContent-Length: 2\r\n\r\n{}"
TRADINGVIEW_WAITS_S = 3.0
PATIENCE_S = 60.0  # this machine may be busy: what a guest is told is asked here, and when in `KEPT_S`


@pytest.fixture
def porch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Porch]:
    """A porch at a free port of this machine; who was answered there may take his time to hear it."""
    monkeypatch.setattr("pilothouse.cli.porch._LEAVING_S", PATIENCE_S)
    with Porch(listen_on("127.0.0.1", 0)) as porch:
        yield porch


def _come(porch: Porch, say: bytes = ALERT) -> socket.socket:
    guest = socket.create_connection(porch.listener.getsockname(), timeout=PATIENCE_S)
    guest.sendall(say)
    return guest


def _answer(guest: socket.socket) -> bytes:
    """Return everything that is said to a guest, to the end."""
    parts = []
    with guest:
        while part := guest.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_who_waits_is_let_in_by_the_server(porch: Porch) -> None:
    """A connection that was refused is an alert that TradingView brings five seconds later, if at all."""
    with _come(porch) as guest:
        porch.leave()
        porch.listener.setblocking(True)
        inside, _ = porch.listener.accept()
        with inside:
            assert inside.recv(65_536) == ALERT
            inside.sendall(b"welcome")
            assert guest.recv(65_536) == b"welcome"


@pytest.mark.parametrize(
    "say", [ALERT, b"", ALERT[:20], ALERT + b"x" * 300_000], ids=["alert", "silent", "part", "long"]
)
def test_who_would_wait_in_vain_is_told_to_come_again(porch: Porch, say: bytes) -> None:
    """Silence of three seconds is an alert that TradingView never sends again; a 503 it does, and hears to the end."""
    assert KEPT_S < TRADINGVIEW_WAITS_S
    first, second = _come(porch, say), _come(porch)
    for guest in (first, second):
        head, _, body = _answer(guest).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in head
        assert json.loads(body)["code"] == "starting"


def test_nobody_is_sent_away_once_the_server_has_taken_over(porch: Porch) -> None:
    """The porch and the server would tell the same sender different things."""
    porch.leave()
    with _come(porch) as guest:
        guest.settimeout(2.0)
        with pytest.raises(TimeoutError):
            guest.recv(1)


def test_an_address_that_is_taken_is_refused_with_the_way_out() -> None:
    """The one thing that goes wrong for newcomers."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="choose another PILOTHOUSE_PORT"):
            listen_on("127.0.0.1", other.getsockname()[1])
