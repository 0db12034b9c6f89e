"""Run one row of one peer: `python tests/peers/start.py by_vectorbt flip FOLDER SECONDS`, in the peer's environment.

Some packages bring a `tests` of their own along; so ours is put in its place by hand before anything is imported.
"""

import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Import the peer, run the row, tell what came."""
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
