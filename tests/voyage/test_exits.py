"""What closes a position for its protection goes out whatever is limited or halted, and never in a flood."""

from decimal import Decimal
from typing import Any

import pytest

from pilothouse.bots.bracket import STOP, Guarding
from pilothouse.bots.follow import Planned
from pilothouse.core.halts import HaltKind
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.execution.limit_sets import Level
from pilothouse.fleet import exits, guard, protections
from pilothouse.fleet.scene import look
from pilothouse.fleet.turn import REFUSALS_MAX
from pilothouse.jobs.schedule import watch_levels
from pilothouse.kit.chain import rows_behind
from pilothouse.kit.db import Tx
from pilothouse.notifications import store as alarms
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped

BTC = "BTCUSDT"
OPEN: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "BUY", "quantity": "0.010"}
TIGHT: dict[str, Any] = {
    "order_quantity_max": "0",
    "order_notional_max": "1",
    "position_notional_max": "1",
    "gross_notional_max": "1",
    "net_notional_max": "1",
    "leverage_max": "0.01",
    "open_orders_max": 1,
    "orders_per_second_max": 1,
    "orders_per_minute_max": 1,
    "orders_per_day_max": 1,
    "notional_per_day_max": "1",
    "repeats_per_minute_max": 1,
    "price_collar_percent": "0.01",
    "quote_age_max_s": "0.1",
    "spread_percent_max": "0.01",
    "daily_loss_percent_max": "0.01",
    "drawdown_percent_max": "0.01",
    "losses_in_a_row_max": 1,
    "symbols": ["ETHUSDT"],
    "hours": "sun 00:00-00:01",
}


def _told(stepped: Stepped, code: str) -> list[int]:
    """Return how often each alarm of that code happened."""
    owner = stepped.account.owner_id
    found = stepped.house.database.read(lambda tx: alarms.page(tx, owner, open_only=False, before=None, limit=50))
    return [one.pace.count for one, _ in found if one.code == code]


def _written(stepped: Stepped) -> int:
    """Return how many rows the record has."""
    return len(stepped.house.database.read(lambda tx: rows_behind(tx, 0, 100_000)))


def _watch(stepped: Stepped, seconds: float) -> None:
    """Look at levels twice a second, as the schedule does."""
    for _ in range(round(seconds * 2)):
        stepped.pass_time(0.5, step=0.5)
        watch_levels(stepped.house)
        stepped.run()


@pytest.mark.parametrize("kind", [HaltKind.NO_NEW_EXPOSURE, HaltKind.CANCEL_ALL])
def test_an_exit_of_a_protection_passes_every_limit_and_every_halt(stepped: Stepped, kind: HaltKind) -> None:
    """A limit or a halt that keeps somebody in a position that should be closed costs what it was to save."""
    stepped.alert(**OPEN, time_stop_s=60)
    assert stepped.position(BTC) == Decimal("0.010")
    for level in (Level.HOUSE, Level.USER, Level.ACCOUNT):
        stepped.limit(level, **TIGHT)
        stepped.halt(kind, level)

    _watch(stepped, 62)

    assert stepped.position(BTC) == stepped.venue_position(BTC) == 0
    exits = [order for order in stepped.orders() if order.purpose is Purpose.EXIT]
    assert [order.state for order in exits] == [OrderState.FILLED]


def test_an_exit_that_the_venue_refuses_leaves_no_trail_of_judgements_while_it_waits(stepped: Stepped) -> None:
    """Twenty looks in ten seconds that decide the same nothing are not twenty rows of the record."""
    stepped.alert(**OPEN, time_stop_s=60)
    stepped.faults.arm(Fault.REFUSE, times=1_000)
    _watch(stepped, 63)
    refused = [order for order in stepped.orders() if order.state is OrderState.REJECTED]
    assert len(refused) == REFUSALS_MAX
    before = _written(stepped)

    _watch(stepped, 5)

    assert _written(stepped) == before
    _watch(stepped, 10)
    refused = [order for order in stepped.orders() if order.state is OrderState.REJECTED]
    assert len(refused) == REFUSALS_MAX + 1, "asked again after ten seconds, once"
    stepped.faults.disarm()
    _watch(stepped, 11)
    assert stepped.position(BTC) == stepped.venue_position(BTC) == 0


def test_an_exit_that_the_gate_denies_waits_and_is_told_once(stepped: Stepped) -> None:
    """No exit of ours has a price that the collar could deny; if ever one has, it is no flood of alarms."""
    stepped.alert(**OPEN, stop_loss="1%")
    house, symbol = stepped.house, BTC
    far = stepped.house.quotes.get("paper", BTC).mark / 2
    terms = OrderTerms(BTC, Side.SELL, OrderType.LIMIT, Decimal("0.010"), Decimal(int(far)), reduce_only=True)
    due = Guarding(exits=((STOP, Planned(terms, Purpose.EXIT, "at a wrong price")),))
    asked = []

    def turn(tx: Tx) -> None:
        scene = look(tx, house.desk, stepped.trader, symbol)
        record = protections.of(tx, stepped.account.id, symbol)
        assert record is not None
        begun, scene = guard.begin(tx, house.desk, stepped.trader, scene, record)
        asked.append(exits.must_wait(begun, *due.exits[0]))
        exits.close_due(begun, scene, due)

    def turns(seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            house.database.write(turn, name="turn")
            stepped.pass_time(0.5, step=0.5)

    turns(9)
    assert asked.count(False) == 1
    assert _told(stepped, "protection_refused") == [1]
    turns(30)
    assert asked.count(False) == 4, "asked again every ten seconds"
    assert _told(stepped, "protection_refused") == [1]
    assert [order.purpose for order in stepped.live()] == [Purpose.STOP_LOSS], "the stop stands all the while"
