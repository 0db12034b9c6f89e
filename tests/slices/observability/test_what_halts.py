"""What a broken law stops: an account, a user or the house; and that slowness alone stops nothing."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from pilothouse.execution import halt_store, halts
from pilothouse.execution.halt_store import Halt
from pilothouse.execution.limit_sets import Level
from pilothouse.fleet.tables import protections, signals
from pilothouse.kit import outbox
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Tx
from pilothouse.kit.tables import outbox as messages
from pilothouse.kit.tables import records
from pilothouse.notifications import store as alarms
from pilothouse.observability import watch
from pilothouse.observability.invariants.rule import Finding, Gravity, Memory
from tests.slices.observability.conftest import trade
from tests.stepped import Stepped


@pytest.fixture
def house(_sqlite_template: Path, tmp_path: Path, clock: FrozenClock) -> Iterator[Stepped]:
    """Yield a healthy house that has traded; the laws themselves are asked on both databases elsewhere."""
    shutil.copyfile(_sqlite_template, tmp_path / "books.sqlite")
    stepped = Stepped(tmp_path / "data", f"sqlite:///{tmp_path / 'books.sqlite'}", clock).open()
    trade(stepped)
    yield stepped
    stepped.die()


def _halt(stepped: Stepped) -> Halt | None:
    owner = stepped.account.owner_id
    return stepped.house.database.read(lambda tx: halt_store.halted(tx, stepped.account.id, owner))


def _run(stepped: Stepped, invariant: str) -> list[Finding]:
    """Look once, and return what that law finds; of messages, without what tells of findings."""
    found = [one for one in watch.run(stepped.house) if one.invariant == invariant]
    return [one for one in found if not one.numbers.get("topic", "").startswith("invariant")]


def _later(stepped: Stepped, seconds: float) -> None:
    """Let time pass in which the market goes on and nobody works."""
    stepped.clock.advance(seconds)
    assert stepped.house.paper is not None, "a house with a paper venue"
    stepped.house.paper.step(stepped.clock.now())
    stepped._written()


def _put(stepped: Stepped, number: int) -> None:
    """Write a message that nobody will deliver."""
    account, now = stepped.account.id, stepped.clock.now()
    payload = {"account_id": account, "symbol": "NOTHING", "number": number}
    stepped.house.database.write(
        lambda tx: outbox.put(tx, "instrument.moved", key=account, payload=payload, now=now), name="plant"
    )


def _undecided(stepped: Stepped) -> None:
    first = select(signals.c.id).order_by(signals.c.id).limit(1).scalar_subquery()
    change = update(signals).where(signals.c.id == first)
    change = change.values(state="pending", received_at=stepped.clock.now())
    stepped.house.database.write(lambda tx: tx.execute(change).close(), name="plant")


def test_an_alert_that_is_stuck_halts_its_account_and_one_that_is_late_does_not(house: Stepped) -> None:
    """A minute is a slow machine; ten, in every look, is an alert that nobody will ever decide."""
    _undecided(house)
    seen = []
    for _ in range(12):
        _later(house, 60)
        seen.append([one.gravity for one in _run(house, "every_alert_has_an_outcome")])
        if _halt(house) is not None:
            break

    assert seen[0] == []
    assert seen[1] == [Gravity.LATE]
    assert seen[-1] == [Gravity.BREACH]
    assert len(seen) == 11
    halt = _halt(house)
    assert halt is not None
    assert (halt.level, halt.by) == (Level.ACCOUNT, "watch")
    assert "every_alert_has_an_outcome" in halt.reason


def test_a_machine_that_slept_is_not_halted_for_what_it_missed(house: Stepped) -> None:
    """The first look after an hour of sleep comes before the first turn."""
    _undecided(house)
    _put(house, 1)
    _later(house, 3_600)

    assert [one.gravity for one in _run(house, "every_alert_has_an_outcome")] == [Gravity.LATE]
    assert [one.gravity for one in _run(house, "outbox_moves")] == [Gravity.LATE]
    assert _halt(house) is None


def test_an_alert_without_a_price_is_told_and_halts_nothing(house: Stepped) -> None:
    """When the market is away nobody can decide; a halt would outlast it."""
    _undecided(house)
    for _ in range(15):
        house.clock.advance(60)
        found = _run(house, "every_alert_has_an_outcome")

    assert [one.gravity for one in found] == [Gravity.LATE]
    assert "there is no price" in found[0].words
    halt = _halt(house)
    assert halt is None or "every_alert" not in halt.reason


def test_work_that_does_not_move_halts_and_work_that_moves_slowly_does_not(house: Stepped) -> None:
    """A backlog that drains is a slow machine; one whose first message stays is a broken one."""
    for number in range(20):
        _put(house, number)
    _later(house, 700)
    for _ in range(4):  # slow: each minute one of them is done
        assert [one.gravity for one in _run(house, "outbox_moves")] == [Gravity.LATE]
        due = (messages.c.topic == "instrument.moved") & (messages.c.available_at <= house.clock.now())
        first = select(messages.c.id).where(due).order_by(messages.c.id).limit(1).scalar_subquery()
        gone = update(messages).where(messages.c.id == first)
        gone = gone.values(available_at=house.clock.now() + timedelta(days=1))
        house.house.database.write(lambda tx, gone=gone: tx.execute(gone).close(), name="done")  # type: ignore[misc]  # a default binds the loop variable
        _later(house, 60)
    assert _halt(house) is None

    gravities = []
    for _ in range(3):
        gravities += [one.gravity for one in _run(house, "outbox_moves")]
        _later(house, 60)
    assert gravities == [Gravity.LATE, Gravity.LATE, Gravity.BREACH]
    assert _halt(house) is not None


def test_an_alarm_that_cannot_be_told_halts_nobody(house: Stepped) -> None:
    """The network of a chat service is no reason to stop trading."""
    now = house.clock.now()
    house.house.database.write(
        lambda tx: outbox.put(tx, "alarm.tell", key="json:1", payload={"address": "json:1"}, now=now), name="plant"
    )
    for _ in range(15):
        _later(house, 60)
        found = _run(house, "outbox_moves")
    assert [one.gravity for one in found] == [Gravity.LATE]
    assert _halt(house) is None


def test_a_position_that_was_late_and_is_a_breach_now_halts(house: Stepped) -> None:
    """A look at the right moment finds it late first; that must not keep the halt away for ever."""
    since = house.clock.now() - timedelta(seconds=20)
    naked = update(protections).values(unprotected_since=since)
    house.house.database.write(lambda tx: tx.execute(naked).close(), name="plant")
    assert [one.gravity for one in _run(house, "protection_stands")] == [Gravity.LATE]
    house.run()
    assert _halt(house) is None

    _later(house, 60)
    assert [one.gravity for one in _run(house, "protection_stands")] == [Gravity.BREACH]

    halt = _halt(house)
    assert halt is not None
    assert "protection_stands" in halt.reason
    house.run()
    owner = house.account.owner_id
    told = house.house.database.read(lambda tx: alarms.page(tx, owner, open_only=True, before=None, limit=50))
    assert [(one.grade, one.pace.count) for one, _ in told if one.code == "invariant.protection_stands"] == [
        ("critical", 2)
    ]


def test_the_seconds_of_the_house_hold_where_an_account_has_said_nothing(house: Stepped) -> None:
    """Who lets the house wait thirty seconds must not be told after five."""
    since = house.clock.now() - timedelta(seconds=20)
    naked = update(protections).values(unprotected_since=since)
    house.house.database.write(lambda tx: tx.execute(naked).close(), name="plant")

    patient = replace(house.house, desk=replace(house.house.desk, protect_within_s=30), remembered=Memory())
    assert [one for one in watch.run(patient) if one.invariant == "protection_stands"] == []
    hasty = replace(house.house, desk=replace(house.house.desk, protect_within_s=10), remembered=Memory())
    assert [one.gravity for one in watch.run(hasty) if one.invariant == "protection_stands"] == [Gravity.LATE]


def _spoil(stepped: Stepped, chain: str) -> None:
    """Change the last row of a chain, or write one where there is none."""
    house = stepped.house
    if stepped.house.database.read(lambda tx: tx.execute(select(records).where(records.c.chain == chain)).first()):
        change = update(records).where(records.c.chain == chain).values(body="[]")
        house.database.write(lambda tx: tx.execute(change).close(), name="spoil")
        return
    house.database.write(lambda tx: tx.record(chain, chain, "said", {"words": "as it was"}), name="record")
    _spoil(stepped, chain)


@pytest.mark.parametrize("whose", ["account", "user", "house"])
def test_a_spoiled_record_halts_whom_it_concerns(house: Stepped, whose: str) -> None:
    """Who can change the record can change the books: nothing adds until a person has looked."""
    chains = {"account": house.account.id, "user": house.account.owner_id, "house": "somewhere"}
    _spoil(house, chains[whose])
    watch.run(house.house)

    halt = _halt(house)
    assert halt is not None
    assert halt.level.value == whose
    assert "record_is_whole" in halt.reason


def test_who_resumes_after_a_spoiled_record_is_not_halted_again_by_a_restart(house: Stepped) -> None:
    """What was spoiled stays so for ever: it must not halt the account with every update."""
    _spoil(house, house.account.id)
    watch.run(house.house)
    assert _halt(house) is not None

    def resume(tx: Tx) -> None:
        halts.resume(tx, house.house.desk, house.account.id, house.account.owner_id, by="operator")

    house.house.database.write(resume, name="resume")
    restarted = replace(house.house, remembered=Memory())
    assert [one for one in watch.run(restarted) if one.invariant == "record_is_whole"], "it is still found, and told"
    assert _halt(house) is None
