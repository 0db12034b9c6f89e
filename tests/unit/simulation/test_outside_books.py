"""Best prices, mark and last trade fall silent apart: no fill comes from a book that was over when the order came."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation import outside
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.orders import Execution, Order, Refusal
from pilothouse.simulation.outside import NO_FRESH_BOOK, PATIENT_US, RESTS_US
from pilothouse.simulation.told import BOOK_AGE_US_MAX, Told
from tests.unit.simulation.test_outside_prices import BTC, asked, market

MS = 1_000
START = 1_000_000_000


@dataclass(slots=True)
class Source:
    """A venue whose streams tell books, marks and trades apart, put together as our adapters do."""

    floor: Floor
    now: int = START
    books: list[tuple[int, int, int]] = field(default_factory=list)
    heard: tuple[int, int, int] = (0, 0, 0)
    others: list[int] = field(default_factory=list)
    mark: tuple[int, int] = (0, 0)
    last: tuple[int, int] = (0, 0)

    def book(self, bid: int, age: int = 0) -> None:
        """Tell best prices, two ticks apart, as they were `age` ago."""
        self.heard = max(self.heard, (self.now - age, bid, bid + 2), key=lambda book: book[0])
        self.books.append(self.heard)
        self._tell()

    def marked(self, ticks: int) -> None:
        """Tell the mark; of the book it brings what its stream said last."""
        self.mark = (self.now, ticks)
        self.others.append(self.now)
        self._tell()

    def traded(self, ticks: int) -> None:
        """Tell the last trade in the same way."""
        self.last = (self.now, ticks)
        self.others.append(self.now)
        self._tell()

    def answer(self, bid: int, took: int = 0) -> None:
        """Answer a question that was asked `took` ago, with all three as they are."""
        at = self.now - took
        self.books.append((at, bid, bid + 2))
        self.others.append(at)
        outside.tell(self.floor, Told(BTC.symbol, bid, bid + 2, bid, bid, bid, at), self.now)

    def _tell(self) -> None:
        at, bid, ask = self.heard
        seen = max(at, self.mark[0], self.last[0])
        told = Told(
            BTC.symbol, bid, ask, self.mark[1], self.mark[1], self.last[1], seen,
            book_seen=at, mark_seen=self.mark[0], last_seen=self.last[0],
        )  # fmt: skip
        outside.tell(self.floor, told, self.now)

    def youngest(self) -> list[tuple[int, int, int]]:
        """Return the books of the latest instant that was told, one or several: instant, bid, ask."""
        latest = max(book[0] for book in self.books)
        return [book for book in self.books if book[0] == latest]


def opened() -> Source:
    """Return a market of which everything was told just now."""
    source = Source(market())
    source.answer(600_000)
    source.mark = source.last = (source.now, 600_000)
    source.heard = source.books[0]
    return source


def take(source: Source, sign: int = 1, number: int = 1, arrived: int | None = None) -> Order | Refusal:
    """Place a market order."""
    order = asked(number, sign, OrderType.MARKET, 10, 0, TimeInForce.GTC, reduce_only=False)
    return outside.place(source.floor, "acc", order, source.now, arrived)


def trades(source: Source) -> Sequence[Execution]:
    """Return what traded since this was last asked."""
    return source.floor.drain().executions


@pytest.mark.parametrize("what", [Source.marked, Source.traded])
def test_a_book_that_fell_silent_fills_nothing_once_another_price_was_told(what: object) -> None:
    """The mark goes to 58,000 and the book says 60,000 still: nobody buys there, until the venue says where it is."""
    source = opened()
    source.now += 400 * MS
    assert isinstance(take(source), Order), "all that was told last is of one instant"
    trades(source)
    assert callable(what)
    what(source, 580_000)

    refused = take(source, number=2)
    source.answer(580_000)
    filled = take(source, number=3)

    assert isinstance(refused, Refusal)
    assert (refused.code, refused.for_now) == (NO_FRESH_BOOK, True)
    assert "400 ms old, and its mark or last price was told since" in refused.message
    assert isinstance(filled, Order)
    assert [trade.price for trade in trades(source)] == [580_002]


def test_the_answer_to_a_question_is_kept_when_the_dead_stream_goes_on_telling_what_was() -> None:
    """Each mark comes with the book that its stream heard last: hours old, and no news."""
    source = opened()
    source.now += 400 * MS
    source.marked(580_000)
    source.now += 100 * MS
    outside.tell(source.floor, Told(BTC.symbol, 580_000, 580_002, 580_000, 580_000, 580_000, source.now), source.now)
    asked_at = source.now
    source.now += 300 * MS
    source.marked(580_010)

    desk = source.floor.desks[BTC.symbol]
    told = take(source, arrived=asked_at)

    assert (desk.prices.bid, desk.prices.mark) == (580_000, 580_010)
    assert isinstance(told, Order), "it had come when the question was asked"
    assert [trade.price for trade in trades(source)] == [580_002]
    assert isinstance(take(source, number=2), Refusal), "this one came after the mark"


def test_a_resting_order_is_filled_once_by_a_book_and_never_by_one_that_comes_late() -> None:
    """A book that is over would fill a large order again every second."""
    source = opened()
    order = asked(1, 1, OrderType.LIMIT, 400, 600_000, TimeInForce.GTC, reduce_only=False)
    outside.place(source.floor, "acc", order, source.now)
    source.now += 10 * MS
    source.book(599_998)
    (first,) = trades(source)
    assert first.lots < 400
    for _ in range(5):
        source.now += 900 * MS
        source.marked(599_999)
    source.book(599_997, age=BOOK_AGE_US_MAX + 1)
    assert trades(source) == []

    source.book(599_997)

    assert [trade.price for trade in trades(source)] == [600_000]


def test_books_that_orders_rest_against_are_asked_for_while_other_prices_go_on() -> None:
    """Not often: a quiet market is no fault. Where nothing at all is told, the venue is away, and nobody asks it."""
    source = opened()
    order = asked(1, 1, OrderType.LIMIT, 10, 599_000, TimeInForce.GTC, reduce_only=False)
    outside.place(source.floor, "acc", order, source.now)
    source.now += RESTS_US
    source.marked(600_000)
    just = outside.lacking(source.floor, source.now)
    source.now += 1

    assert (just, outside.lacking(source.floor, source.now)) == (set(), {BTC.symbol})
    source.now += RESTS_US
    assert outside.lacking(source.floor, source.now) == set()


def test_a_position_in_a_market_whose_book_is_dead_is_not_closed_by_force_there() -> None:
    """An account is lost by its mark, and closed at best prices that are as young; they are asked for."""
    source = opened()
    source.floor.accounts["acc"].holding(BTC.symbol).leverage = 20
    outside.place(
        source.floor, "acc", asked(1, 1, OrderType.MARKET, 1_500, 0, TimeInForce.GTC, reduce_only=False), source.now
    )
    source.now += 400 * MS
    source.marked(530_000)
    source.now += PATIENT_US
    assert source.floor.accounts["acc"].holding(BTC.symbol).lots == 1_500
    assert outside.lacking(source.floor, source.now) == {BTC.symbol}
    trades(source)

    source.answer(530_000)

    assert source.floor.accounts["acc"].holding(BTC.symbol).lots == 0
    assert max(trade.price for trade in trades(source)) <= 530_000


acts = st.one_of(
    st.tuples(st.just("book"), st.integers(599_900, 600_100), st.sampled_from([0, 20 * MS, 2_500 * MS, 4_000 * MS])),
    st.tuples(st.just("mark"), st.integers(599_900, 600_100), st.just(0)),
    st.tuples(st.just("last"), st.integers(599_900, 600_100), st.just(0)),
    st.tuples(st.just("answer"), st.integers(599_900, 600_100), st.sampled_from([0, 150 * MS, 4_000 * MS])),
    st.tuples(st.sampled_from(["buy", "sell"]), st.just(0), st.sampled_from([0, 150 * MS, 4_000 * MS])),
    st.tuples(st.sampled_from(["buy at", "sell at"]), st.integers(599_900, 600_100), st.just(0)),
)
pauses = st.sampled_from([0, 10 * MS, 300 * MS, 1_100 * MS, 3_500 * MS])


@settings(max_examples=300)
@given(st.lists(st.tuples(pauses, acts), min_size=5, max_size=40))
def test_every_fill_lies_within_a_book_that_was_true_when_the_order_came_or_at_most_the_bound_before(
    told: list[tuple[int, tuple[str, int, int]]],
) -> None:
    """Whatever falls silent, is late or is answered slowly; that book was the youngest, no price had outlived it."""
    source, arrivals = opened(), dict[str, int]()
    for number, (pause, (what, ticks, age)) in enumerate(told):
        source.now += pause
        arrived = source.now - age
        resting, last_before = dict(arrivals), source.floor.desks[BTC.symbol].prices.last
        if what in {"book", "answer"}:
            (source.book if what == "book" else source.answer)(ticks, age)
        elif what in {"mark", "last"}:
            (source.marked if what == "mark" else source.traded)(ticks)
        else:
            sign, type_ = 1 if what.startswith("buy") else -1, OrderType.LIMIT if ticks else OrderType.MARKET
            order = asked(number, sign, type_, 30, ticks, TimeInForce.GTC, reduce_only=False)
            outside.place(source.floor, "acc", order, source.now, arrived)
            arrivals[order.client_id] = source.now if ticks else arrived
        for trade in trades(source):
            books, sign = source.youngest(), trade.sign
            at = books[0][0]
            is_within = any((trade.price - (ask if sign > 0 else bid)) * sign >= 0 for _, bid, ask in books)
            if trade.maker:
                assert trade.client_id in resting
                last = source.floor.desks[BTC.symbol].prices.last
                if last != last_before and (trade.price - last) * trade.sign > 0:
                    continue  # the market traded through it
            else:
                assert not any(at < other <= arrivals[trade.client_id] for other in source.others)
            assert is_within
            assert at >= arrivals[trade.client_id] - BOOK_AGE_US_MAX
            assert at >= source.now - BOOK_AGE_US_MAX
