"""What may be set on a hook, and within which bounds: plain JSON data in, what is stored out.

Every wrong field is named at once, with what came and what is allowed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.rounding import NotExact, exact, plain
from pilothouse.core.signals import SizeKind

# A risk above the whole account, or a position of more than 100 x equity, is a slip of the hand.
_MOST = {SizeKind.RISK_PERCENT: 100, SizeKind.EQUITY_PERCENT: 10_000}
_SYMBOLS_MAX = 500


class _Wrong(Exception):
    """What would be right instead."""


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` as they are stored. Raises Invalid with every wrong one."""
    problems = []
    values: dict[str, Any] = {}
    for name, came in fields.items():
        check = _CHECKS.get(name)
        if check is None:
            allowed = f"one of {', '.join(_CHECKS)}"
            problems.append(Problem(str(name)[:60], "not a field of a hook", allowed, "unknown_field"))
            continue
        try:
            values[name] = check(came)
        except _Wrong as wrong:
            problems.append(Problem(name, repr(came)[:60], str(wrong)))
    if problems:
        raise Invalid(problems)
    return values


def _name(came: object) -> str:
    text = came.strip() if isinstance(came, str) else ""
    if not 1 <= len(text) <= 120 or not text.isprintable():
        raise _Wrong("a text of 1 to 120 printable characters")
    return text


def _size(came: object) -> dict[str, str] | None:
    if came is None:
        return None
    bounds = ", ".join(f"{kind} at most {most}" for kind, most in _MOST.items())
    allowed = f"null, or kind ({', '.join(SizeKind)}) and value (above zero; {bounds})"
    if not isinstance(came, Mapping) or set(came) != {"kind", "value"} or came["kind"] not in tuple(SizeKind):
        raise _Wrong(allowed)
    try:
        value = exact(came["value"])
    except NotExact:
        raise _Wrong(allowed) from None
    kind = SizeKind(came["kind"])
    most = _MOST.get(kind)
    if value <= 0 or (most is not None and value > most):
        raise _Wrong(allowed)
    return {"kind": kind.value, "value": plain(value)}


def _symbols(came: object) -> list[str] | None:
    if came is None:
        return None
    allowed = f"null for all, or a list of 1 to {_SYMBOLS_MAX} symbols such as BTCUSDT"
    if not isinstance(came, list | tuple) or not 1 <= len(came) <= _SYMBOLS_MAX:
        raise _Wrong(allowed)
    symbols = [each.strip().upper() if isinstance(each, str) else "" for each in came]
    if not all(1 <= len(each) <= 40 and each.isascii() and each.isprintable() for each in symbols):
        raise _Wrong(allowed)
    return sorted(set(symbols))


_EXPECTED_SECONDS = (10, 2_678_400)
_WITHIN_SECONDS = (1, 86_400)
_EXPECTS = {"every_s": None, "counter": False, "position": False, "within_s": 60}


def _expects(came: object) -> dict[str, Any] | None:
    """Return what a hook is to expect, every field of it; None: nothing."""
    if came is None:
        return None
    allowed = (
        f"null, or an object of every_s ({_EXPECTED_SECONDS[0]} to {_EXPECTED_SECONDS[1]} or null), counter and "
        f"position (true or false), within_s ({_WITHIN_SECONDS[0]} to {_WITHIN_SECONDS[1]})"
    )
    if not isinstance(came, Mapping) or not came or not set(came) <= set(_EXPECTS):
        raise _Wrong(allowed)
    values = {**_EXPECTS, **came}
    numbers = ((values["every_s"], *_EXPECTED_SECONDS), (values["within_s"], *_WITHIN_SECONDS))
    for number, least, most in numbers:
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise _Wrong(allowed)
        if number is not None and not least <= number <= most:
            raise _Wrong(allowed)
    if values["within_s"] is None or not all(isinstance(values[name], bool) for name in ("counter", "position")):
        raise _Wrong(allowed)
    if values["every_s"] is None and not values["counter"] and not values["position"]:
        return None
    return values


def _whole(least: int, most: int, *, or_null: bool = False) -> Callable[[object], int | None]:
    def check(came: object) -> int | None:
        if or_null and came is None:
            return None
        if isinstance(came, bool) or not isinstance(came, int) or not least <= came <= most:
            raise _Wrong(f"a whole number from {least} to {most}" + (", or null" if or_null else ""))
        return came

    return check


def _truth(came: object) -> bool:
    if not isinstance(came, bool):
        raise _Wrong("true or false")
    return came


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": _name,
    "default_size": _size,
    "symbols": _symbols,
    "window_s": _whole(0, 86_400),
    "max_age_s": _whole(1, 86_400, or_null=True),
    "rate_per_s": _whole(1, 100_000),
    "dry": _truth,
    "expects": _expects,
}
