"""Who watches over the protection: through the house while it answers, alone when its lease is over."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.order import OrderState, OrderType, Purpose
from pilothouse.execution.store import OrderRecord
from pilothouse.fleet import protections
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.escalate import Did, escalate
from pilothouse.fleet.protections import Policy, Then
from pilothouse.jobs.aside import Keeper
from pilothouse.observability.gauges import set_gauges
from pilothouse.observability.watch import survey
from pilothouse.venues.paper_faults import Fault
from pilothouse.venues.port import VenueAccount
from pilothouse.wiring.aside import open_beside
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange
from tests.stepped import Stepped

BTC = "BTCUSDT"
OPEN: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "BUY", "quantity": "0.010"}


def _watched(house: Stepped) -> Did:
    """Ask as the watcher asks, and let the house do what came of it."""
    open_house = house.house
    did = open_house.database.write(lambda tx: escalate(tx, open_house.desk, house.trader, BTC), name="watch")
    house.run()
    return did


@pytest.mark.parametrize("is_forward", [True, False], ids=["forward", "back"])
def test_a_clock_that_is_set_makes_no_position_longer_without_its_stop(stepped: Stepped, *, is_forward: bool) -> None:
    """Forward, a stop that was away for a moment closed the position and halted all; back, it could stay away."""
    stepped.faults.arm(Fault.LOSE_REQUEST, pass_first=1, times=1_000)
    stepped.send(json.dumps({**OPEN, "stop_loss": "5%", "alert_id": "1"}).encode())
    stepped.run()
    stepped.clock.jump(timedelta(minutes=3 if is_forward else -3))

    assert _watched(stepped) is Did.WAITS
    assert [one for one in survey(stepped.house) if one.invariant == "protection_stands"] == []
    assert stepped.position(BTC) == Decimal("0.010")

    stepped.pass_time(6)
    assert [str(one.gravity) for one in survey(stepped.house) if one.invariant == "protection_stands"] == ["late"]
    assert _watched(stepped) is Did.TRIED_OTHERWISE
    stepped.faults.disarm()


@pytest.mark.parametrize("then", Then)
def test_a_position_without_its_stop_is_looked_after_step_by_step(then: Then, stepped: Stepped) -> None:
    """First the other way, then what the account wants; asked too early, or twice, nothing more is done."""
    house, account = stepped.house, stepped.account
    policy = Policy(5, then)
    house.database.write(
        lambda tx: protections.set_policy(tx, account.id, account.owner_id, policy, by="test", now=house.clock.now()),
        name="policy",
    )
    assert _watched(stepped) is Did.STANDS, "nothing is held"
    stepped.faults.arm(Fault.LOSE_REQUEST, pass_first=1, times=1_000)
    stepped.send(json.dumps({**OPEN, "stop_loss": "5%", "alert_id": "1"}).encode())
    stepped.run()
    assert _watched(stepped) is Did.WAITS
    stepped.pass_time(6)
    assert [one for one in survey(house) if one.invariant == "protection_stands"]
    set_gauges(house)
    assert b"pilothouse_position_unprotected_seconds{account=" in house.meters.text()

    assert _watched(stepped) is Did.TRIED_OTHERWISE
    kinds = {order.terms.type for order in stepped.orders() if order.purpose is Purpose.STOP_LOSS}
    assert kinds == {OrderType.STOP_MARKET, OrderType.STOP}
    assert _watched(stepped) is Did.WAITS
    stepped.pass_time(5)
    stepped.faults.disarm()
    did = _watched(stepped)
    stepped.pass_time(1)

    if then is Then.FLATTEN:
        assert did is Did.FLATTENED
        assert stepped.position(BTC) == stepped.venue_position(BTC) == 0
    else:
        assert did is Did.ALARMED
        assert stepped.position(BTC) == Decimal("0.010")
        record = house.database.read(lambda tx: protections.of(tx, account.id, BTC))
        assert record is not None
        assert record.kept_here == {"stop"}


# ── Alone ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="aster") as running:
        running.control("POST", "accounts", wallet=WALLET)
        yield running


def _stops(living: Living, state: OrderState) -> list[OrderRecord]:
    return [one for one in living.orders() if one.purpose is Purpose.STOP_LOSS and one.state is state]


@pytest.mark.timeout(400)
def test_the_watcher_acts_alone_only_when_the_lease_of_a_house_that_is_gone_is_over(
    exchange: RunningExchange, tmp_path: Path
) -> None:
    """While the house holds the account it does nothing; then it places the stop that lacks, and gives it back."""
    with Living(tmp_path, f"sqlite:///{tmp_path}/pilothouse.db", exchange.base) as living:
        assert within(15, living.is_heard)
        living.house.venues[living.key].follow([BTC])
        assert within(10, lambda: living.house.quotes.all(living.key))
        taken = living.send(**OPEN, stop_loss="2%")
        assert within(10, lambda: living.outcome(taken).state is AnswerState.FILLED)
        assert within(10, lambda: _stops(living, OrderState.WORKING))
        (stop,) = _stops(living, OrderState.WORKING)
        beside = open_beside(living.house.settings)
        keeper = Keeper(beside, lease_for=timedelta(seconds=10))
        try:
            keeper.look()
            assert keeper.in_charge == frozenset(), "the house has it"

            assert living.jobs is not None
            living.jobs.stop(
                patience_s=60
            )  # it gives its lease back: what else is waited for is shown where leases are tested
            living.jobs = None
            venue = living.house.venues[living.key]
            account = VenueAccount(living.account.id, living.account.owner_id)
            venue.cancel(account, BTC, stop.client_order_id)
            assert venue.open_orders(account) == []
            keeper.look()

            assert keeper.in_charge == {living.account.id}
            (standing,) = venue.open_orders(account)
            assert (standing.terms.type, standing.terms.reduce_only) == (OrderType.STOP_MARKET, True)
            assert [one.client_order_id for one in _stops(living, OrderState.WORKING)] == [standing.client_order_id]
            keeper.look()
            assert len(venue.open_orders(account)) == 1, "asked again, it does nothing more"
            keeper.give_back()
        finally:
            beside.close()
        living.start()
        assert within(20, lambda: living.house.desk.writers.may_send(living.key, living.account.id)), "taken at once"


def test_a_position_whose_stop_stands_is_not_called_naked_while_its_next_entry_waits(stepped: Stepped) -> None:
    """A venue may take an order for a minute after it was sent: so long the next one waits behind one in doubt.

    The protection that came with the one that waits is the latest that was asked for, and what is held has its stop.
    """
    stepped.send(json.dumps({**OPEN, "stop_loss": "5%", "alert_id": "held"}).encode())
    stepped.run()
    for name in ("doubted", "waits"):
        stepped.send(json.dumps({**OPEN, "stop_loss": "6%", "alert_id": name}).encode())
    stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=1_000)
    stepped.run()
    entries = [order for order in stepped.orders() if not order.purpose.protects]
    assert [order.state for order in entries] == [OrderState.FILLED, OrderState.UNKNOWN, OrderState.INTENDED]

    stepped.pass_time(65)

    stands = [order.terms.quantity for order in stepped.orders() if order.purpose.protects and order.state.is_resting]
    assert stands == [stepped.position(BTC)] == [Decimal("0.010")]
    assert [one for one in survey(stepped.house) if one.invariant == "protection_stands"] == []
