"""The dead man's switch at an exchange across the wire: it acts when the house is gone, and only then."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.halts import HaltKind
from pilothouse.execution import halt_store
from pilothouse.execution import store as orders_store
from pilothouse.fleet.answer import AnswerState
from pilothouse.jobs.aside import Keeper
from pilothouse.jobs.deadman import Deadman, Done
from pilothouse.kit import lease, told_facts
from pilothouse.kit.settings import Settings
from pilothouse.wiring.aside import open_beside
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange

ACCOUNT = f"aster-{WALLET}"
OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
RESTS = {**OPEN, "order_type": "LIMIT", "price": "50000"}


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own."""
    with RunningExchange(profile="aster") as running:
        running.control("POST", "accounts", wallet=WALLET)
        yield running


@pytest.fixture
def living(exchange: RunningExchange, tmp_path: Path) -> Iterator[Living]:
    """Yield a running house whose account is heard."""
    with Living(tmp_path, f"sqlite:///{tmp_path}/pilothouse.db", exchange.base) as house:
        assert within(10, house.is_heard)
        house.house.venues[house.key].follow(["BTCUSDT", "ETHUSDT"])
        assert within(10, lambda: len(house.house.quotes.all(house.key)) > 1)
        yield house


@contextmanager
def switch(living: Living, *, after_s: float = 0.2, countdown_s: int = 0) -> Iterator[Deadman]:
    """Yield a switch beside the house, as a process of its own would open it."""
    variables = {"PILOTHOUSE_DATA": str(living.data), "PILOTHOUSE_DATABASE_URL": living.url}
    beside = open_beside(Settings.from_environment(variables))
    deadman = Deadman(beside, after=timedelta(seconds=after_s), countdown_for=timedelta(seconds=countdown_s))
    yield deadman
    deadman.close()
    beside.close()


def _at_the_exchange(exchange: RunningExchange) -> tuple[dict[str, Decimal], int]:
    """Return what the exchange itself says is held, and how many orders stand."""
    told = exchange.truth(ACCOUNT)
    return {each["symbol"]: Decimal(each["quantity"]) for each in told["positions"]}, told["openOrders"]


def test_a_house_that_is_gone_is_flattened_without_it(living: Living, exchange: RunningExchange) -> None:
    """Positions are closed, what rests is cancelled, stops too; whoever comes back finds the account halted."""
    living.send(**OPEN, stop_loss="30000")
    living.send(**{**OPEN, "symbol": "ETHUSDT", "quantity": "0.1"})
    living.send(**RESTS)
    assert within(20, lambda: len(_at_the_exchange(exchange)[0]) == 2 and _at_the_exchange(exchange)[1] == 2)
    with switch(living) as deadman:
        assert deadman.look() == [], "the house is there"
        assert _at_the_exchange(exchange)[1] == 2
        living.stop()

        done: list[Done] = within(60, deadman.look)
        assert [one.account_id for one in done] == [living.account.id]
        assert _at_the_exchange(exchange) == ({}, 0)
        assert deadman.look() == [], "it acts once"

    living.house = living.built()
    account = living.account
    stop = living.house.database.read(lambda tx: halt_store.halted(tx, account.id, account.owner_id))
    assert stop is not None
    assert (stop.kind, stop.by) == (HaltKind.FLATTEN, "deadman")
    facts = living.house.database.read(lambda tx: told_facts.facts_after(tx, 0, owner_id=account.owner_id, limit=1_000))
    alarms = [each.fact.payload.get("code") for each in facts]
    assert alarms.count("deadman_acted") == 1
    living.start()
    assert within(20, living.is_heard)
    refused = living.outcome(living.send(**OPEN))
    assert (refused.state, refused.signal.code) == (AnswerState.REFUSED, "risk_denied")


def test_while_somebody_holds_the_lease_nothing_is_touched(living: Living, exchange: RunningExchange) -> None:
    """A house that is slow is not gone; and one that came back in time is left alone."""
    living.send(**OPEN)
    assert within(20, lambda: _at_the_exchange(exchange)[0])
    living.stop()
    with switch(living, after_s=3_600) as patient:
        assert patient.look() == []
        assert _at_the_exchange(exchange)[0], "it was told to wait for longer"
    living.house = living.built()
    living.start()
    assert within(20, living.is_heard)
    assert within(20, lambda: living.house.desk.writers.may_send(living.key, living.account.id))
    with switch(living, after_s=0) as hasty:
        for _ in range(3):
            assert hasty.look() == []
    held = living.house.database.read(lambda tx: lease.last(tx, f"writer:{living.account.id}"))
    assert held is not None
    assert held.owner == living.process
    assert _at_the_exchange(exchange)[0]


def test_the_venues_countdown_takes_entries_and_leaves_what_is_protected(
    living: Living, exchange: RunningExchange
) -> None:
    """It would cancel a stop too, so it is set only where nothing is held; and told nothing, it runs out."""
    living.send(**{**OPEN, "symbol": "ETHUSDT", "quantity": "0.1"}, stop_loss="1000")
    living.send(**RESTS)
    assert within(20, lambda: _at_the_exchange(exchange)[1] == 2)
    set_at = exchange.sim.exchange.files[ACCOUNT].countdowns
    with switch(living, after_s=3_600, countdown_s=15) as deadman:
        deadman.look()
        first = set_at["BTCUSDT"]
        assert within(10, lambda: deadman.look() == [] and set_at["BTCUSDT"] > first), "it is set again and again"
        assert _at_the_exchange(exchange)[1] == 2
    with switch(living, after_s=3_600, countdown_s=2) as deadman:
        deadman.look()
        assert within(10, lambda: _at_the_exchange(exchange)[1] == 1)
    assert within(
        10,
        lambda: (
            [
                order.purpose.protects
                for order in living.house.database.read(lambda tx: orders_store.live_of(tx, living.account.id))
            ]
            == [True]
        ),
    ), "the books hear of it"


@pytest.mark.soak
def test_a_watcher_that_keeps_up_stops_is_taken_over_from(living: Living, exchange: RunningExchange) -> None:
    """It would renew its lease for ever; and what it may still have on the wire is waited for, more than a minute."""
    living.send(**OPEN, stop_loss="30000")
    assert within(20, lambda: _at_the_exchange(exchange) == ({"BTCUSDT": Decimal("0.01")}, 1))
    living.stop()
    variables = {"PILOTHOUSE_DATA": str(living.data), "PILOTHOUSE_DATABASE_URL": living.url}
    beside = open_beside(Settings.from_environment(variables))
    keeper = Keeper(beside, lease_for=timedelta(seconds=3))
    keeper.look()
    assert keeper.in_charge == {living.account.id}
    with switch(living) as deadman:

        def both() -> list[Done]:
            keeper.look()
            return deadman.look()

        assert within(150, both)
        assert _at_the_exchange(exchange) == ({}, 0)
        assert keeper.in_charge == frozenset()
    beside.close()
