"""What an error of Hyperliquid means: its words in, exactly one outcome out.

Read from the exchange's own page of error responses and from what ccxt 4.5.90 quotes of its answers. It has no codes:
errors are sentences, told with HTTP 200. A sentence that is not listed is unknown, never failed.
"""

from types import MappingProxyType
from typing import Final

from pilothouse.venues.ccxt.codes import TOO_MANY, Fault, Outcome

SENTENCES: Final = MappingProxyType(
    {
        "Price must be divisible by tick size": Outcome.REJECTED,
        "Order must have minimum value of": Outcome.REJECTED,
        "Insufficient margin to place order": Outcome.REJECTED,
        "Reduce only order would increase position": Outcome.REJECTED,
        "Post only order would have immediately matched": Outcome.REJECTED,
        "Order could not immediately match against any resting orders": Outcome.REJECTED,
        "Invalid TP/SL price": Outcome.REJECTED,
        "No liquidity available for market order": Outcome.REJECTED,
        "Order would increase open interest": Outcome.REJECTED,
        "Order rejected due to price more aggressive than oracle": Outcome.REJECTED,
        "Order has insufficient spot balance": Outcome.REJECTED,
        "Insufficient spot balance": Outcome.REJECTED,
        "Order price too far from oracle": Outcome.REJECTED,
        "Order would cause position to exceed margin tier limit": Outcome.REJECTED,
        "Order has invalid size": Outcome.REJECTED,
        "Order has zero size": Outcome.REJECTED,
        "Order price cannot be more than": Outcome.REJECTED,
        "User or API Wallet": Outcome.REJECTED,
        "Too many cumulative requests sent": Outcome.NOT_NOW,
        "Order was never placed, already canceled, or filled": Outcome.GONE,
        "unknownOid": Outcome.ABSENT,
    }
)
"""How a sentence begins, and what it means."""

WOULD_TRIGGER: Final = "Invalid TP/SL price"
"""How it words a stop whose price was passed already."""


def outcome_of(fault: Fault) -> Outcome:
    """Return what became of a request that was answered with an error."""
    if fault.status in TOO_MANY:
        return Outcome.NOT_NOW
    if fault.status == 422:
        return Outcome.REJECTED  # its body could not be read at all
    if fault.status != 200:
        return Outcome.UNKNOWN
    return next((outcome for begins, outcome in SENTENCES.items() if fault.text.startswith(begins)), Outcome.UNKNOWN)
