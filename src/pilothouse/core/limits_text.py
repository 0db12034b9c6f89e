"""Limits as somebody wrote them, and as they are written down again. Plain values in, limits or named problems out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pilothouse.core.errors import Invalid, Problem
from pilothouse.core.hours import Hours, HoursNotUnderstood
from pilothouse.core.limits import BY_LIMIT, NAMES, Limits, Rule, Value
from pilothouse.core.rounding import NotExact, exact, plain

SYMBOLS_MOST = 500
_SYMBOL_LENGTH_MOST = 64

Asked = Mapping[str, Any]
"""Limits by name, as somebody wrote them; None takes a limit away."""


def limits_of(asked: Asked, where: str = "limits.") -> Limits:
    """Return the limits that were written down. Raises Invalid naming every wrong one."""
    problems: list[Problem] = []
    found = read(asked, where, problems)
    if problems:
        raise Invalid(problems)
    return Limits(**found)  # type: ignore[arg-type]  # each was read for the field of its name


def stored(value: Value | None) -> Any:
    """Return a limit as it stands in JSON; None stays None."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Hours):
        return str(value)
    return plain(value) if isinstance(value, Decimal) else value


def read(asked: Asked, where: str, problems: list[Problem]) -> dict[str, Value | None]:
    """Return the limits that were written down, and add to `problems` each that cannot be one."""
    values: dict[str, Value | None] = {}
    for name, came in asked.items():
        rule = BY_LIMIT.get(name)
        if rule is None:
            problems.append(Problem(f"{where}{name}", "no such limit", f"one of {', '.join(NAMES)}", "unknown_field"))
            continue
        values[name] = None if came is None else _value(rule, came, where, problems)
    return values


def _value(rule: Rule, came: Any, where: str, problems: list[Problem]) -> Value | None:
    field = f"{where}{rule.limit}"
    if rule.limit == "symbols":
        return _symbols(came, field, problems)
    if rule.limit == "hours":
        try:
            return Hours.read(str(came)[:1_000])
        except HoursNotUnderstood as wrong:
            problems.append(Problem(field, str(wrong), "hours such as mon-fri 08:00-16:30, in UTC", "out_of_range"))
            return None
    assert rule.low is not None, "every limit that is no set has bounds"
    assert rule.high is not None, "as above"
    try:
        number = exact(came)
    except NotExact:
        number = Decimal(-1)
    if not rule.low <= number <= rule.high or (rule.whole and number != int(number)):
        allowed = f"{plain(rule.low)} to {plain(rule.high)} {rule.unit}{', a whole number' if rule.whole else ''}"
        problems.append(Problem(field, f"{str(came)[:40]!r} came", f"{allowed}: {rule.asks}", "out_of_range"))
        return None
    return int(number) if rule.whole else number


def _symbols(came: Any, field: str, problems: list[Problem]) -> frozenset[str] | None:
    names = came.split(",") if isinstance(came, str) else list(came)
    found = frozenset(str(name).strip() for name in names)
    good = all(0 < len(name) <= _SYMBOL_LENGTH_MOST and name.isascii() and name.isprintable() for name in found)
    if not good or not 0 < len(found) <= SYMBOLS_MOST:
        allowed = f"1 to {SYMBOLS_MOST} symbols as their venue writes them, such as BTCUSDT"
        problems.append(Problem(field, f"{str(came)[:40]!r} came", allowed, "out_of_range"))
        return None
    return found
