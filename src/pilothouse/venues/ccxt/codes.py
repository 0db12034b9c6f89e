"""What an error means: HTTP status, code and text of an exchange in, exactly one outcome out.

The classes that ccxt raises are not gone by: it maps one code to several of them, by the address that was asked, and
calls things that certainly failed and things that nobody can say alike. Each exchange tested in depth has a table of
its own; an error that is in none is unknown, never failed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What became of a request that was not answered with success."""

    REJECTED = "rejected"
    """It was not done and, sent like this, never will be."""
    NOT_NOW = "not_now"
    """It was not done; it may be asked again later."""
    STALE = "stale"
    """It was not done: its time lies outside of the window. Stamped anew, it may be sent again."""
    ABSENT = "absent"
    """The exchange knows no such order."""
    GONE = "gone"
    """There is nothing to cancel: filled, ended, or never there. It says not which."""
    EXISTS = "exists"
    """An order has this client id already."""
    NO_CHANGE = "no_change"
    """It is so already: as good as done."""
    UNKNOWN = "unknown"
    """Nobody can say whether it was done."""


TOO_MANY: Final = frozenset({429, 418})
"""HTTP statuses that refuse a request for the rate of requests, before it is looked at."""

_CERTAIN_KINDS: Final = frozenset({"AuthenticationError", "PermissionDenied", "AccountSuspended", "InsufficientFunds"})


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is an error.

    status   of HTTP; 200 where the body alone says that it failed
    code     the exchange's own, as it wrote it; empty if there is none
    text     what it said
    kind     the class that ccxt has for it; a hint for exchanges without a table, else empty
    """

    status: int
    code: str
    text: str
    kind: str = ""


def plain_outcome(fault: Fault) -> Outcome:
    """Return what an error means at an exchange without a table of its own.

    Certain are only the limits of HTTP, and what ccxt knows by the exchange's own code as a credential that is not
    taken, too little money, or an order that is not there. All else is unknown.
    """
    if fault.status in TOO_MANY:
        return Outcome.NOT_NOW
    if fault.status == 408 or not (fault.status == 200 or 400 <= fault.status < 500):
        return Outcome.UNKNOWN
    if fault.kind in _CERTAIN_KINDS:
        return Outcome.REJECTED
    if fault.kind == "OrderNotFound":
        return Outcome.ABSENT
    return Outcome.UNKNOWN
