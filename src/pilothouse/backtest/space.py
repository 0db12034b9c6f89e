"""What a search tries: words such as `fast=5..50:5` go in; combinations come out, in order or drawn. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.parameters import Parameter, Params, combinations, count

_RANGE: Final = re.compile(r"(-?[0-9.]+)\.\.(-?[0-9.]+)(?::([0-9.]+))?")
_VALUES_MOST: Final = 10_000

Over = Mapping[str, tuple[str, ...]]


def space(words: Sequence[str], declared: Mapping[str, Parameter]) -> Over:
    """Return the values to try by name: `fast=5..50:5`, `slow=20,50`, or `fast` alone for its declared steps.

    Raises Invalid that names the word which does not fit, or a parameter that does not exist.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, mark, told = (part.strip() for part in word.partition("="))
        if name not in declared:
            there = ", ".join(declared) or "none"
            raise Invalid([Problem(name or word[:40], "no such parameter", f"one of {there}", "unknown")])
        values = _values(told, name) if mark else tuple(str(each) for each in declared[name].grid())
        for value in values:
            declared[name].check(name, value)
        found[name] = values
    return found


def _values(told: str, name: str) -> tuple[str, ...]:
    span = _RANGE.fullmatch(told)
    if span is None:
        return tuple(part.strip() for part in told.split(",") if part.strip())
    first, last, step = (Decimal(part) if part else Decimal(1) for part in span.groups())
    if step <= 0 or last < first or (last - first) / step > _VALUES_MOST:
        allowed = f"first..last:step, rising, at most {_VALUES_MOST:,} values"
        raise Invalid([Problem(name, f"{told[:40]!r} came", allowed)])
    return tuple(format((first + step * number).normalize(), "f") for number in range(int((last - first) / step) + 1))


def grid(declared: Mapping[str, Parameter], over: Over) -> tuple[int, Iterator[Params]]:
    """Return how many combinations there are, and all of them. Raises Invalid."""
    return count(declared, over), combinations(declared, over)


def drawn(declared: Mapping[str, Parameter], over: Over, draws: int, seed: int) -> list[Params]:
    """Return different combinations, drawn evenly and by a seed: at most `draws`, all of them where there are fewer."""
    whole = count(declared, over)
    if whole <= draws:
        return list(combinations(declared, over))
    chosen = np.random.default_rng(seed).choice(whole, size=draws, replace=False)
    names = list(declared)
    axes = [
        [declared[name].check(name, value) for value in over.get(name, (str(declared[name].default),))]
        for name in names
    ]
    found = []
    for place in sorted(int(each) for each in chosen):
        values, rest = {}, place
        for name, axis in zip(reversed(names), reversed(axes), strict=True):
            rest, at = divmod(rest, len(axis))
            values[name] = axis[at]
        found.append(Params(values))
    return found
