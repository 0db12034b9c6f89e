"""A request for a backtest goes in as the API takes it; candles and a wish come out, or every field that is wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pilothouse.backtest.request import Wish
from pilothouse.backtest.spec import Margin, Ranking
from pilothouse.backtest.words import amount, changed_rules, costs, fills_of
from pilothouse.core.errors import Invalid, NotFound, Problem
from pilothouse.core.limits_text import limits_of
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.strategies import rules_text
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.registry import Described
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns
from pilothouse.wiring.backtest_data import Asked, Found, of_files
from pilothouse.wiring.backtest_inside import add_file, is_length
from pilothouse.wiring.backtest_kept import add_kept, of_folder
from pilothouse.wiring.backtest_run import Changed, traded
from pilothouse.wiring.backtest_search import Tried

FILES: Final = "files"
"""The folder in the data folder whose files of candles may be named in a request."""

_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_UNBOUNDED_MS: Final = 2**62

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its candles.

    asked   as it came: see `api/backtest_shapes.py` for the fields
    """

    asked: dict[str, Any]
    found: Found

    @property
    def bars(self) -> int:
        """Return how many bars are traded, over all markets."""
        every = [self.found.candles[symbol] for symbol in self.asked["markets"] if symbol in self.found.candles]
        return sum(len(each) for each in every or [traded(self.found)[1]])

    def fixed(self) -> dict[str, Any]:
        """Return the request with its span of time as it is now: candles that come later do not change it."""
        every = self.found.candles.values()
        first, last = min(int(each.opened_ms[0]) for each in every), max(int(each.closed_ms[-1]) for each in every)
        return self.asked | {"start_ms": first, "until_ms": last}

    def prints(self) -> dict[str, str]:
        """Return the fingerprints of the candles by symbol."""
        return {symbol: candles.fingerprint() for symbol, candles in self.found.candles.items()}

    def resolved(self, described: Described) -> Params:
        """Return the parameters, with defaults. Raises Invalid."""
        return resolve(described.strategy.parameters, self.asked["params"])

    def params(self, described: Described) -> dict[str, Any]:
        """Return the parameters as plain data."""
        return dict(self.resolved(described))

    def checked(self, described: Described) -> None:
        """Raise Invalid that names every field which does not fit."""
        _each(lambda: self.resolved(described), *_wishes(self.asked), *_rules(self.asked))

    @staticmethod
    def defaults(strategy: Columns) -> Params:
        """Return the parameters of a strategy when nothing is said."""
        return resolve(strategy.parameters, {})


def read_request(asked: dict[str, Any], settings: Settings, database: Callable[[], Database]) -> Request:
    """Return a request with its candles. Raises Invalid, NotFound, CandlesUnsound, CandlesMissing."""
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


def wish_of(request: Request, described: Described) -> Wish:
    """Return what was wished for. Raises Invalid."""
    asked, found = request.asked, request.found
    traded = tuple(asked["markets"])
    return Wish(
        strategy=described.name,
        version=described.version,
        params=asked["params"],
        venue=found.venue,
        timeframe=found.timeframe,
        capital=amount(asked["capital"], "capital"),
        leverage=asked["leverage"],
        margin=Margin(asked["margin"]),
        markets=traded or (tuple(found.candles)[:1] if asked["hedge"] else ()),
        positions=asked["positions"],
        ranking=Ranking(asked["rank"]),
        hedge=asked["hedge"],
        limits=limits_of(asked["limits"]),
        costs=costs(asked["maker"], asked["taker"], asked["slippage"]),
        fills=fills_of(asked["fill"], asked["latency"], asked["volume_share"], latency_ms=asked["latency_ms"]),
        lot=amount(asked["lot"], "lot") if asked["lot"] else None,
    )


def changed_by(request: Request) -> Changed:
    """Return what puts the exits and sizes that were asked for in the place of a strategy's own."""
    words = [request.asked[name] for name in ("size", "stop", "take", "trail")]

    def changed(rules: Rules) -> Rules | None:
        return changed_rules(rules, *words)

    return changed


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


def _wishes(asked: dict[str, Any]) -> list[Callable[[], object]]:
    return [
        lambda: amount(asked["capital"], "capital"),
        lambda: costs(asked["maker"], "0", "0"),
        lambda: costs("0", asked["taker"], "0"),
        lambda: costs("0", "0", asked["slippage"]),
        lambda: fills_of(asked["fill"], asked["latency"], asked["volume_share"], latency_ms=asked["latency_ms"]),
        lambda: amount(asked["lot"], "lot") if asked["lot"] else None,
        lambda: limits_of(asked["limits"]),
    ]


def _rules(asked: dict[str, Any]) -> list[Callable[[], object]]:
    return [
        lambda: rules_text.size(asked["size"]) if asked["size"] else None,
        lambda: rules_text.distance(asked["stop"], "stop") if asked["stop"] else None,
        lambda: rules_text.targets(asked["take"], "take") if asked["take"] else None,
        lambda: rules_text.distance(asked["trail"], "trail") if asked["trail"] else None,
    ]


def _each(*calls: Callable[[], object]) -> None:
    """Make every call. Raises Invalid with the problems of all of them."""
    problems: list[Problem] = []
    for call in calls:
        try:
            call()
        except Invalid as wrong:
            problems += wrong.problems
    if problems:
        raise Invalid(problems)
