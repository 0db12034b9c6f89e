"""A resting order gets another price or size: once, whatever is lost and wherever the house dies."""

import itertools
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from pilothouse.core.errors import Invalid, Refused
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, Purpose, TimeInForce
from pilothouse.execution import amendments, cancel, halts, store
from pilothouse.execution.amend import AlreadyAsked, NotResting, Protects
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import AccountDisarmed, Trader
from pilothouse.fleet import manual
from pilothouse.fleet.manual import Ticket
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper_faults import Fault
from tests.conftest import NOON
from tests.stepped import Stepped

LOW, LOWER = Decimal(50_000), Decimal(49_000)
SIZE = Decimal("0.010")


def _rest(stepped: Stepped, *, quantity: Decimal = SIZE, price: Decimal = LOW) -> OrderRecord:
    """Place an order far below the market and let it rest."""
    ticket = Ticket("BTCUSDT", Side.BUY, OrderType.LIMIT, quantity, price, None, TimeInForce.GTC, False)
    desk = stepped.house.desk
    made = stepped.house.database.write(
        lambda tx: manual.place(tx, desk, stepped.trader, ticket, by="test"), name="manual"
    )
    stepped.run()
    return _now(stepped, made.id)


def _now(stepped: Stepped, order_id: str) -> OrderRecord:
    found = stepped.house.database.read(lambda tx: store.get(tx, order_id))
    assert found is not None
    return found


def _amend(
    stepped: Stepped,
    order: OrderRecord,
    *,
    price: Decimal | None = None,
    quantity: Decimal | None = None,
    trader: Trader | None = None,
) -> None:
    whose = trader or stepped.trader
    stepped.house.database.write(
        lambda tx: manual.change(tx, stepped.house.desk, whose, order, price=price, quantity=quantity, by="test"),
        name="change",
    )


def _standing(stepped: Stepped) -> list[tuple[Decimal, Decimal | None]]:
    """Return size and price of what stands at the venue, which must be what the books say."""
    venue = stepped.house.venues["paper"].open_orders(stepped.account)
    ours = [order for order in stepped.live() if order.state.is_resting]
    assert {one.client_order_id for one in venue} == {one.client_order_id for one in ours}
    return sorted((one.terms.quantity, one.terms.price) for one in venue)


def test_a_resting_order_gets_another_price_and_size(stepped: Stepped) -> None:
    """At a venue that changes nothing in place another order takes its place, and both say so."""
    order = _rest(stepped)

    _amend(stepped, order, price=LOWER, quantity=Decimal("0.020"))
    stepped.run()

    old = _now(stepped, order.id)
    assert old.state is OrderState.CANCELED
    assert old.replaced_by is not None
    new = _now(stepped, old.replaced_by)
    assert (new.state, new.terms.quantity, new.terms.price) == (OrderState.WORKING, Decimal("0.020"), LOWER)
    assert _standing(stepped) == [(Decimal("0.020"), LOWER)]


def test_what_filled_in_between_is_counted(stepped: Stepped) -> None:
    """2,400 are wanted in all: what the old order has bought, told or not, is not bought twice."""
    desk, account = stepped.house.desk, stepped.account
    stepped.house.venues["paper"].set_leverage(account, "SOLUSDT", 40)
    stepped.limit(position_equity_ratio_max="50")
    quote = stepped.house.quotes.get("paper", "SOLUSDT")
    ticket = Ticket("SOLUSDT", Side.BUY, OrderType.LIMIT, Decimal(2_500), quote.ask, None, TimeInForce.GTC, False)
    made = stepped.house.database.write(
        lambda tx: manual.place(tx, desk, stepped.trader, ticket, by="test"), name="manual"
    )
    stepped.run()
    order = _now(stepped, made.id)
    assert order.state is OrderState.PARTLY_FILLED, "the best price does not offer as much"

    _amend(stepped, order, price=quote.ask - 5, quantity=Decimal(2_400))
    stepped.run()

    old = _now(stepped, order.id)
    new = _now(stepped, old.replaced_by or "")
    assert old.filled_quantity + new.terms.quantity == Decimal(2_400)
    assert stepped.position("SOLUSDT") == stepped.venue_position("SOLUSDT") == old.filled_quantity + new.filled_quantity


@pytest.mark.parametrize("call", ["cancel", "place"])
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST])
def test_a_lost_answer_is_resolved_by_asking_for_both(call: str, fault: Fault, stepped: Stepped) -> None:
    """Sent again blindly, two orders would stand; given up, a person would believe in one that does not."""
    order = _rest(stepped)
    stepped.faults.arm(fault, call)

    _amend(stepped, order, price=LOWER)
    stepped.run()
    stepped.pass_time(20)

    assert _standing(stepped) == [(SIZE, LOWER)]
    assert _now(stepped, order.id).amend_quantity is None
    assert stepped.unknown() == []


@pytest.mark.soak_on("postgresql")
@pytest.mark.timeout(300)
def test_an_order_is_changed_once_wherever_the_house_dies(fresh_url: Callable[[], str], tmp_path: Path) -> None:
    """At each commit: afterwards exactly one order stands, as it was or as it was wanted, and the books know it."""
    for point in itertools.count():
        stepped = Stepped(tmp_path / f"data-{point}", fresh_url(), FrozenClock(NOON)).open()
        order = _rest(stepped)
        stepped.fuse.at, stepped.fuse.lit = point, True
        try:
            _amend(stepped, order, price=LOWER, quantity=Decimal("0.020"))
            stepped.run()
        except BaseException:
            # A dying database raises different things in whoever waits for it.
            if len(stepped.fuse.seen) <= point:
                raise
        seen, where = len(stepped.fuse.seen), (stepped.fuse.seen or ["start"])[-1]
        stepped.die()
        stepped.recover()
        stepped.pass_time(90, step=10)  # on PostgreSQL what a dead process has claimed is free when its lease ends

        standing = _standing(stepped)
        assert standing in ([(SIZE, LOW)], [(Decimal("0.020"), LOWER)]), where
        if point > 0:
            assert standing == [(Decimal("0.020"), LOWER)], where
        assert stepped.unknown() == [], where
        assert stepped.house.database.read(partial(amendments.of, order_id=order.id)) is None, where
        assert not [one for one in stepped.orders() if one.purpose is Purpose.FOREIGN], where
        stepped.die()
        if seen <= point:
            assert point >= 4, "a change has more commits than that"
            return


def test_a_cancel_that_meets_a_change_ends_both(stepped: Stepped) -> None:
    """Whoever cancels an order does not want another one in its place."""
    order = _rest(stepped)
    stepped.faults.arm(Fault.LOSE_ANSWER, "place")
    _amend(stepped, order, price=LOWER)
    stepped.run()
    desk = stepped.house.desk
    standing = _now(stepped, order.id)
    last = standing if standing.replaced_by is None else _now(stepped, standing.replaced_by)
    stepped.house.database.write(lambda tx: cancel.ask(tx, desk, last, by="test"), name="cancel")

    stepped.pass_time(20)

    assert _standing(stepped) == []
    assert stepped.live() == []


def test_what_a_change_adds_passes_the_gate(stepped: Stepped) -> None:
    """Otherwise a small order that is allowed would be the way to a large one that is not; less is always allowed."""
    order = _rest(stepped)
    with pytest.raises(DeniedByRisk):
        _amend(stepped, order, quantity=Decimal(10))
    owner, account = stepped.account.owner_id, stepped.account.id
    stepped.house.database.write(
        lambda tx: halts.halt(tx, stepped.house.desk, account, owner, reason="test", by="test"), name="halt"
    )
    with pytest.raises(DeniedByRisk):
        _amend(stepped, order, quantity=Decimal("0.011"))

    _amend(stepped, order, quantity=Decimal("0.005"))
    stepped.run()

    assert _standing(stepped) == [(Decimal("0.005"), LOW)]


def test_what_cannot_be_changed_is_refused_in_words(stepped: Stepped) -> None:
    """Each case can be told apart by its code, and nothing of it reaches the venue."""
    order = _rest(stepped)
    with pytest.raises(Invalid):
        _amend(stepped, order)
    with pytest.raises(Refused):
        _amend(stepped, order, price=Decimal("50000.001"))
    disarmed = Trader(stepped.account.owner_id, stepped.account.id, "paper", may_send=False)
    with pytest.raises(AccountDisarmed):
        _amend(stepped, order, price=LOWER, trader=disarmed)
    _amend(stepped, order, price=LOWER)
    with pytest.raises(AlreadyAsked):
        _amend(stepped, order, price=LOWER)
    stepped.run()
    with pytest.raises(NotResting):
        _amend(stepped, order, price=LOWER)

    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="2%")
    with pytest.raises(Protects):
        _amend(stepped, stepped.only_order(Purpose.STOP_LOSS), quantity=Decimal("0.020"))
