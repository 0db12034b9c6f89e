"""An order that somebody wants: its terms, why, and the price it was decided at."""

from dataclasses import dataclass
from decimal import Decimal

from pilothouse.core.order import OrderTerms, Purpose


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """Wanted, not yet allowed.

    key             unique in the account for ever; the client order id is made of it, so the same key is the same order
    decided_price   mark price the decision saw, quote per base; an order that waited is measured against it
    reason          one line for people
    signal_id, hook_id   where it comes from, or None
    """

    key: str
    terms: OrderTerms
    purpose: Purpose
    decided_price: Decimal
    reason: str
    signal_id: str | None = None
    hook_id: str | None = None
