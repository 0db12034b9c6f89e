"""A clock that is ten minutes wrong: what the user sees, and that nothing is doubled, and nothing old is traded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.accounts import hooks
from pilothouse.cli import up
from pilothouse.core.clock import iso
from pilothouse.execution import halt_store, send
from pilothouse.fleet import protect, protections
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.escalate import Did, escalate
from pilothouse.jobs.embedded import recover
from pilothouse.jobs.schedule import look_at_clock, watch_levels
from pilothouse.kit import outbox
from pilothouse.kit.clocks import SystemClock
from pilothouse.kit.settings import Settings
from pilothouse.migrations.migrate import migrate
from pilothouse.notifications import store as alarms
from pilothouse.observability import standing, watch
from pilothouse.venues.paper_faults import Fault
from pilothouse.wiring.build import Parts, build
from pilothouse.wiring.house import House
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange
from tests.stepped import Stepped

TEN = timedelta(minutes=10)
BTC = "BTCUSDT"
OPEN: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "BUY", "quantity": "0.010"}


class WrongClock(SystemClock):
    """The clock of a machine that is set wrong; its monotonic count is right, as on any machine."""

    def __init__(self, ahead: timedelta) -> None:
        """Be so far ahead; below zero: behind."""
        self.ahead = ahead

    def now(self) -> datetime:
        """Return the wrong time."""
        return super().now() + self.ahead


@dataclass
class Mistimed(Living):
    """A running house on such a machine, with an account at an exchange whose clock is right."""

    clock: WrongClock = field(default_factory=lambda: WrongClock(timedelta(0)))

    def built(self) -> House:
        """Return a house with the wrong clock."""
        settings = Settings.from_environment({"PILOTHOUSE_DATA": str(self.data), "PILOTHOUSE_DATABASE_URL": self.url})
        migrate(settings.database_url, backup_to=None, clock=SystemClock())
        return build(settings, Parts(process=self.process, clock=self.clock))


@pytest.fixture(params=[TEN, -TEN], ids=["ten minutes ahead", "ten minutes behind"])
def mistimed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Mistimed, RunningExchange]]:
    """Yield a house that is heard at its exchange, although its clock is wrong; its hook takes alerts of a minute."""
    with RunningExchange(profile="aster") as exchange:
        exchange.control("POST", "accounts", wallet=WALLET)
        books = f"sqlite:///{tmp_path / 'books.sqlite'}"
        with Mistimed(tmp_path / "data", books, exchange.base, clock=WrongClock(request.param)) as house:
            assert within(20, house.is_heard), "the account is compared and heard all the same"
            house.house.venues[house.key].follow([BTC])
            assert within(10, lambda: house.house.quotes.all(house.key))
            _takes_fresh_alerts_alone(house.house)
            yield house, exchange


def _takes_fresh_alerts_alone(house: House) -> None:
    owner = house.operator_id

    def work(tx: Any) -> None:
        for hook in hooks.list_hooks(tx, owner):
            hooks.change(tx, owner, hook.id, {"max_age_s": 60}, now=house.clock.now())

    house.database.write(work, name="hooks")


def _placed(exchange: RunningExchange) -> int:
    told = exchange.control("GET", "requests")
    return len([one for one in told if one["path"].endswith("/order") and one["method"] == "POST"])


def test_fresh_alerts_are_traded_once_and_old_ones_are_not(mistimed: tuple[Mistimed, RunningExchange]) -> None:
    """The venue's clock says how old an alert is and stamps the requests; and a person is told to set this one."""
    house, exchange = mistimed
    now = datetime.now(UTC)

    fresh = house.alert(20, **OPEN, timenow=iso(now))
    assert fresh.state is AnswerState.FILLED, fresh.message
    # An answer is lost: asked about by its id, in the venue's time, and not sent again.
    exchange.control("POST", "faults", kind="unknown", method="POST", path="order", times=1)
    doubted = house.alert(20, **OPEN, timenow=iso(now + timedelta(seconds=1)))
    assert doubted.state is AnswerState.FILLED, doubted.message
    for age in (TEN, 2 * TEN, timedelta(seconds=90)):
        old = house.alert(20, **OPEN, timenow=iso(now - age))
        assert (old.state, old.signal.code) == (AnswerState.REFUSED, "stale_alert"), (age, old.message)

    assert _placed(exchange) == 2
    assert house.position(BTC) == Decimal("0.020")
    assert within(10, lambda: "clock" in _told(house.house)), "told by the house itself"
    seconds = int("".join(each for each in _told(house.house).split(" s ")[0] if each.isdigit()))
    assert abs(seconds - 600) < 30


def _told(house: House) -> str:
    found = house.database.read(lambda tx: alarms.page(tx, house.operator_id, open_only=True, before=None, limit=50))
    return next((one.message for one, _ in found if one.code == "clock_off"), "")


def test_the_clock_of_a_venue_that_is_not_open_yet_is_not_asked_for(stepped: Stepped) -> None:
    """Alerts are taken in before venues are open, each in a unit of work: opened in it, each would be answered 500."""
    house = stepped.house
    assert house.database.write(lambda _: house.desk.clock_ahead("aster"), name="asked") == timedelta(0)
    assert "aster" not in house.venues


def test_a_clock_that_is_set_right_ends_the_alarm(stepped: Stepped) -> None:
    """A venue of this house has no clock of its own: there is nothing to differ from, and nothing is told."""
    assert standing.about_clocks(stepped.house) == []


@pytest.mark.parametrize("jump", [TEN, -TEN], ids=["forward", "back"])
def test_the_same_body_again_is_the_same_alert_when_the_clock_is_set_meanwhile(
    stepped: Stepped, jump: timedelta
) -> None:
    """TradingView sends again after seconds; what a daemon did to the clock between them is no second alert."""
    body = json.dumps(OPEN).encode()
    first = stepped.send(body)
    stepped.run()
    stepped.clock.advance(3)
    stepped.clock.jump(jump)
    again = stepped.send(body)
    stepped.pass_time(2)

    assert again.duplicate
    assert again.signal.id == first.signal.id
    assert len(stepped.orders()) == 1
    assert stepped.position(BTC) == Decimal("0.010")


@pytest.mark.parametrize("jump", [TEN, -TEN], ids=["forward", "back"])
def test_the_same_body_again_is_the_same_alert_when_the_house_was_started_again_meanwhile(
    stepped: Stepped, jump: timedelta
) -> None:
    """What a process remembered is gone with it; how long ago the body came, the machine still knows."""
    body = json.dumps(OPEN).encode()
    first = stepped.send(body)
    stepped.run()
    stepped.die()
    stepped.clock.advance(3)
    stepped.clock.jump(jump)
    stepped.open()
    again = stepped.send(body)
    stepped.pass_time(2)

    assert again.duplicate
    assert again.signal.id == first.signal.id
    assert stepped.position(BTC) == Decimal("0.010")

    stepped.pass_time(600, step=100)
    assert not stepped.send(body).duplicate, "ten minutes later it is another one"


def test_a_new_alert_of_the_same_body_is_no_repetition_because_the_clock_went_back(stepped: Stepped) -> None:
    """Ten minutes later by every other clock; taken for a repetition, it would be lost."""
    body = json.dumps(OPEN).encode()
    stepped.send(body)
    stepped.run()
    stepped.pass_time(600, step=100)
    stepped.clock.jump(-TEN)
    stepped.pass_time(1)
    again = stepped.send(body)
    stepped.pass_time(2)

    assert not again.duplicate
    assert stepped.position(BTC) == Decimal("0.020")


def test_an_alert_from_the_future_has_no_age_that_anybody_knows(stepped: Stepped) -> None:
    """At a venue without a clock of its own, a clock that is behind shows itself only so."""
    _takes_fresh_alerts_alone(stepped.house)
    now = stepped.clock.now()

    assert stepped.alert(**OPEN, timenow=iso(now + timedelta(seconds=30))).state is AnswerState.FILLED
    refused = stepped.alert(**OPEN, timenow=iso(now + TEN))
    assert (refused.state, refused.signal.code) == (AnswerState.REFUSED, "stale_alert")
    assert "clock or the sender's is wrong" in refused.message


def test_the_start_says_that_the_clock_is_behind_the_books(stepped: Stepped) -> None:
    """A machine whose battery is empty wakes up in the past."""
    stepped.alert(**OPEN)
    assert up._about_clock(stepped.house) == []
    stepped.clock.jump(-TEN)

    said = " ".join(up._about_clock(stepped.house))

    assert "clock is 600 s behind what these books saw last" in said
    assert "timedatectl" in said


def test_what_waits_is_due_as_soon_as_before_when_the_clock_is_set_back(stepped: Stepped) -> None:
    """A question that is to be asked again in a moment would wait for as long as the clock was wrong, a stop too."""
    house = stepped.house
    now = stepped.clock.now()
    house.database.write(
        lambda tx: outbox.put(
            tx, "drive", key="a", payload={}, now=now, available_at=now + timedelta(seconds=30), dedupe_key="a"
        ),
        name="put",
    )
    stepped.clock.jump(-TEN)
    stepped.clock.advance(5)
    look_at_clock(house)

    due = house.database.read(lambda tx: outbox.next_due(tx, frozenset({"drive"})))
    assert due == stepped.clock.now() + timedelta(seconds=25)
    look_at_clock(house)
    assert house.database.read(lambda tx: outbox.next_due(tx, frozenset({"drive"}))) == due, "set back once"


def test_what_waits_since_the_future_is_due_when_the_house_starts(stepped: Stepped) -> None:
    """The clock may be set back while nobody looks; nobody knows then how long it has waited."""
    now = stepped.clock.now() + TEN
    stepped.house.database.write(
        lambda tx: outbox.put(
            tx, "drive", key="a", payload={}, now=now, available_at=now + timedelta(seconds=5), dedupe_key="a"
        ),
        name="put",
    )
    recover(stepped.house)
    due = stepped.house.database.read(lambda tx: outbox.next_due(tx, frozenset({"drive"})))
    assert due == stepped.clock.now()


# ── Since when something is held ──────────────────────────────────────────────────────────────────


def _filled_and_not_looked_at(stepped: Stepped) -> None:
    """Open a position, and leave its first turn undone: nobody has noted yet that its stop lacks."""
    stepped.send(json.dumps({**OPEN, "stop_loss": "5%", "alert_id": "1"}).encode())
    desk = stepped.house.desk
    assert desk.lanes.work_once(lambda batch: send.send_batch(desk, batch)), "its order is in its lane"
    stepped.house.database.write(lambda _: None, name="barrier")
    assert stepped.position(BTC) == Decimal("0.010")
    record = stepped.house.database.read(lambda tx: protections.of(tx, stepped.account.id, BTC))
    assert record is not None
    assert (record.position_opened, record.unprotected_since) == (None, None)


def _naked(stepped: Stepped) -> tuple[list[str], float]:
    """Return what the invariant says of it, and for how long whoever asks is told that it lacks."""
    house, trader = stepped.house, stepped.trader
    found = [str(one.gravity) for one in watch.survey(house) if one.invariant == "protection_stands"]
    told = house.database.read(lambda tx: protect.standing(tx, house.desk, trader, BTC))
    return found, told.unprotected.total_seconds()


@pytest.mark.parametrize("jump", [TEN, -TEN], ids=["forward", "back"])
def test_a_position_nobody_has_looked_at_is_not_halted_nor_forgotten_for_a_clock(
    stepped: Stepped, jump: timedelta
) -> None:
    """Forward, an account was halted for a stop that was on its way; back, a stop that never came was not missed."""
    _filled_and_not_looked_at(stepped)
    stepped.clock.jump(jump)
    assert _naked(stepped) == ([], 0)

    stepped.clock.advance(8)
    assert _naked(stepped) == (["late"], 8)
    assert stepped.house.database.read(lambda tx: halt_store.halted(tx, stepped.account.id)) is None
    stepped.clock.advance(60)
    assert _naked(stepped) == (["breach"], 68)


@pytest.mark.parametrize("jump", [TEN, -TEN], ids=["forward", "back"])
def test_a_position_without_its_stop_counts_anew_when_its_machine_was_started_anew(
    stepped: Stepped, jump: timedelta
) -> None:
    """What the clock did while the machine was down nobody knows: the stop is tried again before anything is closed."""
    stepped.faults.arm(Fault.LOSE_REQUEST, pass_first=1, times=1_000)
    stepped.send(json.dumps({**OPEN, "stop_loss": "5%", "alert_id": "1"}).encode())
    stepped.run()
    stepped.die()
    stepped.clock.boot = "another"
    stepped.clock.jump(jump)
    stepped.open()
    house, trader = stepped.house, stepped.trader

    def watched() -> Did:
        return house.database.write(lambda tx: escalate(tx, house.desk, trader, BTC), name="watch")

    assert watched() is Did.WAITS
    stepped.clock.advance(4)
    assert watched() is Did.WAITS
    stepped.clock.advance(2)
    assert watched() is Did.TRIED_OTHERWISE
    stepped.faults.disarm()


@pytest.mark.parametrize("jump", [TEN, -TEN], ids=["forward", "back"])
def test_a_time_stop_counts_what_has_passed_and_not_what_a_clock_says(stepped: Stepped, jump: timedelta) -> None:
    """Forward, a position was closed minutes before its time; back, it stayed open minutes beyond it."""
    stepped.alert(**OPEN, time_stop_s=60)
    for _ in range(20):
        _looked_at(stepped)
    stepped.clock.jump(jump)
    for _ in range(38):
        _looked_at(stepped)
    assert stepped.position(BTC) == Decimal("0.010"), "a minute has not passed yet"
    for _ in range(4):
        _looked_at(stepped)
    assert stepped.position(BTC) == 0


def _looked_at(stepped: Stepped) -> None:
    """Let a second pass, and look at levels as the schedule does."""
    stepped.pass_time(1, step=1)
    watch_levels(stepped.house)
    stepped.run()
