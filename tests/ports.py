"""Ports of this machine for servers that tests start, and for addresses at which nobody shall answer."""

import atexit
import contextlib
import random
import socket
from typing import Final

_PORTS: Final = (20_000, 32_000)
"""Below the ports that the system hands to clients: a port stays free between two lives of a server."""

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a port on which nobody listens, and which no other call returns while this process lives.

    Other workers and other runs of the tests choose at the same time, and a server that is killed and started again
    wants its port back. So the UDP port of the same number, which nobody uses, is held until this process ends.
    """
    for _ in range(1_000):
        port = random.SystemRandom().randint(*_PORTS)
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket() as probe, contextlib.suppress(OSError):
            held.bind(("127.0.0.1", port))
            probe.bind(("127.0.0.1", port))
            _reserved.append(held)
            return port
        held.close()
    message = "no free port was found"
    raise RuntimeError(message)


@atexit.register
def _let_go() -> None:
    while _reserved:
        _reserved.pop().close()
