"""Cards V-L01 to V-L04 and V-T01 to V-T06: a venue that wants a pause gets it; a clock that is wrong is corrected."""

from datetime import timedelta
from decimal import Decimal
from typing import NoReturn

import pytest

from pilothouse.core.errors import PilothouseError, Unavailable
from pilothouse.core.instrument import Side
from pilothouse.venues.port import Accepted, MarginType, Rejected, Unknown, VenueStatus
from tests.cards.stand import BTC, DEPOSIT, Stand, Trader

BUY, SELL = Side.BUY, Side.SELL


def _obeys(trader: Trader, seconds: int) -> None:
    """See that nothing at all is sent before the pause is over, and that it goes on then."""
    stand = trader.stand
    before = stand.requests_there()
    stand.advance(timedelta(seconds=seconds - 5))
    with pytest.raises(Unavailable):
        stand.venue.positions(trader.account)
    assert not isinstance(trader.place(trader.request(BUY, "0.010")), Accepted)
    assert stand.requests_there() == before, "a request before the pause is over makes a ban of it"

    stand.advance(timedelta(seconds=6))
    assert trader.position() == 0
    trader.buy("0.010")


@pytest.mark.card("V-L01")
def test_a_429_is_obeyed_until_its_time_is_over(trader: Trader) -> None:
    """Retry-After says how long; nothing of this address goes out before."""
    trader.stand.fault("too_many", "read", times=-1, value=37)
    with pytest.raises(Unavailable):
        trader.stand.venue.balance(trader.account)
    trader.stand.clear()
    _obeys(trader, 37)


@pytest.mark.card("V-L02")
def test_a_418_is_obeyed_until_its_time_is_over(trader: Trader) -> None:
    """A ban grows with every request that ignores it."""
    trader.stand.fault("banned", "read", times=-1, value=97)
    with pytest.raises(Unavailable):
        trader.stand.venue.balance(trader.account)
    trader.stand.clear()
    _obeys(trader, 97)


@pytest.mark.card("V-L03")
def test_an_order_that_is_refused_for_its_rate_may_be_repeated(trader: Trader) -> None:
    """It was not done, and nothing was wrong with it."""
    order = trader.request(BUY, "0.010")
    trader.stand.fault("too_many", "place", value=11)
    outcome = trader.place(order)

    assert isinstance(outcome, Rejected), outcome
    assert outcome.may_be_repeated
    assert trader.stand.orders_there(trader.account) == []
    trader.stand.advance(timedelta(seconds=12))
    trader.placed(trader.request(BUY, "0.010", id_=order.client_order_id))
    assert len(trader.there(order)) == 1


@pytest.mark.card("V-L04")
def test_reads_give_way_to_orders(trader: Trader) -> None:
    """Who looked too often can still get out."""
    trader.buy("0.010")
    with pytest.raises(Unavailable):
        _read_without_end(trader)
    assert isinstance(trader.place(trader.request(SELL, "0.010", reduce_only=True)), Accepted)
    assert trader.stand.open_there(trader.account) == {}


def _read_without_end(trader: Trader) -> NoReturn:
    for _ in range(2_000):
        trader.stand.venue.open_orders(trader.account)
    pytest.fail("two thousand questions in one minute were all let through")


def _trades_with_a_clock_that_is(stand: Stand, ahead: timedelta) -> None:
    """Trade while the adapter's clock is wrong by so much."""
    trader = stand.trader()
    stand.skew(ahead)
    order = trader.request(BUY, "0.010")
    outcome = trader.place(order)
    assert isinstance(outcome, Accepted), outcome
    assert len(trader.there(order)) == 1

    assert trader.status(order) is VenueStatus.FILLED
    assert {fill.venue_trade_id for fill in trader.report(order).fills} == stand.fills_there(trader.account).keys()
    assert {fill.venue_trade_id for fill in trader.fills()} == stand.fills_there(trader.account).keys()
    if stand.owes:
        assert [each.amount for each in stand.venue.transfers_after(trader.account, None)] == [Decimal(DEPOSIT)]
    assert abs(stand.venue.examine(trader.account).clock_ahead + ahead) < timedelta(seconds=2)


@pytest.mark.card("V-T01")
def test_a_venue_whose_clock_is_behind_takes_our_orders(stand: Stand) -> None:
    """Thirty seconds: stamped in its time, and its history is asked for in its time."""
    _trades_with_a_clock_that_is(stand, timedelta(seconds=30))


@pytest.mark.card("V-T02")
def test_a_venue_whose_clock_is_ahead_takes_our_orders(stand: Stand) -> None:
    """And the other way about: what happened in our future is history there."""
    _trades_with_a_clock_that_is(stand, timedelta(seconds=-30))


@pytest.mark.card("V-T03")
def test_a_request_stamped_too_long_ago_is_refused(trader: Trader) -> None:
    """What was given up and arrives late must not trade: only so is an absence a proof at all."""
    window = trader.stand.venue.card.acceptance_window_s
    assert window is not None
    stamped = trader.stand.clock.now() - timedelta(seconds=int(window) + 1)
    outcome = trader.place(trader.request(BUY, "0.010", at=stamped))

    assert isinstance(outcome, Rejected | Unknown), outcome
    assert trader.stand.orders_there(trader.account) == []


@pytest.mark.card("V-T06")
def test_a_setting_stamped_too_long_ago_is_not_taken(trader: Trader) -> None:
    """A process that slept, and lost its account meanwhile, must not change the leverage under another's position."""
    venue, account = trader.stand.venue, trader.account
    assert venue.set_leverage(account, BTC, 7, trader.stand.clock.now()) == 7
    before = venue.settings(account, BTC)
    window = venue.card.acceptance_window_s
    assert window is not None
    stamped = trader.stand.clock.now() - timedelta(seconds=int(window) + 1)
    with pytest.raises(PilothouseError):
        venue.set_leverage(account, BTC, 20, stamped)
    with pytest.raises(PilothouseError):
        venue.set_margin_type(account, BTC, MarginType.ISOLATED, stamped)

    assert venue.settings(account, BTC) == before


@pytest.mark.card("V-T04")
def test_orders_go_on_after_a_long_pause(trader: Trader) -> None:
    """A desk that slept for a day begins where it stopped."""
    trader.buy("0.010")
    trader.stand.advance(timedelta(hours=30))
    trader.buy("0.020")

    assert trader.position() == Decimal("0.030")
    assert sum((fill.quantity for fill in trader.fills()), Decimal(0)) == Decimal("0.030")


@pytest.mark.card("V-T05")
def test_a_quote_is_as_old_as_it_is_by_our_clock(stand: Stand) -> None:
    """A stale price is refused: its age is not the difference of two clocks."""
    trader = stand.trader()
    for ahead in (timedelta(seconds=30), timedelta(seconds=-30)):
        stand.skew(ahead)
        stand.venue.examine(trader.account)
        assert abs(stand.clock.now() - stand.quote().at) < timedelta(seconds=2)
