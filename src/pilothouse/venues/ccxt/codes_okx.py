"""What an error of OKX (v5) means: its code in, exactly one outcome out.

Read from the exchange's own list of error codes. An order that was refused carries the reason in `sCode`, beside a code
of 1 that only says that something failed; `sCode` is the code here. What is not listed is unknown, never failed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pilothouse.venues.ccxt.codes import TOO_MANY, Fault, Outcome

WOULD_TRIGGER: Final = frozenset(
    {"51050", "51051", "51052", "51053", "51258", "51259", "51277", "51278", "51279", "51280"}
)
"""Codes of a stop or take-profit whose price was passed already."""


def _table() -> Mapping[str, Outcome]:
    """Return the outcome of each code."""
    table = dict.fromkeys(
        (
            # 500xx: of the request and the account
            *(50000, 50002, *range(50006, 50011), 50012, *range(50014, 50023), 50024, 50025, 50027, 50028, 50044),
            50062,
            # 501xx: of the credential
            *(50100, 50101, *range(50103, 50116), 50119, 50120),
            # 510xx: of the order
            *range(51000, 51011),
            *(51012, 51014, 51015, *range(51017, 51029), 51031, *range(51032, 51054), 51055, 51056, 51057, 51058),
            *(51059, 51066, 51069, 51070, *range(51072, 51084), *range(51090, 51100)),
            # 511xx to 513xx: of amounts, prices and conditional orders
            *(*range(51100, 51113), *range(51115, 51140), 51155, 51156, 51159, 51162, 51163, 51166, 51174, 51185),
            *(*range(51201, 51206), *range(51250, 51281), *range(51321, 51331)),
            # 514xx and 515xx: of cancelling and changing
            *(51403, 51404, 51406, 51407, 51408, 51409, 51500, 51501, 51502, 51506, 51508, 51511),
            # 517xx, 54xxx and 59xxx: of the person, the product and the leverage
            *(51732, 51733, 51734, 51735, 51736, 54000, 54001, 54008, 54009, 54011, 54072, 54073, 54094),
            *(59000, 59001, *range(59100, 59110), 59113, 59128, 59200, 59201, 59216),
        ),
        Outcome.REJECTED,
    )
    # Limits of the rate, and settlement: asked later, it may be taken.
    table |= dict.fromkeys((50011, 50023, 50061, 51029, 51030, 51113), Outcome.NOT_NOW)
    table |= {50102: Outcome.STALE}
    table |= dict.fromkeys((51063, 51503, 51603), Outcome.ABSENT)
    table |= dict.fromkeys((51400, 51401, 51402, 51509, 51510), Outcome.GONE)
    table |= dict.fromkeys((51011, 51016, 51065, 51068), Outcome.EXISTS)
    # No answer from behind, or one that says not what became of it; 51410: it is being cancelled.
    table |= dict.fromkeys((1, 2, 50001, 50004, 50005, 50013, 50026, 51054, 51149, 51405, 51410), Outcome.UNKNOWN)
    return MappingProxyType({str(code): outcome for code, outcome in table.items()})


OUTCOMES: Final = _table()


def outcome_of(fault: Fault) -> Outcome:
    """Return what became of a request that was answered with an error."""
    if fault.status in TOO_MANY:
        # Two codes come with 429: the limit, which is certain, and a busy system, which is not.
        return Outcome.UNKNOWN if fault.code == "50013" else Outcome.NOT_NOW
    if fault.status == 408 or not (fault.status == 200 or 400 <= fault.status < 500):
        return Outcome.UNKNOWN
    return OUTCOMES.get(fault.code, Outcome.UNKNOWN)
