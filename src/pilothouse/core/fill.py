"""A fill: one execution at the venue, its fee, and the venue's own id of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pilothouse.core.instrument import Side


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, as the venue reports it.

    venue_trade_id   unique per account and symbol, at the venue
    client_order_id  ours, or None for an order somebody else sent
    price, quantity  quote per base, base; both above zero
    commission       what was paid, in `commission_currency`; negative for a rebate
    realised         result of closing, before commission, quote currency, as the venue says; None if it does not
    maker            whether it rested before it traded
    """

    venue_trade_id: str
    venue_order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_currency: str
    realised: Decimal | None
    maker: bool
    at: datetime
