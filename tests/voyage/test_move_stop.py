"""The trigger of a stop that a person placed is moved: the position is never without one, whatever is lost."""

import itertools
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from pilothouse.core.errors import Invalid
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.execution import amendments, store
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet import manual
from pilothouse.fleet.manual import Ticket
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper_faults import Fault
from tests.conftest import NOON
from tests.stepped import Stepped

FIRST, MOVED = Decimal(60_000), Decimal(62_000)
SIZE = Decimal("0.010")


def _with_a_stop(house: Stepped) -> OrderRecord:
    """Hold a position, and place a stop for it by hand."""
    house.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")
    ticket = Ticket("BTCUSDT", Side.SELL, OrderType.STOP_MARKET, SIZE, None, FIRST, TimeInForce.GTC, reduce_only=True)
    desk = house.house.desk
    made = house.house.database.write(lambda tx: manual.place(tx, desk, house.trader, ticket, by="test"), name="manual")
    house.run()
    return _now(house, made.id)


def _now(house: Stepped, order_id: str) -> OrderRecord:
    found = house.house.database.read(lambda tx: store.get(tx, order_id))
    assert found is not None
    return found


def _move(house: Stepped, order: OrderRecord, **wanted: Decimal) -> None:
    asked: dict[str, Decimal | None] = {"price": None, "quantity": None, **wanted}
    house.house.database.write(
        lambda tx: manual.change(tx, house.house.desk, house.trader, order, **asked, by="test"), name="change"
    )


def _triggers(house: Stepped) -> list[Decimal]:
    """Return the triggers of what stands at the venue."""
    return sorted(one.terms.stop_price or Decimal(0) for one in house.house.venues["paper"].open_orders(house.account))


def test_a_stop_is_moved_by_placing_another_one_first(stepped: Stepped) -> None:
    """Ended first, the position would be naked until the new one stands, or for good where that one is refused."""
    order = _with_a_stop(stepped)
    stepped.faults.arm(Fault.LOSE_REQUEST, "cancel", times=1_000)

    _move(stepped, order, stop_price=MOVED)
    stepped.run()
    assert _triggers(stepped) == [FIRST, MOVED], "both stand while nobody knows whether the old one has ended"

    stepped.faults.disarm()
    stepped.pass_time(10)
    old = _now(stepped, order.id)
    assert _triggers(stepped) == [MOVED]
    assert old.state is OrderState.CANCELED
    assert _now(stepped, old.replaced_by or "").terms.stop_price == MOVED
    assert stepped.unknown() == []


def test_a_stop_whose_new_trigger_is_refused_stays_where_it_was(stepped: Stepped) -> None:
    """Above the market it would trigger at once, which the venue refuses: nothing has been ended for it."""
    order = _with_a_stop(stepped)

    _move(stepped, order, stop_price=Decimal(90_000))
    stepped.run()

    assert _triggers(stepped) == [FIRST]
    assert _now(stepped, order.id).state is OrderState.WORKING
    assert _now(stepped, order.id).amend_quantity is None


@pytest.mark.parametrize("call", ["cancel", "place"])
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST])
def test_a_lost_answer_leaves_one_stop_where_it_was_wanted(call: str, fault: Fault, stepped: Stepped) -> None:
    """Both are asked for; one of them stands all the time, and one in the end."""
    order = _with_a_stop(stepped)
    stepped.faults.arm(fault, call)

    _move(stepped, order, stop_price=MOVED)
    stepped.run()
    for _ in range(20):
        assert _triggers(stepped), "the position has a stop"
        stepped.pass_time(1)

    assert _triggers(stepped) == [MOVED]
    assert stepped.unknown() == []
    assert [one.terms.stop_price for one in stepped.live()] == [MOVED]


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_stop_is_moved_once_wherever_the_house_dies(fresh_url: Callable[[], str], tmp_path: Path) -> None:
    """At each commit: there is a stop all the time, and in the end one, as it was or as it was wanted."""
    for point in itertools.count():
        house = Stepped(tmp_path / f"data-{point}", fresh_url(), FrozenClock(NOON)).open()
        order = _with_a_stop(house)
        house.fuse.at, house.fuse.lit = point, True
        try:
            _move(house, order, stop_price=MOVED)
            house.run()
        except BaseException:
            # A dying database raises different things in whoever waits for it.
            if len(house.fuse.seen) <= point:
                raise
        seen, where = len(house.fuse.seen), (house.fuse.seen or ["start"])[-1]
        house.die()
        house.recover()
        assert _triggers(house), f"{where}: the position has a stop"
        house.pass_time(90, step=10)  # on PostgreSQL what a dead process has claimed is free when its lease ends

        assert _triggers(house) in ([FIRST], [MOVED]), where
        assert point == 0 or _triggers(house) == [MOVED], where
        assert house.unknown() == [], where
        assert house.house.database.read(partial(amendments.of, order_id=order.id)) is None, where
        assert not [one for one in house.orders() if one.purpose is Purpose.FOREIGN], where
        house.die()
        if seen <= point:
            assert point >= 4, "a change has more commits than that"
            return


def test_an_order_without_a_trigger_gets_none(stepped: Stepped) -> None:
    """It says which field, and what would be right."""
    ticket = Ticket("BTCUSDT", Side.BUY, OrderType.LIMIT, SIZE, Decimal(50_000), None, TimeInForce.GTC, False)
    desk = stepped.house.desk
    made = stepped.house.database.write(
        lambda tx: manual.place(tx, desk, stepped.trader, ticket, by="test"), name="manual"
    )
    stepped.run()
    with pytest.raises(Invalid, match="stop_price"):
        _move(stepped, _now(stepped, made.id), stop_price=FIRST)
