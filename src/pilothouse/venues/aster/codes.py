"""What an error of AsterDEX means: HTTP status, code and text in, exactly one outcome out.

Read from the venue's own pages (futures v3, "HTTP Return Codes" and "Error Codes"). Two rules stand above the table: an
answer of 5xx is no failure ("the execution status is UNKNOWN and could have been a success"), and an error that is not
listed here is unknown, never failed.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Outcome(StrEnum):
    """What became of a request that was not answered with success."""

    REJECTED = "rejected"
    """It was not done and, sent like this, never will be."""
    NOT_NOW = "not_now"
    """It was not done; it may be asked again later."""
    STALE = "stale"
    """It was not done: its nonce lies outside of the window or was overtaken. Signed anew, it may be sent again."""
    ABSENT = "absent"
    """The venue knows no such order."""
    GONE = "gone"
    """There is nothing to cancel: filled, ended, or never there. It says not which."""
    EXISTS = "exists"
    """An open order has this client id already."""
    NO_CHANGE = "no_change"
    """It is so already: as good as done."""
    UNKNOWN = "unknown"
    """Nobody can say whether it was done."""


TOO_MANY: Final = frozenset({429, 418})
"""HTTP statuses that refuse a request for the rate of requests; with Retry-After, in seconds."""

WOULD_TRIGGER: Final = frozenset({-2021, -4142})
"""Codes of a stop whose price was passed already."""

HEDGED: Final = -4061
"""Refused because the account keeps long and short apart and the order names neither."""

THROTTLED: Final = -1008
"""Refused before it was looked at, whatever the HTTP status."""


def _table() -> Mapping[int, Outcome]:
    """Return the outcome of each code that comes with a status of 4xx, or inside of a batch."""
    table = dict.fromkeys(
        (
            # 10xx: of the server and the network
            *(-1002, -1004, -1005, -1011, -1013, -1014, -1020, -1022, -1023),
            # 11xx: of the request
            *(-1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1109, -1110, -1111, -1112, -1113, -1114),
            *(-1115, -1116, -1117, -1118, -1119, -1120, -1121, -1125, -1127, -1128, -1130, -1136),
            # 20xx: of processing; -2007 is a distance that a trailing order cannot have
            *(-2007, -2010, -2014, -2015, -2016, -2018, -2019, -2020, -2021, -2022, -2023, -2024, -2025, -2026, -2027),
            *(-2028, -2031),
            # 40xx: of filters and all the rest
            *range(-4033, -3999),
            *(-4044, -4045, -4047, -4048, -4049, -4050, -4051, -4053, -4054, -4055, -4056, -4057, -4058, -4060, -4061),
            *range(-4082, -4061),
            *(-4084, -4085, -4086, -4087, -4088, -4104, -4114, -4115, -4118, -4120, -4130, -4131, -4135, -4137, -4138),
            *(-4139, -4140, -4141, -4142, -4144, -4161, -4164, -4165, -4168, -4183, -4184),
            # 50xx: of moving money, and fill-or-kill and post-only as the sibling venue words them
            *(-5021, -5022, -5047, -5050, -5051, -5052, -5053),
        ),
        Outcome.REJECTED,
    )
    table |= dict.fromkeys((-1003, THROTTLED, -1015, -1016), Outcome.NOT_NOW)
    table |= dict.fromkeys((-1021, -4225), Outcome.STALE)
    table |= {-2013: Outcome.ABSENT, -2011: Outcome.GONE}
    table |= dict.fromkeys((-4116, -20132), Outcome.EXISTS)
    table |= dict.fromkeys((-4046, -4052, -4059), Outcome.NO_CHANGE)
    # Not certain, whatever the status: no answer from behind, or of a batch of which a part may stand.
    table |= dict.fromkeys((-1000, -1001, -1006, -1007, -1010, -4083), Outcome.UNKNOWN)
    return MappingProxyType(table)


OUTCOMES: Final = _table()


def outcome_of(status: int, code: int | None) -> Outcome:
    """Return what became of a request that was answered with an error.

    status   of HTTP; 200 for an error that stands inside of an answer, as in a batch
    code     the venue's own, or None where the body has none (a page of HTML, an empty body)
    """
    if code == THROTTLED or status in TOO_MANY:
        return Outcome.NOT_NOW
    if status == 408 or not (status == 200 or 400 <= status < 500):
        return Outcome.UNKNOWN
    if code is None:
        return Outcome.UNKNOWN
    return OUTCOMES.get(code, Outcome.UNKNOWN)
