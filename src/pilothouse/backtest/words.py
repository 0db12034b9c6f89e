"""What a person said of costs, fills, sizes and exits goes in as text; data for a spec comes out. Pure.

The command line and the API understand the same words, because both ask here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pilothouse.backtest.request import ppm_of
from pilothouse.backtest.spec import Costs, FeeTier, FillAt, Fills, Slip
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import NotExact, exact
from pilothouse.strategies import rules_text
from pilothouse.strategies.rules import Rules

Kind = TypeVar("Kind", bound=StrEnum)

_TICKS_MOST: Final = 1_000_000


def pairs(given: Iterable[str], field: str) -> dict[str, str]:
    """Return NAME=VALUE pairs by name. Raises Invalid (field `field`)."""
    found = {}
    for each in given:
        name, mark, value = each.partition("=")
        if not mark or not name:
            raise Invalid([Problem(field, f"{each[:40]!r} came", "NAME=VALUE, such as fast=10")])
        found[name.strip()] = value.strip()
    return found


def amount(text: str, field: str) -> Decimal:
    """Return a decimal above zero. Raises Invalid (field `field`)."""
    try:
        found = exact(text.replace("_", "").replace(",", ""))
    except NotExact:
        found = exact("-1")
    if found <= 0:
        raise Invalid([Problem(field, f"{text[:40]!r} came", "a number above zero")])
    return found


COSTS: Final = MappingProxyType({
    "maker": "0.02", "taker": "0.05", "slippage": "0.01", "slip": Slip.FIXED.value, "slip_ticks": 0, "borrow": "0",
    "maintenance": "0.5", "liquidation": "0",
})  # fmt: skip
"""What may be said of costs, and what holds where nothing is said: percent as text, a model, ticks."""

_PERCENT_MOST: Final = {"maker": 10, "taker": 10, "slippage": 50, "borrow": 1_000, "maintenance": 50, "liquidation": 10}
_MODELS: Final = (Slip.FIXED, Slip.SPREAD, Slip.VOLUME, Slip.IMPACT)


def costs_of(told: Mapping[str, Any], tiers: Sequence[Mapping[str, str]] = (), where: str = "") -> Costs:
    """Return costs as they were told: by the names of COSTS; tiers by volume (quote), maker and taker (percent).

    where   stands before the name of each field that does not fit
    Raises Invalid that names all of them.
    """
    told, problems = COSTS | told, list[Problem]()
    for name in told.keys() - COSTS.keys():
        problems.append(Problem(f"{where}{name}", "no such cost", f"one of {', '.join(COSTS)}", "unknown_field"))
    found = {
        name: _gathered(partial(ppm_of, str(told[name]), f"{where}{name}", _PERCENT_MOST[name]), problems)
        for name in _PERCENT_MOST
    }
    slip = _gathered(partial(one_of, Slip, str(told["slip"]), f"{where}slip", _MODELS), problems)
    ticks = _gathered(partial(_ticks, told["slip_ticks"], f"{where}slip_ticks"), problems)
    if ticks and slip in {Slip.VOLUME, Slip.IMPACT}:
        allowed = "0; or fixed or spread, which count ticks"
        problems.append(Problem(f"{where}slip_ticks", f"{ticks} beside {slip}", allowed, "both"))
    each = [_gathered(partial(_tier, tier, f"{where}tiers."), problems) for tier in tiers]
    if problems:
        raise Invalid(problems)
    slips = bool(found["slippage"] or ticks)
    return Costs(
        found["maker"], found["taker"], tuple(each), slip if slips else Slip.NONE, found["slippage"], ticks,
        borrow_ppm_year=found["borrow"], maintenance_ppm=found["maintenance"], liquidation_ppm=found["liquidation"],
    )  # fmt: skip


def costs_by_market(told: Mapping[str, Mapping[str, Any]], usual: Mapping[str, Any], tiers: Any) -> dict[str, Costs]:
    """Return the costs of each market that has its own, what it does not say being as `usual`.

    tiers   of the account; a market with fees of its own has none. Raises Invalid that names every wrong field.
    """
    problems: list[Problem] = []
    found = {}
    for symbol, own in told.items():
        steps = () if {"maker", "taker"} & set(own) else tiers
        whole = {**usual, **own}
        found[symbol] = _gathered(partial(costs_of, whole, steps, f"market_costs.{symbol}."), problems)
    if problems:
        raise Invalid(problems)
    return found


def market_costs(given: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what was said of single markets: `ETHUSDT:taker=0.04,slippage=0.02`. Raises Invalid."""
    found: dict[str, dict[str, str]] = {}
    for each in given:
        symbol, mark, rest = each.rpartition(":")
        if not mark or not symbol or "=" not in rest:
            allowed = "SYMBOL:NAME=PERCENT, such as ETHUSDT:taker=0.04,slippage=0.02"
            raise Invalid([Problem("market-cost", f"{each[:60]!r} came", allowed)])
        found.setdefault(symbol, {}).update(pairs(rest.split(","), "market-cost"))
    return found


def tiers_of(given: Iterable[str]) -> list[dict[str, str]]:
    """Return what was said of fees for much trading: `1000000=0.016/0.04`. Raises Invalid."""
    found = []
    for each in given:
        volume, mark, fees = each.partition("=")
        maker, both, taker = fees.partition("/")
        if not mark or not both:
            allowed = "VOLUME=MAKER/TAKER in percent, such as 1000000=0.016/0.04"
            raise Invalid([Problem("tier", f"{each[:60]!r} came", allowed)])
        found.append({"volume": volume.strip(), "maker": maker.strip(), "taker": taker.strip()})
    return found


def _tier(told: Mapping[str, str], where: str) -> FeeTier:
    volume = amount(str(told["volume"]), f"{where}volume")
    return FeeTier(volume, *(ppm_of(str(told[name]), f"{where}{name}", 10) for name in ("maker", "taker")))


def _ticks(told: Any, field: str) -> int:
    text = str(told)
    if not re.fullmatch(r"\d{1,7}", text) or int(text) > _TICKS_MOST:
        raise Invalid([Problem(field, f"{text[:40]!r} came", f"whole ticks, 0 to {_TICKS_MOST:,}")])
    return int(text)


def _gathered(read: Callable[[], Any], problems: list[Problem]) -> Any:
    """Return what is read; where it does not fit, add to the problems."""
    try:
        return read()
    except Invalid as wrong:
        problems += wrong.problems
        return None


def latency_of(text: str) -> tuple[int, int]:
    """Return a latency as (bars, milliseconds), one of them zero: `2`, `250ms` or `1.5s`. Raises Invalid."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s)?", text.strip())
    number = Decimal(found[1]) * (1_000 if found[2] == "s" else 1) if found else Decimal("0.5")
    if found is None or number != int(number):
        raise Invalid([Problem("latency", f"{text[:40]!r} came", "bars such as 1, or time such as 250ms or 1.5s")])
    return (0, int(number)) if found[2] else (int(number), 0)


def fills_of(fill: str, latency: int, share: str | None, *, latency_ms: int = 0) -> Fills:
    """Return how orders meet the bars. Raises Invalid."""
    if fill not in {"open", "close"}:
        raise Invalid([Problem("fill", f"{fill[:40]!r} came", "open, of the next bar; or close, of the same bar")])
    volume = ppm_of(share, "volume_share") if share else None
    if volume == 0:
        raise Invalid([Problem("volume_share", f"{share!r} came", "percent above zero, at most 100", "out_of_range")])
    return Fills(FillAt(fill), latency, volume, latency_ms=latency_ms)


def changed_rules(
    rules: Rules, size: str | None, stop: str | None, take: str | None, trail: str | None
) -> Rules | None:
    """Return the strategy's rules with what was said instead of its own; None where nothing was."""
    if not any((size, stop, take, trail)):
        return None
    exits = rules.exits
    if stop:
        exits = replace(exits, stop=rules_text.distance(stop, "stop"))
    if take:
        exits = replace(exits, targets=rules_text.targets(take, "take"))
    if trail:
        exits = replace(exits, trail=rules_text.distance(trail, "trail"))
    return replace(rules, exits=exits, size=rules_text.size(size) if size else rules.size)


def one_of(kind: type[Kind], word: str, field: str, some: Sequence[Kind] = ()) -> Kind:
    """Return the member of a kind that a word names; `some`: those that may be named. Raises Invalid (`field`)."""
    allowed = some or tuple(kind)
    if word not in allowed:
        raise Invalid([Problem(field, f"{word[:40]!r} came", f"one of {', '.join(allowed)}", "unknown")])
    return kind(word)


def whole_of(number: int, field: str) -> int:
    """Return a whole number, zero or more. Raises Invalid (field `field`)."""
    if number < 0:
        raise Invalid([Problem(field, str(number), "zero or more", "out_of_range")])
    return number
