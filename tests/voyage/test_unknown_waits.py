"""While nobody knows what became of an order: it counts as filled, its instrument waits, and it is shown."""

from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderType, TimeInForce
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.fleet import manual
from pilothouse.fleet.answer import AnswerState, Outcome
from pilothouse.notifications import store as alarms
from pilothouse.observability import gauges, standing
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped

BTC = "BTCUSDT"
OPEN: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "BUY", "quantity": "0.010"}
FURTHER = {**OPEN, "quantity": "0.002"}
AGAINST: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "SELL", "quantity": "0.004"}
REVERSE: dict[str, Any] = {"symbol": BTC, "order_action": "sell", "contracts": "0.03", "position_size": "-0.02"}
CLOSE = {"action": "close", "symbol": BTC}
EITHER_WAY = pytest.mark.parametrize(
    "fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST], ids=["it had arrived", "it had not"]
)


def _lost(stepped: Stepped, fault: Fault = Fault.LOSE_ANSWER) -> Outcome:
    """Send an order whose answer is lost, and every answer about it; return what its alert was told."""
    stepped.faults.arm(fault, times=1)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=100_000)
    stepped.faults.arm(Fault.DROP_EVENTS, "event", times=100_000)
    outcome = stepped.alert(**OPEN)
    assert [order.state for order in stepped.unknown()] == [OrderState.UNKNOWN]
    return outcome


def _known_again(stepped: Stepped) -> None:
    stepped.faults.disarm()
    stepped.pass_time(90, step=5)


def _metric(stepped: Stepped, name: str) -> float:
    gauges.set_gauges(stepped.house)
    lines = stepped.house.meters.text().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])


@EITHER_WAY
@pytest.mark.parametrize(
    ("alert", "left"),
    [(FURTHER, "0.012"), (AGAINST, "0.006"), (REVERSE, "-0.02"), (CLOSE, "0")],
    ids=["a further one", "an opposite one", "one that reverses", "a close"],
)
def test_what_comes_behind_an_unknown_order_waits_until_it_is_known(
    stepped: Stepped, alert: dict[str, Any], left: str, fault: Fault
) -> None:
    """Decided on a position that may be another one, it would buy twice, or sell what is not there."""
    _lost(stepped, fault)
    behind = stepped.alert(**alert)
    assert behind.state is AnswerState.PENDING
    stepped.pass_time(10)
    assert len(stepped.orders()) == 1, "nothing else has left the house"
    assert stepped.outcome(behind.signal.id).state is AnswerState.PENDING

    _known_again(stepped)

    assert stepped.outcome(behind.signal.id).settled
    assert stepped.position(BTC) == stepped.venue_position(BTC) == Decimal(left)
    assert stepped.unknown() == []


def test_an_order_by_hand_behind_an_unknown_one_is_kept_and_leaves_in_its_turn(stepped: Stepped) -> None:
    """A person in a hurry makes the same mistake twice as fast."""
    _lost(stepped)
    stepped.by_hand(BTC, "0.002")
    assert [order.state for order in stepped.orders()] == [OrderState.UNKNOWN, OrderState.INTENDED]
    assert stepped.venue_position(BTC) == Decimal("0.010")

    _known_again(stepped)

    assert [order.state for order in stepped.orders()] == [OrderState.FILLED] * 2
    assert stepped.position(BTC) == stepped.venue_position(BTC) == Decimal("0.012")


def test_another_instrument_does_not_wait(stepped: Stepped) -> None:
    """What is not known there changes nothing here but the sums."""
    _lost(stepped)
    assert stepped.alert(action="open", symbol="ETHUSDT", side="BUY", quantity="0.1").state is AnswerState.FILLED


@EITHER_WAY
def test_the_gate_sees_an_unknown_order_as_filled_on_its_side_alone(stepped: Stepped, fault: Fault) -> None:
    """Whether it arrived or not: a further one is measured with it, an opposite one is not helped by it."""
    mark = stepped.house.quotes.get("paper", BTC).mark
    stepped.limit(position_notional_max=mark * Decimal("0.012"))
    _lost(stepped, fault)

    def codes(side: Side, quantity: str) -> list[str]:
        ticket = manual.Ticket(
            BTC, side, OrderType.MARKET, Decimal(quantity), None, None, TimeInForce.GTC, reduce_only=False
        )
        desk = stepped.house.desk
        try:
            stepped.house.database.write(
                lambda tx: manual.place(tx, desk, stepped.trader, ticket, by="test"), name="manual"
            )
        except DeniedByRisk as denied:
            return [one.code for one in denied.reasons]
        return []

    assert codes(Side.BUY, "0.005") == ["position_notional"], "0.010 that may be there, and 0.005"
    assert codes(Side.SELL, "0.015") == ["position_notional"], "as large as if the other had never arrived"
    assert codes(Side.BUY, "0.001") == []


def test_it_is_shown_in_the_metrics_and_a_person_is_told_after_a_minute_once(stepped: Stepped) -> None:
    """Until then it is a network's hiccup; from then on it is somebody's night."""
    _lost(stepped)
    assert _metric(stepped, "pilothouse_unknown_orders") == 1
    owner = stepped.account.owner_id

    def told() -> list[tuple[str, str, bool]]:
        found = stepped.house.database.read(lambda tx: alarms.page(tx, owner, open_only=False, before=None, limit=50))
        return [(one.code, one.about, one.over_at is None) for one, _ in found if one.code == "order_unknown"]

    for _ in range(11):
        stepped.pass_time(5, step=5)
        standing.look(stepped.house)
        stepped.run()
    assert told() == [], "not yet a minute"
    for _ in range(6):
        stepped.pass_time(5, step=5)
        standing.look(stepped.house)
        stepped.run()
    assert told() == [("order_unknown", BTC, True)]

    _known_again(stepped)
    standing.look(stepped.house)
    stepped.run()
    assert told() == [("order_unknown", BTC, False)]
    assert _metric(stepped, "pilothouse_unknown_orders") == 0
