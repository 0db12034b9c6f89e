"""What an error of Bybit (v5) means: its retCode in, exactly one outcome out.

Read from the exchange's own list of error codes and from what ccxt 4.5.90 quotes of its answers. Errors come with HTTP
200 and a retCode; an answer of 5xx says nothing of the order. What is not listed is unknown, never failed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.venues.ccxt.codes import TOO_MANY, Fault, Outcome

WOULD_TRIGGER: Final = frozenset({"110092", "110093"})
"""Codes of a stop whose price was passed already: a rise or a fall was expected, and the price is beyond it."""


def _table() -> Mapping[str, Outcome]:
    """Return the outcome of each code."""
    table = dict.fromkeys(
        (
            # 100xx: of the request and of the credential
            *(10001, 10003, 10004, 10005, 10007, 10008, 10009, 10010, 10017, 10020, 10024, 10027, 10028, 10029),
            100028,
            # 1100xx: of orders and positions in contracts
            *(110003, 110004, 110005, 110006, 110007, 110009),
            *range(110011, 110025),
            *(110028, 110029),
            *range(110031, 110043),
            *range(110044, 110063),
            *(110064, 110065),
            *range(110067, 110072),
            *(110073, 110092, 110093, 110094),
            # 170xxx: of spot
            *(170005, 170010, 170011, 170019, 170031, 170033, 170034, 170036, 170037, 170105),
            *(170115, 170116, 170117, 170121, 170124, *range(170130, 170139), 170140),
            *(170145, 170148, 170151, 170157, 170159, *range(170192, 170195), *range(170197, 170205)),
            *(170206, 170209, 170210, 170217, 170218, 170221, 170223, 170224, 170226, 170227, 170228, 170229),
            *(170241, 170371, 170372),
            # 18xxxx: of parameters
            *(181000, 181001, 181002, 181003, 181004, 182000),
        ),
        Outcome.REJECTED,
    )
    # Limits of the rate, and settlement: asked later, it may be taken.
    table |= dict.fromkeys((10006, 10018, 110063, 110066, 170222), Outcome.NOT_NOW)
    table |= {10002: Outcome.STALE}
    table |= dict.fromkeys((110001, 170213), Outcome.ABSENT)
    table |= dict.fromkeys((110008, 110010, 170139, 170142, 170143, 170190), Outcome.GONE)
    table |= dict.fromkeys((12141, 110030, 110072, 170141), Outcome.EXISTS)
    table |= dict.fromkeys((110025, 110026, 110027, 110043), Outcome.NO_CHANGE)
    # The server ran out of time, or something broke behind it; or the like of this request was seen before.
    table |= dict.fromkeys((10000, 10014, 10016, 170001, 170007, 170032, 170035), Outcome.UNKNOWN)
    table |= dict.fromkeys((170144, 170146, 170147, 170149, 170150, 170191, 170234), Outcome.UNKNOWN)
    return MappingProxyType({str(code): outcome for code, outcome in table.items()})


OUTCOMES: Final = _table()


def outcome_of(fault: Fault) -> Outcome:
    """Return what became of a request that was answered with an error."""
    if fault.status in TOO_MANY:
        return Outcome.NOT_NOW
    if fault.status == 403 and not fault.code and "access too frequent" in fault.text:
        return Outcome.NOT_NOW  # the limit of the address on the network; the exchange words it so
    if fault.status == 408 or not (fault.status == 200 or 400 <= fault.status < 500):
        return Outcome.UNKNOWN
    return OUTCOMES.get(fault.code, Outcome.UNKNOWN)
