"""A stop of which nobody knows whether it arrived: another one is placed long before that is certain."""

from pilothouse.core.order import Purpose
from pilothouse.jobs.schedule import drive_waiting
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped


def _go_on(house: Stepped, seconds: float) -> None:
    for _ in range(round(seconds)):
        house.pass_time(1)
        drive_waiting(house.house)
        house.run()


def test_a_position_does_not_wait_for_the_window_of_a_lost_stop(stepped: Stepped) -> None:
    """Some venues take a request for more than a minute: so long nobody may be without a stop."""
    stepped.faults.arm(Fault.LOSE_REQUEST, pass_first=1)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01", stop_loss="5%")
    _go_on(stepped, 3)  # that it never arrived is certain after half a minute

    stops = [order for order in stepped.live() if order.purpose is Purpose.STOP_LOSS]
    assert [order.state.is_resting for order in stops] == [False, True]
    _go_on(stepped, 40)
    stops = [order for order in stepped.live() if order.purpose is Purpose.STOP_LOSS]
    assert [order.state.is_resting for order in stops] == [True], "the one too many is gone"
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") > 0


def test_a_stop_that_arrived_after_all_is_cancelled_beside_its_successor(stepped: Stepped) -> None:
    """Two stops stand for a moment; they reduce only, so together they close no more than there is."""
    stepped.faults.arm(Fault.ARRIVE_LATE, pass_first=1)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01", stop_loss="5%")
    _go_on(stepped, 3)
    assert stepped.house.paper is not None, "a house with a paper venue"
    stepped.house.paper.deliver_late()
    _go_on(stepped, 8)

    standing = stepped.house.venues["paper"].open_orders(stepped.account)
    assert len(standing) == 1
    assert [order.client_order_id for order in stepped.live()] == [standing[0].client_order_id]


def test_a_venue_that_answers_nothing_is_not_flooded_with_stops(stepped: Stepped) -> None:
    """While every request is lost, two of them are enough."""
    stepped.faults.arm(Fault.LOSE_REQUEST, pass_first=1, times=1_000)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01", stop_loss="5%")
    _go_on(stepped, 4)

    assert len([order for order in stepped.live() if order.purpose is Purpose.STOP_LOSS]) <= 2
    stepped.faults.disarm()
    _go_on(stepped, 45)
    assert [order.state.is_resting for order in stepped.live()] == [True]
