"""A quote: what an instrument is worth at one instant, and who says so."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices of one instrument.

    bid, ask, mark, last   quote per base, above zero, bid below ask
    at                     when the source said it, UTC
    source                 who said it, such as "simulated"
    """

    symbol: str
    bid: Decimal
    ask: Decimal
    mark: Decimal
    last: Decimal
    at: datetime
    source: str
