"""Machine code of loops and indicators, made before anybody waits for it: small runs of everything; none stays.

They take the way of every other run, from files to a result and through a search, so that what is compiled here is what
will be called there.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pilothouse.backtest.search import search
from pilothouse.core.errors import Broken
from pilothouse.kit.db import Database
from pilothouse.kit.settings import Settings
from pilothouse.strategies.registry import BUILT_IN
from pilothouse.wiring.backtest_run import carry_out
from pilothouse.wiring.backtest_search import Tried, plan
from pilothouse.wiring.backtest_wishes import Request, changed_by, wish_of
from pilothouse.wiring.bench_requests import FILES, read_request

_BARS: Final = 3_000
_BEGIN_MS: Final = 1_704_067_200_000
_SPAN_MS: Final = 900_000
_NAMES: Final = ("A", "B")
_RANGED: Final = {"stop": "2atr", "take": "2atr:0.5,4atr:0.5"}
_SEARCHED: Final = "ema-cross"
_TRIALS: Final = 2


@dataclass(frozen=True, slots=True)
class _Work:
    """One small run, or a search of it."""

    words: str
    asked: dict[str, Any]
    searches: bool = False


def count() -> int:
    """Return how many pieces of work there are."""
    return sum(1 for _ in _every())


def warm(settings: Settings, told: Callable[[str], None]) -> None:
    """Carry out every piece of work in a folder that is removed; `told` is called with the words of each before it."""
    with tempfile.TemporaryDirectory(prefix="pilothouse-warm-") as name:
        own = replace(settings, data=Path(name))
        for words, request, searches in requests(own):
            told(words)
            _carry_out(own, request, searches=searches)


def requests(own: Settings) -> Iterator[tuple[str, Request, bool]]:
    """Yield the words of each piece of work, its request, and whether it is a search; candles are put into `own`."""
    (own.data / FILES).mkdir(parents=True, exist_ok=True)
    for turn, symbol in enumerate(_NAMES):
        (own.data / FILES / f"{symbol}.csv").write_text("\n".join(_lines(7 + 4 * turn)) + "\n", encoding="ascii")
    for work in _every():
        yield work.words, read_request(work.asked, own, _no_database), work.searches


def _every() -> Iterator[_Work]:
    files = [f"{symbol}={symbol}.csv" for symbol in _NAMES]
    for name, described in BUILT_IN.items():
        several = described.instruments == "many"
        yield _Work(name, {"strategy": name, "files": files} | ({"markets": list(_NAMES)} if several else {}))
    shared = {"strategy": _SEARCHED, "files": files, "markets": list(_NAMES)}
    yield _Work("stops at true ranges", {"strategy": _SEARCHED, "files": files} | _RANGED)
    yield _Work("several instruments", shared)
    yield _Work("several instruments, stops at true ranges", shared | _RANGED)
    yield _Work("a search", {"strategy": _SEARCHED, "files": files}, searches=True)
    yield _Work("a search, stops at true ranges", {"strategy": _SEARCHED, "files": files} | _RANGED, searches=True)


def _carry_out(own: Settings, request: Request, *, searches: bool) -> None:
    described = BUILT_IN[request.asked["strategy"]]
    wish, changed = wish_of(request, described), changed_by(request)
    if searches:
        ready = plan(described, wish, request.found, changed, Tried(over=("fast=5..6",)))
        for _ in search(ready.task, islice(ready.combinations, _TRIALS)):
            pass
    else:
        carry_out(own, described, wish, request.found, changed, orders=False)


def _lines(length: int) -> Iterator[str]:
    """Yield a file of bars that rise and fall, in prices that mean nothing."""
    yield "date,open,high,low,close,volume"
    close = 10_000
    for bar in range(_BARS):
        opened, close = close, close + (60 if bar // length % 2 == 0 else -59) + (bar * 37) % 23 - 11
        high, low = max(opened, close) + 15, min(opened, close) - 15
        prices = ",".join(f"{each // 100}.{each % 100:02}" for each in (opened, high, low, close))
        yield f"{_BEGIN_MS + bar * _SPAN_MS},{prices},{100 + bar % 50}"


def _no_database() -> Database:
    raise Broken("small runs read files alone")
