"""A candle: what one stretch of time did to a price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle. Prices in quote per base, volume in base.

    opened_at   UTC, the first instant that counts
    closed      whether nothing can change it any more
    """

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool
