"""Heads of the record kept in a second place: a file beside the database, one line whenever a chain has grown.

Who changes the database so well that its hashes agree again must also change this file, and every copy that somebody
made of it or of the lines that go to the log. Copy it to another machine, and nobody can.
"""

import json
import os
from pathlib import Path

import structlog

from pilothouse.core.clock import iso
from pilothouse.kit.chain import stored_heads
from pilothouse.observability.living import Living
from pilothouse.observability.walk import Anchor

FILE = "record-heads.jsonl"

_log = structlog.get_logger("pilothouse.record")


def anchor(house: Living) -> int:
    """Write down the heads that have moved since they were last written down; returns how many.

    A disk that takes nothing costs the line and no trade: it is logged, and tried again the next time.
    """
    known: dict[str, int] = house.remembered.keep("anchored heads", dict)
    moved = [one for one in house.database.read(stored_heads) if one.number > known.get(one.chain, 0)]
    if not moved:
        return 0
    line = {"at": iso(house.clock.now()), "heads": {one.chain: [one.number, one.hash] for one in moved}}
    try:
        _append(house.settings.data / FILE, json.dumps(line, separators=(",", ":")))
    except OSError as error:
        _log.error("heads_not_written", error=str(error))
        return 0
    known.update({one.chain: one.number for one in moved})
    for one in moved:
        _log.info("record_head", chain=one.chain, number=one.number, hash=one.hash)
    return len(moved)


def _append(file: Path, line: str) -> None:
    """Add one line and make it durable; the file is for its owner alone."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def read(file: Path) -> list[Anchor]:
    """Return what the file remembers; a line that was written half is passed over. No file: nothing."""
    found: list[Anchor] = []
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            told = json.loads(line)
            at, heads = str(told["at"]), dict(told["heads"])
            found += [Anchor(chain, int(n), str(hash_), f"{file.name} of {at}") for chain, (n, hash_) in heads.items()]
        except (ValueError, KeyError, TypeError):
            continue
    return found
