"""Ladders, break-even, trailing and time stops: the laws that hold whatever happened to the position."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.bots.bracket import STOP, Guarding, Protection, guard, stands, wants
from pilothouse.bots.ladder import Progress, best_price, stop_price, target_sizes
from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.position import Position
from pilothouse.core.quote import Quote
from pilothouse.core.rounding import is_on_grid
from pilothouse.core.signals import Guards, Level, Target, Trailing

LOT = Decimal("0.001")
TICK = Decimal("0.1")
BTC = Instrument("BTCUSDT", "BTC", "USDT", TICK, LOT, LOT, Decimal(100), Decimal(5), TICK, Decimal(10**6), 1)
PRICE = Decimal(65_000)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUOTE = Quote("BTCUSDT", PRICE - 1, PRICE + 1, PRICE, PRICE, NOW, "binance")

percents = st.decimals("0.1", "50", places=1)
lots = st.integers(1, 50_000).map(lambda count: count * LOT)


@st.composite
def ladders(draw: st.DrawFn) -> tuple[Target, ...]:
    """Draw targets whose shares are a whole, leave a rest, or give the rest to one of them."""
    shares = [Decimal(share) for share in draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))]
    total = sum(shares)
    if total > 100:
        shares = [Decimal(100) / len(shares)] if len(shares) == 1 else [Decimal(100 // len(shares))] * len(shares)
    targets = [Target(Level(percent=draw(percents)), share) for share in shares]
    if draw(st.booleans()):
        targets[draw(st.integers(0, len(targets) - 1))] = Target(Level(percent=draw(percents)))
    return tuple(targets)


@st.composite
def progresses(draw: st.DrawFn, targets: tuple[Target, ...]) -> Progress:
    """Draw what some targets have filled, whole or in part."""
    touched = draw(st.sets(st.integers(0, len(targets) - 1)))
    filled = {number: draw(lots) for number in touched}
    return Progress(filled, frozenset(number for number in touched if draw(st.booleans())))


def _view(held: Decimal, *orders: LiveOrder, mark: Decimal = PRICE, entry: Decimal = PRICE) -> View:
    quote = replace(QUOTE, mark=mark, last=mark)
    return View(BTC, Position("BTCUSDT", held, held * entry), orders, quote, Decimal(100_000))


def _standing(due: Guarding, before: list[LiveOrder], numbers: Callable[[], int]) -> list[LiveOrder]:
    """Return the protective orders that stand once everything that is due was done."""
    kept = [order for order in before if order.id not in due.cancels]
    new = [
        LiveOrder(f"n{numbers()}", None, None, each.purpose, OrderState.WORKING, each.terms, each.terms.quantity,
                  cancel_asked=False, place=place)
        for place, each in due.place
    ]  # fmt: skip
    return kept + new


@given(data=st.data(), held=lots, targets=ladders())
def test_targets_never_close_more_than_is_held_and_a_whole_ladder_closes_all(
    data: st.DataObject, held: Decimal, targets: tuple[Target, ...]
) -> None:
    """However the entry filled, whatever was taken off by hand, and however far the ladder has come."""
    progress = data.draw(progresses(targets))
    least = data.draw(st.sampled_from([LOT, 5 * LOT]))
    sizes = target_sizes(Guards(targets=targets), progress, held, BTC, least)

    assert sum(sizes.values()) <= held
    assert all(size > 0 and is_on_grid(size, LOT) for size in sizes.values())
    assert not sizes.keys() & progress.done, "a target that has filled is not asked for again"
    due = [number for number in range(len(targets)) if number not in progress.done]
    takes_all = any(targets[number].share is None for number in due) or (
        None not in [t.share for t in targets] and sum(t.share or 0 for t in targets) == 100
    )
    if due and takes_all:
        assert sum(sizes.values()) == held


@given(held=lots, targets=ladders(), side=st.sampled_from(Side))
def test_what_is_placed_once_stands_and_nothing_more_is_due(
    held: Decimal, targets: tuple[Target, ...], side: Side
) -> None:
    """Asked again, it does nothing: else orders would come and go for ever."""
    protection = Protection(side, Guards(Level(percent=Decimal(2)), targets))
    view = _view(held * side.sign)
    numbers = iter(range(1_000))
    due = guard(protection, view, entry_pending=False)
    assert not stands(protection, view, Progress())
    view = replace(view, orders=tuple(_standing(due, [], lambda: next(numbers))))

    assert guard(protection, view, entry_pending=False) == Guarding()
    assert stands(protection, view, Progress())
    assert all(order.terms.reduce_only and order.terms.side is side.opposite for order in view.orders)


@given(before=lots, after=lots, targets=ladders(), side=st.sampled_from(Side))
def test_a_position_that_grows_or_shrinks_is_never_without_its_stop(
    before: Decimal, after: Decimal, targets: tuple[Target, ...], side: Side
) -> None:
    """The new stop is placed before the old one goes; in the end there is one, as large as the position."""
    protection = Protection(side, Guards(Level(percent=Decimal(2)), targets))
    numbers = iter(range(1_000))
    first = guard(protection, _view(before * side.sign), entry_pending=False)
    standing = _standing(first, [], lambda: next(numbers))
    due = guard(protection, _view(after * side.sign, *standing), entry_pending=False)

    placed = [each for place, each in due.place if place == STOP]
    old = [order for order in standing if order.place == STOP]
    if after != before:
        assert [each.terms.quantity for each in placed] == [after]
        assert set(due.cancels) >= {order.id for order in old}
    now = [o for o in _standing(due, standing, lambda: next(numbers)) if o.place == STOP]
    assert [order.remaining for order in now] == [after]


@given(side=st.sampled_from(Side), percent=percents, done=st.integers(0, 3), after=st.integers(1, 3))
def test_after_the_nth_target_the_stop_stands_at_the_entry_or_better(
    side: Side, percent: Decimal, done: int, after: int
) -> None:
    """What was won is not given back; and a stop is never loosened by it."""
    targets = tuple(Target(Level(percent=Decimal(n)), Decimal(25)) for n in (1, 2, 3))
    guards = Guards(Level(percent=percent), targets, break_even_after=after)
    stop = stop_price(guards, Progress(done=frozenset(range(done))), PRICE, side, BTC)
    assert stop is not None
    gained = (stop - PRICE) * side.sign
    assert gained >= 0 if done >= after else gained < 0


@given(
    side=st.sampled_from(Side),
    marks=st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=30),
    trail=st.decimals("0.2", "5", places=1).map(lambda p: Trailing(percent=p))
    | st.integers(10, 3_000).map(lambda d: Trailing(distance=Decimal(d))),
)
def test_a_trailing_stop_only_ever_tightens(side: Side, marks: list[int], trail: Trailing) -> None:
    """It stays within its distance of the best price, give or take a tenth of it, and never moves back."""
    guards, best, last = Guards(trailing=trail), None, None
    for moved in marks:
        mark = PRICE + moved
        best = best_price(trail, best, mark, PRICE, side, BTC)
        assert best is not None
        stop = stop_price(guards, Progress(best=best), PRICE, side, BTC)
        assert stop is not None
        assert last is None or (stop - last) * side.sign >= 0
        last = stop
        distance = trail.distance if trail.distance is not None else best * (trail.percent or 0) / 100
        assert (mark - stop) * side.sign <= distance * Decimal("1.11") + TICK


def test_a_trailing_stop_waits_for_its_activation() -> None:
    """Until then only the fixed stop stands; from then on the tighter of the two."""
    trail = Trailing(percent=Decimal(1), activation=Level(percent=Decimal(2)))
    guards = Guards(Level(percent=Decimal(3)), trailing=trail)
    assert best_price(trail, None, Decimal(66_299), PRICE, Side.BUY, BTC) is None
    best = best_price(trail, None, Decimal(66_300), PRICE, Side.BUY, BTC)
    assert best == 66_300
    assert stop_price(guards, Progress(), PRICE, Side.BUY, BTC) == Decimal(63_050)
    assert stop_price(guards, Progress(best=best), PRICE, Side.BUY, BTC) == Decimal(65_637)


def test_a_time_stop_closes_everything_once() -> None:
    """While the close is under way, no second one is made."""
    protection = Protection(Side.BUY, Guards(Level(percent=Decimal(2)), time_stop_s=60))
    progress = Progress(counts_from=NOW)
    held = Decimal("0.5")
    early = guard(protection, _view(held), progress, entry_pending=False, now=NOW + timedelta(seconds=59))
    assert early.exits == ()
    late = guard(protection, _view(held), progress, entry_pending=False, now=NOW + timedelta(seconds=60))
    assert [(place, each.terms.quantity, each.terms.type) for place, each in late.exits] == [
        ("time", held, OrderType.MARKET)
    ]
    terms = late.exits[0][1].terms
    leaving = LiveOrder("x", None, None, Purpose.EXIT, OrderState.UNKNOWN, terms, held, cancel_asked=False)
    again = guard(protection, _view(held, leaving), progress, entry_pending=False, now=NOW + timedelta(hours=1))
    assert again.exits == ()


@given(mark=st.integers(60_000, 70_000), held=lots, targets=ladders())
def test_a_venue_without_stops_gets_none_and_the_house_triggers_them(
    mark: int, held: Decimal, targets: tuple[Target, ...]
) -> None:
    """The stop closes all at its price and beyond, a target its share; never more than is held."""
    protection = Protection(Side.BUY, Guards(Level(percent=Decimal(2)), targets))
    view = replace(_view(held, mark=Decimal(mark)), carries_stops=False)
    due = guard(protection, view, entry_pending=False, now=NOW)

    assert (due.place, due.cancels) == ((), ())
    assert sum(each.terms.quantity for _, each in due.exits) <= held
    if mark <= 63_700:
        assert [(place, each.terms.quantity) for place, each in due.exits] == [(STOP, held)]
    came = {each.place for each in wants(protection, view, Progress(), held) if each.trigger <= mark}
    if mark > 63_700:
        assert {place for place, _ in due.exits} == came - {STOP}
    assert stands(protection, view, Progress())


def test_a_position_of_the_other_side_is_not_protected_with_it() -> None:
    """One-way: after a flip the old stop would add to the position."""
    protection = Protection(Side.BUY, Guards(Level(percent=Decimal(2))))
    terms = OrderTerms("BTCUSDT", Side.SELL, OrderType.STOP_MARKET, LOT, stop_price=PRICE, reduce_only=True)
    stop = LiveOrder("o", None, None, Purpose.STOP_LOSS, OrderState.WORKING, terms, LOT, cancel_asked=False)
    assert guard(protection, _view(-LOT, stop), entry_pending=False) == Guarding(cancels=("o",), ended=True)
