"""What an error of Binance means, on USD-M futures and on spot: HTTP status, code and text in, one outcome out.

Read from the exchange's own pages ("Error Codes" and "HTTP Return Codes" of both). An answer of 503 has four texts, of
which one alone says that nobody knows; -1008 is said before a request is looked at. What is not listed is unknown.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.venues.ccxt.codes import TOO_MANY, Fault, Outcome

WOULD_TRIGGER: Final = frozenset({"-2021", "-4142"})
"""Codes of a conditional order whose trigger was passed already."""

TRIGGERED_TEXTS: Final = ("would trigger immediately", "relationship of the prices for the orders is not correct")
"""On spot the code is that of every refused order, and the text tells."""

THROTTLED: Final = "-1008"
HEDGED: Final = "-4061"
HEDGED_WORDS: Final = (
    "(the account is in hedge mode, and the house trades one-way: set it to one-way mode at the exchange)"
)
_DUPLICATE: Final = "duplicate order sent"
_NOT_DONE: Final = ("service unavailable.", "internal error; unable to process")


def _table() -> Mapping[str, Outcome]:
    """Return the outcome of each code that comes with a status of 4xx, or inside of an answer."""
    rejected = (
        # 10xx: of the server and the network
        *(-1002, -1004, -1005, -1011, -1013, -1014, -1020, -1022, -1023, -1099),
        # 11xx: of the request
        *(-1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1109, -1110, -1111, -1112, -1113, -1114, -1115),
        *(-1116, -1117, -1118, -1119, -1120, -1121, -1122, -1125, -1126, -1127, -1128, -1130, -1131, -1134, -1135),
        *(-1136, -1145, -1151),
        # 20xx: of processing; -2007 is a distance that a trailing order cannot have
        *(-2007, -2008, -2010, -2014, -2015, -2016, -2017, -2018, -2019, -2020, -2021, -2022, -2023, -2024, -2025),
        *(-2026, -2027, -2028),
        # 40xx: of filters, modes and all the rest
        *range(-4033, -3999),
        *(-4044, -4045, -4047, -4048, -4049, -4050, -4051, -4053, -4054, -4055, -4056, -4057, -4058, -4060, -4061),
        *range(-4081, -4061),
        *(-4082, -4084, -4085, -4086, -4087, -4088, -4104, -4114, -4115, -4117, -4118, -4120, -4130, -4131, -4135),
        *(
            -4136,
            -4137,
            -4138,
            -4139,
            -4140,
            -4141,
            -4142,
            -4144,
            -4161,
            -4164,
            -4165,
            -4167,
            -4168,
            -4169,
            -4170,
            -4171,
        ),
        *(-4172, -4183, -4184, -4192, -4202, -4203, -4205, -4206, -4208, -4209, -4210, -4211, -4400, -4401, -4402),
        *(-4403, -4531),
        # 50xx and 20xxx: of execution, and of conditional orders
        *(-5021, -5022, -5024, -5025, -5026, -5028, -5037, -5038, -5039, -5040, -5047),
        *(-20121, -20124, -20130, -20194, -20195, -20196, -20198, -20204),
    )
    table = dict.fromkeys((str(code) for code in rejected), Outcome.REJECTED)
    table |= dict.fromkeys(("-1003", THROTTLED, "-1015", "-1016"), Outcome.NOT_NOW)
    table |= {"-1021": Outcome.STALE, "-2013": Outcome.ABSENT, "-2011": Outcome.GONE}
    table |= dict.fromkeys(("-4116", "-20132"), Outcome.EXISTS)
    table |= dict.fromkeys(("-4046", "-4052", "-4059", "-5027"), Outcome.NO_CHANGE)
    # Not certain, whatever the status: no answer from behind, or of several of which a part may stand.
    table |= dict.fromkeys(("-1000", "-1001", "-1006", "-1007", "-1010", "-4083"), Outcome.UNKNOWN)
    return MappingProxyType(table)


OUTCOMES: Final = _table()


def outcome_of(fault: Fault) -> Outcome:
    """Return what became of a request that was answered with an error."""
    said = fault.text.lower()
    if fault.code == THROTTLED or fault.status in TOO_MANY:
        return Outcome.NOT_NOW
    if fault.status == 503 and fault.code in {"", "0"} and said.startswith(_NOT_DONE):
        return Outcome.NOT_NOW
    if fault.status == 408 or not (fault.status == 200 or 400 <= fault.status < 500):
        return Outcome.UNKNOWN
    if fault.code == "-2010" and _DUPLICATE in said:
        return Outcome.EXISTS
    return OUTCOMES.get(fault.code, Outcome.UNKNOWN)
