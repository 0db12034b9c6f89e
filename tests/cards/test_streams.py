"""Cards V-S01 to V-S14: what happens on an account is told as it happens, and what was missed before anything else."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.core.quote import Quote
from pilothouse.venues.port import StreamState, VenueStatus
from tests.cards.stand import BTC, SOL, Heard, Stand, Trader

BUY, SELL = Side.BUY, Side.SELL
LOST, CATCHING_UP, LIVE = StreamState.LOST, StreamState.CATCHING_UP, StreamState.LIVE


def _all_told(trader: Trader, heard: Heard, *, after: int = 0) -> None:
    """Wait until every fill the venue has was told, and nothing else was."""
    there = trader.stand.fills_there(trader.account)
    heard.until(lambda: {fill.venue_trade_id: fill.quantity for fill in heard.fills(after=after)} == there)


@pytest.mark.card("V-S01")
def test_a_fill_of_a_resting_order_is_told(trader: Trader) -> None:
    """Heard of without asking, with its fills."""
    order = trader.rest(BUY, "0.010", "64000")
    with trader.listening() as heard:
        trader.stand.put(BTC, "63900")
        heard.until(heard.tells(order, VenueStatus.FILLED))
        _all_told(trader, heard)

    ids = [fill.venue_trade_id for fill in heard.fills()]
    assert len(ids) == len(set(ids))


@pytest.mark.card("V-S02")
def test_each_partial_fill_is_told(trader: Trader) -> None:
    """As it comes, with what has filled in all."""
    order = trader.placed(trader.request(BUY, "9000", OrderType.LIMIT, symbol=SOL, price="149"))
    with trader.listening() as heard:
        for _ in range(3):
            trader.stand.put(SOL, "148.90")
        _all_told(trader, heard)

    told = heard.reports(order.client_order_id)
    assert VenueStatus.PARTIALLY_FILLED in {report.status for report in told}
    assert max(report.filled_quantity for report in told) == trader.position(SOL)


@pytest.mark.card("V-S03")
def test_an_order_that_ends_by_itself_is_told(trader: Trader) -> None:
    """The position closes, and what could only reduce it ends with it: an order thought to stand protects nothing."""
    trader.buy("0.010")
    target = trader.placed(trader.request(SELL, "0.010", OrderType.LIMIT, price="66000", reduce_only=True))
    with trader.listening() as heard:
        trader.placed(trader.request(SELL, "0.010", reduce_only=True))
        heard.until(lambda: heard.tells(target, VenueStatus.EXPIRED)() or heard.tells(target, VenueStatus.CANCELED)())

    assert trader.stand.venue.open_orders(trader.account) == []


@pytest.mark.card("V-S04")
def test_a_stop_that_triggers_is_told_under_its_own_id(trader: Trader) -> None:
    """The order that was placed is the order that filled."""
    trader.buy("0.010")
    stop = trader.placed(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True))
    with trader.listening() as heard:
        trader.stand.put(BTC, "62900")
        heard.until(heard.tells(stop, VenueStatus.FILLED))

    assert {fill.client_order_id for fill in heard.fills() if fill.side is SELL} == {stop.client_order_id}


@pytest.mark.card("V-S05")
def test_a_liquidation_is_told_with_its_fills(stand: Stand) -> None:
    """An order nobody here sent, and a position that is gone."""
    trader = stand.trader(deposit=2_000)
    stand.venue.set_leverage(trader.account, BTC, 20)
    trader.buy("0.4")
    with trader.listening() as heard:
        before = len(heard.events)
        stand.put(BTC, "58000")
        heard.until(
            lambda: sum((f.quantity for f in heard.fills(after=before) if f.side is SELL), Decimal(0)) >= Decimal("0.4")
        )
    assert trader.position() == 0


@pytest.mark.card("V-S06")
def test_funding_is_told_once(trader: Trader) -> None:
    """Each payment once by its id, and what was told is what was paid."""
    trader.buy("1")
    before = trader.stand.wallet_there(trader.account)
    with trader.listening() as heard:
        trader.stand.advance(timedelta(hours=8))
        heard.until(lambda: any(event.funding is not None for event in heard.events))

    told = [event.funding for event in heard.events if event.funding is not None]
    assert len({each.venue_id for each in told}) == len(told) == 1
    assert before + told[0].amount == trader.stand.wallet_there(trader.account)


@pytest.mark.card("V-S07")
def test_what_was_missed_is_told_in_order_and_once_before_it_is_live(trader: Trader) -> None:
    """The connection drops, orders fill, the connection returns: first the past, then the present."""
    orders = [trader.rest(BUY, "0.010", price) for price in ("64000", "63000", "62000")]
    with trader.listening() as heard:
        trader.stand.on_stream("drop")
        for price in ("63900", "62900", "61900"):
            trader.stand.put(BTC, price)
        assert not heard.fills()
        before = len(heard.events)
        trader.stand.cut(trader.account)
        heard.until(lambda: heard.states[-3:] == [LOST, CATCHING_UP, LIVE])
        told = heard.fills(after=before)
        states = [event.stream for event in heard.events[before:]]
        last = max(place for place, event in enumerate(heard.events[before:]) if event.report is not None)

    assert [fill.client_order_id for fill in told] == [order.client_order_id for order in orders]
    assert {fill.venue_trade_id: fill.quantity for fill in told} == trader.stand.fills_there(trader.account)
    assert states.index(CATCHING_UP) < last < states.index(LIVE)


@pytest.mark.card("V-S08")
def test_a_cancel_that_was_missed_is_told_after_the_reconnect(trader: Trader) -> None:
    """An order that is thought to stand protects nothing."""
    order = trader.rest()
    with trader.listening() as heard:
        trader.stand.on_stream("drop")
        trader.cancel(order)
        assert VenueStatus.CANCELED not in {report.status for report in heard.reports(order.client_order_id)}
        trader.stand.cut(trader.account)
        heard.until(heard.tells(order, VenueStatus.CANCELED))


@pytest.mark.card("V-S09")
def test_frames_that_come_twice_name_the_same_fills(trader: Trader) -> None:
    """Who books by the venue's id books once."""
    order = trader.rest(BUY, "0.010", "64000")
    with trader.listening() as heard:
        trader.stand.on_stream("duplicate")
        trader.stand.put(BTC, "63900")
        heard.until(lambda: len([r for r in heard.reports(order.client_order_id) if r.fills]) >= 2)
        _all_told(trader, heard)

    twice = [fill for fill in heard.fills() if fill.client_order_id == order.client_order_id]
    assert len(set(twice)) < len(twice)
    assert len({fill.venue_trade_id for fill in twice}) == len(set(twice))


@pytest.mark.card("V-S10")
def test_frames_that_overtake_each_other_lose_nothing(trader: Trader) -> None:
    """The venue promises no order: every fill arrives all the same."""
    for price in ("64000", "63900"):
        trader.rest(BUY, "0.010", price)
    with trader.listening() as heard:
        trader.stand.on_stream("reorder", times=1, event="ORDER_TRADE_UPDATE")
        trader.stand.put(BTC, "63800")
        _all_told(trader, heard)


@pytest.mark.card("V-S11")
def test_a_silent_stream_is_opened_again(trader: Trader) -> None:
    """A dead connection looks like a quiet account."""
    venue = trader.stand.impatient()
    try:
        with trader.listening(venue) as heard:
            heard.until(lambda: heard.states.count(LIVE) >= 3)
        assert trader.stand.streams_opened(trader.account) >= 3
    finally:
        venue.close()


@pytest.mark.card("V-S12")
def test_an_expired_key_opens_a_new_stream(trader: Trader) -> None:
    """And what happens next is heard on it."""
    order = trader.rest(BUY, "0.010", "64000")
    with trader.listening() as heard:
        trader.stand.expire_key(trader.account)
        heard.until(lambda: heard.states.count(LIVE) == 2)
        trader.stand.put(BTC, "63900")
        heard.until(heard.tells(order, VenueStatus.FILLED))


@pytest.mark.card("V-S13")
def test_quotes_follow_the_market(stand: Stand) -> None:
    """A price that stands still while the market moves is worse than none."""
    bids: list[Decimal] = []
    told = threading.Event()

    def sink(quotes: Sequence[Quote]) -> None:
        bids.extend(quote.bid for quote in quotes if quote.symbol == BTC)
        told.set()

    stand.venue.follow([BTC])
    stop = stand.venue.watch(sink)
    try:
        for price in ("65500", "64500"):
            for _ in range(100):
                told.clear()
                stand.put(BTC, price)
                if bids and abs(bids[-1] - Decimal(price)) < 100:
                    break
                stand.advance(timedelta(milliseconds=250))  # the venue tells prices by its clock
                told.wait(0.1)
            assert abs(bids[-1] - Decimal(price)) < 100
    finally:
        stop()


@pytest.mark.card("V-S14")
def test_who_no_longer_listens_hears_nothing(trader: Trader) -> None:
    """An account that was removed is not followed for ever."""
    with trader.listening() as heard:
        pass
    heard.events.clear()
    trader.rest(BUY, "0.010", "64000")
    trader.stand.put(BTC, "63900")
    trader.report(trader.buy("0.010"))
    assert not heard.fills()
