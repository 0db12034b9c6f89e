"""Alerts that never came, came too late or out of order: what the desk notices, tells, and puts right by itself."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilothouse.accounts import hooks
from pilothouse.accounts.hook_settings import checked
from pilothouse.core.clock import iso
from pilothouse.core.errors import Invalid
from pilothouse.core.facts import FactKind
from pilothouse.fleet import expect
from pilothouse.fleet.store import SignalRecord, SignalState
from pilothouse.kit.clocks import FrozenClock
from pilothouse.migrations.migrate import migrate
from pilothouse.notifications import store as alarm_store
from pilothouse.observability import standing
from tests.conftest import NOON
from tests.stepped import Stepped

D = Decimal


class Strategy:
    """A strategy in one instrument, as TradingView sends its alerts; what it sends may be lost or held up."""

    def __init__(self, stepped: Stepped) -> None:
        """Begin flat."""
        self.stepped = stepped
        self.told: list[Any] = []
        self.position = D(0)
        self.number = 0
        stepped.house.database.bell.subscribe(self.told.extend)

    def alert(self, position: str, *, sent_at: float = 0.0, bar: float | None = None, **more: str) -> dict[str, str]:
        """Return the next alert; `sent_at` and `bar` in seconds from now."""
        now = self.stepped.clock.now()
        before, self.position = self.position, D(position)
        self.number += 1
        made = {
            "symbol": "BTCUSDT",
            "position_size": position,
            "order_action": "buy",
            "contracts": "1",
            "counter": str(self.number),
            "position_before": str(before),
            "timenow": iso(now + timedelta(seconds=sent_at)),
        }
        if bar is not None:
            made["bar_time"] = iso(now + timedelta(seconds=bar))
        return {**made, **more}

    def send(self, alert: dict[str, str]) -> SignalRecord:
        """Let an alert come, and the house do what follows."""
        taken = self.stepped.send(json.dumps(alert).encode())
        self.stepped.run()
        return self.stepped.outcome(taken.signal.id).signal

    def alarms(self) -> list[tuple[str, str]]:
        """Return (code, message) of every alarm that was raised so far."""
        raised = [one.fact.payload for one in self.told if one.fact.kind is FactKind.ALARM_RAISED]
        return [(str(one["code"]), str(one["message"])) for one in raised]

    def codes(self) -> list[str]:
        """Return the codes of every alarm."""
        return [code for code, _ in self.alarms()]


@pytest.fixture
def stepped(tables_url: str, tmp_path: Path, clock: FrozenClock) -> Iterator[Stepped]:
    """Yield an open house on either database."""
    house = Stepped(tmp_path / "data", tables_url, clock).open()
    yield house
    house.die()


@pytest.fixture
def strategy(stepped: Stepped) -> Strategy:
    """Return a strategy that trades BTCUSDT through the house's hook."""
    return Strategy(stepped)


def expecting(stepped: Stepped, **what: Any) -> str:
    """Let the house's hook expect something; returns its id."""
    house = stepped.house
    owner = house.operator_id
    hook = house.database.read(lambda tx: hooks.list_hooks(tx, owner))[0]
    now = stepped.clock.now()
    house.database.write(lambda tx: hooks.change(tx, owner, hook.id, {"expects": what or None}, now=now), name="expect")
    return hook.id


def look(stepped: Stepped) -> list[str]:
    """Let the house look at what is so now; returns the codes of all that a hook misses."""
    found = standing.look(stepped.house)
    stepped.run()
    return [one.code for one in found if one.code.startswith("hook_")]


# ── Order ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_older_alert_never_overrides_a_newer_one(stepped: Stepped, strategy: Strategy) -> None:
    """The network may turn two alerts round; the strategy's own times tell which of them holds."""
    first, second = strategy.alert("0.02", sent_at=-5), strategy.alert("0.05", sent_at=-1)
    strategy.send(second)
    late = strategy.send(first)

    assert late.state is SignalState.SUPERSEDED
    assert late.code == "older_alert"
    assert "it is older than the alert sig_" in late.message
    assert stepped.position("BTCUSDT") == D("0.05")


def test_a_superseded_alert_is_answered_as_done_and_made_no_order(stepped: Stepped, strategy: Strategy) -> None:
    """The sender must not send it again, and nothing is to be done for it."""
    first, second = strategy.alert("0.02", sent_at=-5), strategy.alert("0.05")
    strategy.send(second)
    outcome = stepped.outcome(strategy.send(first).id)

    assert outcome.success
    assert outcome.state == "noop"
    assert outcome.orders == ()


def test_of_two_alerts_of_one_second_the_bar_decides(stepped: Stepped, strategy: Strategy) -> None:
    """TradingView's clock tells seconds."""
    strategy.send(strategy.alert("0.05", bar=-60))

    assert strategy.send(strategy.alert("0.02", bar=-120)).state is SignalState.SUPERSEDED
    assert strategy.send(strategy.alert("0.03", bar=-60)).state is SignalState.DECIDED
    assert stepped.position("BTCUSDT") == D("0.03")


def test_alerts_that_tell_no_time_count_as_they_come(stepped: Stepped, strategy: Strategy) -> None:
    """Nobody can say more, and nothing that was taken before is refused now."""
    for size in ("0.05", "0.02"):
        alert = strategy.alert(size)
        del alert["timenow"]
        assert strategy.send(alert).state is SignalState.DECIDED
    assert stepped.position("BTCUSDT") == D("0.02")


def test_a_time_that_lies_ahead_makes_no_later_alert_look_old(stepped: Stepped, strategy: Strategy) -> None:
    """One alert with a wrong clock must not silence the strategy for years."""
    strategy.send(strategy.alert("0.05", sent_at=86_400))

    assert strategy.send(strategy.alert("0.02")).state is SignalState.DECIDED
    assert stepped.position("BTCUSDT") == D("0.02")


def test_instruments_and_hooks_are_put_in_order_apart(stepped: Stepped, strategy: Strategy) -> None:
    """An alert for one coin says nothing about another."""
    strategy.send(strategy.alert("0.05"))

    other = strategy.send({**strategy.alert("0.5", sent_at=-30), "symbol": "ETHUSDT"})

    assert other.state is SignalState.DECIDED
    assert stepped.position("ETHUSDT") == D("0.5")


def test_the_order_of_alerts_is_kept_over_a_restart(stepped: Stepped, strategy: Strategy) -> None:
    """The late one may come after it."""
    first, second = strategy.alert("0.02", sent_at=-5), strategy.alert("0.05")
    strategy.send(second)
    stepped.die()
    stepped.open()

    assert strategy.send(first).state is SignalState.SUPERSEDED


# ── Gaps and positions ────────────────────────────────────────────────────────────────────────────


def test_a_gap_in_the_numbers_is_told_and_the_next_state_puts_it_right(stepped: Stepped, strategy: Strategy) -> None:
    """An alert that never came leaves nothing behind but a hole in the count."""
    expecting(stepped, counter=True)
    strategy.send(strategy.alert("0.02"))
    strategy.alert("0.05")
    strategy.alert("0.01")
    strategy.send(strategy.alert("0.03"))

    code, message = strategy.alarms()[-1]
    assert code == "hook_gap"
    assert "numbers 2 to 3" in message
    assert "brings it there" in message
    assert stepped.position("BTCUSDT") == D("0.03")


def test_a_repeated_number_and_a_new_count_are_no_gap(stepped: Stepped, strategy: Strategy) -> None:
    """A strategy that is started again counts from one; a resent alert carries its old number."""
    expecting(stepped, counter=True)
    alert = strategy.alert("0.02")
    strategy.send(alert)
    strategy.send(alert)
    stepped.clock.advance(5)
    strategy.number = 0
    strategy.send(strategy.alert("0.03"))
    strategy.send(strategy.alert("0.04", sent_at=1))

    assert strategy.codes() == []


def test_a_late_alert_does_not_set_the_count_back(stepped: Stepped, strategy: Strategy) -> None:
    """Else the next one would look like a gap."""
    expecting(stepped, counter=True)
    first, second = strategy.alert("0.02", sent_at=-5), strategy.alert("0.05")
    strategy.send(second)
    strategy.send(first)
    strategy.send(strategy.alert("0.03", sent_at=1))

    assert strategy.codes() == []


def test_a_position_that_is_not_what_the_strategy_held_is_told_and_put_right(
    stepped: Stepped, strategy: Strategy
) -> None:
    """It says what it held before; if the account did not, an alert was missed, with numbers or without."""
    expecting(stepped, position=True)
    strategy.send(strategy.alert("0.02"))
    strategy.alert("0.05")
    strategy.send(strategy.alert("0.03"))

    code, message = strategy.alarms()[-1]
    assert code == "hook_disagrees"
    assert "held 0.05 BTCUSDT, the account 0.02" in message
    assert stepped.position("BTCUSDT") == D("0.03")


def test_a_position_that_stays_away_from_what_was_said_is_told_until_it_is_there(
    stepped: Stepped, strategy: Strategy
) -> None:
    """A hand, a stop or a refusal may be the reason; the strategy goes on as if nothing had happened."""
    expecting(stepped, position=True, within_s=30)
    strategy.send(strategy.alert("0.02"))
    stepped.alert(action="close", symbol="BTCUSDT")
    assert look(stepped) == []
    stepped.pass_time(31, step=8)
    strategy.send(strategy.alert("0.05"))
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01")
    stepped.pass_time(31, step=8)

    assert look(stepped) == ["hook_not_there"]
    assert look(stepped) == ["hook_not_there"]
    assert strategy.codes().count("hook_not_there") == 1, "it is told once"
    strategy.send(strategy.alert("0.04", position_before="0.06"))
    stepped.pass_time(31, step=8)
    assert look(stepped) == []
    still_open = stepped.house.database.read(lambda tx: alarm_store.open_alarms(tx, ["hook_not_there"]))
    assert still_open == []


def test_a_position_that_no_order_can_come_closer_to_is_no_fault(stepped: Stepped, strategy: Strategy) -> None:
    """Strategies count in fractions of a lot; an alarm that never ends is switched off."""
    expecting(stepped, position=True, within_s=30)
    strategy.send(strategy.alert("0.0205"))
    stepped.pass_time(31, step=8)
    strategy.send(strategy.alert("0.03"))

    assert strategy.codes() == []
    assert look(stepped) == []
    assert stepped.position("BTCUSDT") == D("0.03")


# ── Silence ───────────────────────────────────────────────────────────────────────────────────────


def test_a_hook_that_is_silent_for_too_long_raises_one_alarm_until_it_is_heard(
    stepped: Stepped, strategy: Strategy
) -> None:
    """An alert that TradingView stopped is noticed by nobody else."""
    expecting(stepped, every_s=300)
    stepped.clock.advance(299)
    assert look(stepped) == []
    stepped.clock.advance(2)
    assert look(stepped) == ["hook_silent"]
    assert look(stepped) == ["hook_silent"]
    assert strategy.codes() == ["hook_silent"]

    beat = strategy.send({"action": "heartbeat"})

    assert beat.state is SignalState.NOOP
    assert beat.message == "A sign of life: nothing was to do"
    assert look(stepped) == []
    stepped.clock.advance(301)
    assert look(stepped) == ["hook_silent"]


def test_any_alert_is_a_sign_of_life(stepped: Stepped, strategy: Strategy) -> None:
    """A strategy that trades needs no heartbeat beside it."""
    expecting(stepped, every_s=300)
    stepped.clock.advance(200)
    strategy.send(strategy.alert("0.02"))
    stepped.clock.advance(200)

    assert look(stepped) == []


def test_a_hook_that_expects_nothing_any_more_is_silent_without_an_alarm(stepped: Stepped) -> None:
    """Weekends, holidays, a strategy that was switched off."""
    expecting(stepped, every_s=300)
    stepped.clock.advance(400)
    assert look(stepped) == ["hook_silent"]
    expecting(stepped)

    assert look(stepped) == []


def test_a_heartbeat_needs_no_symbol_and_moves_nothing(stepped: Stepped, strategy: Strategy) -> None:
    """It comes every few minutes, for months."""
    strategy.send(strategy.alert("0.02"))
    before = len(stepped.orders())

    assert strategy.send({"action": "heartbeat", "symbol": "nonsense!"}).http_status == 200
    assert len(stepped.orders()) == before


def test_what_cannot_be_expected_is_refused_in_words() -> None:
    """A watch that was set up wrongly watches nothing."""
    wrong: tuple[Any, ...] = ({"every_s": 5}, {"every_s": "300"}, {"counter": "yes"}, {"within_s": 0}, {"unheard": 1})
    for came in (*wrong, {"within_s": None}, {}, []):
        with pytest.raises(Invalid, match="every_s"):
            checked({"expects": came})
    assert checked({"expects": {"counter": False}}) == {"expects": None}


# ── Any order ─────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(range(5)), lost=st.sets(st.integers(0, 3), max_size=2))
def test_in_whatever_order_alerts_come_the_newest_of_them_holds(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], lost: set[int]
) -> None:
    """And whatever was lost of them: the last state that came is the state."""
    place = tmp_path_factory.mktemp("order")
    url, clock = f"sqlite:///{place}/pilothouse.db", FrozenClock(NOON)
    migrate(url, backup_to=None, clock=clock)
    stepped = Stepped(place / "data", url, clock).open()
    strategy = Strategy(stepped)
    sizes = ("0.02", "-0.03", "0", "0.05", "-0.01")
    alerts = [strategy.alert(size, sent_at=number - 10) for number, size in enumerate(sizes)]
    for number in order:
        if number not in lost:
            strategy.send(alerts[number])
    stepped.pass_time(2, step=1)

    assert stepped.position("BTCUSDT") == D("-0.01")
    stepped.die()


def test_the_newest_is_told_by_the_time_it_was_sent_before_its_bar(stepped: Stepped, strategy: Strategy) -> None:
    """A four-hour bar that closes now opened before the five-minute bar that closed a moment ago."""
    strategy.send(strategy.alert("0.05", sent_at=-60, bar=-300))

    assert strategy.send(strategy.alert("0.02", bar=-14_400)).state is SignalState.DECIDED


def test_what_a_hook_misses_is_said_in_one_place(stepped: Stepped) -> None:
    """The API, the terminal and the alarm say the same sentence."""
    expecting(stepped, every_s=60)
    stepped.clock.advance(61)
    house = stepped.house
    now = stepped.clock.now()
    found = house.database.read(lambda tx: list(expect.missed(tx, house.desk, hooks.expecting(tx), now)))

    assert [one.code for one in found] == ["hook_silent"]
    assert "one is expected every 60 s" in found[0].message
