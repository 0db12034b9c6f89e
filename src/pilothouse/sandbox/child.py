"""The confined side: the main program of a process that runs code of users. Frames come in; frames go out.

    python -I -m pilothouse.sandbox.child      started by `sandbox/talk.py` alone

The walls are built before anything but the standard library is imported, and threads begin after them. What a
strategy prints goes to standard error, of which the parent keeps the last lines; the frames have a pipe of their own.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from pilothouse.sandbox.confine import Bounds, Walls, confine


def main() -> int:
    """Take orders until the pipe ends; returns the exit code."""
    orders, answers = _own_pipes()
    told: dict[str, Any] = json.loads(_line(orders))
    bounds = Bounds(**told["bounds"])
    walls = confine([Path(path) for path in told["readable"]], Path(told["writable"]), bounds)
    if not walls.hold and not told["trusted"]:
        _refuse(answers, walls)
        return 3
    # From here on walls stand, and what is imported may start threads.
    from pilothouse.sandbox.frames import Frame, read_frame, write_frame  # noqa: PLC0415 - behind the walls
    from pilothouse.sandbox.serve import Server  # noqa: PLC0415 - as above

    source, sink = os.fdopen(orders, "rb", buffering=1 << 20), os.fdopen(answers, "wb", buffering=0)

    def tell(frame: Frame) -> None:
        write_frame(lambda part: _all(sink.fileno(), part), frame)

    tell(Frame({"walls": {"hold": walls.hold, "missing": list(walls.missing)}}))
    server = Server()
    while (order := read_frame(source.read)) is not None:
        answer = server.answer(order)
        tell(Frame({**answer.data, "order": order.data.get("order")}, answer.arrays))
    return 0


def _own_pipes() -> tuple[int, int]:
    """Take standard input and output away from whatever is imported later: it gets nothing and standard error."""
    orders, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin = None
    return orders, answers


def _line(source: int) -> bytes:
    """Read one line without taking a byte of what comes behind it."""
    found = bytearray()
    while not found.endswith(b"\n"):
        byte = os.read(source, 1)
        if not byte:
            break
        found += byte
    return bytes(found)


def _refuse(answers: int, walls: Walls) -> None:
    from pilothouse.sandbox.frames import Frame, write_frame  # noqa: PLC0415 - nobody's code ran before

    frame = Frame({"walls": {"hold": False, "missing": list(walls.missing)}})
    write_frame(lambda part: _all(answers, part), frame)


def _all(sink: int, part: memoryview) -> None:
    while part:
        part = part[os.write(sink, part) :]


if __name__ == "__main__":
    sys.exit(main())
