"""Amend by ending one order and placing another: for every venue, or kind of order, that cannot change one in place."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from pilothouse.core.rounding import EXACT
from pilothouse.venues.port import (
    Accepted,
    AmendOutcome,
    CancelOutcome,
    OrderRequest,
    PlaceOutcome,
    Replaced,
    VenueAccount,
)


class Trades(Protocol):
    """The part of a venue that ends and places orders."""

    def place(self, account: VenueAccount, orders: list[OrderRequest]) -> list[PlaceOutcome]:
        """As port.Venue.place."""
        ...

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """As port.Venue.cancel."""
        ...


def replace_order(venue: Trades, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
    """End the order and place another for the rest of what is wanted.

    What filled before the old one ended is counted: the new order asks only for what is still missing. Nothing is
    placed unless the venue has said that the old one is ended, so that the two never stand side by side.
    """
    ended = venue.cancel(account, wanted.terms.symbol, client_order_id, wanted.stamped_at)
    if not isinstance(ended, Accepted):
        return ended
    missing = EXACT.subtract(wanted.terms.quantity, ended.report.filled_quantity)
    if missing <= 0:
        return Replaced(ended.report, None)
    rest = replace(wanted, terms=replace(wanted.terms, quantity=missing))
    return Replaced(ended.report, venue.place(account, [rest])[0])
