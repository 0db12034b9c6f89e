"""Amend by ending one order and placing another: for every venue, or kind of order, that cannot change one in place.

A stop or target that only reduces is placed anew before the old one is ended: two of them for a moment can open
nothing, none for a moment can lose everything.
"""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from pilothouse.core.order import OrderTerms
from pilothouse.core.rounding import EXACT
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AmendOutcome,
    CancelOutcome,
    FindOutcome,
    Gone,
    OrderReport,
    OrderRequest,
    PlaceOutcome,
    Rejected,
    Replaced,
    Unknown,
    VenueAccount,
    VenueStatus,
)

_RESTS = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})


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

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """As port.Venue.find."""
        ...


def places_first(terms: OrderTerms, *, coins: bool) -> bool:
    """Say whether an order of these terms is placed before the one that it replaces is ended.

    coins   whether what it sells is coins that are owned: those wait for one order only
    """
    return terms.reduce_only and terms.type.is_conditional and not coins


def replace_order(
    venue: Trades, account: VenueAccount, client_order_id: str, wanted: OrderRequest, *, coins: bool = False
) -> AmendOutcome:
    """End the order and place another for the rest of what is wanted.

    What filled before the old one ended is counted: the new order asks only for what is still missing. Unless it
    `places_first`, nothing is placed before the venue has said that the old one is ended, so that the two never stand
    side by side.
    """
    if places_first(wanted.terms, coins=coins):
        return _place_and_end(venue, account, client_order_id, wanted)
    ended = venue.cancel(account, wanted.terms.symbol, client_order_id, wanted.stamped_at)
    if not isinstance(ended, Accepted):
        return ended
    missing = EXACT.subtract(wanted.terms.quantity, ended.report.filled_quantity)
    if missing <= 0:
        return Replaced(ended.report, None)
    rest = replace(wanted, terms=replace(wanted.terms, quantity=missing))
    return Replaced(ended.report, venue.place(account, [rest])[0])


def _place_and_end(venue: Trades, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
    """Place the new order, then end the old one: nothing is ended unless the new one stands."""
    symbol = wanted.terms.symbol
    match venue.find(account, symbol, client_order_id):
        case Accepted(report) if report.status in _RESTS and report.filled_quantity < wanted.terms.quantity:
            before = report
        case Accepted(report):
            return Gone(report)
        case Absent():
            return Gone(None)
        case Unknown(reason):
            return Rejected("not_found_out", f"nothing was sent: {reason}", may_be_repeated=True)
    missing = EXACT.subtract(wanted.terms.quantity, before.filled_quantity)
    rest = replace(wanted, terms=replace(wanted.terms, quantity=missing))
    placed = venue.place(account, [rest])[0]
    if not isinstance(placed, Accepted):
        return placed
    if placed.report.status not in _RESTS and not placed.report.filled_quantity:
        return Rejected("ended_at_once", f"the new order ended at once ({placed.report.reason}); the old one stands")
    ended = venue.cancel(account, symbol, client_order_id, wanted.stamped_at)
    match ended:
        case Accepted(report) | Gone(OrderReport() as report):
            if report.filled_quantity > before.filled_quantity:
                # It was triggered meanwhile. What the new one asks for beyond the rest could reduce too much: it goes.
                gone = venue.cancel(account, symbol, wanted.client_order_id, wanted.stamped_at)
                placed = Accepted(gone.report) if isinstance(gone, Accepted) else placed
            return Replaced(report, placed)
        case _:
            return Unknown(f"the new order stands, and nobody knows whether the old one does ({ended})")
