"""An order decided once more: what the rules were asked then in, from the record; whether they say the same today, out.

The rules are pure, so what they were given is all there is to know. Each is found by its name, and its arguments are
read by the types that it declares: a rule that has changed since is still asked, as far as it takes what was kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

import msgspec

from pilothouse.bots import bracket, follow
from pilothouse.core import risk
from pilothouse.core.clock import iso
from pilothouse.core.errors import Refused
from pilothouse.execution import store
from pilothouse.kit.chain import as_answer, encoded
from pilothouse.kit.db import Tx
from pilothouse.observability.record.story import events_of

RULES: Mapping[str, Callable[..., object]] = {
    "follow.decide": follow.decide,
    "risk.check": risk.check,
    "bracket.guard": bracket.guard,
}
"""Pure functions whose judgements are recorded, by the names under which they are."""


@dataclass(frozen=True, slots=True)
class Again:
    """One judgement, asked again.

    same   None: it could not be asked; `words` say why
    then   what was answered: `is` names its kind, `says` what it says
    now    what is answered today; None if it could not be asked
    """

    at: str
    number: int
    rule: str
    same: bool | None
    words: str
    then: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """All judgements of one order; `same`: None where the record holds none, or one could not be asked."""

    order_id: str
    same: bool | None
    judgements: tuple[Again, ...]


def replay(tx: Tx, order_id: str) -> Replay | None:
    """Decide an order again from the record, or return None if there is no such order."""
    order = store.get(tx, order_id)
    if order is None:
        return None
    found = []
    for one in events_of(tx, order):
        if one.event == "judged":
            said = one.said if isinstance(one.said, Mapping) else {}
            found.append(_again(iso(one.row.at), one.row.number, said))
    same: bool | None = None
    if any(one.same is False for one in found):
        same = False
    elif found and all(one.same for one in found):
        same = True
    return Replay(order.id, same, tuple(found))


def ask_again(said: Mapping[str, Any]) -> tuple[bool | None, str, Any]:
    """Return whether a recorded judgement comes out the same, a sentence, and today's answer."""
    rule = RULES.get(str(said.get("rule")))
    if rule is None:
        return None, f"there is no rule {said.get('rule')!r} here any more", None
    given = said.get("given")
    try:
        asked = _arguments(rule, given)
        answer: object = rule(**asked)
    except Refused as refusal:
        answer = refusal
    except (msgspec.ValidationError, TypeError, KeyError, AssertionError, ValueError, ArithmeticError) as error:
        return None, f"the rule asks for other things now than it was given then: {error}", None
    now = msgspec.json.decode(encoded(as_answer(answer)))
    then = {"is": said.get("is"), "says": said.get("says")}
    if _agrees(then, now):
        return True, "the answer is the same", now
    return False, "the answer is another one today", now


def _again(at: str, number: int, said: Mapping[str, Any]) -> Again:
    same, words, now = ask_again(said)
    return Again(at, number, str(said.get("rule")), same, words, {"is": said.get("is"), "says": said.get("says")}, now)


@cache
def _types(rule: Callable[..., object]) -> Mapping[str, Any]:
    return {name: type_ for name, type_ in get_type_hints(rule).items() if name != "return"}


def _arguments(rule: Callable[..., object], given: Any) -> dict[str, Any]:
    """Return what a rule is given, in its own types. Raises ValidationError or TypeError where that does not fit."""
    if not isinstance(given, Mapping):
        raise TypeError("the record does not say what it was given")
    types = _types(rule)
    unknown = sorted(given.keys() - types.keys())
    if unknown:
        raise TypeError(f"it knows no {', '.join(unknown)}")
    return {name: msgspec.convert(value, types[name], strict=False, str_keys=True) for name, value in given.items()}


def _agrees(then: Any, now: Any) -> bool:
    """Say whether today's answer says everything that was said then; it may say more."""
    if isinstance(then, dict) and isinstance(now, dict):
        return all(name in now and _agrees(value, now[name]) for name, value in then.items())
    if isinstance(then, list) and isinstance(now, list):
        return len(then) == len(now) and all(_agrees(one, other) for one, other in zip(then, now, strict=True))
    return bool(then == now)
