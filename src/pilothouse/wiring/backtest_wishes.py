"""What somebody asked of a backtest goes in as plain data, with its candles; a wish comes out, or what is wrong.

The command line and the API take the same words under the same names (`api/backtest_shapes.py`); here they become one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pilothouse.backtest.request import Wish
from pilothouse.backtest.spec import Margin, Ranking
from pilothouse.backtest.words import (
    COSTS,
    amount,
    changed_rules,
    costs_by_market,
    costs_of,
    fills_of,
    one_of,
    whole_of,
)
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.limits_text import limits_of
from pilothouse.strategies import rules_text
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.registry import Described
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns
from pilothouse.wiring.backtest_data import Found
from pilothouse.wiring.backtest_run import Changed, traded

UNSAID: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "params": {}, "venue": "", "symbols": [], "timeframe": "", "files": [], "start_ms": None, "until_ms": None,
        "timezone": None, "bar": None, "leave_out": [], "capital": "10000", "leverage": 1, "margin": "isolated",
        "markets": [], "positions": 0, "rank": "column", "hedge": False, "limits": {}, "lot": None, **COSTS,
        "tiers": [], "market_costs": {}, "fill": "open", "latency": 0, "latency_ms": 0, "inside": None,
        "funding": [], "volume_share": None, "size": None, "stop": None, "take": None, "trail": None,
        "orders": None, "uploads_of": "",
    }
)  # fmt: skip
"""What holds of a request where nothing is said: the API's own defaults, for words and for requests that are older."""


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
        margin=one_of(Margin, asked["margin"], "margin"),
        markets=traded or (tuple(found.candles)[:1] if asked["hedge"] else ()),
        positions=whole_of(asked["positions"], "positions"),
        ranking=one_of(Ranking, asked["rank"], "rank"),
        hedge=asked["hedge"],
        limits=limits_of(asked["limits"]),
        costs=costs_of(_costs(asked), asked["tiers"]),
        own_costs=costs_by_market(asked["market_costs"], _costs(asked), asked["tiers"]),
        fills=fills_of(asked["fill"], asked["latency"], asked["volume_share"], latency_ms=asked["latency_ms"]),
        lot=amount(asked["lot"], "lot") if asked["lot"] else None,
    )


def changed_by(request: Request) -> Changed:
    """Return what puts the exits and sizes that were asked for in the place of a strategy's own."""
    words = [request.asked[name] for name in ("size", "stop", "take", "trail")]

    def changed(rules: Rules) -> Rules | None:
        return changed_rules(rules, *words)

    return changed


def _costs(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in COSTS}


def _wishes(asked: dict[str, Any]) -> list[Callable[[], object]]:
    return [
        lambda: amount(asked["capital"], "capital"),
        lambda: costs_of(_costs(asked), asked["tiers"]),
        lambda: costs_by_market(asked["market_costs"], COSTS, ()),
        lambda: one_of(Margin, asked["margin"], "margin"),
        lambda: one_of(Ranking, asked["rank"], "rank"),
        lambda: whole_of(asked["positions"], "positions"),
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
