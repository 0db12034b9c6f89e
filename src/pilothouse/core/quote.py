"""A quote: what an instrument is worth at one instant, and who says so."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices of one instrument.

    bid, ask, mark, last   quote per base, above zero, bid below ask
    at                     when the source said the latest of it, UTC
    source                 who said it, such as "simulated"
    bid_quantity, ask_quantity   what stands at the best prices, base; None: the source does not say
    funding_rate           paid by longs at `funding_at` for each unit of notional, below zero: by shorts
    funding_at             when funding is paid next; None: the instrument has none, or the source does not say
    book_at, mark_at, last_at   when it said the best prices, the mark and the last trade, where these came apart; None:
                           at `at`
    """

    symbol: str
    bid: Decimal
    ask: Decimal
    mark: Decimal
    last: Decimal
    at: datetime
    source: str
    bid_quantity: Decimal | None = None
    ask_quantity: Decimal | None = None
    funding_rate: Decimal | None = None
    funding_at: datetime | None = None
    book_at: datetime | None = None
    mark_at: datetime | None = None
    last_at: datetime | None = None
