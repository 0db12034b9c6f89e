"""What is kept of a request and its answer, and what must not be."""

import threading

import pytest

from pilothouse.kit import wire_tape
from pilothouse.kit.wire_tape import Exchange, taped


def kept(sent: bytes, said: bytes = b"{}") -> Exchange:
    """Return what is kept of one exchange."""
    with taped() as tape:
        wire_tape.keep("POST", "/order", sent, 200, said, 0.0123)
    return tape[0]


def test_an_exchange_is_kept_as_it_was() -> None:
    """It is what a person compares with the venue's own log."""
    found = kept(b"symbol=BTCUSDT&side=BUY&quantity=0.01", b'{"orderId":7}')

    expected = Exchange("POST", "/order", "symbol=BTCUSDT&side=BUY&quantity=0.01", 200, '{"orderId":7}', 12)
    assert found == expected


@pytest.mark.parametrize(
    "sent",
    [
        b"symbol=BTCUSDT&signature=5ecret5ecret&nonce=1",
        b"api_key=5ecret5ecret&symbol=BTCUSDT",
        b'{"symbol":"BTCUSDT","signature":{"r":"5ecret5ecret","s":"5ecret5ecret"},"apiKey":"5ecret5ecret"}',
        b'[{"symbol":"BTCUSDT","passphrase":"5ecret5ecret"}]',
        b'{"symbol":"BTCUSDT", broken, "secret":"5ecret5ecret"}',
    ],
)
def test_what_would_sign_another_request_is_not_kept(sent: bytes) -> None:
    """The record is never deleted."""
    found = kept(sent).sent

    assert "5ecret" not in found
    assert "BTCUSDT" in found


def test_bytes_of_any_kind_and_length_are_kept_in_bounds() -> None:
    """A venue that answers nonsense must not stop an order from being settled."""
    found = kept(b"\xff" * 10_000, b"\x00\xfe" * 100_000)

    assert len(found.sent) <= wire_tape.SENT_MAX
    assert len(found.said) <= wire_tape.SAID_MAX


def test_nothing_is_kept_outside_of_a_tape_or_of_another_thread() -> None:
    """Two orders that are sent at once each keep their own."""
    wire_tape.keep("GET", "/time", b"", 200, b"{}", 0)
    with taped() as tape:
        other = threading.Thread(target=wire_tape.keep, args=("GET", "/time", b"", 200, b"{}", 0))
        other.start()
        other.join()
        assert wire_tape.is_running()

    assert tape == []
    assert not wire_tape.is_running()
