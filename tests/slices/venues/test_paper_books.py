"""Paper orders and the book they are filled by: it is of now, or asked for, or the order waits."""

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.core.quote import Quote
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper_prices import BOOK_ASKS_EVERY_S
from pilothouse.venues.paper_real import RealPaper
from pilothouse.venues.port import Accepted, Rejected, VenueStatus
from tests.slices.venues.fed_source import BTC, Fed, real_paper
from tests.slices.venues.paper_house import ACCOUNT, accepted, books_agree, request


class Dead(Fed):
    """A market whose book stream is dead: each mark and trade comes with the book of before."""

    heard: Quote | None = None

    def goes_to(self, bid: str, ask: str, last: str = "") -> None:
        """Move; the streams tell the mark and the last trade of it, and who asks is answered all of it."""
        before = self.heard = self.heard or self.now[BTC]
        told = replace(
            self.feed(bid, ask, last=Decimal(last or bid), tell=False),
            bid=before.bid,
            ask=before.ask,
            book_at=before.at,
        )
        for sink in self.sinks:
            sink([told])


@pytest.fixture
def source(clock: FrozenClock) -> Dead:
    """Return a market at 60,000."""
    fed = Dead(clock)
    fed.feed("60000.0", "60000.1")
    return fed


@pytest.fixture
def venue(tmp_path: Path, clock: FrozenClock, source: Dead) -> Iterator[RealPaper]:
    """Yield paper money on that market, with an account of 10,000 USDT."""
    with real_paper(tmp_path, clock, source) as opened:
        opened.quotes([BTC])
        yield opened
        source.away = False
        books_agree(opened)


ORDERS: dict[str, tuple[OrderType, dict[str, Any]]] = {
    "market": (OrderType.MARKET, {}),
    "crossing limit": (OrderType.LIMIT, {"price": "60100.0"}),
    "at once or not": (OrderType.LIMIT, {"price": "60100.0", "tif": TimeInForce.IOC}),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_an_order_is_filled_at_the_book_that_the_venue_answers_when_its_stream_is_dead(
    venue: RealPaper, clock: FrozenClock, source: Dead, kind: str
) -> None:
    """The mark fell to 58,000 and goes on being told; the book of before was there for nobody any more."""
    clock.advance(timedelta(seconds=1))
    source.goes_to("58000.0", "58000.1")
    asked, (type_, terms) = source.asked, ORDERS[kind]

    report = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01", type_, **terms)])[0])

    assert [fill.price for fill in report.fills] == [Decimal("58000.1")]
    assert source.asked == asked + 1


def test_a_young_book_is_not_asked_for(venue: RealPaper, clock: FrozenClock, source: Dead) -> None:
    """It is the usual case, and costs no question."""
    asked = source.asked
    clock.advance(timedelta(seconds=3))

    report = accepted(venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])[0])

    assert (report.status, source.asked) == (VenueStatus.FILLED, asked)


def test_without_a_book_an_order_is_refused_for_now_and_says_why_and_later_it_is_taken(
    venue: RealPaper, clock: FrozenClock, source: Dead
) -> None:
    """The mark alone is no market to trade at. Nothing of the order is here, so that it may be sent again."""
    clock.advance(timedelta(seconds=7))
    source.goes_to("58000.0", "58000.1")
    source.away = True
    order = request(clock.now(), Side.BUY, "0.01")

    (refused,) = venue.place(ACCOUNT, [order])

    assert isinstance(refused, Rejected)
    assert (refused.code, refused.may_be_repeated) == ("no_fresh_book", True)
    assert refused.message == (
        "the best prices of BTCUSDT are 7 s old, and older than 3 s they are not traded at; younger ones are asked for"
    )
    assert venue.open_orders(ACCOUNT) == []
    stop = request(clock.now(), Side.SELL, "0.01", OrderType.STOP_MARKET, stop="50000.0")
    assert isinstance(venue.place(ACCOUNT, [stop])[0], Accepted), "what protects is measured against the mark"
    source.away = False
    clock.advance(timedelta(seconds=1))
    report = accepted(venue.place(ACCOUNT, [order])[0])
    assert [fill.price for fill in report.fills] == [Decimal("58000.1")]


def test_a_venue_that_does_not_answer_is_not_asked_by_every_order(
    venue: RealPaper, clock: FrozenClock, source: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred alerts must not use up what the venue allows for all accounts of this house."""
    asked: list[Collection[str]] = []
    answer = source.quotes

    def counted(symbols: Collection[str]) -> list[Quote]:
        asked.append(symbols)
        return answer(symbols)

    monkeypatch.setattr(source, "quotes", counted)
    clock.advance(timedelta(seconds=1))
    source.goes_to("58000.0", "58000.1")
    source.away = True

    for _ in range(10):
        (outcome,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
        assert isinstance(outcome, Rejected)
    assert len(asked) == 1
    clock.advance(timedelta(seconds=BOOK_ASKS_EVERY_S))
    venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])
    assert len(asked) == 2


def test_orders_that_come_together_share_an_answer(
    venue: RealPaper, clock: FrozenClock, source: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the question of the first, and does not ask again."""
    begun, may_answer = threading.Event(), threading.Event()
    answer, asked = source.quotes, source.asked

    def slow(symbols: Collection[str]) -> list[Quote]:
        begun.set()
        assert may_answer.wait(20)
        return answer(symbols)

    monkeypatch.setattr(source, "quotes", slow)
    clock.advance(timedelta(seconds=1))
    source.goes_to("58000.0", "58000.1")
    orders = [request(clock.now(), Side.BUY, "0.01", id_=f"together{number}") for number in range(3)]
    with ThreadPoolExecutor(3) as threads:
        placed = [threads.submit(venue.place, ACCOUNT, [order]) for order in orders]
        assert begun.wait(20)
        may_answer.set()
        prices = {accepted(each.result(20)[0]).fills[0].price for each in placed}

    assert (prices, source.asked) == ({Decimal("58000.1")}, asked + 1)


def test_the_book_of_before_a_restart_fills_nothing(tmp_path: Path, clock: FrozenClock, source: Dead) -> None:
    """The journal knows when something was told last, and not of when the book was."""
    with real_paper(tmp_path, clock, source) as venue:
        venue.quotes([BTC])
        clock.advance(timedelta(seconds=1))
        source.goes_to("58000.0", "58000.1")
    with real_paper(tmp_path, clock, source) as venue:
        source.away = True
        (refused,) = venue.place(ACCOUNT, [request(clock.now(), Side.BUY, "0.01")])

    assert isinstance(refused, Rejected)
    assert refused.code == "no_fresh_book"


def test_an_order_that_rests_meets_the_market_that_the_venue_answers(
    venue: RealPaper, clock: FrozenClock, source: Dead
) -> None:
    """Nothing tells of a book that is dead: while an order stands there, it is asked for now and then."""
    resting = request(clock.now(), Side.BUY, "0.01", OrderType.LIMIT, price="59000.0", id_="rests")
    venue.place(ACCOUNT, [resting])
    for _ in range(10):
        venue.step(clock.advance(timedelta(seconds=1)))
        source.goes_to("60000.0", "60000.1")
    asked = source.asked
    source.goes_to("58999.9", "59000.0", last="59000.0")

    venue.step(clock.advance(timedelta(milliseconds=1)))

    assert source.asked == asked + 1
    found = accepted(venue.find(ACCOUNT, BTC, "rests"))
    assert [(fill.price, fill.maker) for fill in found.fills] == [(Decimal("59000.0"), True)]
