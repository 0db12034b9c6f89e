"""What an alert asks for to protect a position: its fields in; stop, targets, trailing and time stop, or problems, out.

Beside our own names it reads those of TradersPost: `takeProfit` and `stopLoss` as objects with `limitPrice`,
`stopPrice` or `amount`, and a `stopLoss` whose `type` is `trailing_stop`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

from pilothouse.bots.alert_fields import Fields, Unreadable, amount_of, level_of, parts_of
from pilothouse.core.signals import Guards, Level, Target, Trailing

T = TypeVar("T")

TARGETS_MAX: Final = 20
TIME_STOP_MAX_S: Final = 31_536_000
HUNDRED: Final = Decimal(100)

_ASKED_IN: Final = ("stop_loss", "take_profit", "take_profits", "trailing_stop", "break_even_after", "time_stop_s")
_NONE: Final = Guards()

_SHARE: Final = "a percentage of the position above zero, at most 100"
_TRAIL: Final = '{"percent": …} below 100 or {"distance": …}, above zero, and an "activation" if it is to begin later'


def read_guards(fields: Fields) -> Guards:
    """Return what a position is to be protected with; what is wrong is noted in `fields`, each under its own name."""
    if not fields.has(*_ASKED_IN):
        return _NONE
    stop_loss, trailing = _stop_loss(fields)
    if fields.has("trailing_stop"):
        if trailing is not None:
            fields.conflict("trailing_stop", "one trailing stop: stop_loss is one already")
        trailing = _try(fields, "trailing_stop", "", fields.raw("trailing_stop"), trailing_of)
    targets = _targets(fields)
    after = _whole(fields, "break_even_after", 1, TARGETS_MAX)
    if after is not None and not targets and not fields.has("take_profit", "take_profits"):
        fields.conflict("break_even_after", "nothing without take_profits: it counts targets that filled")
    elif after is not None and targets and after > len(targets):
        fields.conflict("break_even_after", f"at most {len(targets)}, the number of take_profits")
    return Guards(stop_loss, targets, after, trailing, _whole(fields, "time_stop_s", 1, TIME_STOP_MAX_S))


def trailing_of(value: object) -> Trailing:
    """Return the trailing stop that `value` stands for: "1%", or an object; raises Unreadable."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return Trailing(percent=_trail_percent(value))
    if not isinstance(value, dict):
        raise Unreadable(_TRAIL)
    parts = parts_of(value)
    percents = [parts[name] for name in ("percent", "trailpercent") if name in parts]
    distances = [parts[name] for name in ("distance", "trailamount", "amount") if name in parts]
    if len(percents) + len(distances) != 1:
        raise Unreadable(f"exactly one of percent and distance: {_TRAIL}")
    activation = level_of(parts["activation"]) if "activation" in parts else None
    if percents:
        return Trailing(percent=_trail_percent(percents[0]), activation=activation)
    return Trailing(distance=amount_of(distances[0], "a distance above zero"), activation=activation)


def targets_of(value: object, note: Callable[[str, object, Unreadable], None]) -> tuple[Target, ...]:
    """Return the take-profits in a list; what is wrong is handed to `note` with its place, such as "[1].share"."""
    if not isinstance(value, list) or not 1 <= len(value) <= TARGETS_MAX:
        note("", value, Unreadable(f'a list of 1 to {TARGETS_MAX} targets such as {{"percent": "2", "share": "50"}}'))
        return ()
    found: list[Target] = []
    for number, each in enumerate(value):
        place = f"[{number}]"
        try:
            level = level_of(each)
        except Unreadable as error:
            note(place, each, error)
            continue
        share = parts_of(each).get("share") if isinstance(each, dict) else None
        try:
            found.append(Target(level, None if share is None else amount_of(share, _SHARE, percent=True, most=HUNDRED)))
        except Unreadable as error:
            note(f"{place}.share", share, error)
    if len(found) == len(value):
        _check_shares(found, note)
    return tuple(found)


def _check_shares(targets: list[Target], note: Callable[[str, object, Unreadable], None]) -> None:
    """Note shares that are more than everything, or cannot be told apart."""
    total = sum((each.share for each in targets if each.share is not None), Decimal(0))
    open_ended = [number for number, each in enumerate(targets) if each.share is None]
    for number in open_ended[1:]:
        note(f"[{number}].share", None, Unreadable("its share in percent: one target at most gets the rest", "missing"))
    if total > HUNDRED or (total == HUNDRED and open_ended):
        most = "at most 100 together" + (", less than that where one target gets the rest" if open_ended else "")
        note("", f"shares of {total:f} % together", Unreadable(most, "conflict"))


def _stop_loss(fields: Fields) -> tuple[Level | None, Trailing | None]:
    """Return the stop-loss, or the trailing stop as which it was sent."""
    value = fields.raw("stop_loss")
    kind = parts_of(value).get("type") if isinstance(value, dict) else None
    if kind is None:
        return fields.level("stop_loss"), None
    word = kind.strip().lower() if isinstance(kind, str) else ""
    if word == "trailing_stop":
        return None, _try(fields, "stop_loss", "", value, trailing_of)
    if word != "stop":
        fields.inside("stop_loss", ".type", kind, Unreadable("stop or trailing_stop"))
    return fields.level("stop_loss"), None


def _targets(fields: Fields) -> tuple[Target, ...]:
    """Return the take-profits, one or several; both at once contradict each other."""
    single = fields.level("take_profit")
    if not fields.has("take_profits"):
        return (Target(single),) if single else ()
    if fields.has("take_profit"):
        fields.conflict("take_profit", "nothing beside take_profits")
    return targets_of(
        fields.raw("take_profits"), lambda place, value, error: fields.inside("take_profits", place, value, error)
    )


def _whole(fields: Fields, name: str, least: int, most: int) -> int | None:
    """Return the whole number in `name`; None if absent or unfit (noted)."""
    allowed = f"a whole number from {least} to {most}"
    number = fields.number(name, allowed)
    if number is None:
        return None
    if number != int(number) or not least <= number <= most:
        fields.problem(name, fields.came(name), allowed)
        return None
    return int(number)


def _trail_percent(value: Any) -> Decimal:
    percent = amount_of(value, "a percentage above zero and below 100", percent=True)
    if percent >= HUNDRED:
        raise Unreadable("a percentage above zero and below 100")
    return percent


def _try(fields: Fields, name: str, place: str, value: object, read: Callable[[object], T]) -> T | None:
    try:
        return read(value)
    except Unreadable as error:
        fields.inside(name, place, value, error)
        return None
