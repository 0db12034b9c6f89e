"""A whole house at Binance spot, simulated: stop and target of one share stand at once, tied to each other (OCO)."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.order import OrderState, Purpose
from pilothouse.execution.trader import Trader
from pilothouse.fleet import manual, protect
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.protect import Standing
from pilothouse.observability.watch import survey
from tests.living import Living, within
from tests.slices.simexchange.sim_house import RunningExchange
from tests.voyage.test_spot_house import OnSpot, _again, _is_up, _now

pytestmark = pytest.mark.timeout(400)

TWO = [{"percent": "2", "share": "50"}, {"percent": "20"}]


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own: every start costs weight, and one address has a minute's weight for all."""
    with RunningExchange(profile="binance") as running:
        running.control("POST", "price", symbol="BTCUSDT", price="65000")
        yield running


@pytest.fixture
def living(exchange: RunningExchange, tmp_path: Path) -> Iterator[Living]:
    """Yield a running house whose account is heard."""
    with OnSpot(tmp_path, f"sqlite:///{tmp_path}/pilothouse.db", exchange.base) as house:
        _is_up(house)
        yield house
        assert within(10, lambda: survey(house.house) == []), survey(house.house)


def _bought(living: Living, **protection: object) -> None:
    taken = living.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", **protection)
    assert within(15, lambda: living.outcome(taken).state is AnswerState.FILLED), living.outcome(taken)


def _places(living: Living) -> dict[str, Decimal]:
    """Return what stands at the exchange for the position, as the house knows it: size by place."""
    found = _protection(living).orders
    return {place: order.remaining for place, order in found if order.state is OrderState.WORKING}


def _protection(living: Living) -> Standing:
    desk, trader = living.house.desk, Trader.of(living.account)
    return living.house.database.read(lambda tx: protect.standing(tx, desk, trader, "BTCUSDT"))


def _open(exchange: RunningExchange) -> list[dict[str, Any]]:
    return list(_spot(exchange).privateGetOpenOrders({"symbol": "BTCUSDT"}))


def _spot(exchange: RunningExchange) -> Any:
    return exchange.spot()


def _asked(exchange: RunningExchange) -> int:
    asked = exchange.control("GET", "requests")
    return sum(one["method"] == "POST" and one["path"].endswith("orderList/oco") for one in asked)


PAIRED = {
    "stop:0": Decimal("0.004"),
    "target:0": Decimal("0.004"),
    "stop:1": Decimal("0.005"),
    "target:1": Decimal("0.005"),
}


def test_each_share_has_its_stop_and_its_target_at_once_and_a_target_takes_its_own_stop_away(
    living: Living, exchange: RunningExchange
) -> None:
    """Both stand while nobody is there; what fires sells its share, and the other pair stays whole."""
    _bought(living, stop_loss="5%", take_profits=TWO)
    assert within(15, lambda: _places(living) == PAIRED), _places(living)
    assert within(10, lambda: _protection(living).stands)
    assert _protection(living).kept == ()
    assert len({one["orderListId"] for one in _open(exchange)}) == 2

    exchange.control("POST", "price", symbol="BTCUSDT", price="66400")

    assert within(15, lambda: living.position("BTCUSDT") == Decimal("0.00599")), living.orders()
    assert within(15, lambda: len(_open(exchange)) == 2), _open(exchange)
    assert within(15, lambda: _places(living).keys() == {"stop:1", "target:1"}), _places(living)
    assert [one.purpose for one in living.orders() if one.state is OrderState.FILLED] == [
        Purpose.ENTRY, Purpose.TAKE_PROFIT,
    ]  # fmt: skip
    assert within(10, lambda: _protection(living).stands)


@pytest.mark.soak
def test_the_stops_of_all_pairs_close_the_position_and_no_target_is_left(
    living: Living, exchange: RunningExchange
) -> None:
    """Nothing of it waits for coins that are sold."""
    _bought(living, stop_loss="1%", take_profits=TWO)
    assert within(15, lambda: _places(living) == PAIRED), _places(living)

    exchange.control("POST", "price", symbol="BTCUSDT", price="64000")

    assert within(15, lambda: living.position("BTCUSDT") < Decimal("0.001")), living.orders()
    assert within(15, lambda: _open(exchange) == [])
    assert within(10, lambda: _protection(living).record is None)
    assert not [one for one in living.orders() if not one.state.is_final]
    assert not [one for one in living.orders() if one.purpose in {Purpose.FOREIGN, Purpose.EXIT}]


def test_a_pair_whose_answer_was_lost_is_found_by_both_ids_and_sent_once(
    living: Living, exchange: RunningExchange
) -> None:
    """It stands there, and nobody said so: a second one would find no coins, or sell others."""
    exchange.control("POST", "faults", kind="unknown", method="POST", path="orderList/oco", times=2)
    _bought(living, stop_loss="5%", take_profits=TWO)
    assert within(20, lambda: _places(living) == PAIRED), living.orders()
    assert _asked(exchange) == 2
    assert len(_open(exchange)) == 4


def test_half_of_a_pair_that_somebody_cancels_takes_the_other_away_and_both_are_placed_again(
    living: Living, exchange: RunningExchange
) -> None:
    """The exchange ends both; the coins do not stay without their stop."""
    _bought(living, stop_loss="5%", take_profits=TWO)
    assert within(15, lambda: _places(living) == PAIRED)
    first = next(one for one in _open(exchange) if one["type"] == "TAKE_PROFIT")
    _spot(exchange).privateDeleteOrder({"symbol": "BTCUSDT", "orderId": first["orderId"]})

    def whole_again() -> bool:
        numbers = {one["orderId"] for one in _open(exchange)}
        return _places(living) == PAIRED and len(numbers) == 4 and first["orderId"] not in numbers

    assert within(20, whole_again), (_places(living), _open(exchange))
    assert within(10, lambda: _protection(living).stands)


@pytest.mark.soak
def test_where_a_pair_is_refused_the_stop_stands_and_the_house_keeps_the_target(
    living: Living, exchange: RunningExchange
) -> None:
    """Three refusals, one alarm, and the position has its stop."""
    exchange.control(
        "POST", "faults", kind="reject", method="POST", path="orderList/oco", times=-1, code=-2010, text="Not today."
    )
    _bought(living, stop_loss="5%", take_profit="2%")
    assert within(20, lambda: _places(living) == {"stop": Decimal("0.009")}), living.orders()
    assert _protection(living).kept == ("target:0",)
    assert _asked(exchange) == 3
    exchange.control("POST", "price", symbol="BTCUSDT", price="66400")
    assert within(20, lambda: living.position("BTCUSDT") < Decimal("0.001")), living.orders()


@pytest.mark.soak
def test_more_targets_than_two_have_a_stop_beside_them_and_are_kept_by_the_house(
    living: Living, exchange: RunningExchange
) -> None:
    """The exchange takes five orders that wait: two pairs and a stop. One pair less, and the next target gets it."""
    thirds = [{"percent": "2", "share": "30"}, {"percent": "4", "share": "30"}, {"percent": "20"}]
    _bought(living, stop_loss="5%", take_profits=thirds)
    lots = Decimal("0.001")
    two = {"stop:0": 2 * lots, "target:0": 2 * lots, "stop:1": 2 * lots, "target:1": 2 * lots, "stop": 5 * lots}
    assert within(20, lambda: _places(living) == two), _places(living)
    assert _protection(living).kept == ("target:2",)

    exchange.control("POST", "price", symbol="BTCUSDT", price="66400")

    assert within(20, lambda: _places(living).keys() == {"stop:1", "target:1", "stop:2", "target:2"}), _places(living)
    assert within(10, lambda: _protection(living).stands)


@pytest.mark.soak
def test_a_position_that_pairs_lock_is_closed_by_hand_also_after_a_restart(
    living: Living, exchange: RunningExchange
) -> None:
    """The halves are known again by their ids; they let go, and the coins are sold once."""
    _bought(living, stop_loss="5%", take_profits=TWO)
    assert within(15, lambda: _places(living) == PAIRED)
    assert living.jobs is not None
    living.jobs.stop(patience_s=60)
    living.jobs = None
    _again(living)
    assert _places(living) == PAIRED
    assert len(_open(exchange)) == 4

    house, trader = living.house, Trader.of(living.account)
    closing = house.database.write(lambda tx: manual.close(tx, house.desk, trader, "BTCUSDT", by="test"), name="close")

    assert within(20, lambda: _now(living, closing).state is OrderState.FILLED), _now(living, closing)
    assert living.position("BTCUSDT") < Decimal("0.001")
    assert within(10, lambda: _open(exchange) == [])
    assert not [one for one in living.orders() if one.purpose is Purpose.FOREIGN]


@pytest.mark.soak
def test_a_pair_that_never_arrived_is_sent_again_as_a_pair_once_that_is_certain(
    living: Living, exchange: RunningExchange
) -> None:
    """Under the ids it had, when the exchange can no longer take the first request; never one half alone."""
    exchange.control("POST", "faults", kind="unknown_undone", method="POST", path="orderList/oco", times=1)
    _bought(living, stop_loss="5%", take_profit="2%")
    whole = {"stop:0": Decimal("0.009"), "target:0": Decimal("0.009")}
    assert within(40, lambda: _places(living) == whole), living.orders()
    assert _asked(exchange) == 2
    assert len([one for one in living.orders() if one.purpose.protects]) == 2, "the same two orders"


def test_a_pair_that_was_decided_and_not_sent_is_sent_as_a_pair_by_who_starts_next(
    living: Living, exchange: RunningExchange
) -> None:
    """The process ends between the decision and the wire: both halves wait, and leave by one request."""
    exchange.control("POST", "faults", kind="throttled", method="POST", path="orderList/oco", times=100_000)
    taken = living.send(action="open", symbol="BTCUSDT", side="BUY", quantity="0.010", stop_loss="5%", take_profit="2%")
    assert within(15, lambda: living.outcome(taken).state is AnswerState.FILLED)
    assert within(10, lambda: _asked(exchange) >= 1)
    assert living.jobs is not None
    living.jobs.stop(patience_s=60)
    living.jobs = None
    exchange.control("DELETE", "faults")
    halves = [one for one in living.orders() if one.purpose.protects]
    assert {one.state for one in halves} == {OrderState.INTENDED}
    _again(living)
    whole = {"stop:0": Decimal("0.009"), "target:0": Decimal("0.009")}
    assert within(20, lambda: _places(living) == whole), living.orders()
    assert [one.id for one in living.orders() if one.purpose.protects] == [one.id for one in halves]
    assert len(_open(exchange)) == 2
