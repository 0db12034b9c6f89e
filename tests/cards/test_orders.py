"""Cards V-O01 to V-O19: an order is placed, rests, fills, waits for a trigger, or ends, and is told as it is."""

from decimal import Decimal

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.venues.port import Accepted, PlaceOutcome, Rejected, VenueStatus
from tests.cards.stand import SOL, Trader

BUY, SELL = Side.BUY, Side.SELL
TEN = Decimal("0.010")


def not_taken(outcome: PlaceOutcome) -> bool:
    """Say whether an order was refused, or taken and ended at once with nothing filled: venues do the one or other."""
    if isinstance(outcome, Accepted):
        return outcome.report.status is VenueStatus.EXPIRED and outcome.report.filled_quantity == 0
    return isinstance(outcome, Rejected)


@pytest.mark.card("V-O01")
def test_a_market_order_fills_and_is_found_with_all_its_fills(trader: Trader) -> None:
    """What the books are made of: every fill, each once, and together exactly what was asked for."""
    order = trader.buy("0.010")

    report = trader.report(order)
    assert (report.status, report.filled_quantity) == (VenueStatus.FILLED, TEN)
    told = {fill.venue_trade_id: fill.quantity for fill in report.fills}
    assert told == trader.stand.fills_there(trader.account)
    assert sum(told.values(), Decimal(0)) == TEN
    assert {fill.client_order_id for fill in report.fills} == {order.client_order_id}
    assert trader.position() == TEN


@pytest.mark.card("V-O02")
def test_a_limit_order_rests_until_its_price_comes(trader: Trader) -> None:
    """It stands with nothing filled, then fills at its own price and was the maker."""
    order = trader.rest(BUY, "0.010", "64000")
    assert (trader.status(order), trader.report(order).filled_quantity) == (VenueStatus.NEW, Decimal(0))
    assert [each.client_order_id for each in trader.stand.venue.open_orders(trader.account)] == [order.client_order_id]

    trader.stand.put("BTCUSDT", "63900")

    report = trader.report(order)
    assert report.status is VenueStatus.FILLED
    assert {(fill.price, fill.maker) for fill in report.fills} == {(Decimal(64_000), True)}
    assert trader.stand.venue.open_orders(trader.account) == []


@pytest.mark.card("V-O03")
def test_a_limit_order_that_crosses_takes_at_its_price_or_better(trader: Trader) -> None:
    """A limit is a promise about the price."""
    order = trader.placed(trader.request(BUY, "0.010", OrderType.LIMIT, price="65100"))

    report = trader.report(order)
    assert report.status is VenueStatus.FILLED
    assert all(fill.price <= Decimal(65_100) and not fill.maker for fill in report.fills)


@pytest.mark.card("V-O04")
def test_a_partial_fill_is_told_and_the_rest_stands(trader: Trader) -> None:
    """A position that is smaller than the order is not the order's size."""
    order = trader.placed(trader.too_large())

    report = trader.report(order)
    assert report.status is VenueStatus.PARTIALLY_FILLED
    assert 0 < report.filled_quantity < order.terms.quantity
    assert sum((fill.quantity for fill in report.fills), Decimal(0)) == report.filled_quantity
    assert trader.position(SOL) == report.filled_quantity


@pytest.mark.card("V-O05")
def test_a_post_only_order_never_takes(trader: Trader) -> None:
    """Refused or expired at once: which of the two is the venue's way, that nothing traded is not."""
    outcome = trader.place(trader.request(BUY, "0.010", OrderType.LIMIT, price="65100", tif=TimeInForce.GTX))

    assert not_taken(outcome), outcome
    assert trader.stand.fills_there(trader.account) == {}
    rests = trader.placed(trader.request(BUY, "0.010", OrderType.LIMIT, price="64000", tif=TimeInForce.GTX))
    assert trader.status(rests) is VenueStatus.NEW


@pytest.mark.card("V-O06")
def test_an_ioc_order_takes_what_there_is_and_ends(trader: Trader) -> None:
    """What it did not get at once is not left standing."""
    order = trader.placed(trader.too_large(TimeInForce.IOC))

    report = trader.report(order)
    assert report.status is VenueStatus.EXPIRED
    assert 0 < report.filled_quantity < order.terms.quantity
    assert trader.stand.venue.open_orders(trader.account) == []
    assert trader.position(SOL) == report.filled_quantity


@pytest.mark.card("V-O07")
def test_a_fok_order_fills_whole_or_not_at_all(trader: Trader) -> None:
    """Half of it would be a position nobody wanted."""
    outcome = trader.place(trader.too_large(TimeInForce.FOK))
    assert not_taken(outcome), outcome
    assert trader.position(SOL) == 0

    small = trader.placed(trader.request(BUY, "0.010", OrderType.LIMIT, price="65100", tif=TimeInForce.FOK))
    assert trader.status(small) is VenueStatus.FILLED


@pytest.mark.card("V-O08")
def test_a_reduce_only_order_never_opens(trader: Trader) -> None:
    """An exit that comes late must not become an entry."""
    outcome = trader.place(trader.request(SELL, "0.010", reduce_only=True))

    assert not_taken(outcome), outcome
    assert trader.stand.fills_there(trader.account) == {}


@pytest.mark.card("V-O09")
def test_a_reduce_only_order_never_flips(trader: Trader) -> None:
    """An exit larger than the position ends flat at the most."""
    trader.buy("0.010")
    trader.place(trader.request(SELL, "0.030", reduce_only=True))

    assert trader.position() in {Decimal(0), TEN}
    trader.place(trader.request(SELL, "0.010", reduce_only=True))
    assert trader.position() == 0


@pytest.mark.card("V-O10")
def test_a_stop_waits_and_closes_when_its_price_comes(trader: Trader) -> None:
    """Protection stands at the venue, and works while this house sleeps."""
    trader.buy("0.010")
    stop = trader.placed(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True))
    assert trader.status(stop) is VenueStatus.NEW
    assert trader.report(stop).terms == trader.stand.as_told(stop.terms)

    trader.stand.put("BTCUSDT", "62900")

    assert trader.status(stop) is VenueStatus.FILLED
    assert trader.position() == 0


@pytest.mark.card("V-O11")
def test_a_take_profit_waits_and_closes_when_its_price_comes(trader: Trader) -> None:
    """It looks the other way than a stop does."""
    trader.buy("0.010")
    target = trader.placed(trader.request(SELL, "0.010", OrderType.TAKE_PROFIT_MARKET, stop="67000", reduce_only=True))

    trader.stand.put("BTCUSDT", "66900")
    assert trader.status(target) is VenueStatus.NEW
    trader.stand.put("BTCUSDT", "67100")
    assert trader.status(target) is VenueStatus.FILLED
    assert trader.position() == 0


@pytest.mark.card("V-O12")
def test_a_stop_with_a_limit_rests_at_its_limit_once_triggered(trader: Trader) -> None:
    """It may stay unfilled: that is what its limit is for."""
    trader.buy("0.010")
    stop = trader.placed(trader.request(SELL, "0.010", OrderType.STOP, price="63000", stop="63500", reduce_only=True))

    trader.stand.put("BTCUSDT", "62000")
    assert trader.status(stop) is VenueStatus.NEW
    assert trader.position() == TEN
    trader.stand.put("BTCUSDT", "63600")
    assert trader.status(stop) is VenueStatus.FILLED
    assert all(fill.price >= Decimal(63_000) for fill in trader.report(stop).fills)


@pytest.mark.card("V-O13")
def test_a_stop_on_the_wrong_side_is_refused_as_one_that_would_trigger(trader: Trader) -> None:
    """Who placed it must hear that the price was passed, and close at once instead."""
    trader.buy("0.010")
    outcome = trader.place(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="66000", reduce_only=True))

    assert isinstance(outcome, Rejected), outcome
    assert outcome.would_trigger
    assert trader.position() == TEN


@pytest.mark.card("V-O14")
def test_an_order_that_closes_a_position_closes_it(trader: Trader) -> None:
    """closePosition: flat at the trigger, and nothing beyond."""
    trader.buy("0.010")
    stop = trader.placed(
        trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True, close=True)
    )

    trader.stand.put("BTCUSDT", "62900")

    assert trader.status(stop) is VenueStatus.FILLED
    assert trader.position() == 0


@pytest.mark.card("V-O15")
def test_an_order_that_closes_a_position_closes_what_it_has_grown_to(trader: Trader) -> None:
    """The size is that of the trigger's moment, not that of the order's."""
    trader.buy("0.010")
    trader.placed(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True, close=True))
    trader.buy("0.020")

    trader.stand.put("BTCUSDT", "62900")

    assert trader.position() == 0


@pytest.mark.card("V-O16")
def test_a_batch_with_one_bad_order_places_the_others(trader: Trader) -> None:
    """One outcome for each, in the order in which they were asked."""
    trader.buy("0.010")
    stops = [
        trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop=stop, reduce_only=True)
        for stop in ("63000", "66000", "62000")
    ]
    outcomes = trader.send(*stops)

    assert [type(outcome) for outcome in outcomes] == [Accepted, Rejected, Accepted]
    assert [len(trader.there(stop)) for stop in stops] == [1, 0, 1]
    assert trader.status(stops[2]) is VenueStatus.NEW


@pytest.mark.card("V-O17")
def test_orders_that_trade_keep_their_order(trader: Trader) -> None:
    """An exit that overtakes its entry would be refused, and the entry stay unprotected."""
    entry, exit_ = trader.request(BUY, "0.010"), trader.request(SELL, "0.010", reduce_only=True)
    outcomes = trader.send(entry, exit_)

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]
    assert trader.position() == 0
    assert len(trader.stand.fills_there(trader.account)) >= 2


@pytest.mark.card("V-O18")
def test_an_id_that_stands_already_makes_no_second_order(trader: Trader) -> None:
    """The same order again is the same order: the one that stands is adopted, and stands once."""
    order = trader.rest()
    (stands,) = trader.stand.venue.open_orders(trader.account)
    again = trader.place(order)

    assert isinstance(again, Accepted), again
    assert again.report.client_order_id == order.client_order_id
    assert again.report.venue_order_id == stands.venue_order_id
    assert len(trader.there(order)) == 1
    assert len(trader.stand.venue.open_orders(trader.account)) == 1


@pytest.mark.card("V-O19")
def test_an_id_that_another_order_has_is_refused(trader: Trader) -> None:
    """To adopt an order of another size would book what nobody asked for."""
    order = trader.rest(BUY, "0.010", "64000")
    other = trader.request(BUY, "0.050", OrderType.LIMIT, price="64000", id_=order.client_order_id)

    outcome = trader.place(other)

    assert isinstance(outcome, Rejected), outcome
    assert [each.quantity for each in trader.there(order)] == [TEN]
