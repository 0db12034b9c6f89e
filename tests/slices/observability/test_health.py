"""How the house says that it is well, and what it says when it is not."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from pilothouse import __version__
from pilothouse.core.clock import millis
from pilothouse.execution.tables import orders
from pilothouse.fleet.tables import protections
from pilothouse.kit import schema
from pilothouse.ledger.tables import balances
from pilothouse.observability import gauges, health, watch
from tests.slices.observability.conftest import trade
from tests.stepped import Stepped


@pytest.fixture
def house(database_url: str, traded_on: Callable[[str], Stepped]) -> Stepped:
    """Return a healthy house over a database that was migrated as a real start does it."""
    stepped = traded_on(database_url)
    trade(stepped)
    return stepped


def failing(ready: health.Ready) -> dict[str, str]:
    """Return what is not well, in words by name."""
    return {check.name: check.words for check in ready.checks if not check.ok}


def test_a_house_that_is_open_is_alive_ready_and_healthy(house: Stepped) -> None:
    """Monitors of the older wire format look for status, timestamp in milliseconds, and version."""
    watch.run(house.house)

    ok, checks = health.ready(house.house)
    told = health.report(house.house)

    assert health.live() == {"status": "alive", "version": __version__}
    assert ok, failing(health.Ready(ok, checks))
    assert (told["status"], told["version"]) == ("healthy", __version__)
    assert told["timestamp"] == millis(house.clock.now())
    assert {check.name for check in checks} <= told["checks"].keys()
    assert json.loads(json.dumps(told)) == told, "plain data"


def test_a_simulated_market_is_named_as_simulated(house: Stepped) -> None:
    """Nobody may take made-up prices for real ones, here neither."""
    told = health.report(house.house)

    assert "simulated" in told["markets"]["paper"]
    assert "simulated" in told["checks"]["quotes_paper"]["words"]


def test_nothing_secret_and_no_account_is_told_to_strangers(house: Stepped) -> None:
    """Anybody may ask how the house is; whose accounts are in trouble is not their matter."""
    with_trouble = update(balances).values(wallet=1)
    house.house.database.write(lambda tx: tx.execute(with_trouble).close(), name="plant")
    watch.run(house.house)
    assert house.facts is not None

    told = json.dumps(health.report(house.house))

    for hidden in (*house.facts.as_dict().values(), house.house.operator_id, "acc_", "usr_"):
        assert hidden not in told


def test_old_quotes_take_the_house_out_of_service(house: Stepped) -> None:
    """Every order would be refused for its price, so alerts are better sent elsewhere or later."""
    house.clock.advance(11)

    assert failing(health.ready(house.house)).keys() == {"quotes_paper"}
    assert health.report(house.house)["status"] == "unhealthy"
    house.pass_time(1)
    assert health.ready(house.house).ok


def test_missing_quotes_take_the_house_out_of_service(house: Stepped) -> None:
    """At the very start nobody has said a price yet."""
    house.house.quotes.forget("paper")

    assert "there is no price yet" in failing(health.ready(house.house))["quotes_paper"]


def test_a_house_that_stops_is_not_ready(house: Stepped) -> None:
    """Whoever balances load sends nothing more to a house that is about to close."""
    house.house.desk.lanes.close()

    assert "stopping" in failing(health.ready(house.house))["dispatcher"]


def test_a_closed_database_is_not_ready_and_still_answers(house: Stepped) -> None:
    """The question must never fail, least of all when the answer is bad."""
    house.house.database.close()

    assert "writer" in failing(health.ready(house.house))
    assert health.report(house.house)["status"] == "unhealthy"


def test_a_database_at_another_revision_is_not_ready(house: Stepped) -> None:
    """Somebody migrated it under the running house: its statements no longer fit."""
    newer = text("UPDATE alembic_version SET version_num = '0999'")
    house.house.database.write(lambda tx: tx.execute(newer).close(), name="plant")

    words = failing(health.ready(house.house))["database"]
    assert words == f"the database is at revision 0999, the code at {schema.HEAD}"


def test_trouble_that_does_not_stop_the_house_is_degraded(house: Stepped) -> None:
    """It still takes alerts, so it stays in service; but a person should look."""
    unknown = update(orders).where(orders.c.symbol == "SOLUSDT").values(state="unknown")
    house.house.database.write(lambda tx: tx.execute(unknown).close(), name="plant")

    told = health.report(house.house)

    assert health.ready(house.house).ok
    assert told["status"] == "degraded"
    assert told["checks"]["unknown_orders"] == {"ok": False, "words": "orders whose outcome is being asked for: 1"}


def test_a_broken_invariant_is_degraded_and_counted(house: Stepped) -> None:
    """The name is enough for a monitor; the numbers are for who may see the account."""
    wrong = update(balances).values(wallet=1)
    house.house.database.write(lambda tx: tx.execute(wrong).close(), name="plant")
    watch.run(house.house)

    told = health.report(house.house)

    assert told["status"] == "degraded"
    assert told["checks"]["invariants"]["words"] == "broken: positions_are_folds"
    assert not told["checks"]["halts"]["ok"]
    assert metric(house, 'pilothouse_invariants_broken{invariant="positions_are_folds"}') == 1
    assert metric(house, 'pilothouse_invariants_broken{invariant="ledger_balances"}') == 0


def metric(house: Stepped, name: str) -> float:
    """Return what Prometheus would read under `name`."""
    lines = house.house.meters.text().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])


def test_gauges_say_what_the_record_says(house: Stepped) -> None:
    """They are counted when they are asked for, so a restart or a second process cannot make them drift."""
    since = house.clock.now() - timedelta(seconds=3)
    unknown = update(orders).where(orders.c.symbol == "SOLUSDT").values(state="unknown")
    for statement in (unknown, update(protections).values(unprotected_since=since)):
        house.house.database.write(lambda tx, it=statement: tx.execute(it).close(), name="plant")  # type: ignore[misc]  # a lambda in a loop

    gauges.set_gauges(house.house)

    filled = sum(1 for order in house.orders() if order.state == "filled")
    assert metric(house, 'pilothouse_orders{state="filled"}') == filled > 0
    assert metric(house, 'pilothouse_orders{state="unknown"}') == 1
    assert metric(house, 'pilothouse_orders{state="rejected"}') == 0
    assert metric(house, "pilothouse_unknown_orders") == 1
    assert metric(house, "pilothouse_unprotected_seconds") == 3
    assert metric(house, "pilothouse_accounts_halted") == 0
    assert metric(house, "pilothouse_outbox_parked") == 0
    assert metric(house, "pilothouse_outbox_lag_seconds") == 0
    assert 0 <= metric(house, 'pilothouse_quote_age_seconds{symbol="BTCUSDT",venue="paper"}') < 1
