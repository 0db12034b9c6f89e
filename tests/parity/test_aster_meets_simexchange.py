"""The two pens meet: our adapter for AsterDEX against the simulated exchange, which share no line of wire code.

What one of them misread, the other one does not understand.
"""

import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.sealed import Secret
from pilothouse.kit.throttle import OwnBooks, Throttle
from pilothouse.venues.aster.adapter import AsterVenue
from pilothouse.venues.aster.opened import open_aster
from pilothouse.venues.held_streams import Patience
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.opening import Accounts, Opening
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AccountEvent,
    MarginType,
    OrderRequest,
    Rejected,
    StreamState,
    Unknown,
    VenueAccount,
    VenueStatus,
)
from tests.living import BUSY
from tests.slices.simexchange.sim_house import WALLET, WALLET_KEY, RunningExchange

ACCOUNT = VenueAccount("acc_1", "usr_1")


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """Yield a simulated exchange that listens."""
    with RunningExchange(profile="aster") as running:
        yield running


@pytest.fixture(scope="module")
def venue(exchange: RunningExchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsterVenue]:
    """Yield our adapter, pointed at it."""
    folder: Path = tmp_path_factory.mktemp("nonces")
    parts = {"user": Secret(WALLET), "signer": Secret(WALLET), "private_key": Secret(WALLET_KEY)}
    accounts = Accounts(lambda _: parts, lambda: [ACCOUNT])
    opening = Opening(SystemClock(), folder, Throttle(OwnBooks(), SystemClock()), accounts)
    followed = ("BTCUSDT", "ETHUSDT")
    opened = open_aster(VenueKey("aster", exchange.base), opening, followed=followed)
    yield opened
    opened.close()


class _Placer:
    """Places orders with ids of their own."""

    def __init__(self, venue: AsterVenue) -> None:
        self.venue = venue
        self._count = 0

    def __call__(
        self, side: Side, quantity: str, kind: OrderType = OrderType.MARKET, **terms: Any
    ) -> tuple[str, Accepted | Rejected | Unknown]:
        self._count += 1
        client_id = f"parity{time.monotonic_ns()}"[:30]
        asked = OrderTerms("BTCUSDT", side, kind, Decimal(quantity), **terms)
        (outcome,) = self.venue.place(ACCOUNT, [OrderRequest(client_id, asked, SystemClock().now())])
        return client_id, outcome


@pytest.fixture
def place(venue: AsterVenue) -> _Placer:
    """Return what places an order."""
    return _Placer(venue)


def _within(seconds: float, check: Callable[[], object]) -> bool:
    deadline = time.monotonic() + seconds * BUSY
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_instruments_are_understood(venue: AsterVenue) -> None:
    """Tick, lot and minimums: an order is only as exact as its grid."""
    instruments = {each.symbol: each for each in venue.instruments()}

    assert {"BTCUSDT", "ETHUSDT"} <= instruments.keys()
    assert instruments["BTCUSDT"].tick > 0
    assert instruments["BTCUSDT"].lot == Decimal("0.001")


def test_a_market_order_is_found_by_our_id_with_all_its_fills(venue: AsterVenue, place: _Placer) -> None:
    """Accepted, found, booked: position and fills add up to the last digit."""
    before = {one.symbol: one.quantity for one in venue.positions(ACCOUNT)}.get("BTCUSDT", Decimal(0))
    client_id, outcome = place(Side.BUY, "0.010")
    assert isinstance(outcome, Accepted), outcome

    assert _within(5, lambda: _status(venue, client_id) is VenueStatus.FILLED)
    found = venue.find(ACCOUNT, "BTCUSDT", client_id)
    assert isinstance(found, Accepted)
    assert sum((fill.quantity for fill in found.report.fills), Decimal(0)) == Decimal("0.010")
    assert all(fill.commission > 0 for fill in found.report.fills)
    after = {one.symbol: one.quantity for one in venue.positions(ACCOUNT)}["BTCUSDT"]
    assert after - before == Decimal("0.010")
    assert {fill.venue_trade_id for fill in found.report.fills} <= {
        fill.venue_trade_id for fill in venue.fills_after(ACCOUNT, "BTCUSDT", None)
    }


def test_a_resting_order_is_shown_and_cancelled(venue: AsterVenue, place: _Placer) -> None:
    """It stands, it is cancelled, and a second cancel says that nothing was left."""
    client_id, outcome = place(Side.BUY, "0.010", kind=OrderType.LIMIT, price=Decimal("60000.0"))
    assert isinstance(outcome, Accepted), outcome
    assert client_id in {report.client_order_id for report in venue.open_orders(ACCOUNT)}

    venue.cancel(ACCOUNT, "BTCUSDT", client_id)

    assert _status(venue, client_id) is VenueStatus.CANCELED
    assert client_id not in {report.client_order_id for report in venue.open_orders(ACCOUNT)}


def test_a_stop_rests_and_one_on_the_wrong_side_is_refused(venue: AsterVenue, place: _Placer) -> None:
    """Protection stands at the venue, or we are told that it would have triggered."""
    place(Side.BUY, "0.010")
    stop: dict[str, Any] = {"kind": OrderType.STOP_MARKET, "reduce_only": True}
    client_id, outcome = place(Side.SELL, "0.010", stop_price=Decimal("60000.0"), **stop)
    assert isinstance(outcome, Accepted), outcome
    assert _status(venue, client_id) is VenueStatus.NEW
    venue.cancel(ACCOUNT, "BTCUSDT", client_id)

    _, refused = place(Side.SELL, "0.010", stop_price=Decimal("70000.0"), **stop)
    assert isinstance(refused, Rejected), refused
    assert refused.would_trigger


def test_an_answer_that_is_lost_is_unknown_and_then_found(
    venue: AsterVenue, exchange: RunningExchange, place: _Placer
) -> None:
    """503 after accepting: the order exists, and only a question tells."""
    exchange.control("POST", "faults", kind="unknown", method="POST", path="order", times=1)
    client_id, outcome = place(Side.BUY, "0.010")
    exchange.control("DELETE", "faults")

    assert isinstance(outcome, Unknown), outcome
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", client_id), Accepted)
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", "neversent1"), Absent)


def test_leverage_and_margin_type_are_set_and_read(venue: AsterVenue) -> None:
    """Setting what is set already is success."""
    assert venue.set_leverage(ACCOUNT, "ETHUSDT", 7) == 7
    assert venue.set_margin_type(ACCOUNT, "ETHUSDT", MarginType.ISOLATED) is MarginType.ISOLATED
    assert venue.set_margin_type(ACCOUNT, "ETHUSDT", MarginType.ISOLATED) is MarginType.ISOLATED
    assert venue.settings(ACCOUNT, "ETHUSDT") == (7, MarginType.ISOLATED)
    assert venue.balance(ACCOUNT).wallet > 0


def test_orders_are_cancelled_when_nobody_says_in_time_to_wait(venue: AsterVenue, place: _Placer) -> None:
    """The venue's own dead man's switch: told again it waits longer, told zero it does nothing."""
    for seconds in (1, 2, 4, 8, 16, 32):  # once: longer only where this test was held up until it had run out
        kept, outcome = place(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal(40000))
        assert isinstance(outcome, Accepted), outcome
        begun = time.monotonic()
        venue.cancel_after(ACCOUNT, "BTCUSDT", seconds)
        venue.cancel_after(ACCOUNT, "BTCUSDT", 0)
        if time.monotonic() - begun < seconds:
            break
    time.sleep(seconds + 0.5)
    assert _status(venue, kept) is VenueStatus.NEW

    venue.cancel_after(ACCOUNT, "BTCUSDT", 1)
    assert _within(10, lambda: _status(venue, kept) is VenueStatus.CANCELED)


def test_a_fill_is_told_by_the_stream(venue: AsterVenue, exchange: RunningExchange, place: _Placer) -> None:
    """An order that rested and filled later is heard of without asking."""
    heard: list[AccountEvent] = []
    lock = threading.Lock()

    def sink(event: AccountEvent) -> None:
        with lock:
            heard.append(event)

    stop = venue.listen(ACCOUNT, sink)
    try:
        assert _within(10, lambda: _stream_is_open(exchange)), "the user stream opens"
        client_id, outcome = place(Side.BUY, "0.010", kind=OrderType.LIMIT, price=Decimal("63000.0"))
        assert isinstance(outcome, Accepted), outcome
        exchange.control("POST", "price", symbol="BTCUSDT", price="62000")
        assert _within(10, lambda: _tells_a_fill(heard, client_id)), heard
    finally:
        stop()


def test_a_stream_that_fell_silent_is_opened_again_and_tells_what_it_missed(
    exchange: RunningExchange, place: _Placer, tmp_path: Path
) -> None:
    """A connection that stands and says nothing looks like a quiet account; only time tells them apart."""
    parts = {"user": Secret(WALLET), "signer": Secret(WALLET), "private_key": Secret(WALLET_KEY)}
    opening = Opening(SystemClock(), tmp_path, Throttle(OwnBooks(), SystemClock()), Accounts(lambda _: parts, list))
    heard: list[AccountEvent] = []
    quick = open_aster(VenueKey("aster", exchange.base), opening, patience=Patience(silent_s=1.0, first_s=0.01))
    try:
        quick.listen(ACCOUNT, heard.append)
        assert _within(10, lambda: heard and heard[-1].stream is StreamState.LIVE)
        exchange.control("POST", "faults", stream=True, kind="drop", times=-1)

        client_id, outcome = place(Side.BUY, "0.010")

        assert isinstance(outcome, Accepted), outcome
        assert _within(20, lambda: _tells_a_fill(heard, client_id)), heard
        states = [event.stream for event in heard if event.stream is not None]
        assert StreamState.LOST in states
    finally:
        exchange.control("DELETE", "faults")
        quick.close()


def _status(venue: AsterVenue, client_id: str) -> VenueStatus | None:
    found = venue.find(ACCOUNT, "BTCUSDT", client_id)
    return found.report.status if isinstance(found, Accepted) else None


def _tells_a_fill(heard: list[AccountEvent], client_id: str) -> bool:
    reports = [event.report for event in list(heard) if event.report is not None]
    return any(report.client_order_id == client_id and report.fills for report in reports)


def _stream_is_open(exchange: RunningExchange) -> bool:
    requests = exchange.control("GET", "requests?after=0")
    return "listenKey" in str(requests)


def test_a_clock_that_jumped_ahead_and_came_back_keeps_nothing_from_being_signed(
    venue: AsterVenue, exchange: RunningExchange
) -> None:
    """A venue's clock was half a minute wrong for a moment; for half a minute afterwards no order could be sent."""
    try:
        exchange.control("POST", "settings", skewMs=30_000)
        venue.examine(ACCOUNT)
    finally:
        exchange.control("POST", "settings", skewMs=0)

    found = venue.examine(ACCOUNT)

    assert abs(found.clock_ahead.total_seconds()) < 5
    assert venue.balance(ACCOUNT).asset == "USDT"
