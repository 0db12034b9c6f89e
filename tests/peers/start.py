"""Run one row of one peer: `python tests/peers/start.py by_vectorbt flip FOLDER SECONDS`, in the peer's environment.

Some packages bring a `tests` of their own along; so ours is put in its place by hand before anything is imported.
"""

import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
LOOPBACK = {None, "", "localhost", "127.0.0.1", "::1"}


def stay_here() -> None:
    """Let this process connect to nothing outside of this machine: some would ask an exchange or a registry."""

    def heard(event: str, told: tuple[Any, ...]) -> None:
        asked = told[1] if event == "socket.connect" else told if event == "socket.getaddrinfo" else None
        if isinstance(asked, tuple) and asked[0] not in LOOPBACK:
            raise PermissionError(f"{asked[0]!r} is outside of this machine: a peer is measured without a network")

    sys.addaudithook(heard)


def main() -> None:
    """Import the peer, run the row, tell what came."""
    stay_here()
    ours = ModuleType("tests")
    ours.__path__ = [str(HERE.parent)]
    sys.modules["tests"] = ours
    name, row, place, seconds = sys.argv[1:]
    began = time.perf_counter()
    peer = import_module(f"tests.peers.{name}")
    import_s = time.perf_counter() - began
    frame = import_module("tests.peers.frame")
    found = frame.measured(row, peer.ROWS, Path(place), peer.PACKAGE, float(seconds))
    frame.tell(found | {"import_s": import_s, "why": peer.WHY.get(row, "")})


if __name__ == "__main__":
    main()
