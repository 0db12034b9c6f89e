"""Pairs of stop and target on coins: every coin waits for one stop, and no half of a pair is left alone."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.bots.bracket import Guarding, Protection, guard, stands, wants
from pilothouse.bots.ladder import Progress
from pilothouse.bots.pairs import PAIRS_MOST, is_stop, other_half, paired
from pilothouse.bots.view import LiveOrder, View
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState
from pilothouse.core.signals import Guards, Level, Target
from tests.unit.bots.test_ladder import LOT, _view, ladders, lots

STOP_LOSS = Level(percent=Decimal(2))


def _coins(held: Decimal, *orders: LiveOrder) -> View:
    return replace(_view(held, *orders), coins=True, pairs=True)


def _placed(due: Guarding) -> tuple[LiveOrder, ...]:
    return tuple(
        LiveOrder(place, None, None, one.purpose, OrderState.WORKING, one.terms, one.terms.quantity,
                  cancel_asked=False, place=place)
        for place, one in due.place
    )  # fmt: skip


@given(held=lots, targets=ladders(), kept=st.sets(st.integers(0, 5)))
def test_every_coin_has_one_stop_and_each_pair_is_of_one_size(
    held: Decimal, targets: tuple[Target, ...], kept: set[int]
) -> None:
    """However many targets there are, and whichever of them the venue did not take."""
    protection = Protection(Side.BUY, Guards(STOP_LOSS, targets))
    progress = Progress(kept_here=frozenset(f"target:{number}" for number in kept))
    found = {one.place: one for one in wants(protection, _coins(held), progress, held)}

    assert sum(one.terms.quantity for one in found.values() if is_stop(one.place)) == held
    standing = {place: one.terms.quantity for place, one in found.items() if not one.keeps}
    targets_there = [place for place in standing if not is_stop(place)]
    assert len(targets_there) <= PAIRS_MOST
    for place in targets_there:
        assert standing[other_half(place)] == standing[place]
    assert len(standing) <= 2 * PAIRS_MOST + 1, "no more than the exchange takes"


@given(held=lots, targets=ladders())
def test_what_was_placed_stands_and_nothing_more_is_due(held: Decimal, targets: tuple[Target, ...]) -> None:
    """Asked again, it does nothing."""
    protection = Protection(Side.BUY, Guards(STOP_LOSS, targets))
    there = _placed(guard(protection, _coins(held), entry_pending=False))
    view = _coins(held, *there)
    assert stands(protection, view, Progress())
    again = guard(protection, view, entry_pending=False)
    assert (again.place, again.cancels) == ((), ())


@given(held=st.integers(20, 50_000).map(lambda count: count * LOT), targets=ladders(), data=st.data())
def test_half_of_a_pair_goes_before_a_whole_one_is_placed(
    held: Decimal, targets: tuple[Target, ...], data: st.DataObject
) -> None:
    """The coins that it waits for are those of the new pair; the plain stop and the other pairs stay."""
    protection = Protection(Side.BUY, Guards(STOP_LOSS, targets))
    there = _placed(guard(protection, _coins(held), entry_pending=False))
    halves = [one for one in there if any(other.place == other_half(one.place) for other in there)]
    if not halves:
        return
    lost = data.draw(st.sampled_from(halves))
    left = [one for one in there if one.id != lost.id]
    due = guard(protection, _coins(held, *left), entry_pending=False)
    assert due.cancels == (other_half(lost.place),)
    assert due.place == ()
    gone = [one for one in left if one.id not in due.cancels]
    then = guard(protection, _coins(held, *gone), entry_pending=False)
    assert {place for place, _ in then.place} == {lost.place, other_half(lost.place)}
    assert then.cancels == ()


def test_no_rest_is_left_to_a_stop_that_the_venue_would_not_take() -> None:
    """A crumb beside the pairs has no stop of its own: the last pair gives way to one that covers both."""
    sizes = {0: Decimal(5), 1: Decimal(4)}
    assert paired(sizes, (), Decimal("9.5"), Decimal(1)) == ((0,), Decimal("4.5"))
    assert paired(sizes, (), Decimal(9), Decimal(1)) == ((0, 1), Decimal(0))
    assert paired(sizes, (0,), Decimal(9), Decimal(1)) == ((1,), Decimal(5))
    assert paired({0: Decimal("0.5")}, (), Decimal(5), Decimal(1)) == ((), Decimal(5))


def test_what_a_target_filled_in_part_before_its_pair_ended_is_not_asked_for_again() -> None:
    """The exchange ended both halves; the rest of the share gets a pair of its size, and every coin its stop."""
    targets = (Target(Level(percent=Decimal(2)), Decimal(50)), Target(Level(percent=Decimal(4))))
    protection = Protection(Side.BUY, Guards(STOP_LOSS, targets))
    first = _placed(guard(protection, _coins(Decimal(10)), entry_pending=False))
    left = [one for one in first if not one.place.endswith(":0")]
    progress = Progress(filled={0: Decimal(2)})
    due = guard(protection, _coins(Decimal(8), *left), progress, entry_pending=False)
    assert {place: one.terms.quantity for place, one in due.place} == {"stop:0": Decimal(3), "target:0": Decimal(3)}
    assert due.cancels == ()
