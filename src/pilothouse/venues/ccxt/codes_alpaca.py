"""What an error of Alpaca means: HTTP status, code and words in, exactly one outcome out.

Read from the broker's own guides and from answers that its client is tested with. Its codes are coarse (the status and
four digits), so that words decide where one code stands for different things. What is not listed is unknown.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.venues.ccxt.codes import TOO_MANY, Fault, Outcome

OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "40010000": Outcome.REJECTED,  # the request is not well formed
        "40010001": Outcome.REJECTED,  # a parameter is missing or does not fit
        "40110000": Outcome.REJECTED,  # not authorised
        "40310000": Outcome.REJECTED,  # too little buying power or too few shares, a wash trade, trading suspended
        "40310100": Outcome.REJECTED,  # day-trading protection
        "40410000": Outcome.ABSENT,
        "42210000": Outcome.REJECTED,  # cannot be processed as it is
        "42910000": Outcome.NOT_NOW,
        "50010000": Outcome.UNKNOWN,
    }
)

_EXISTS: Final = re.compile(r"client[_ ]order[_ ]id must be unique", re.IGNORECASE)
_ENDED: Final = re.compile(r"order is already in|not cancel(?:l)?able|cannot be cancel(?:l)?ed", re.IGNORECASE)
_NO_CREDENTIAL: Final = frozenset({"forbidden.", "unauthorized.", "unauthorized"})


def outcome_of(fault: Fault) -> Outcome:
    """Return what became of a request that was answered with an error."""
    if fault.status in TOO_MANY:
        return Outcome.NOT_NOW
    if not 400 <= fault.status < 500 or fault.status == 408:
        return Outcome.UNKNOWN
    if _EXISTS.search(fault.text):
        return Outcome.EXISTS
    if fault.status == 422 and _ENDED.search(fault.text):
        return Outcome.GONE
    if fault.status in {401, 403} and not fault.code and fault.text in _NO_CREDENTIAL:
        return Outcome.REJECTED
    return OUTCOMES.get(fault.code, Outcome.UNKNOWN)
