"""Our adapter for ccxt's exchanges, pointed at a simulated exchange."""

import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pilothouse.core.clock import Clock
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.http_client import HttpLimits
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.ccxt.adapter import Accounts, CcxtVenue
from pilothouse.venues.ccxt.card import card_of
from pilothouse.venues.ccxt.exchange import Endpoint, Keys
from pilothouse.venues.ccxt.known import quirks_of
from pilothouse.venues.ccxt.rest import Tools
from pilothouse.venues.ccxt.sheets import sheet_of
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.port import Accepted, OrderRequest, PlaceOutcome, VenueAccount, VenueStatus

ACCOUNT = VenueAccount("acc_1", "usr_1")
KEYS = Keys.of({"apiKey": Secret("K"), "secret": Secret("S")})
PATIENCE_S = 60.0
_NUMBERS = itertools.count()
QUICK = Patience(open_s=PATIENCE_S, ping_s=PATIENCE_S, market_silent_s=PATIENCE_S, first_s=0.05, most_s=0.2)


def opened(
    name: str,
    base: str,
    *,
    keys: Keys = KEYS,
    patience: Patience = QUICK,
    stream_url: str = "",
    counts: bool = True,
    clock: Clock | None = None,
) -> CcxtVenue:
    """Return the adapter for an exchange of this name, at this address.

    counts   whether requests are counted: a test asks more in a second than a house in a minute
    clock    the system's unless told otherwise
    """
    clock = clock or SystemClock()
    quirks = quirks_of(name)
    if not counts:
        nothing: dict[str, Any] = {each: lambda *_: {} for each in ("costs", "used")}
        quirks = type("Uncounted", (type(quirks),), nothing)()
    endpoint = Endpoint.at(f"{name}@{base}", quirks.exchange, base, stream_url)
    accounts = Accounts(lambda _: keys, lambda: [ACCOUNT])
    card = card_of(name, sheet_of(name))
    tools = Tools(clock, Throttle(OwnBooks(), clock), http=HttpLimits(read_s=PATIENCE_S))
    return CcxtVenue(endpoint, quirks, card, accounts, tools, patience=patience)


def order(
    side: Side, quantity: str, kind: OrderType = OrderType.MARKET, *, close_position: bool = False, **terms: Any
) -> OrderRequest:
    """Return an order in bitcoin with a client id of its own."""
    asked = OrderTerms("BTCUSDT", side, kind, Decimal(quantity), **terms)
    return OrderRequest(f"t{time.monotonic_ns()}n{next(_NUMBERS)}", asked, SystemClock().now(), close_position)


def placed(venue: CcxtVenue, request: OrderRequest) -> PlaceOutcome:
    """Place one order."""
    (outcome,) = venue.place(ACCOUNT, [request])
    return outcome


def status(venue: CcxtVenue, client_order_id: str) -> VenueStatus | None:
    """Return where an order is, if the exchange knows it."""
    found = venue.find(ACCOUNT, "BTCUSDT", client_order_id)
    return found.report.status if isinstance(found, Accepted) else None


def within(seconds: float, check: Callable[[], bool]) -> bool:
    """Wait until something is true, for a while."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
