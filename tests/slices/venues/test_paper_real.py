"""Paper money on real prices, through the port, with a market that is fed by hand."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.errors import NotFound, Refused, Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper_real import RealPaper, RealPrices, journal_file
from pilothouse.venues.port import Accepted, AccountEvent, MarginType, Rejected, VenueStatus
from tests.slices.venues.fed_source import BTC, Fed, instrument, real_paper
from tests.slices.venues.paper_house import ACCOUNT, DEPOSIT, accepted, all_that_counts, books_agree, request

PEPE = "PEPEUSDT"


@pytest.fixture
def source(clock: FrozenClock) -> Fed:
    """Return a market at 60,000."""
    fed = Fed(clock)
    fed.feed("60000.0", "60000.1")
    fed.feed("0.00001000", "0.00001001", symbol=PEPE)
    return fed


@pytest.fixture
def venue(tmp_path: Path, clock: FrozenClock, source: Fed) -> Iterator[RealPaper]:
    """Yield paper money on that market, with an account of 10,000 USDT."""
    with real_paper(tmp_path, clock, source) as opened:
        yield opened
        source.away = False
        for quote in list(source.now.values()):
            source.feed(str(quote.bid), str(quote.ask), symbol=quote.symbol)
        books_agree(opened)


@pytest.fixture
def events(venue: RealPaper) -> list[AccountEvent]:
    """Return a list that grows with every event."""
    told: list[AccountEvent] = []
    venue.listen_to_all(told.append)
    return told


def reports(events: Sequence[AccountEvent]) -> list[tuple[str, VenueStatus]]:
    """Return whose order went where."""
    return [(each.report.client_order_id, each.report.status) for each in events if each.report is not None]


def test_an_order_meets_the_real_best_price(venue: RealPaper, clock: FrozenClock) -> None:
    """Buyers pay the ask, sellers get the bid, and the fee is the stated one."""
    bought = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])
    sold = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.SELL, "0.01")])[0])

    assert [fill.price for fill in bought.fills] == [Decimal("60000.1")]
    assert [fill.price for fill in sold.fills] == [Decimal("60000.0")]
    assert bought.fills[0].commission == Decimal("60000.1") * Decimal("0.01") * Decimal("0.0005")


def test_a_large_order_pays_for_its_size(venue: RealPaper, clock: FrozenClock, source: Fed) -> None:
    """What stands at the best price is told; the rest is worse by the stated steps, and what finds nothing expires."""
    source.feed("60000.0", "60000.1", bid_quantity=Decimal(1), ask_quantity=Decimal("0.010"))
    venue.set_leverage(ACCOUNT, BTC, 50)

    bought = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.3")])[0])

    assert [(fill.price, fill.quantity) for fill in bought.fills] == [
        (Decimal("60000.1"), Decimal("0.010")),
        (Decimal("60006.2"), Decimal("0.166")),  # 61 ticks on: 0.01 %, rounded against the buyer
        (Decimal("60012.3"), Decimal("0.124")),
    ]


def test_what_was_taken_is_gone_until_the_book_changes(venue: RealPaper, clock: FrozenClock, source: Fed) -> None:
    """Nobody buys the same offer ten times."""
    source.feed("60000.0", "60000.1", ask_quantity=Decimal("0.010"))
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.010")])
    clock.advance(timedelta(milliseconds=100))
    source.feed("60000.0", "60000.1", ask_quantity=Decimal("0.010"), mark=Decimal("60000.05"))

    worse = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.010")])[0])
    source.feed("60000.0", "60000.1", ask_quantity=Decimal("0.011"))
    again = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.011")])[0])
    for _ in range(10):
        clock.advance(timedelta(milliseconds=100))
        source.feed("60000.0", "60000.1", ask_quantity=Decimal("0.011"))
    later = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.010")])[0])

    best = Decimal("60000.1")
    assert [report.fills[0].price for report in (worse, again, later)] == [Decimal("60006.2"), best, best]


def test_a_limit_fills_at_its_own_price_once_the_market_is_there(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """Not when somebody else trades at the same price: nobody knows our place in that queue."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="59990.0", id_="rests")
    venue.place(ACCOUNT, [resting])
    clock.advance(timedelta(seconds=3))
    source.feed("59990.0", "59990.1", last=Decimal("59990.0"))
    assert reports(events) == []

    source.feed("59989.9", "59990.0", last=Decimal("59990.0"))

    assert reports(events) == [("rests", VenueStatus.FILLED)]
    found = venue.find(ACCOUNT, BTC, "rests")
    assert [(fill.price, fill.maker) for fill in accepted(found).fills] == [(Decimal("59990.0"), True)]


def test_a_trade_through_a_limit_fills_it_unless_it_is_too_young(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """A last price may be told seconds late: it must not fill what came after the trade."""
    order = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="59990.0", id_="rests")
    venue.place(ACCOUNT, [order])
    clock.advance(timedelta(seconds=1))
    source.feed("59995.0", "59995.1", last=Decimal("59989.0"))
    assert reports(events) == []
    clock.advance(timedelta(seconds=2))
    source.feed("59995.0", "59995.1", last=Decimal("59989.0"))
    assert reports(events) == [], "the same last price is no new trade"

    source.feed("59995.0", "59995.1", last=Decimal("59988.9"))

    assert reports(events) == [("rests", VenueStatus.FILLED)]


def test_a_stop_triggers_by_the_real_mark_and_fills_at_the_bid(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """A mark between two ticks has not reached the lower one."""
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="59900.0", reduce_only=True, id_="stop")
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01"), stop])
    source.feed("59890.0", "59890.1", mark=Decimal("59900.00000001"))
    assert reports(events) == []

    source.feed("59880.0", "59880.1", mark=Decimal("59900.0"))

    assert reports(events) == [("stop", VenueStatus.FILLED)]
    assert [fill.price for fill in venue.fills_after(ACCOUNT, BTC, None)][-1] == Decimal("59880.0")
    assert venue.positions(ACCOUNT) == []


def _a_stop_whose_mark_comes_first(venue: RealPaper, clock: FrozenClock, source: Fed) -> None:
    """Hold 0.01 with a stop at 59,900; then the mark falls to 58,000, and the best prices are still those of before."""
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="59900.0", reduce_only=True, id_="stop")
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01"), stop])
    book_at = clock.now()
    marked_at = clock.advance(timedelta(milliseconds=400))
    source.feed("60000.0", "60000.1", mark=Decimal(58_000), book_at=book_at, mark_at=marked_at)


def test_a_stop_is_not_filled_at_best_prices_that_are_older_than_its_mark(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """Mark and best prices come apart: the bid of before was there for nobody once the mark had fallen."""
    _a_stop_whose_mark_comes_first(venue, clock, source)
    marked_at = clock.now()
    assert ("stop", VenueStatus.FILLED) not in reports(events)
    # Back above the trigger, by a mark that is still younger than the best prices: what is triggered stays so.
    source.feed("60000.0", "60000.1", mark=Decimal(60_000), book_at=marked_at - timedelta(microseconds=1))
    assert ("stop", VenueStatus.FILLED) not in reports(events)

    source.feed("57990.0", "57990.1", mark=Decimal(60_000), book_at=marked_at, mark_at=marked_at)

    assert reports(events)[-1] == ("stop", VenueStatus.FILLED)
    assert venue.fills_after(ACCOUNT, BTC, None)[-1].price == Decimal("57990.0")
    assert accepted(venue.find(ACCOUNT, BTC, "stop")).reason == "", "it waited for a message, not for a second"


def test_a_stop_is_filled_at_once_at_best_prices_that_are_as_young_as_its_mark(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """Also if something else of the quote, the last trade, is younger than both."""
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="59900.0", reduce_only=True, id_="stop")
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01"), stop])
    told_at = clock.now()
    clock.advance(timedelta(milliseconds=400))

    source.feed("57990.0", "57990.1", mark=Decimal(58_000), book_at=told_at, mark_at=told_at)

    assert reports(events) == [("stop", VenueStatus.FILLED)]


def test_best_prices_that_do_not_follow_are_asked_for_and_nothing_is_filled_before_somebody_tells_them(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """A book that does not change tells nothing, and neither does a stream that is broken: the question decides."""
    _a_stop_whose_mark_comes_first(venue, clock, source)
    asked = source.asked
    venue.step(clock.advance(timedelta(milliseconds=999)))
    assert source.asked == asked, "they may still come by themselves"
    source.away = True
    for _ in range(30):
        venue.step(clock.advance(timedelta(seconds=1)))
    assert accepted(venue.find(ACCOUNT, BTC, "stop")).status is VenueStatus.NEW
    assert ("stop", VenueStatus.FILLED) not in reports(events)
    source.away = False
    source.feed("57500.0", "57500.1", tell=False)

    venue.step(clock.advance(timedelta(seconds=2)))

    assert source.asked == asked + 1
    found = accepted(venue.find(ACCOUNT, BTC, "stop"))
    assert [fill.price for fill in found.fills] == [Decimal("57500.0")]
    assert found.reason == "triggered 32 s before the next best prices were told"
    for _ in range(5):
        venue.step(clock.advance(timedelta(seconds=1)))
    assert source.asked == asked + 1, "nothing lacks any more"


def test_what_was_triggered_stays_so_over_a_restart(tmp_path: Path, clock: FrozenClock, source: Fed) -> None:
    """The mark may be back by then: the stop was met all the same, and fills at the next best prices."""
    with real_paper(tmp_path, clock, source) as venue:
        _a_stop_whose_mark_comes_first(venue, clock, source)
    with real_paper(tmp_path, clock, source) as venue:
        assert accepted(venue.find(ACCOUNT, BTC, "stop")).status is VenueStatus.NEW
        clock.advance(timedelta(milliseconds=100))
        source.feed("60010.0", "60010.1")
        assert venue.fills_after(ACCOUNT, BTC, None)[-1].price == Decimal("60010.0")
        assert venue.positions(ACCOUNT) == []


def test_a_forced_close_waits_for_best_prices_as_young_as_its_mark(
    venue: RealPaper, clock: FrozenClock, source: Fed
) -> None:
    """At the bid of before, an account would keep money that is lost; what does not come is asked for."""
    venue.set_leverage(ACCOUNT, BTC, 20)
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "1")])
    book_at = clock.now()
    marked_at = clock.advance(timedelta(milliseconds=400))
    source.feed("60000.0", "60000.1", mark=Decimal(48_000), book_at=book_at, mark_at=marked_at)
    assert venue.positions(ACCOUNT) != []
    source.feed("48000.0", "48000.1", tell=False)

    venue.step(clock.advance(timedelta(seconds=1)))

    assert venue.positions(ACCOUNT) == []
    assert venue.balance(ACCOUNT).wallet == 0


def test_a_journal_of_before_is_read(tmp_path: Path, clock: FrozenClock, source: Fed) -> None:
    """It has no place for orders whose trigger is met; it gets one."""
    with real_paper(tmp_path, clock, source) as venue:
        venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="59000.0", id_="rests")])
    with sqlite3.connect(tmp_path / journal_file("paper-fed")) as older:
        older.execute("ALTER TABLE paper_orders DROP COLUMN met")
    with real_paper(tmp_path, clock, source) as venue:
        _a_stop_whose_mark_comes_first(venue, clock, source)
        assert [one.client_order_id for one in venue.open_orders(ACCOUNT)] == ["rests", "stop"]


def test_a_quiet_market_is_asked_before_an_order_meets_it(venue: RealPaper, clock: FrozenClock, source: Fed) -> None:
    """A price that is old is confirmed by a question, not traded at."""
    clock.advance(timedelta(minutes=5))
    asked = source.asked

    report = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])

    assert (source.asked, report.fills[0].price) == (asked + 1, Decimal("60000.1"))


def test_without_fresh_prices_orders_are_rejected_and_cancels_pass(
    venue: RealPaper, clock: FrozenClock, source: Fed
) -> None:
    """As a venue in an outage: never unknown, and later the same order may be taken."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="50000.0")
    venue.place(ACCOUNT, [resting])
    source.away = True
    clock.advance(timedelta(seconds=10, microseconds=1))

    (outcome,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.may_be_repeated) == ("no_fresh_price", True)
    assert "10 s old" in outcome.message
    assert isinstance(venue.cancel(ACCOUNT, BTC, resting.client_order_id), Accepted)
    with pytest.raises(Unavailable):
        venue.quotes([BTC])


def test_behind_an_order_that_is_refused_for_now_none_of_its_call_is_taken_but_stops(
    venue: RealPaper, clock: FrozenClock, source: Fed
) -> None:
    """What was decided later took for granted that it had filled; what protects waits for nobody."""
    source.away = True
    clock.advance(timedelta(seconds=11))
    source.feed("0.00001000", "0.00001001", symbol=PEPE)
    refused = request(clock.now(), Side.BUY, "0.01")
    behind = request(clock.now(), Side.BUY, "1000000", symbol=PEPE)
    stop = request(clock.now(), Side.SELL, "1000000", OrderType.STOP_MARKET, symbol=PEPE, stop="0.00000900")

    outcomes = venue.place(ACCOUNT, [refused, behind, stop])

    told = [(one.code, one.may_be_repeated) for one in outcomes[:2] if isinstance(one, Rejected)]
    assert told == [("no_fresh_price", True), ("held_up", True)]
    assert isinstance(outcomes[2], Accepted)
    assert isinstance(venue.place(ACCOUNT, [behind])[0], Accepted)


def test_what_was_passed_in_an_outage_triggers_at_the_first_price_after_it(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """A gap is a gap: the stop fills where the market is then, and says so."""
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="59900.0", reduce_only=True, id_="stop")
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01"), stop])
    late = clock.now()
    clock.advance(timedelta(seconds=42))
    source.feed("58000.0", "58000.1", at=late + timedelta(seconds=1))
    assert reports(events) == [], "a price that comes late is no price of now"

    source.feed("57000.0", "57000.1")

    (event,) = events
    assert event.report is not None
    assert [fill.price for fill in event.report.fills] == [Decimal("57000.0")]
    assert event.report.reason == "triggered by the first price after 41 s without one"
    assert accepted(venue.find(ACCOUNT, BTC, "stop")).reason == event.report.reason


def test_an_older_price_changes_nothing(venue: RealPaper, clock: FrozenClock, source: Fed) -> None:
    """Feeds overtake each other."""
    clock.advance(timedelta(seconds=5))
    source.feed("61000.0", "61000.1")
    source.feed("50000.0", "50000.1", at=clock.now() - timedelta(seconds=3), tell=True)

    report = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])

    assert report.fills[0].price == Decimal("61000.1")


def test_a_liquidation_follows_the_real_mark(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """What can no longer be backed is closed at the bid, and nobody ends below nothing."""
    venue.set_leverage(ACCOUNT, BTC, 20)
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "1")])

    source.feed("48000.0", "48000.1")

    assert venue.positions(ACCOUNT) == []
    assert venue.balance(ACCOUNT).wallet == 0
    (forced,) = reports(events)
    assert forced[0].startswith("autoclose-")


def test_funding_is_what_the_venue_announced_and_is_paid_once(
    venue: RealPaper, clock: FrozenClock, source: Fed, events: list[AccountEvent]
) -> None:
    """By the last rate before its hour, at the last mark; the next hour is announced by the next quote."""
    due = clock.now() + timedelta(hours=4)
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.1")])
    for rate in ("0.0005", "0.00012345"):
        source.feed("60000.0", "60000.1", funding_rate=Decimal(rate), funding_at=due)
    venue.step(clock.advance(timedelta(hours=4) - timedelta(microseconds=1)))
    assert venue.funding_after(ACCOUNT, None) == []

    venue.step(clock.advance(timedelta(microseconds=1)))
    source.feed("60000.0", "60000.1", funding_rate=Decimal("0.5"), funding_at=due)
    venue.step(clock.advance(timedelta(hours=4)))

    (payment,) = venue.funding_after(ACCOUNT, None)
    assert (payment.amount, payment.currency, payment.at) == (Decimal("-0.7407"), "USDT", due)
    assert [event.funding for event in events if event.funding is not None] == [payment]


def test_a_tiny_tick_is_counted_as_exactly_as_a_large_one(venue: RealPaper, clock: FrozenClock) -> None:
    """A hundred million units at a hundred-thousandth each."""
    venue.set_leverage(ACCOUNT, PEPE, 50)
    buy = request(clock.now(), Side.BUY, "1000000", symbol=PEPE)

    report = accepted(venue.place(ACCOUNT, [buy])[0])

    assert [(fill.price, fill.quantity) for fill in report.fills] == [(Decimal("0.00001001"), Decimal(1_000_000))]
    assert report.fills[0].commission == Decimal("0.005005")
    (position,) = venue.positions(ACCOUNT)
    assert (position.notional, position.unrealised) == (Decimal(10), Decimal("-0.01"))


def test_the_market_of_another_currency_is_not_offered(tmp_path: Path, clock: FrozenClock) -> None:
    """An account has one settlement currency: that of most instruments."""
    source = Fed(clock, instrument("ABCUSDC", quote="USDC"), instrument("DEFUSDC", quote="USDC"), instrument())
    with real_paper(tmp_path, clock, source) as venue:
        assert [each.symbol for each in venue.instruments()] == ["ABCUSDC", "DEFUSDC"]
        assert venue.settlement == venue.balance(ACCOUNT).asset == "USDC"
        with pytest.raises(NotFound):
            venue.settings(ACCOUNT, BTC)


def test_nothing_is_sold_short_where_there_is_no_leverage(tmp_path: Path, clock: FrozenClock) -> None:
    """Spot and shares: what is not held cannot be sold, however the order is made."""
    source = Fed(clock, instrument(leverage_max=1))
    source.feed("60000.0", "60000.1")
    with real_paper(tmp_path, clock, source) as venue:
        (short,) = venue.place(ACCOUNT, [request(clock.now(), Side.SELL, "0.01")])
        assert isinstance(short, Rejected)
        venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
        offer = request(clock.now(), Side.SELL, "0.008", OrderType.LIMIT, price="61000.0")
        assert isinstance(venue.place(ACCOUNT, [offer])[0], Accepted)
        (twice,) = venue.place(ACCOUNT, [request(clock.now(), Side.SELL, "0.003")])
        assert isinstance(twice, Rejected)
        assert venue.settings(ACCOUNT, BTC) == (1, MarginType.CROSSED)
        books_agree(venue)


def test_a_finer_grid_of_the_venue_leaves_the_books_in_theirs(tmp_path: Path, clock: FrozenClock, source: Fed) -> None:
    """What stands is counted in the old ticks; prices between two of them go against whoever trades."""
    with real_paper(tmp_path, clock, source) as venue:
        venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
        source.offered[0] = instrument(tick="0.01", lot="0.0001", leverage_max=20)
        found = {each.symbol: each for each in venue.instruments()}[BTC]
        assert (found.tick, found.lot, found.leverage_max) == (Decimal("0.1"), Decimal("0.001"), 20)
        source.feed("60000.07", "60000.09")
        sold = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.SELL, "0.01")])[0])
        bought = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])
        assert (sold.fills[0].price, bought.fills[0].price) == (Decimal("60000.0"), Decimal("60000.1"))


def test_everything_is_as_it_was_after_a_restart(tmp_path: Path, clock: FrozenClock, source: Fed) -> None:
    """Also while the market does not answer; its prices are of then, so nothing is traded at them."""
    with real_paper(tmp_path, clock, source) as venue:
        venue.set_leverage(ACCOUNT, BTC, 20)
        for number in range(20):
            side = Side.BUY if number % 3 else Side.SELL
            limit = request(clock.now(), side, "0.01", OrderType.LIMIT, price="59990.0", tif=TimeInForce.GTC)
            venue.place(ACCOUNT, [request(clock.now(), side, "0.01"), limit])
            source.feed("60000.0", "60000.1", funding_rate=Decimal("0.0001"), funding_at=clock.now())
            venue.step(clock.advance(timedelta(milliseconds=250)))
        before = all_that_counts(venue)
        assert before["orders"]
        assert before["funding"]

    source.followed.clear()
    with real_paper(tmp_path, clock, source) as venue:
        assert source.followed == [BTC]
        assert all_that_counts(venue) == before
        source.away = True
        clock.advance(timedelta(seconds=11))
        (outcome,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
        assert isinstance(outcome, Rejected)


def test_the_same_quotes_in_the_same_order_give_the_same_venue(tmp_path: Path, clock: FrozenClock) -> None:
    """Nothing is drawn: who replays a day finds it again."""
    begun, told = clock.now(), []
    for run in ("a", "b"):
        folder = tmp_path / run
        folder.mkdir()
        own = FrozenClock(begun)
        source = Fed(own)
        with real_paper(folder, own, source) as venue:
            for number in range(40):
                level = 60_000 + (number * 7919) % 300 - 150
                source.feed(f"{level}.0", f"{level}.1")
                limit = request(
                    own.now(), Side.BUY, "0.02", OrderType.LIMIT, price=f"{level - 40}.0", id_=f"same{number}"
                )
                venue.place(ACCOUNT, [limit])
                venue.step(own.advance(timedelta(milliseconds=250)))
            told.append(all_that_counts(venue))
    assert told[0] == told[1]
    assert told[0]["fills"][BTC]


def test_watchers_hear_the_real_quotes_and_prices_cannot_be_set(
    venue: RealPaper, clock: FrozenClock, source: Fed
) -> None:
    """They are real: what is shown is what the venue said, and nobody else."""
    told: list[Quote] = []
    stop = venue.watch(told.extend)
    quote = source.feed("60100.0", "60100.1", mark=Decimal("60100.0123"))
    stop()
    source.feed("60200.0", "60200.1")

    assert told[-1] == quote
    with pytest.raises(RealPrices):
        venue.set_price(BTC, Decimal(1))
    assert venue.timeframes() == ("1m",)
    assert venue.candles(BTC, "1m", clock.now(), clock.now())[0].opened_at == clock.now()


def test_the_card_says_what_is_real_and_what_is_not(venue: RealPaper) -> None:
    """Named as paper money on real prices wherever it is shown."""
    card = venue.card

    assert (card.venue, card.market) == ("paper-fed", "paper money on real prices of Fed")
    assert (card.simulated, card.makes_prices) == (True, False)
    assert {"queue position", "latency", "effect on the market"} <= {each.name for each in card.capabilities}
    assert all(each.reason for each in card.capabilities if each.state == "exempt")


def test_quotes_are_taken_in_on_a_thread_of_their_own(tmp_path: Path, clock: FrozenClock, source: Fed) -> None:
    """The stream of the venue does not wait for our disk."""
    heard = threading.Event()
    with real_paper(tmp_path, clock, source, threaded=True) as venue:
        filled = VenueStatus.FILLED
        venue.listen(ACCOUNT, lambda told: heard.set() if told.report and told.report.status is filled else None)
        venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="59000.0", id_="rests")])
        source.feed("58000.0", "58000.1")
        assert heard.wait(60)
        assert accepted(venue.find(ACCOUNT, BTC, "rests")).status is VenueStatus.FILLED


def test_an_account_starts_again_with_what_it_was_opened_with(venue: RealPaper, clock: FrozenClock) -> None:
    """The deposit was chosen when it was added."""
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.1")])

    venue.reset_account(ACCOUNT, venue.opening_deposit(ACCOUNT))

    assert (venue.balance(ACCOUNT).wallet, venue.positions(ACCOUNT)) == (DEPOSIT, [])


def test_each_venue_key_has_a_journal_of_its_own() -> None:
    """Two addresses never share their money."""
    keys = [
        "paper-aster",
        "paper-aster@http://127.0.0.1:18100",
        "paper-aster@http://127.0.0.1:18101",
        "paper-a@http://x/y",
    ]

    files = [journal_file(key) for key in keys]

    assert files[0] == "paper-aster.db"
    assert len(set(files)) == len(files)
    assert all("/" not in file and ":" not in file for file in files)


def test_a_venue_whose_market_never_answered_says_so(tmp_path: Path, clock: FrozenClock) -> None:
    """Without instruments nothing is known: not even the currency."""
    source = Fed(clock)
    source.away = True
    venue = RealPaper(f"sqlite:///{tmp_path / 'j.db'}", source, clock=clock, threaded=False)
    with pytest.raises(Unavailable):
        _ = venue.settlement
    (outcome,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
    assert isinstance(outcome, Rejected)
    with pytest.raises(Refused):
        venue.set_leverage(ACCOUNT, BTC, 3)
    venue.close()
