"""A request for a backtest goes in as the API takes it; candles and a wish come out, or every field that is wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.marketdata.candle_uploads import MARK, RATES, UPLOADS, Uploads
from pilothouse.wiring.backtest_data import Asked, of_files
from pilothouse.wiring.backtest_funding import UNPAID, add_funding
from pilothouse.wiring.backtest_inside import add_files, length_of, words_of
from pilothouse.wiring.backtest_kept import add_kept, add_kept_funding, of_folder
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
    inside = words_of(asked["inside"])
    length = length_of(inside, has_files=bool(where.files))
    if length:
        add_kept(database(), settings, found, length)
    elif inside:
        add_files(found, where, [_below(each, settings, asked["uploads_of"]) for each in inside])
    rates = [_rates(each, settings, asked["uploads_of"]) for each in asked["funding"]]
    where = replace(where, zone=_said("timezone", {each.zone for each in rates if each.is_file}) or where.zone)
    words = [each.words for each in rates]
    if where.files:
        add_funding(found, where, words)
    else:
        add_kept_funding(database(), settings, found, where, words)
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
    named = [_file(each, settings, asked["uploads_of"]) for each in asked["files"]]
    return Asked(
        files=tuple(each.words for each in named),
        venue=asked["venue"],
        symbols=tuple(dict.fromkeys([*asked["markets"], *asked["symbols"]])),
        traded=tuple(asked["markets"]),
        timeframe=asked["timeframe"],
        zone=asked["timezone"] or _said("timezone", {each.zone for each in named}),
        span=asked["bar"] or _said("bar", {each.span for each in named}),
        leave_out=tuple(asked["leave_out"]),
        start_ms=start,
        until_ms=until,
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """A file that was named: as `backtest_data.Asked` takes it, and what is known of its times."""

    words: str
    zone: str | None = None
    span: str | None = None
    is_file: bool = True


def _below(given: str, settings: Settings, owner_id: str) -> str:
    """Return a word of `inside` with the path of its file in the place of the name; `trades:` may stand before it."""
    symbol, named, rest = given.partition("=")
    words = rest if named else given
    kind, mark, name = ("", "", words) if words.startswith(MARK) else words.partition(":")
    if not mark:
        kind, name = "", words
    path = _file(name, settings, owner_id, "inside").words.partition("=")
    return f"{symbol if named else ''}{named}{kind}{mark}{path[2] or path[0]}"


def _rates(given: str, settings: Settings, owner_id: str) -> _Named:
    """Return a word of `funding` with the path of its file in the place of the name; one that pays none has no file."""
    if given == UNPAID or given.endswith(f"={UNPAID}"):
        return _Named(given, is_file=False)
    return _file(given, settings, owner_id, "funding")


def _uploads(settings: Settings, owner_id: str, name: str, field: str) -> Uploads:
    """Return where a file that was sent is looked for: rates among the files of rates first, then among candles."""
    rates = Uploads(settings.data / UPLOADS / RATES)
    return rates if field == "funding" and rates.has(owner_id, name) else Uploads(settings.data / UPLOADS)


def _said(field: str, said: set[str | None]) -> str | None:
    """Return what was said of all files when they were sent. Raises Invalid where that is not one."""
    if len(said) > 1:
        came = ", ".join(sorted(each or "nothing" for each in said))
        raise Invalid([Problem(field, f"of your files it is {came}", f"one for all: say {field} here", "unclear")])
    return next(iter(said), None)


def _file(given: str, settings: Settings, owner_id: str, field: str = "files") -> _Named:
    """Return a file that may be named: one of the folder of the house, or of the user; nothing that leads elsewhere."""
    symbol, named, rest = given.partition("=")
    name = rest if named else given
    if name.startswith(MARK):
        uploads, own = _uploads(settings, owner_id, name.removeprefix(MARK), field), name.removeprefix(MARK)
        told, path = uploads.told(owner_id, own), uploads.path(owner_id, own)
        return _Named(f"{symbol if named else told['symbol']}={path}", told["timezone"], told["bar"])
    folder = settings.data / FILES
    path = folder / name
    if not _FILE.fullmatch(name):
        allowed = f"the name of a file in {FILES}/ of the data folder, or {MARK}NAME of one that you sent"
        raise Invalid([Problem(field, f"{given[:60]!a} came", allowed)])
    if path.is_symlink() or not path.is_file():
        raise NotFound(f"there is no file {name[:60]!a} in {FILES}/ of the data folder")
    return _Named(f"{symbol}={path}" if named else str(path))
