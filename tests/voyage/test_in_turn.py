"""Orders of one instrument reach the venue in the order in which they were decided, whatever becomes of the first."""

import json
import sqlite3
from collections.abc import Sequence
from decimal import Decimal

import pytest
from sqlalchemy import text

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, Purpose
from pilothouse.execution import resend, send, settle, take_in
from pilothouse.execution import store as orders_store
from pilothouse.execution.lanes import Outgoing
from pilothouse.fleet import manual
from pilothouse.fleet.inbox import Door
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.kit.db import Tx
from pilothouse.venues.paper_faults import Fault
from pilothouse.venues.port import Rejected
from tests.stepped import Stepped

TARGETS = ("0.010", "0.004", "0.020")
"""Each order is decided as if the one before it had filled: bought, reduced, bought."""


def _be_at(stepped: Stepped, size: str) -> str:
    """Let an alert that asks for a position be decided; returns its id."""
    fields = {"alert_id": f"t{len(stepped.orders())}:{size}", "symbol": "BTCUSDT", "position_size": size}
    body = json.dumps({**fields, "order_action": "buy", "contracts": "1"}).encode()
    return stepped.send(body, Door.HOOK).signal.id


def _decided_at_once(stepped: Stepped, targets: Sequence[str] = TARGETS) -> None:
    """Let several alerts be decided before anything is sent."""
    before = len(stepped.orders())
    for size in targets:
        _be_at(stepped, size)
    assert [order.state for order in stepped.orders()[before:]] == [OrderState.SENDING] * len(targets)


def _filled_in_turn(stepped: Stepped, last: str = TARGETS[-1]) -> None:
    at_venue = stepped.house.venues["paper"].fills_after(stepped.account, "BTCUSDT", None)
    made = [order.client_order_id for order in stepped.orders()]
    assert [fill.client_order_id for fill in at_venue] == made
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal(last)
    assert stepped.drift() == []


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
def test_behind_an_order_that_may_not_have_arrived_nothing_is_sent(stepped: Stepped, fault: Fault) -> None:
    """A reduction that overtakes the purchase it reduces is rejected, and the position ends elsewhere."""
    _decided_at_once(stepped)
    stepped.faults.one_by_one = True
    stepped.faults.arm(fault)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=2)
    stepped.run()
    assert [order.state for order in stepped.orders()] == [
        OrderState.UNKNOWN, OrderState.INTENDED, OrderState.INTENDED,
    ]  # fmt: skip

    stepped.pass_time(45)

    _filled_in_turn(stepped)


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
def test_orders_that_were_lost_together_go_out_again_in_turn(stepped: Stepped, fault: Fault) -> None:
    """One call takes them all to the paper venue: nobody knows of any of them, and each is asked for by itself."""
    _decided_at_once(stepped)
    stepped.faults.arm(fault)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=2)
    stepped.run()
    assert [order.state for order in stepped.orders()] == [OrderState.UNKNOWN] * len(TARGETS)

    stepped.pass_time(45)

    _filled_in_turn(stepped)


def test_what_cannot_be_taken_in_holds_up_nothing_that_left_with_it(stepped: Stepped) -> None:
    """One row that nobody can read must not keep from the books what filled beside it."""
    _decided_at_once(stepped)
    spoiled = stepped.orders()[1].id
    _write(stepped, "UPDATE orders SET reason = 'spoiled', state = 'no such state' WHERE id = :id", id=spoiled)

    house = stepped.house
    assert house.desk.lanes.work_once(lambda batch: send.send_batch(house.desk, batch))
    for _ in range(2):  # the second time each by itself
        house.database.write(lambda _: None, name="barrier")

    states = stepped.house.database.read(lambda tx: tx.execute(text("SELECT state FROM orders ORDER BY id")).all())
    assert [state for (state,) in states] == ["filled", "no such state", "filled"]
    _write(stepped, "UPDATE orders SET state = 'sending' WHERE id = :id", id=spoiled)
    stepped.pass_time(45)
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal(TARGETS[-1])


def _write(stepped: Stepped, statement: str, **values: str) -> None:
    stepped.house.database.write(lambda tx: tx.execute(text(statement), values), name="spoil")


def test_orders_left_in_a_dead_process_go_out_in_turn_once_they_are_certain(stepped: Stepped) -> None:
    """Nobody knows whether they were sent; when all are known to be absent, the first goes first."""
    _decided_at_once(stepped)
    stepped.die()
    stepped.recover()
    stepped.pass_time(45)
    _filled_in_turn(stepped)


@pytest.mark.parametrize("again", [False, True])
def test_a_reduction_as_large_as_what_is_held_does_not_overtake_a_purchase(stepped: Stepped, *, again: bool) -> None:
    """It is as large by chance: it means the position after the purchase, and would close what is held now.

    again   the purchase is lost once more when it is sent again, so that it is on its way for as long as that takes
    """
    stepped.faults.one_by_one = True
    _decided_at_once(stepped, ["0.010"])
    stepped.run()
    _decided_at_once(stepped, ["0.020", "0.010"])
    stepped.faults.arm(Fault.LOSE_REQUEST)
    if again:
        stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.run()
    purchase, reduction = stepped.orders()[1:]
    assert reduction.terms.reduce_only
    assert reduction.terms.quantity == stepped.position("BTCUSDT")
    assert (purchase.state, reduction.state) == (OrderState.UNKNOWN, OrderState.INTENDED)

    stepped.pass_time(90)

    _filled_in_turn(stepped, "0.010")


def test_an_order_that_waited_too_long_in_this_process_is_not_overtaken_by_the_next(stepped: Stepped) -> None:
    """A lane that stood still for half a minute: the first order's hold is over, the second one's is not."""
    _decided_at_once(stepped, ["0.010"])
    stepped.clock.advance(20)
    _decided_at_once(stepped, ["0.004"])
    stepped.clock.advance(11)
    stepped.run()
    stepped.pass_time(45)
    _filled_in_turn(stepped, "0.004")


def _purchase_that_is_sent_late(stepped: Stepped) -> orders_store.OrderRecord:
    """Return a purchase that waited for another one, and is on its way now, from outside of its lane."""
    stepped.faults.arm(Fault.LOSE_REQUEST)
    _decided_at_once(stepped, ["0.010"])
    stepped.run()
    stepped.by_hand("BTCUSDT", "0.010")
    first, late = stepped.orders()
    assert (first.state, late.state, late.asked) == (OrderState.UNKNOWN, OrderState.INTENDED, 0)
    house = stepped.house
    stepped.clock.advance(0.5)
    house.database.write(lambda tx: settle.rejected(tx, house.desk, first.id, Rejected("-1", "no")), name="refused")
    held = house.database.write(lambda tx: resend._hold(tx, house.desk, "paper", late.id), name="hold")
    assert held is not None
    return held


def test_nothing_is_decided_beside_an_order_that_left_later_than_it_was_decided(stepped: Stepped) -> None:
    """It is not in the lane of its instrument: what is decided and handed to the lane now would overtake it."""
    late = _purchase_that_is_sent_late(stepped)

    alert = _be_at(stepped, "0.004")

    assert [order.id for order in stepped.live()] == [late.id]
    stepped.pass_time(45)
    assert stepped.outcome(alert).state == "filled"
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.004")


def test_a_close_by_hand_leaves_behind_a_purchase_that_is_on_its_way_late(stepped: Stepped) -> None:
    """Sent before it, the close would be cut to what is held, and the purchase stay open behind its back."""
    late = _purchase_that_is_sent_late(stepped)
    house = stepped.house
    house.desk.lanes.doubt((late.account_id, "BTCUSDT"), is_so=False)  # as after a restart, which remembers no doubt

    closing = house.database.write(
        lambda tx: manual.close(tx, house.desk, stepped.trader, "BTCUSDT", by="test"), name="close"
    )

    assert closing.terms.quantity == late.terms.quantity
    stepped.pass_time(45)
    assert [order.state for order in stepped.orders()[1:]] == [OrderState.FILLED, OrderState.FILLED]
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == 0


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


def test_what_could_not_be_written_for_a_moment_leaves_as_soon_as_it_can(stepped: Stepped) -> None:
    """A disk that is full right after messages were claimed: else all behind them waits until the claim ends."""
    house = stepped.house
    if house.database.dialect != "sqlite":
        pytest.skip("the disk of a server is its own matter")
    _decided_at_once(stepped)
    left: list[Outgoing] = house.desk.lanes.drain()
    house.database.write(lambda tx: send.put_off_all(tx, house.desk, left, "it was stopped"), name="put off")
    tables = ("orders", "outbox")
    disk = sqlite3.connect(stepped.url.removeprefix("sqlite:///"), check_same_thread=False)

    def full_behind_a_claim(name: str) -> None:
        if name == "claim":
            for each in tables:
                fails = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
                disk.execute(f"CREATE TRIGGER full_{each} BEFORE UPDATE ON {each} {fails}")
            disk.commit()

    dispatcher = Dispatcher(house)
    house.database.witness = full_behind_a_claim
    with pytest.raises(sqlite3.IntegrityError, match="the disk is full"):
        dispatcher.run_due()
    house.database.witness = None
    for each in tables:
        disk.execute(f"DROP TRIGGER full_{each}")
    disk.close()

    assert stepped.position("BTCUSDT") == 0
    assert dispatcher.run_due() >= len(TARGETS)
    stepped.run()
    _filled_in_turn(stepped)


def test_what_a_venue_is_too_busy_for_is_sent_in_its_turn_a_moment_later(stepped: Stepped) -> None:
    """A 429 says that nothing was done; an alert that is dropped for it is lost."""
    _decided_at_once(stepped)
    first, *_ = stepped.orders()
    batch = stepped.house.desk.lanes.drain()
    held = _put_off(stepped, first, Rejected("-1003", "Too many requests.", may_be_repeated=True))
    assert (held.state, held.outcome) == (OrderState.INTENDED, "-1003: Too many requests.")
    stepped.house.desk.lanes.doubt((first.account_id, "BTCUSDT"), is_so=True)
    send.send_batch(stepped.house.desk, batch[1:])

    stepped.pass_time(45)

    _filled_in_turn(stepped)


def _put_off(stepped: Stepped, order: orders_store.OrderRecord, refused: Rejected) -> orders_store.OrderRecord:
    """Let the venue answer an order that is on its way: not for now."""
    assert order.sendable_until is not None
    until = order.sendable_until

    def told(tx: Tx) -> orders_store.OrderRecord:
        ended = settle.Ended(stepped.clock.now(), until, stepped.clock.tick())
        return take_in.take_in(tx, stepped.house.desk, order.id, refused, ended)

    return stepped.house.database.write(told, name="settle")


def test_an_order_that_was_put_off_for_too_long_is_given_up_and_says_what_it_waited_for(stepped: Stepped) -> None:
    """That it waited is no reason: whoever looks wants to know what did not come."""
    _decided_at_once(stepped, ["0.010"])
    (order,) = stepped.orders()
    stepped.house.desk.lanes.drain()
    _put_off(stepped, order, Rejected("no_fresh_book", "the best prices are 7 s old", may_be_repeated=True))

    stepped.clock.advance(301)
    stepped.pass_time(10)

    (given_up,) = stepped.orders()
    assert given_up.state is OrderState.CANCELED
    assert (given_up.outcome or "").endswith(
        "an order that adds exposure may wait 300 s; it waited because of no_fresh_book: the best prices are 7 s old"
    )
    assert stepped.position("BTCUSDT") == 0


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
        lambda tx: orders_store.end_hand_offs(tx, stepped.clock, first.account_id), name="taken over"
    )
    after = stepped.house.database.write(
        lambda tx: settle.put_off(tx, stepped.house.desk, first.id, "never sent", held_until=late), name="late"
    )
    assert after.state is OrderState.SENDING
