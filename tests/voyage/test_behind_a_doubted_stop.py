"""Alerts behind a stop whose request was lost: it can open nothing, so it holds nothing up that it need not."""

from decimal import Decimal

import pytest

from pilothouse.core.order import OrderState, Purpose
from pilothouse.fleet.answer import AnswerState
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
PROTECTED = {**OPEN, "stop_loss": "5%"}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}


def _with_a_lost_stop(house: Stepped, fault: Fault = Fault.LOSE_REQUEST) -> None:
    """Buy, and lose every request for the stop: nobody knows of any of them."""
    house.faults.arm(fault, pass_first=1, times=1_000)
    house.alert(**PROTECTED)
    assert [order.purpose for order in house.unknown()] == [Purpose.STOP_LOSS]
    house.faults.disarm()


@pytest.mark.parametrize(
    ("alert", "left"),
    [
        ({**OPEN}, "0.02"),
        ({"action": "increase", "symbol": "BTCUSDT", "quantity": "0.005"}, "0.015"),
        ({"action": "decrease", "symbol": "BTCUSDT", "quantity": "0.004"}, "0.006"),
        ({**OPEN, "side": "SELL", "quantity": "0.004"}, "0.006"),
        (CLOSE, "0"),
    ],
    ids=["open", "increase", "decrease", "sell against it", "close"],
)
def test_an_alert_behind_a_lost_stop_is_decided_at_once(stepped: Stepped, alert: dict[str, str], left: str) -> None:
    """Whether the stop arrived is known at some venues after a minute only; nobody waits so long to get out, or in."""
    _with_a_lost_stop(stepped)

    assert stepped.alert(**alert).state is AnswerState.FILLED
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal(left)


def test_what_is_added_behind_a_lost_stop_is_protected_too(stepped: Stepped) -> None:
    """In the end one stop stands, for all of it."""
    _with_a_lost_stop(stepped)
    stepped.alert(**PROTECTED)
    stepped.pass_time(15)

    standing = stepped.house.venues["paper"].open_orders(stepped.account)
    assert [order.terms.quantity for order in standing] == [Decimal("0.02")]
    assert [order.client_order_id for order in stepped.live()] == [standing[0].client_order_id]


def test_a_new_position_waits_for_a_lost_stop_of_the_one_before(stepped: Stepped) -> None:
    """The old stop may arrive yet, and would close the new position at a price that nobody chose for it."""
    _with_a_lost_stop(stepped, Fault.ARRIVE_LATE)
    stepped.alert(**CLOSE)
    again, more = stepped.alert(**OPEN), stepped.alert(action="increase", symbol="BTCUSDT", quantity="0.005")
    assert [one.state for one in (again, more)] == [AnswerState.PENDING] * 2
    assert "stop of the position that was closed" in again.message

    assert stepped.house.paper is not None, "a house with a paper venue"
    stepped.house.paper.deliver_late()
    stepped.pass_time(15)
    assert [stepped.outcome(one.signal.id).state for one in (again, more)] == [AnswerState.FILLED] * 2
    assert stepped.house.venues["paper"].open_orders(stepped.account) == []
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.015")


def test_a_position_is_turned_round_behind_a_lost_stop(stepped: Stepped) -> None:
    """A stop that sells can close what was bought, and nothing else."""
    _with_a_lost_stop(stepped)

    flipped = stepped.alert(order_action="sell", symbol="BTCUSDT", contracts="0.02", position_size="-0.01")
    stepped.pass_time(1)
    assert stepped.outcome(flipped.signal.id).state is AnswerState.FILLED
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("-0.01")


def test_what_turns_a_position_round_is_measured_as_if_the_lost_stop_had_closed_it(stepped: Stepped) -> None:
    """Sold three times over, the position would be short by two; if the stop filled meanwhile, by three."""
    _with_a_lost_stop(stepped)
    mark = stepped.house.desk.quote_of("paper", "BTCUSDT").mark
    equity = Decimal(10_000)
    stepped.limit(position_equity_ratio_max=str(mark * Decimal("0.025") / equity))

    turned = stepped.alert(**{**OPEN, "side": "SELL", "quantity": "0.03"})
    assert turned.state is AnswerState.REFUSED
    assert turned.signal.code == "risk_denied"


def test_a_stop_that_was_lost_is_sent_again_when_its_request_can_no_longer_arrive(stepped: Stepped) -> None:
    """The venue's window counts from when the request left, not from the end of the time in which it might have."""
    _with_a_lost_stop(stepped)
    lost = stepped.unknown()[0]
    stepped.pass_time(5)
    assert stepped.unknown()[0].id == lost.id
    stepped.pass_time(1)
    again = next(order for order in stepped.orders() if order.id == lost.id)
    assert again.state is not OrderState.UNKNOWN
