"""The venue's own trailing order in a protection: when it is asked for, how large, and what it never gives back."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.bots.bracket import STOP, Protection, guard, stands, wants
from pilothouse.bots.ladder import Progress, best_price
from pilothouse.bots.venue_trail import TRAIL, trails_here
from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.signals import Guards, Level, Target, Trailing
from pilothouse.core.stops import StopWay, TrailRange
from tests.unit.bots.test_ladder import BTC, LOT, PRICE, TICK, _view

RANGE = TrailRange(Decimal("0.1"), Decimal(10), Decimal("0.1"))
ONE = Guards(stop_loss=Level(percent=Decimal(5)), trailing=Trailing(percent=Decimal(1)))
WAYS = (StopWay.REDUCE_ONLY, StopWay.WHOLE_POSITION, StopWay.LIMIT)


def _at_venue(held: str | Decimal, *orders: LiveOrder, mark: Decimal = PRICE) -> View:
    return replace(_view(Decimal(held), *orders, mark=mark), trails=RANGE, stop_ways=WAYS)


def _order(name: str, place: str, terms: OrderTerms) -> LiveOrder:
    return LiveOrder(
        name, None, None, Purpose.STOP_LOSS, OrderState.WORKING, terms, terms.quantity, cancel_asked=False, place=place
    )


def _there(view: View, protection: Protection, progress: Progress) -> tuple[LiveOrder, ...]:
    due = guard(protection, view, progress, entry_pending=False)
    return tuple(_order(f"o{number}", place, one.terms) for number, (place, one) in enumerate(due.place))


@given(
    percent=st.decimals("0.01", "30", places=2), side=st.sampled_from(Side), fixed=st.booleans(),
    held=st.integers(1, 50_000),
)  # fmt: skip
def test_the_venue_trails_exactly_what_it_can_and_the_house_all_else(
    percent: Decimal, side: Side, held: int, *, fixed: bool
) -> None:
    """Never both, never neither; a fixed stop stands beside the venue's trailing order."""
    guards = Guards(Level(percent=Decimal(40)) if fixed else None, trailing=Trailing(percent=percent))
    protection, view = Protection(side, guards), _at_venue(held * LOT * side.sign)
    found = {one.place: one.terms for one in wants(protection, view, Progress(best=PRICE), held * LOT)}
    can = Decimal("0.1") <= percent <= 10 and percent * 10 % 1 == 0
    assert (TRAIL in found) == can
    if can:
        assert found[TRAIL].trail_percent == percent
        assert found[TRAIL].quantity == held * LOT
        assert found[TRAIL].reduce_only
        assert (STOP in found) == fixed
    else:
        assert abs((found[STOP].stop_price or Decimal(0)) - PRICE) <= PRICE * percent / 100 + TICK, "the house moves it"


@pytest.mark.parametrize(
    ("guards", "view", "progress", "why"),
    [
        (Guards(trailing=Trailing(distance=Decimal(500))), _at_venue("1"), Progress(), "by a distance"),
        (Guards(trailing=Trailing(percent=Decimal(11))), _at_venue("1"), Progress(), "0.1 to 10 %"),
        (Guards(trailing=Trailing(percent=Decimal("1.25"))), _at_venue("1"), Progress(), "steps of 0.1 %"),
        (ONE, _view(Decimal(1)), Progress(), "no trailing orders"),
        (ONE, replace(_at_venue("1"), carries_stops=False), Progress(), "no stops"),
        (ONE, _at_venue("1"), Progress(kept_here=frozenset({TRAIL})), "did not take its own"),
        (ONE, _at_venue("1"), Progress(way=1), "usual form"),
    ],
)
def test_it_is_said_why_the_house_moves_the_stop_itself(
    guards: Guards, view: View, progress: Progress, why: str
) -> None:
    """Who asked for the venue's own order and gets another one is told why."""
    assert why in trails_here(guards, view, progress)
    assert TRAIL not in {one.place for one in wants(Protection(Side.BUY, guards), view, progress, Decimal(1))}


def test_what_trails_from_an_activation_on_is_placed_at_once_and_stays_when_that_is_reached() -> None:
    """The venue waits for the price itself: placed anew when it comes, it would begin a moment later."""
    trailing = Trailing(percent=Decimal(1), activation=Level(percent=Decimal(2)))
    protection = Protection(Side.BUY, Guards(trailing=trailing))
    view = _at_venue("1")
    orders = _there(view, protection, Progress())
    assert [(one.place, one.terms.stop_price) for one in orders] == [(TRAIL, PRICE * Decimal("1.02"))]

    after = replace(_at_venue("1", *orders, mark=PRICE * Decimal("1.03")))
    best = best_price(trailing, None, after.quote.mark, PRICE, Side.BUY, BTC)
    due = guard(protection, after, Progress(best=best), entry_pending=False)
    assert (due.place, due.cancels) == ((), ())
    assert stands(protection, after, Progress(best=best))


def test_a_trailing_order_of_another_size_is_placed_before_the_old_one_goes_and_keeps_what_that_had_gained() -> None:
    """A new one begins at the price of now; without the stop beside it, the gain of the old one would be lost."""
    protection = Protection(Side.BUY, ONE)
    orders = _there(_at_venue("1"), protection, Progress(best=PRICE))
    best = PRICE + 2_000
    grown = _at_venue("2", *orders, mark=best - 300)

    due = guard(protection, grown, Progress(best=best), entry_pending=False)

    found = {place: one.terms for place, one in due.place}
    assert due.trail_floor == best * Decimal("0.99")
    assert found[STOP].stop_price == due.trail_floor, "tighter than the five percent that were asked for"
    assert (found[TRAIL].quantity, found[TRAIL].stop_price) == (Decimal(2), None)
    assert set(due.cancels) == {one.id for one in orders}
    later = guard(protection, _at_venue("2", *_there(grown, protection, Progress(best=best)), mark=best - 400),
                  Progress(best=best, trail_floor=due.trail_floor), entry_pending=False)  # fmt: skip
    assert (later.place, later.cancels, later.trail_floor) == ((), (), None), "and it is done"


@given(moves=st.lists(st.tuples(st.integers(-300, 300), st.integers(1, 5)), min_size=1, max_size=12),
       side=st.sampled_from(Side))  # fmt: skip
def test_however_often_it_is_placed_anew_nothing_that_was_gained_is_given_back(
    moves: list[tuple[int, int]], side: Side
) -> None:
    """The tighter of stop and trailing order is never further away than one order that was never touched would be."""
    trailing = Trailing(percent=Decimal(1))
    protection = Protection(side, Guards(trailing=trailing))
    progress, mark, began = Progress(), PRICE, PRICE
    orders: tuple[LiveOrder, ...] = ()
    true_best: Decimal | None = None
    for move, size in moves:
        mark += Decimal(move) * side.sign
        true_best = mark if true_best is None else true_best
        if (true_best * (1 - side.sign * Decimal("0.0105")) - mark) * side.sign >= 0:
            return  # it has fired
        true_best = max(true_best, mark) if side is Side.BUY else min(true_best, mark)
        began = max(began, mark) if side is Side.BUY else min(began, mark)
        view = _at_venue(Decimal(size) * side.sign, *orders, mark=mark)
        best = best_price(trailing, progress.best, mark, PRICE, side, BTC)
        progress = replace(progress, best=best)
        due = guard(protection, view, progress, entry_pending=False)
        if any(place == TRAIL for place, _ in due.place):
            began = mark  # the new order knows nothing of what was
        if due.trail_floor is not None:
            progress = replace(progress, trail_floor=due.trail_floor)
        kept = [one for one in orders if one.id not in due.cancels]
        orders = (*kept, *(_order(f"{len(moves)}{mark}{place}", place, one.terms) for place, one in due.place))
        stops = [one.terms.stop_price for one in orders if one.place == STOP and one.terms.stop_price is not None]
        trail = began - side.sign * began / 100
        tightest = max([trail, *stops]) if side is Side.BUY else min([trail, *stops])
        lag = true_best * Decimal("0.0011") + TICK * 2
        assert (tightest - (true_best - side.sign * true_best / 100)) * side.sign >= -lag


def test_a_refused_form_of_a_stop_is_followed_by_the_next_and_the_last_one_stays() -> None:
    """For so much, then for all that is held, then with a limit: each is another order to the venue."""
    protection, view = Protection(Side.SELL, Guards(stop_loss=Level(percent=Decimal(1)))), _at_venue("-1")
    forms = [wants(protection, view, Progress(way=way), Decimal(1))[0].terms for way in (0, 1, 2, 9)]
    assert [(one.type, one.whole_position, one.price is not None) for one in forms] == [
        (OrderType.STOP_MARKET, False, False),
        (OrderType.STOP_MARKET, True, False),
        (OrderType.STOP, False, True),
        (OrderType.STOP, False, True),
    ]
    assert all(one.reduce_only for one in forms)


def test_a_stop_that_closes_all_fits_a_position_of_every_size() -> None:
    """It is not placed anew when the position grows: at some venues there may be only one of its kind."""
    protection = Protection(
        Side.BUY, Guards(Level(percent=Decimal(1)), (Target(Level(percent=Decimal(3)), Decimal(50)),))
    )
    progress = Progress(way=1)
    orders = _there(_at_venue("1"), protection, progress)
    grown = _at_venue("3", *orders)
    due = guard(protection, grown, progress, entry_pending=False)
    assert [place for place, _ in due.place] == ["target:0"]
    assert due.cancels == tuple(one.id for one in orders if one.place == "target:0")


def test_a_stop_that_closes_all_is_moved_by_ending_the_old_one_first() -> None:
    """There may be only one of its kind: beside the old one the new one would be refused."""
    protection, progress = Protection(Side.BUY, Guards(Level(percent=Decimal(1)))), Progress(way=1)
    orders = _there(_at_venue("1"), protection, progress)
    moved = Protection(Side.BUY, Guards(Level(percent=Decimal(2))))
    first = guard(moved, _at_venue("1", *orders), progress, entry_pending=False)
    assert (first.place, first.cancels) == ((), tuple(one.id for one in orders))
    asked = tuple(replace(one, cancel_asked=True) for one in orders)
    assert guard(moved, _at_venue("1", *asked), progress, entry_pending=False).place == (), "it may stand still"
    assert [place for place, _ in guard(moved, _at_venue("1"), progress, entry_pending=False).place] == [STOP]
