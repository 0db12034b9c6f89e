"""A request for a backtest goes in as the API takes it; candles and a wish come out, or every field that is wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.wiring.backtest_data import Asked, of_files
from pilothouse.wiring.backtest_inside import add_file, is_length
from pilothouse.wiring.backtest_kept import add_kept, of_folder
from pilothouse.wiring.backtest_search import Tried
from pilothouse.wiring.backtest_wishes import UNSAID, Request

FILES: Final = "files"
"""The folder in the data folder whose files of candles may be named in a request."""

_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_UNBOUNDED_MS: Final = 2**62


def read_request(asked: dict[str, Any], settings: Settings, database: Callable[[], Database]) -> Request:
    """Return a request with its candles. Raises Invalid, NotFound, CandlesUnsound, CandlesMissing."""
    asked = {**UNSAID, **asked}
    where = _where(asked, settings)
    found = of_files(where) if where.files else of_folder(database(), settings, where)
    inside = asked["inside"]
    if inside and is_length(inside):
        if where.files:
            allowed = "a file of finer candles or trades:NAME; kept candles stand below kept ones (venue)"
            raise Invalid([Problem("inside", f"{inside} came beside files", allowed, "no_venue")])
        add_kept(database(), settings, found, inside)
    elif inside:
        kind, mark, name = inside.rpartition(":")
        add_file(found, where, f"{kind}{mark}{_file(name, settings.data / FILES, 'inside')}")
    return Request(asked, found)


def tried_by(asked: dict[str, Any]) -> Tried:
    """Return what a search tries."""
    return Tried(tuple(asked["over"]), asked["random"], asked["seed"], asked["score"], asked["optuna"])


def _where(asked: dict[str, Any], settings: Settings) -> Asked:
    if bool(asked["files"]) == bool(asked["venue"]):
        came = "both" if asked["files"] else "neither"
        raise Invalid([Problem("venue", came, "a venue with symbols and a timeframe, or files", "missing")])
    start = asked["start_ms"] if asked["start_ms"] is not None else 0
    until = asked["until_ms"] if asked["until_ms"] is not None else _UNBOUNDED_MS
    if until <= start:
        raise Invalid([Problem("until", str(until), f"after {start}, milliseconds since 1970", "out_of_range")])
    return Asked(
        files=tuple(_file(each, settings.data / FILES) for each in asked["files"]),
        venue=asked["venue"],
        symbols=tuple(dict.fromkeys([*asked["markets"], *asked["symbols"]])),
        traded=tuple(asked["markets"]),
        timeframe=asked["timeframe"],
        zone=asked["timezone"],
        span=asked["bar"],
        leave_out=tuple(asked["leave_out"]),
        start_ms=start,
        until_ms=until,
    )


def _file(given: str, folder: Path, field: str = "files") -> str:
    """Return the path of a file that may be named: one of the folder itself, and nothing that leads elsewhere."""
    symbol, named, rest = given.partition("=")
    name = rest if named else given
    path = folder / name
    if not _FILE.fullmatch(name):
        raise Invalid([Problem(field, f"{given[:60]!a} came", f"the name of a file in {FILES}/ of the data folder")])
    if path.is_symlink() or not path.is_file():
        raise NotFound(f"there is no file {name[:60]!a} in {FILES}/ of the data folder")
    return f"{symbol}={path}" if named else str(path)
