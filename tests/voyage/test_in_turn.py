"""Orders of one instrument reach the venue in the order in which they were decided, whatever becomes of the first."""

import json
from decimal import Decimal

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, Purpose
from pilothouse.execution import send, settle
from pilothouse.execution import store as orders_store
from pilothouse.execution.lanes import Outgoing
from pilothouse.fleet.inbox import Door
from pilothouse.kit.db import Tx
from pilothouse.venues.paper_faults import Fault
from pilothouse.venues.port import Rejected
from tests.stepped import Stepped

TARGETS = ("0.010", "0.004", "0.020")
"""Each order is decided as if the one before it had filled: bought, reduced, bought."""


def _decided_at_once(stepped: Stepped) -> None:
    """Let several alerts be decided before anything is sent."""
    for number, size in enumerate(TARGETS):
        fields = {"alert_id": f"t{number}", "symbol": "BTCUSDT", "position_size": size}
        stepped.send(json.dumps({**fields, "order_action": "buy", "contracts": "1"}).encode(), Door.HOOK)
    assert [order.state for order in stepped.orders()] == [OrderState.SENDING] * len(TARGETS)


def _filled_in_turn(stepped: Stepped) -> None:
    at_venue = stepped.house.venues["paper"].fills_after(stepped.account, "BTCUSDT", None)
    made = [order.client_order_id for order in stepped.orders()]
    assert [fill.client_order_id for fill in at_venue] == made
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal(TARGETS[-1])
    assert stepped.drift() == []


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
def test_behind_an_order_that_may_not_have_arrived_nothing_is_sent(stepped: Stepped, fault: Fault) -> None:
    """A reduction that overtakes the purchase it reduces is rejected, and the position ends elsewhere."""
    _decided_at_once(stepped)
    stepped.faults.arm(fault)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=2)
    stepped.run()
    assert [order.state for order in stepped.orders()] == [
        OrderState.UNKNOWN, OrderState.INTENDED, OrderState.INTENDED,
    ]  # fmt: skip

    stepped.pass_time(45)

    _filled_in_turn(stepped)


def test_orders_left_in_a_dead_process_go_out_in_turn_once_they_are_certain(stepped: Stepped) -> None:
    """Nobody knows whether they were sent; when all are known to be absent, the first goes first."""
    _decided_at_once(stepped)
    stepped.die()
    stepped.recover()
    stepped.pass_time(45)
    _filled_in_turn(stepped)


def test_orders_that_wait_when_the_house_stops_need_not_be_asked_for(stepped: Stepped) -> None:
    """A stop that knows what it has not sent costs nobody the venue's window."""
    _decided_at_once(stepped)
    desk = stepped.house.desk
    left: list[Outgoing] = desk.lanes.drain()
    stepped.house.database.write(lambda tx: send.put_off_all(tx, desk, left, "the house stopped"), name="stop")
    stepped.die()
    stepped.recover()
    _filled_in_turn(stepped)
    first = stepped.orders()[0]
    events = stepped.house.database.read(lambda tx: orders_store.timeline(tx, first.id))
    assert [one.event for one in events if one.event in {"send", "put_off", "lose", "deny"}] == [
        "send", "put_off", "send",
    ]  # fmt: skip


def test_what_a_venue_is_too_busy_for_is_sent_in_its_turn_a_moment_later(stepped: Stepped) -> None:
    """A 429 says that nothing was done; an alert that is dropped for it is lost."""
    _decided_at_once(stepped)
    first, *_ = stepped.orders()
    assert first.sendable_until is not None
    until = first.sendable_until
    busy = Rejected("-1003", "Too many requests.", may_be_repeated=True)

    def told(tx: Tx) -> orders_store.OrderRecord:
        return send._take_in(tx, stepped.house.desk, first.id, busy, settle.Ended(stepped.clock.now(), until))

    batch = stepped.house.desk.lanes.drain()
    held = stepped.house.database.write(told, name="settle")
    assert (held.state, held.outcome) == (OrderState.INTENDED, "-1003: Too many requests.")
    stepped.house.desk.lanes.doubt((first.account_id, "BTCUSDT"), is_so=True)
    send.send_batch(stepped.house.desk, batch[1:])

    stepped.pass_time(45)

    _filled_in_turn(stepped)


def test_a_position_that_was_turned_round_on_the_way_keeps_its_stop(stepped: Stepped) -> None:
    """The stop that came with the last alert was taken for one of the first position, and forgotten with it."""
    for number, (side, size) in enumerate([("BUY", "0.010"), ("SELL", "0.020"), ("BUY", "0.030")]):
        fields = {"alert_id": f"s{number}", "action": "open", "symbol": "BTCUSDT", "side": side, "stop_loss": "20%"}
        stepped.send(json.dumps({**fields, "quantity": size}).encode())
    for one in stepped.house.desk.lanes.drain():
        send.send_batch(stepped.house.desk, [one])
        stepped.run()
        stepped.clock.advance(0.01)
    stepped.pass_time(1)

    assert stepped.position("BTCUSDT") == Decimal("0.020")
    standing = [(one.purpose, one.terms.side, one.terms.quantity) for one in stepped.live() if one.state.is_resting]
    assert standing == [(Purpose.STOP_LOSS, Side.SELL, Decimal("0.020"))]


def test_a_hold_that_another_process_has_ended_is_not_taken_back(stepped: Stepped) -> None:
    """Who lost an order to another process must not say of it that it was never sent."""
    _decided_at_once(stepped)
    first, *_ = stepped.orders()
    assert first.sendable_until is not None
    late = first.sendable_until
    stepped.house.database.write(
        lambda tx: orders_store.end_hand_offs(tx, stepped.clock.now(), first.account_id), name="taken over"
    )
    after = stepped.house.database.write(
        lambda tx: settle.put_off(tx, stepped.house.desk, first.id, "never sent", held_until=late), name="late"
    )
    assert after.state is OrderState.SENDING
