"""What the tests of the paper venue share: an account, orders in one line, and the fold of what the venue told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType, TimeInForce
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.paper_opened import open_paper
from pilothouse.venues.port import Accepted, OrderReport, OrderRequest, PlaceOutcome, VenueAccount

ACCOUNT = VenueAccount("acc_1", "own_1")
DEPOSIT = Decimal(10_000)

_ids = count(1)


def request(
    at: datetime,
    side: Side,
    quantity: str,
    type_: OrderType = OrderType.MARKET,
    *,
    id_: str = "",
    symbol: str = "BTCUSDT",
    price: str | None = None,
    stop: str | None = None,
    tif: TimeInForce = TimeInForce.GTC,
    reduce_only: bool = False,
) -> OrderRequest:
    """Return an order with an id of its own."""
    terms = OrderTerms(
        symbol,
        side,
        type_,
        Decimal(quantity),
        None if price is None else Decimal(price),
        None if stop is None else Decimal(stop),
        tif,
        reduce_only,
    )
    return OrderRequest(id_ or f"t{next(_ids)}", terms, at)


def accepted(outcome: PlaceOutcome | Any) -> OrderReport:
    """Return the report of an order that the venue took."""
    assert isinstance(outcome, Accepted), outcome
    return outcome.report


@contextmanager
def paper(folder: Path, clock: FrozenClock, **more: Any) -> Iterator[PaperVenue]:
    """Open the paper venue of that folder with its account, and close it."""
    venue = open_paper(folder, clock=clock, seed=7, **more)
    try:
        venue.open_account(ACCOUNT, DEPOSIT)
        yield venue
    finally:
        venue.close()


def all_that_counts(venue: PaperVenue) -> dict[str, Any]:
    """Return everything the venue can be asked about the account and its markets."""
    symbols = [instrument.symbol for instrument in venue.instruments()]
    return {
        "balance": venue.balance(ACCOUNT),
        "positions": sorted(venue.positions(ACCOUNT), key=lambda position: position.symbol),
        "orders": venue.open_orders(ACCOUNT),
        "fills": {symbol: venue.fills_after(ACCOUNT, symbol, None) for symbol in symbols},
        "funding": venue.funding_after(ACCOUNT, None),
        "transfers": venue.transfers_after(ACCOUNT, None),
        "settings": {symbol: venue.settings(ACCOUNT, symbol) for symbol in symbols},
        "prices": [(quote.symbol, quote.bid, quote.mark, quote.ask, quote.last) for quote in venue.quotes()],
    }


def books_agree(venue: PaperVenue) -> None:
    """Fold what the venue told; it must give what the venue keeps."""
    told = all_that_counts(venue)
    wallet = sum((transfer.amount for transfer in told["transfers"]), Decimal(0))
    wallet += sum((payment.amount for payment in told["funding"]), Decimal(0))
    held: dict[str, Decimal] = {}
    for symbol, fills in told["fills"].items():
        ids = [int(fill.venue_trade_id) for fill in fills]
        assert ids == sorted(set(ids))
        for fill in fills:
            wallet += (fill.realised or Decimal(0)) - fill.commission
            held[symbol] = held.get(symbol, Decimal(0)) + fill.quantity * fill.side.sign
    assert wallet == told["balance"].wallet
    assert {symbol: quantity for symbol, quantity in held.items() if quantity} == {
        position.symbol: position.quantity for position in told["positions"]
    }
