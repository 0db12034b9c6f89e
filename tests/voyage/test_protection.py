"""Ladders, break-even, trailing and time stops in a whole house: through fills in parts, faults and deaths."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.bots.alert import Shape, read
from pilothouse.core.order import OrderState, Purpose
from pilothouse.core.quote import Quote
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet import protect, protections
from pilothouse.fleet.answer import Outcome
from pilothouse.fleet.protections import Policy, ProtectionRecord, Then
from pilothouse.jobs.schedule import drive_waiting, reconcile_all, watch_levels
from pilothouse.kit.clocks import FrozenClock
from pilothouse.simulation.floor import Floor
from pilothouse.venues.paper_faults import Fault
from tests.conftest import NOON
from tests.stepped import Stepped

BTC = "BTCUSDT"
OPEN: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "BUY", "quantity": "0.010"}
MUCH = Decimal(600)
LADDER = [{"price": "66000", "share": "50"}, {"price": "67000", "share": "30"}, {"price": "70000"}]
LADDERED = {**OPEN, "stop_loss": "63000", "take_profits": LADDER, "break_even_after": 1}


def _price(house: Stepped, price: str, symbol: str = BTC) -> None:
    """Put the market somewhere, without the house doing anything yet."""
    assert house.house.paper is not None, "a house with a paper venue"
    house.house.paper.set_price(symbol, Decimal(price))


def _go_on(house: Stepped, seconds: float = 2) -> None:
    for _ in range(max(1, round(seconds))):
        house.pass_time(1, step=0.5)
        watch_levels(house.house)
        drive_waiting(house.house)
        house.run()


def _protective(house: Stepped) -> list[tuple[Purpose, Decimal, Decimal]]:
    """Return purpose, quantity and trigger of what stands at the venue to protect, as the venue has it."""
    ours = {order.client_order_id: order for order in house.live() if order.purpose.protects}
    found = []
    for told in house.house.venues["paper"].open_orders(house.account):
        assert told.terms.reduce_only
        assert told.terms.stop_price is not None
        left = told.terms.quantity - told.filled_quantity
        found.append((ours[told.client_order_id].purpose, left, told.terms.stop_price))
    return sorted(found)


def _record(house: Stepped, symbol: str = BTC) -> ProtectionRecord | None:
    return house.house.database.read(lambda tx: protections.of(tx, house.account.id, symbol))


def _stop(house: Stepped) -> OrderRecord:
    stops = [order for order in house.live() if order.purpose is Purpose.STOP_LOSS]
    assert len(stops) == 1, stops
    return stops[0]


def _is_flat(house: Stepped, symbol: str = BTC) -> bool:
    held = house.position(symbol), house.venue_position(symbol)
    return held == (0, 0) and house.live() == [] and _record(house, symbol) is None


def _opened(house: Stepped, **fields: Any) -> Outcome:
    _price(house, "65000.0")
    outcome = house.alert(**{**LADDERED, **fields})
    _go_on(house, 1)
    return outcome


def test_a_ladder_closes_by_its_shares_and_the_stop_goes_to_break_even(stepped: Stepped) -> None:
    """Each target closes its share; after the first one, nothing can be lost any more."""
    _opened(stepped)
    entry = stepped.orders()[0].filled_notional / stepped.orders()[0].filled_quantity
    assert _protective(stepped) == [
        (Purpose.STOP_LOSS, Decimal("0.010"), Decimal(63000)),
        (Purpose.TAKE_PROFIT, Decimal("0.002"), Decimal(70000)),
        (Purpose.TAKE_PROFIT, Decimal("0.003"), Decimal(67000)),
        (Purpose.TAKE_PROFIT, Decimal("0.005"), Decimal(66000)),
    ]

    _price(stepped, "66100.0")
    _go_on(stepped)

    assert stepped.position(BTC) == stepped.venue_position(BTC) == Decimal("0.005")
    stop = _stop(stepped)
    assert stop.terms.quantity == Decimal("0.005")
    assert stop.terms.stop_price is not None
    assert entry <= stop.terms.stop_price <= entry + 1
    _price(stepped, "67100.0")
    _go_on(stepped)
    assert [each[:2] for each in _protective(stepped)] == [
        (Purpose.STOP_LOSS, Decimal("0.002")),
        (Purpose.TAKE_PROFIT, Decimal("0.002")),
    ]
    _price(stepped, "64000.0")
    _go_on(stepped)
    assert _is_flat(stepped)
    assert stepped.drift() == []


def test_an_entry_that_fills_in_parts_is_protected_part_by_part(stepped: Stepped) -> None:
    """What has filled is protected at once, and no more than that; the rest when it comes."""
    quote = _bought_in_part(stepped, stop_loss="3%", take_profits=[{"percent": "50"}])
    part = stepped.position("SOLUSDT")
    assert [each[1] for each in _protective_of_sol(stepped)] == [part, part]

    _price(stepped, str(quote.ask - 1), "SOLUSDT")
    _go_on(stepped)

    assert stepped.position("SOLUSDT") == MUCH
    assert [each[1] for each in _protective_of_sol(stepped)] == [MUCH, MUCH]


def _bought_in_part(house: Stepped, **fields: Any) -> Quote:
    """Buy more than the best price offers, at that price and no other; return the quote of before."""
    assert house.house.paper is not None, "a house with a paper venue"
    house.house.paper._floor.glance(_make_shallow)
    quote = house.house.quotes.get("paper", "SOLUSDT")
    limit = {"order_type": "LIMIT", "price": str(quote.ask), "symbol": "SOLUSDT", "quantity": str(MUCH)}
    house.alert(**{**OPEN, **limit, **fields})
    assert 0 < house.position("SOLUSDT") < MUCH
    return quote


def _make_shallow(floor: Floor) -> None:
    """Let the crowd of one market offer little at each price."""
    desk = floor.desks["SOLUSDT"]
    desk.contract = replace(desk.contract, depth_min=10_000, depth_max=11_000, flow_min=50_000, flow_max=60_000)
    desk.move(desk.state)


def _protective_of_sol(house: Stepped) -> list[tuple[Purpose, Decimal, Decimal]]:
    live = [order for order in house.live() if order.purpose.protects and order.state.is_resting]
    return sorted((order.purpose, order.remaining, order.terms.stop_price or Decimal(0)) for order in live)


def test_a_position_that_was_stopped_out_does_not_come_back_by_the_rest_of_its_entry(stepped: Stepped) -> None:
    """Half of the entry was filled and stopped out: the other half would open a position that nobody protects."""
    quote = _bought_in_part(stepped, stop_loss="9%", take_profits=[{"percent": "1"}])
    _price(stepped, str((quote.ask * Decimal("1.05")).quantize(Decimal("0.01"))), "SOLUSDT")
    _go_on(stepped, 3)

    entries = [order for order in stepped.orders() if order.purpose is Purpose.ENTRY]
    assert entries[-1].state is OrderState.CANCELED
    assert 0 < entries[-1].filled_quantity < MUCH
    assert _is_flat(stepped, "SOLUSDT")


def test_a_stop_cancelled_by_hand_at_the_venue_is_placed_again(stepped: Stepped) -> None:
    """Also when its cancel is never told: comparing with the venue shows it."""
    _opened(stepped)
    for told in (True, False):
        if not told:
            stepped.faults.arm(Fault.DROP_EVENTS, call="event", times=5)
        before = _stop(stepped)
        stepped.house.venues["paper"].cancel(stepped.account, BTC, before.client_order_id)
        stepped.faults.disarm()
        reconcile_all(stepped.house)
        _go_on(stepped, 6)
        after = _stop(stepped)
        assert after.id != before.id
        assert after.terms == before.terms
        assert after.state is OrderState.WORKING
    assert len(_protective(stepped)) == 4


def test_a_target_that_fills_while_the_stop_is_replaced_leaves_the_right_stop(stepped: Stepped) -> None:
    """The stop is on its way to a larger size when a target takes half: the last one standing fits what is left."""
    _opened(stepped)
    stepped.faults.arm(Fault.LOSE_ANSWER, call="place", pass_first=1, times=2)
    stepped.send(json.dumps({**OPEN, "alert_id": "more"}).encode())
    _price(stepped, "66100.0")
    _go_on(stepped, 12)

    assert stepped.position(BTC) == stepped.venue_position(BTC) > 0
    assert _stop(stepped).remaining == stepped.position(BTC)
    standing = _protective(stepped)
    assert sum(each[1] for each in standing if each[0] is Purpose.TAKE_PROFIT) == stepped.position(BTC)
    assert len([each for each in standing if each[0] is Purpose.STOP_LOSS]) == 1


def test_both_siblings_may_fill_and_nothing_is_opened(stepped: Stepped) -> None:
    """The market ran through a target and back through the stop before anybody looked."""
    _opened(stepped)
    _price(stepped, "66100.0")
    _price(stepped, "62000.0")
    _go_on(stepped, 3)

    assert _is_flat(stepped)
    filled = {order.purpose for order in stepped.orders() if order.filled_quantity}
    assert filled == {Purpose.ENTRY, Purpose.TAKE_PROFIT, Purpose.STOP_LOSS}


def test_a_target_passed_before_it_stood_closes_its_share_and_nothing_else(stepped: Stepped) -> None:
    """The venue refuses an order that would trigger at once; the rest keeps its stop."""
    _price(stepped, "65000.0")
    stepped.send(json.dumps({**LADDERED, "break_even_after": None, "alert_id": "1"}).encode())
    stepped.faults.arm(Fault.DROP_EVENTS, call="event", times=50)
    _price(stepped, "66500.0")
    stepped.faults.disarm()
    _go_on(stepped, 3)

    assert stepped.position(BTC) == stepped.venue_position(BTC) == Decimal("0.005")
    exits = [order for order in stepped.orders() if order.purpose is Purpose.EXIT]
    assert [order.filled_quantity for order in exits] == [Decimal("0.005")]
    assert _stop(stepped).remaining == Decimal("0.005")


@pytest.mark.parametrize("then", Then)
def test_a_stop_that_the_venue_refuses_is_tried_in_another_way_and_then_the_policy_holds(
    then: Then, stepped: Stepped
) -> None:
    """Never asked for without end, never left naked in silence."""
    house = stepped.house
    account = stepped.account
    house.database.write(
        lambda tx: protections.set_policy(
            tx, account.id, account.owner_id, Policy(5, then), by="test", now=house.clock.now()
        ),
        name="policy",
    )
    _price(stepped, "65000.0")
    stepped.faults.arm(Fault.REFUSE, pass_first=1, times=6 if then is Then.FLATTEN else 1_000)
    stepped.alert(**OPEN, stop_loss="63000")
    _go_on(stepped, 4)

    refused = [order for order in stepped.orders() if order.state is OrderState.REJECTED]
    assert [order.terms.type.value for order in refused] == ["STOP_MARKET"] * 3 + ["STOP"] * 3
    if then is Then.FLATTEN:
        assert _is_flat(stepped)
        return
    stepped.faults.disarm()
    record = _record(stepped)
    assert record is not None
    assert record.kept_here == {"stop"}, "the house watches it, while it runs"
    _price(stepped, "62900.0")
    _go_on(stepped)
    assert _is_flat(stepped)


def test_a_trailing_stop_follows_and_takes_what_was_won(stepped: Stepped) -> None:
    """It rises with the price, stands at the venue all the time, and falls with nothing."""
    _opened(stepped, take_profits=None, break_even_after=None, trailing_stop={"percent": "1", "activation": "1%"})
    assert _stop(stepped).terms.stop_price == 63000
    seen = []
    for price in ("66000.0", "67000.0", "66500.0", "68000.0"):
        _price(stepped, price)
        _go_on(stepped)
        stop = _stop(stepped)
        assert stop.state is OrderState.WORKING
        seen.append(stop.terms.stop_price or Decimal(0))
    assert seen == sorted(seen)
    assert Decimal(67_200) < seen[-1] < Decimal(67_400)
    _price(stepped, "67000.0")
    _go_on(stepped)
    assert _is_flat(stepped)


def test_a_time_stop_closes_the_position_also_after_a_restart(stepped: Stepped) -> None:
    """What the house was told to do at a time it does when it is there again."""
    _opened(stepped, time_stop_s=30)
    _go_on(stepped, 20)
    assert stepped.position(BTC) == Decimal("0.010")
    stepped.die()
    stepped.clock.advance(60)
    stepped.open()
    _go_on(stepped, 3)
    assert _is_flat(stepped)
    assert stepped.only_order(Purpose.EXIT).reason.startswith("time stop")


def test_a_protection_that_replaces_its_like_counts_its_own_fills(stepped: Stepped) -> None:
    """The same ladder again: were former orders taken for its own, a target that filled would be asked for twice."""
    _opened(stepped)
    house = stepped.house
    asked = read(json.dumps(LADDERED).encode(), Shape.ORDER).signal.guards
    for _ in range(2):
        house.database.write(
            lambda tx: protect.set_by_hand(tx, house.desk, stepped.trader, BTC, asked, by="test"), name="protect"
        )
        stepped.run()
    _go_on(stepped, 1)
    assert [each[1] for each in _protective(stepped)] == [Decimal(one) for one in ("0.010", "0.002", "0.003", "0.005")]
    _price(stepped, "66100.0")
    _go_on(stepped, 3)

    assert stepped.position(BTC) == Decimal("0.005")
    assert _stop(stepped).remaining == Decimal("0.005")
    sold = [order for order in stepped.orders() if order.purpose is Purpose.TAKE_PROFIT and order.filled_quantity]
    assert len(sold) == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.soak), 6])
def test_break_even_is_reached_wherever_the_house_dies(step: int, fresh_url: Callable[[], str], tmp_path: Path) -> None:
    """Between the target's fill and the stop at the entry price, the process dies after every commit (or each 6th)."""
    for point in itertools.count(1, step):
        house = Stepped(tmp_path / f"data-{point}", fresh_url(), FrozenClock(NOON))
        house.open()
        _price(house, "65000.0")
        house.alert(**LADDERED)
        house.fuse.at, house.fuse.lit = point, True
        try:
            _price(house, "66100.0")
            house.run()
        except BaseException:  # noqa: S110 - a dying database raises different things in whoever waits for it
            pass
        seen = len(house.fuse.seen)
        where = house.fuse.seen[-1] if house.fuse.seen else "start"
        house.die()
        house.recover()
        _price(house, "66100.0")  # where the move itself died with the venue
        for _ in range(45):  # what a dead process holds on PostgreSQL is taken over when its leases have ended
            _go_on(house, 2)
            if len(house.live()) == 3 and all(order.state.is_resting for order in house.live()):
                break

        assert house.position(BTC) == house.venue_position(BTC) == Decimal("0.005"), where
        stop = _stop(house)
        assert (stop.state, stop.remaining) == (OrderState.WORKING, Decimal("0.005")), where
        assert (stop.terms.stop_price or 0) >= Decimal(64_999), where
        targets = [order.remaining for order in house.live() if order.purpose is Purpose.TAKE_PROFIT]
        assert sorted(targets) == [Decimal("0.002"), Decimal("0.003")], where
        assert house.drift() == [], where
        house.die()
        if seen <= point:
            assert point >= 4, "there are more commits than that"
            return
