"""What a person said of costs, fills, sizes and exits goes in as text; data for a spec comes out. Pure.

The command line and the API understand the same words, because both ask here.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from pilothouse.backtest.request import ppm_of
from pilothouse.backtest.spec import Costs, FillAt, Fills, Slip
from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import NotExact, exact
from pilothouse.strategies import rules_text
from pilothouse.strategies.rules import Rules

Kind = TypeVar("Kind", bound=StrEnum)


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


def costs(maker: str, taker: str, slippage: str) -> Costs:
    """Return costs told in percent. Raises Invalid."""
    slip = ppm_of(slippage, "slippage", 50)
    return Costs(
        maker_ppm=ppm_of(maker, "maker", 10),
        taker_ppm=ppm_of(taker, "taker", 10),
        slip=Slip.FIXED if slip else Slip.NONE,
        slip_ppm=slip,
    )


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
    return Fills(
        FillAt(fill), latency, ppm_of(share, "volume-share") if share else None, latency_ms=latency_ms
    )  # fmt: skip


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


def one_of(kind: type[Kind], word: str, field: str) -> Kind:
    """Return the member of a kind that a word names. Raises Invalid (field `field`)."""
    try:
        return kind(word)
    except ValueError:
        raise Invalid([Problem(field, f"{word[:40]!r} came", f"one of {', '.join(kind)}", "unknown")]) from None


def whole_of(number: int, field: str) -> int:
    """Return a whole number, zero or more. Raises Invalid (field `field`)."""
    if number < 0:
        raise Invalid([Problem(field, str(number), "zero or more", "out_of_range")])
    return number
