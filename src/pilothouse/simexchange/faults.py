"""Faults: what is to go wrong, for which requests, how often. Rules are tried in order; the first that fits strikes.

A request may also ask for its own fault with the header `X-Sim-Fault`, such as `lost` or `slow:500`.

    lost            done, then the connection is reset before the answer
    hang            done, and never answered
    unknown         done, answered 503 "Unknown error": the outcome is unknown
    unknown_undone  not done, answered the same
    timeout         done, answered 408 with -1007
    unexpected      done, answered 503 with -1006
    unavailable     not done, 503 "Service Unavailable."
    internal        not done, 503 "Internal error; unable to process your request. Please try again."
    throttled       not done, 503 with -1008; orders that only reduce are exempt
    reset, silent   not done: the connection is reset, or stays silent
    gateway         not done, 502 with a page of HTML
    too_many, banned   not done: 429, 418 with Retry-After (`value` seconds, else 5 and 120)
    reject          not done: 400 with `code` and `text`
    maintenance     not done: 503 for everything
    queued          looked at only after `value` milliseconds; an AsterDEX noop with the same nonce voids it before
    slow            done, answered `value` milliseconds later
    partial         an order finds only `value` lots of the crowd
    reject_trigger  a conditional order is rejected when it triggers

What goes wrong in streams has kinds of its own. For user events: drop, duplicate, reorder, delay. For market streams:
mute, by which those of one kind, such as `bookTicker`, say nothing while their connection lives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilothouse.simexchange.requests import Request

AFTER = frozenset({"lost", "hang", "unknown", "timeout", "unexpected", "slow"})
INSTEAD = frozenset(
    {
        "unknown_undone", "unavailable", "internal", "throttled", "reset", "silent", "gateway", "too_many", "banned",
        "reject", "maintenance",
    }
)  # fmt: skip
BEFORE = frozenset({"queued"})
AROUND = frozenset({"partial", "reject_trigger"})
KINDS = AFTER | INSTEAD | BEFORE | AROUND
STREAM_KINDS = frozenset({"drop", "duplicate", "reorder", "delay", "mute"})

_UNKNOWN = "Unknown error, please check your request or try again later."
_BODIES: Mapping[str, tuple[int, Mapping[str, Any] | str]] = {
    "unknown": (503, {"code": -1000, "msg": _UNKNOWN}),
    "unknown_undone": (503, {"code": -1000, "msg": _UNKNOWN}),
    "unavailable": (503, {"code": 0, "msg": "Service Unavailable."}),
    "internal": (503, {"code": 0, "msg": "Internal error; unable to process your request. Please try again."}),
    "maintenance": (503, {"code": 0, "msg": "Service Unavailable."}),
    "throttled": (
        503,
        {
            "code": -1008,
            "msg": "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."
            " Please try again.",
        },
    ),
    "timeout": (
        408,
        {
            "code": -1007,
            "msg": "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        },
    ),
    "unexpected": (
        503,
        {
            "code": -1006,
            "msg": "An unexpected response was received from the message bus. Execution status unknown.",
        },
    ),
    "gateway": (502, "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"),
    "too_many": (429, {"code": -1003, "msg": "Too many requests."}),
    "banned": (418, {"code": -1003, "msg": "Way too many requests; banned."}),
}


class NoSuchFault(ValueError):
    """A rule that cannot be read."""


@dataclass(slots=True)
class Rule:
    """One thing that is to go wrong.

    method, path   what requests it strikes; empty: all; `path` is the last part, such as `order`
    where          parameters a request must have, with the beginning of their values
    times          how often it still strikes; below zero: always
    skip           how many fitting requests go through before
    value          milliseconds, lots or seconds, as the kind needs it
    """

    kind: str
    method: str = ""
    path: str = ""
    where: Mapping[str, str] | None = None
    times: int = 1
    skip: int = 0
    value: int = 0
    code: int = -1000
    text: str = ""
    status: int = 400

    def fits(self, request: Request, name: str) -> bool:
        """Say whether a request is one that it strikes."""
        if (self.method and self.method != request.method) or (self.path and self.path != name):
            return False
        return all(request.params.get(key, "").startswith(start) for key, start in (self.where or {}).items())


@dataclass(slots=True)
class StreamRule:
    """What is to happen to events of streams: `kind` to the next `times` of them (below zero: all).

    event   of which kind they are, empty: of any; for `mute` the kind of a market stream
    """

    kind: str
    times: int = 1
    value: int = 0
    event: str = ""


class Faults:
    """The rules of one exchange."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.stream_rules: list[StreamRule] = []

    def add(self, described: Mapping[str, Any]) -> None:
        """Add a rule from its description; raises NoSuchFault if it makes no sense."""
        kind = described.get("kind")
        try:
            if described.get("stream"):
                if kind not in STREAM_KINDS:
                    raise NoSuchFault(f"{kind!r} is none of {', '.join(sorted(STREAM_KINDS))}")
                fields = {name: value for name, value in described.items() if name != "stream"}
                self.stream_rules.append(StreamRule(**fields))
                return
            if kind not in KINDS:
                raise NoSuchFault(f"{kind!r} is none of {', '.join(sorted(KINDS))}")
            self.rules.append(Rule(**described))
        except TypeError as error:
            raise NoSuchFault(str(error)) from error

    def clear(self) -> None:
        """Forget all rules."""
        self.rules.clear()
        self.stream_rules.clear()

    def strike(self, request: Request, name: str) -> Rule | None:
        """Return the rule that strikes a request, used up by one; None: nothing goes wrong."""
        own = request.headers.get("x-sim-fault")
        if own:
            kind, _, value = own.partition(":")
            return Rule(kind, value=int(value) if value.isdigit() else 0) if kind in KINDS else None
        for rule in self.rules:
            if not rule.times or not rule.fits(request, name):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.kind == "throttled" and _only_reduces(request):
                continue
            if rule.times > 0:
                rule.times -= 1
            return rule
        return None

    def strike_event(self, event: str) -> StreamRule | None:
        """Return what happens to an event of a user stream; None: nothing."""
        return self._strike_stream(event, is_mute=False)

    def mutes(self, stream: str) -> bool:
        """Say whether a market stream, such as `btcusdt@bookTicker` or `!markPrice@arr`, keeps this to itself."""
        if not self.stream_rules:
            return False
        named = stream.split("@")
        kind = named[0].removeprefix("!") if stream.startswith("!") else named[1]
        return self._strike_stream(kind, is_mute=True) is not None

    def _strike_stream(self, event: str, *, is_mute: bool) -> StreamRule | None:
        for rule in self.stream_rules:
            if rule.times and (rule.kind == "mute") is is_mute and (not rule.event or rule.event == event):
                if rule.times > 0:
                    rule.times -= 1
                return rule
        return None


def answer_of(rule: Rule) -> tuple[int, Mapping[str, Any] | str, int]:
    """Return status, body and Retry-After (0: none) of a fault that answers."""
    if rule.kind == "reject":
        return rule.status, {"code": rule.code, "msg": rule.text or "Rejected."}, 0
    status, body = _BODIES[rule.kind]
    wait = (rule.value or (5 if status == 429 else 120)) if status in {418, 429} else 0
    return status, body, wait


def _only_reduces(request: Request) -> bool:
    return request.method == "DELETE" or bool(request.flag("reduceOnly") or request.flag("closePosition"))
