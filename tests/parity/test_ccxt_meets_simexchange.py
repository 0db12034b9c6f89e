"""The two pens meet on Binance: our adapter through ccxt against the simulated exchange, futures and spot.

They share no line of wire code: what one of them misread, the other one does not understand.
"""

import itertools
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.clock import millis
from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.kit.clocks import SystemClock
from pilothouse.venues.ccxt.adapter import CcxtVenue
from pilothouse.venues.port import (
    Absent,
    Accepted,
    AccountEvent,
    Gone,
    MarginType,
    OrderRequest,
    Rejected,
    Replaced,
    StreamState,
    Unknown,
    VenueStatus,
)
from tests.slices.simexchange.sim_house import RunningExchange
from tests.slices.venues.ccxt.ccxt_house import ACCOUNT, opened, order, placed, status, within

FUTURES, SPOT = "binanceusdm", "binance"


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """Yield a simulated exchange that listens."""
    with RunningExchange(profile="binance") as running:
        yield running


@pytest.fixture(scope="module")
def futures(exchange: RunningExchange) -> Iterator[CcxtVenue]:
    """Yield our adapter for the futures."""
    venue = opened(FUTURES, exchange.base, counts=False)
    yield venue
    venue.close()


@pytest.fixture(scope="module")
def spot(exchange: RunningExchange) -> Iterator[CcxtVenue]:
    """Yield our adapter for spot, with coins to sell."""
    venue = opened(SPOT, exchange.base, counts=False)
    assert isinstance(placed(venue, order(Side.BUY, "1")), Accepted)
    yield venue
    venue.close()


@pytest.fixture(params=[FUTURES, SPOT])
def venue(request: pytest.FixtureRequest, futures: CcxtVenue, spot: CcxtVenue) -> CcxtVenue:
    """Return either."""
    return futures if request.param == FUTURES else spot


@pytest.fixture(autouse=True)
def _calm(exchange: RunningExchange) -> Iterator[None]:
    """Begin and end at a known price, with nothing going wrong."""
    exchange.control("POST", "price", symbol="BTCUSDT", price="65000")
    yield
    exchange.control("DELETE", "faults")


class Ears:
    """Hears one account and keeps what is told."""

    def __init__(self, venue: CcxtVenue) -> None:
        self.events: list[AccountEvent] = []
        self._lock = threading.Lock()
        self.stop = venue.listen(ACCOUNT, self._hear)

    def _hear(self, event: AccountEvent) -> None:
        with self._lock:
            self.events.append(event)

    def states(self) -> list[StreamState]:
        """Return how well it was heard, one after the other."""
        with self._lock:
            return [event.stream for event in self.events if event.stream is not None]

    def filled(self, client_order_id: str) -> Decimal:
        """Return how much of an order the fills that were told make, each counted once."""
        with self._lock:
            reports = [event.report for event in self.events if event.report is not None]
        fills = {
            fill.venue_trade_id: fill.quantity
            for report in reports
            if report.client_order_id == client_order_id
            for fill in report.fills
        }
        return sum(fills.values(), Decimal(0))

    def told(self, client_order_id: str) -> list[VenueStatus]:
        """Return the states of an order that were told."""
        with self._lock:
            reports = [event.report for event in self.events if event.report is not None]
        return [report.status for report in reports if report.client_order_id == client_order_id]


@pytest.fixture
def ears(venue: CcxtVenue) -> Iterator[Ears]:
    """Yield somebody who hears the account, once it is heard."""
    listener = Ears(venue)
    assert within(10, lambda: StreamState.LIVE in listener.states())
    yield listener
    listener.stop()


def _held(venue: CcxtVenue) -> Decimal:
    return {each.symbol: each.quantity for each in venue.positions(ACCOUNT)}.get("BTCUSDT", Decimal(0))


def _of(venue: CcxtVenue, kind: OrderType, side: Side, quantity: str, **terms: Any) -> OrderRequest:
    return order(side, quantity, kind, reduce_only=venue.card.venue == FUTURES and side is Side.SELL, **terms)


def test_the_instruments_are_understood(venue: CcxtVenue) -> None:
    """Tick, lot and minimums: an order is only as exact as its grid."""
    instruments = {each.symbol: each for each in venue.instruments()}

    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT"} <= instruments.keys()
    assert instruments["BTCUSDT"].lot == Decimal("0.001")
    assert instruments["BTCUSDT"].tick == Decimal("0.1")
    assert instruments["BTCUSDT"].notional_min == 5
    assert instruments["BTCUSDT"].leverage_max == (125 if venue.card.venue == FUTURES else 1)


def test_a_market_order_is_found_by_our_id_with_all_its_fills(venue: CcxtVenue) -> None:
    """Accepted, found, booked: what is held and the fills add up to the last digit."""
    before = _held(venue)
    request = order(Side.BUY, "0.010")
    assert isinstance(placed(venue, request), Accepted)

    assert within(5, lambda: status(venue, request.client_order_id) is VenueStatus.FILLED)
    found = venue.find(ACCOUNT, "BTCUSDT", request.client_order_id)
    assert isinstance(found, Accepted)
    assert sum((fill.quantity for fill in found.report.fills), Decimal(0)) == Decimal("0.010")
    assert all(fill.commission > 0 for fill in found.report.fills)
    in_coins = sum((fill.commission for fill in found.report.fills if fill.commission_currency == "BTC"), Decimal(0))
    assert _held(venue) - before == Decimal("0.010") - in_coins
    listed = venue.fills_after(ACCOUNT, "BTCUSDT", None)
    assert set(found.report.fills) <= set(listed), "told the same way wherever it is told"
    assert venue.fills_after(ACCOUNT, "BTCUSDT", listed[-1].venue_trade_id) == []


def test_a_resting_order_is_shown_and_cancelled(venue: CcxtVenue) -> None:
    """It stands, it is cancelled, and a second cancel says that nothing was left."""
    request = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal("60000.0"))
    assert isinstance(placed(venue, request), Accepted)
    assert request.client_order_id in {report.client_order_id for report in venue.open_orders(ACCOUNT)}

    ended = venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)

    assert isinstance(ended, Accepted)
    assert (ended.report.client_order_id, ended.report.status) == (request.client_order_id, VenueStatus.CANCELED)
    again = venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)
    assert isinstance(again, Gone)
    assert again.report is not None
    assert again.report.status is VenueStatus.CANCELED
    assert request.client_order_id not in {report.client_order_id for report in venue.open_orders(ACCOUNT)}


@pytest.mark.parametrize(
    ("time", "price", "ends"),
    [
        (TimeInForce.IOC, "60000.0", VenueStatus.EXPIRED),
        (TimeInForce.FOK, "65500.0", VenueStatus.FILLED),
        (TimeInForce.GTX, "60000.0", VenueStatus.NEW),
    ],
)
def test_how_long_an_order_stands_is_kept(venue: CcxtVenue, time: TimeInForce, price: str, ends: VenueStatus) -> None:
    """An order that was to end at once and rests, or the other way round, is another order."""
    request = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal(price), time_in_force=time)
    assert isinstance(placed(venue, request), Accepted)

    found = venue.find(ACCOUNT, "BTCUSDT", request.client_order_id)
    assert isinstance(found, Accepted)
    assert found.report.status is ends
    assert found.report.terms.time_in_force is time
    venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)


def test_a_post_only_order_that_would_take_is_rejected(venue: CcxtVenue) -> None:
    """It must never pay the taker's fee."""
    request = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal("66000.0"), time_in_force=TimeInForce.GTX)

    assert isinstance(placed(venue, request), Rejected)


def test_a_changed_order_asks_for_what_is_wanted(venue: CcxtVenue) -> None:
    """In place where the exchange can; else the old one is ended before the new one stands."""
    request = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal("60000.0"))
    placed(venue, request)
    wanted = order(Side.BUY, "0.020", OrderType.LIMIT, price=Decimal("60001.0"))

    changed = venue.amend(ACCOUNT, request.client_order_id, wanted)

    if venue.card.venue == FUTURES:
        assert isinstance(changed, Accepted)
        name = request.client_order_id
    else:
        assert isinstance(changed, Replaced)
        assert isinstance(changed.placed, Accepted)
        assert status(venue, request.client_order_id) is VenueStatus.CANCELED
        name = wanted.client_order_id
    found = venue.find(ACCOUNT, "BTCUSDT", name)
    assert isinstance(found, Accepted)
    assert (found.report.terms.quantity, found.report.terms.price) == (Decimal("0.020"), Decimal("60001.0"))
    venue.cancel(ACCOUNT, "BTCUSDT", name)


def test_a_stop_rests_and_one_on_the_wrong_side_is_refused(venue: CcxtVenue) -> None:
    """Protection stands at the exchange, or we are told that it would have triggered."""
    placed(venue, order(Side.BUY, "0.010"))
    request = _of(venue, OrderType.STOP_MARKET, Side.SELL, "0.009", stop_price=Decimal("60000.0"))
    assert isinstance(placed(venue, request), Accepted)
    shown = {report.client_order_id: report.terms for report in venue.open_orders(ACCOUNT)}
    assert shown[request.client_order_id].stop_price == Decimal("60000.0")
    ended = venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)
    assert isinstance(ended, Accepted)
    assert status(venue, request.client_order_id) is VenueStatus.CANCELED
    assert isinstance(venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id), Gone)

    wrong = placed(venue, _of(venue, OrderType.STOP_MARKET, Side.SELL, "0.009", stop_price=Decimal("70000.0")))
    assert isinstance(wrong, Rejected)
    assert wrong.would_trigger


def test_a_stop_that_triggers_stays_the_same_order(venue: CcxtVenue, exchange: RunningExchange, ears: Ears) -> None:
    """Our client id is its identity: when asked, by the stream, and in the list of fills."""
    placed(venue, order(Side.BUY, "0.010"))
    request = _of(venue, OrderType.STOP_MARKET, Side.SELL, "0.009", stop_price=Decimal("64000.0"))
    name = request.client_order_id
    assert isinstance(placed(venue, request), Accepted)

    exchange.control("POST", "price", symbol="BTCUSDT", price="63900")

    assert within(10, lambda: ears.filled(name) == Decimal("0.009")), ears.events
    found = venue.find(ACCOUNT, "BTCUSDT", name)
    assert isinstance(found, Accepted)
    assert (found.report.status, found.report.filled_quantity) == (VenueStatus.FILLED, Decimal("0.009"))
    assert found.report.terms.type is OrderType.STOP_MARKET
    assert name in {fill.client_order_id for fill in venue.fills_after(ACCOUNT, "BTCUSDT", None)}
    assert isinstance(venue.cancel(ACCOUNT, "BTCUSDT", name), Gone)


def test_a_stop_with_a_limit_can_be_cancelled_after_its_trigger(venue: CcxtVenue, exchange: RunningExchange) -> None:
    """What it made rests in the book under another number; it is still the order that we know."""
    placed(venue, order(Side.BUY, "0.010"))
    prices = {"stop_price": Decimal("64000.0"), "price": Decimal("64900.0")}
    request = _of(venue, OrderType.STOP, Side.SELL, "0.009", **prices)
    assert isinstance(placed(venue, request), Accepted)
    exchange.control("POST", "price", symbol="BTCUSDT", price="63900")

    shown = {report.client_order_id: report for report in venue.open_orders(ACCOUNT)}
    assert shown[request.client_order_id].terms.price == Decimal("64900.0")
    ended = venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)

    assert isinstance(ended, Accepted)
    assert ended.report.client_order_id == request.client_order_id
    assert status(venue, request.client_order_id) is VenueStatus.CANCELED
    assert request.client_order_id not in {report.client_order_id for report in venue.open_orders(ACCOUNT)}


def test_an_order_that_closes_the_position_closes_all_of_it(futures: CcxtVenue, exchange: RunningExchange) -> None:
    """Whatever its size is when it triggers."""
    placed(futures, order(Side.BUY, "0.010"))
    terms: dict[str, Any] = {"stop_price": Decimal("64000.0"), "reduce_only": True, "close_position": True}
    request = order(Side.SELL, "0.010", OrderType.STOP_MARKET, **terms)
    assert isinstance(placed(futures, request), Accepted)
    placed(futures, order(Side.BUY, "0.005"))

    exchange.control("POST", "price", symbol="BTCUSDT", price="63900")

    assert within(10, lambda: _held(futures) == 0)
    found = futures.find(ACCOUNT, "BTCUSDT", request.client_order_id)
    assert isinstance(found, Accepted)
    assert found.report.filled_quantity == found.report.terms.quantity > Decimal("0.010")


@pytest.mark.parametrize("kind", ["unknown", "timeout", "unexpected", "lost"])
def test_an_answer_that_is_lost_is_unknown_and_then_found(
    venue: CcxtVenue, exchange: RunningExchange, kind: str
) -> None:
    """The order exists, and only a question tells; it was sent once."""
    exchange.control("POST", "faults", kind=kind, method="POST", path="order", times=1)
    request = order(Side.BUY, "0.010")
    outcome = placed(venue, request)

    assert isinstance(outcome, Unknown), outcome
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", request.client_order_id), Accepted)
    assert len(_sent(exchange, request.client_order_id)) == 1
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", "neversent1"), Absent)


@pytest.mark.parametrize(
    ("kind", "path"),
    [("unknown", "algoOrder"), ("lost", "algoOrder")],
)
def test_a_lost_stop_is_unknown_and_then_found(
    futures: CcxtVenue, exchange: RunningExchange, kind: str, path: str
) -> None:
    """A stop that nobody knows of would be placed twice, or not at all."""
    exchange.control("POST", "faults", kind=kind, method="POST", path=path, times=1)
    request = order(Side.SELL, "0.010", OrderType.STOP_MARKET, stop_price=Decimal("60000.0"))
    assert isinstance(placed(futures, request), Unknown)

    assert status(futures, request.client_order_id) is VenueStatus.NEW
    futures.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)


@pytest.mark.parametrize("kind", ["unavailable", "internal", "throttled"])
def test_what_certainly_failed_may_be_repeated(venue: CcxtVenue, exchange: RunningExchange, kind: str) -> None:
    """Three of the four texts of 503 say that nothing was done: to wait for what is not there would be a loss."""
    exchange.control("POST", "faults", kind=kind, method="POST", path="order", times=1)
    request = order(Side.BUY, "0.010")
    outcome = placed(venue, request)

    assert isinstance(outcome, Rejected), outcome
    assert outcome.may_be_repeated
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", request.client_order_id), Absent)


@pytest.mark.parametrize("kind", ["unknown_undone", "gateway", "reset"])
def test_what_nobody_can_say_is_unknown_though_nothing_was_done(
    venue: CcxtVenue, exchange: RunningExchange, kind: str
) -> None:
    """Until it is asked about; the absence is told, and it is for the house to wait out the window."""
    exchange.control("POST", "faults", kind=kind, method="POST", path="order", times=1)
    request = order(Side.BUY, "0.010")

    assert isinstance(placed(venue, request), Unknown)
    assert isinstance(venue.find(ACCOUNT, "BTCUSDT", request.client_order_id), Absent)


@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP_MARKET])
def test_a_duplicate_is_adopted_and_another_order_is_not(venue: CcxtVenue, kind: OrderType) -> None:
    """Sent again after all, the same order is there once; under its id another one is refused."""
    price: dict[str, Any] = (
        {"price": Decimal("60000.0")} if kind is OrderType.LIMIT else {"stop_price": Decimal("70000.0")}
    )
    request = order(Side.BUY, "0.010", kind, **price)
    assert isinstance(placed(venue, request), Accepted)

    again = placed(venue, request)

    assert isinstance(again, Accepted)
    assert again.report.client_order_id == request.client_order_id
    standing = [report.client_order_id for report in venue.open_orders(ACCOUNT)]
    assert standing.count(request.client_order_id) == 1
    other = order(Side.BUY, "0.020", kind, **price)
    taken = OrderRequest(request.client_order_id, other.terms, SystemClock().now())
    assert isinstance(placed(venue, taken), Rejected)
    venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)


def test_part_of_an_order_may_fill(venue: CcxtVenue, exchange: RunningExchange, ears: Ears) -> None:
    """What filled is booked, the rest stands, and what is cancelled says how much that was."""
    exchange.control("POST", "faults", kind="partial", method="POST", path="order", times=1, value=4)
    request = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal("65200.0"))
    assert isinstance(placed(venue, request), Accepted)
    exchange.control("POST", "price", symbol="BTCUSDT", price="65500")

    assert within(10, lambda: ears.filled(request.client_order_id) >= Decimal("0.004"))
    found = venue.find(ACCOUNT, "BTCUSDT", request.client_order_id)
    assert isinstance(found, Accepted)
    assert sum((fill.quantity for fill in found.report.fills), Decimal(0)) == found.report.filled_quantity
    if found.report.status is VenueStatus.PARTIALLY_FILLED:
        ended = venue.cancel(ACCOUNT, "BTCUSDT", request.client_order_id)
        assert isinstance(ended, Accepted)
        assert ended.report.filled_quantity == found.report.filled_quantity


def test_what_was_missed_is_told_before_the_account_is_live_again(
    venue: CcxtVenue, exchange: RunningExchange, ears: Ears
) -> None:
    """A fill while the stream is down: the position would be wrong for everything that is decided after it."""
    request = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal("64000.0"))
    other = order(Side.BUY, "0.010", OrderType.LIMIT, price=Decimal("50000.0"))
    assert isinstance(placed(venue, request), Accepted)
    assert isinstance(placed(venue, other), Accepted)
    assert within(5, lambda: VenueStatus.NEW in ears.told(other.client_order_id))
    heard = len(ears.events)
    exchange.control("POST", "streams", do="drop", account=_account(venue))
    exchange.control("POST", "price", symbol="BTCUSDT", price="63900")
    venue.cancel(ACCOUNT, "BTCUSDT", other.client_order_id)

    assert within(10, lambda: ears.filled(request.client_order_id) == Decimal("0.010")), ears.events[heard:]
    assert within(10, lambda: ears.states()[-1] is StreamState.LIVE)
    assert within(10, lambda: VenueStatus.CANCELED in ears.told(other.client_order_id))
    states = ears.states()
    assert StreamState.LOST in states
    assert states[-2:] == [StreamState.CATCHING_UP, StreamState.LIVE]


class _SetClock(SystemClock):
    """The clock of a machine that somebody sets."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        """Return what it shows."""
        return super().now() + self.ahead


def test_a_clock_that_was_set_leaves_no_account_deaf(exchange: RunningExchange) -> None:
    """Spot subscribes by a signed call that carries the time: signed again by the same clock, it is refused again."""
    clock = _SetClock()
    venue = opened(SPOT, exchange.base, counts=False, clock=clock)
    ears = Ears(venue)
    assert within(10, lambda: StreamState.LIVE in ears.states())
    clock.ahead = timedelta(seconds=5)
    exchange.control("POST", "streams", do="drop", account=_account(venue))

    assert within(20, lambda: ears.states().count(StreamState.LIVE) > 1), ears.states()[-4:]
    ears.stop()
    venue.close()


def test_a_stream_whose_key_expired_is_opened_again(futures: CcxtVenue, exchange: RunningExchange) -> None:
    """It says so once, and would be silent for ever."""
    ears = Ears(futures)
    assert within(10, lambda: StreamState.LIVE in ears.states())
    exchange.control("POST", "streams", do="expire", account=_account(futures))

    assert within(10, lambda: ears.states().count(StreamState.LIVE) > 1), ears.states()
    ears.stop()


def test_leverage_and_margin_type_are_set_and_read(futures: CcxtVenue, spot: CcxtVenue) -> None:
    """Setting what is set already is success; on spot there is nothing to set."""
    assert futures.set_leverage(ACCOUNT, "ETHUSDT", 7) == 7
    assert futures.set_margin_type(ACCOUNT, "ETHUSDT", MarginType.ISOLATED) is MarginType.ISOLATED
    assert futures.set_margin_type(ACCOUNT, "ETHUSDT", MarginType.ISOLATED) is MarginType.ISOLATED
    assert futures.settings(ACCOUNT, "ETHUSDT") == (7, MarginType.ISOLATED)
    assert spot.settings(ACCOUNT, "ETHUSDT") == (1, MarginType.CROSSED)
    assert spot.set_leverage(ACCOUNT, "ETHUSDT", 1) == 1


def test_orders_are_cancelled_when_nobody_says_in_time_to_wait(futures: CcxtVenue, spot: CcxtVenue) -> None:
    """The exchange's own dead man's switch; where it has none, that is said."""
    order = _of(futures, OrderType.LIMIT, Side.BUY, "0.010", price=Decimal(40_000))
    assert isinstance(futures.place(ACCOUNT, [order])[0], Accepted)
    futures.cancel_after(ACCOUNT, "BTCUSDT", 1)

    assert within(10, lambda: futures.open_orders(ACCOUNT) == [])
    with pytest.raises(Refused):
        spot.cancel_after(ACCOUNT, "BTCUSDT", 1)


def test_an_account_is_examined(venue: CcxtVenue) -> None:
    """What a person is shown before the first order: permissions, clock, money."""
    found = venue.examine(ACCOUNT)

    assert (found.may_trade, found.may_withdraw, found.hedge_mode) == (True, False, False)
    assert abs(found.clock_ahead.total_seconds()) < 1
    assert found.balance.wallet > 0


def test_candles_and_quotes_are_exact(venue: CcxtVenue) -> None:
    """Prices that are read are those that were told."""
    (quote,) = venue.quotes(["BTCUSDT"])
    assert quote.bid < quote.ask
    end = SystemClock().now()
    candles = venue.candles("BTCUSDT", "1m", end.replace(hour=0, minute=0, second=0, microsecond=0), end)
    assert candles
    steps = {millis(after.opened_at) - millis(before.opened_at) for before, after in itertools.pairwise(candles)}
    assert steps <= {60_000}
    assert all(each.low <= min(each.open, each.close) <= each.high for each in candles)
    assert not candles[-1].closed or candles[-1].opened_at < end


def test_prices_are_told_as_they_change(venue: CcxtVenue, exchange: RunningExchange) -> None:
    """Quotes of what is followed, without asking."""
    quotes: list[Any] = []
    stop = venue.watch(quotes.extend)
    try:
        venue.follow(["BTCUSDT"])
        assert within(10, lambda: bool(quotes))
        exchange.control("POST", "price", symbol="BTCUSDT", price="65432")
        assert within(10, lambda: any(quote.last > 65_300 for quote in quotes)), quotes[-3:]
    finally:
        stop()


def test_a_clock_that_is_off_is_read_and_the_order_goes_through(exchange: RunningExchange) -> None:
    """The exchange refuses a time that is not its own; that refusal is certain, so the order may go again."""
    exchange.control("POST", "settings", skewMs=30_000)
    venue = opened(FUTURES, exchange.base, counts=False)
    try:
        assert isinstance(placed(venue, order(Side.BUY, "0.001")), Accepted)
        exchange.control("POST", "settings", skewMs=0)
        assert isinstance(placed(venue, order(Side.BUY, "0.001")), Accepted), "and when it changes later"
    finally:
        exchange.control("POST", "settings", skewMs=0)
        venue.close()


def test_the_books_of_the_exchange_agree(futures: CcxtVenue, exchange: RunningExchange) -> None:
    """Balance and position to the last digit, against what the exchange itself knows."""
    truth = exchange.truth("binance-K")

    assert futures.balance(ACCOUNT).wallet == Decimal(truth["wallet"])
    assert _held(futures) == sum((Decimal(each["quantity"]) for each in truth["positions"]), Decimal(0))
    earned = sum((each.amount for each in futures.transfers_after(ACCOUNT, None)), Decimal(0))
    funded = sum((each.amount for each in futures.funding_after(ACCOUNT, None)), Decimal(0))
    fills = futures.fills_after(ACCOUNT, "BTCUSDT", None)
    traded = sum(((fill.realised or Decimal(0)) - fill.commission for fill in fills), Decimal(0))
    assert earned + funded + traded == Decimal(truth["wallet"])


def _account(venue: CcxtVenue) -> str:
    return "binance-K" if venue.card.venue == FUTURES else "spot:binance-K"


def _sent(exchange: RunningExchange, client_order_id: str) -> list[Any]:
    requests = exchange.control("GET", "requests?after=0")
    return [each for each in requests if each["method"] == "POST" and client_order_id in str(each)]
