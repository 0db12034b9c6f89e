"""From a fact to a person: what is told, in which order, how often, and what happens when nobody can be reached."""

import logging
import socket
from collections.abc import Callable
from datetime import timedelta

import pytest

from pilothouse.core.facts import Fact, FactKind
from pilothouse.execution import halts
from pilothouse.jobs.schedule import look_after_alarms, snapshot_equity
from pilothouse.kit import outbox
from pilothouse.notifications import deliver, raising, store
from pilothouse.notifications.addresses import read
from pilothouse.notifications.letters import Letter
from pilothouse.notifications.pace import PAUSES
from pilothouse.notifications.post import Post
from pilothouse.notifications.store import AlarmRecord, Telling
from pilothouse.notifications.try_out import NoAlarmAddress, try_out
from pilothouse.notifications.words import Grade
from pilothouse.observability import standing
from pilothouse.venues.paper_faults import Fault
from tests.receivers import Received, mailbox, webhook
from tests.stepped import Crash, Stepped

Open = Callable[..., Stepped]
DEAD = "json://127.0.0.1:1/nobody"
MINUTE = PAUSES[0]


def alarm(stepped: Stepped, code: str = "foreign_order", about: str = "", message: str = "seen") -> None:
    """Raise an alarm as any room does, and let the house go on."""
    payload = {"code": code, "about": about, "message": message}
    fact = Fact(FactKind.ALARM_RAISED, stepped.house.operator_id, stepped.clock.now(), stepped.account.id, payload)
    stepped.house.database.write(lambda tx: tx.announce(fact), name="alarm")
    stepped.run()


def later(stepped: Stepped, wait: timedelta) -> None:
    """Let time go by, and the house do what fell due."""
    stepped.clock.advance(wait.total_seconds())
    stepped.run()


def kept(stepped: Stepped) -> list[tuple[AlarmRecord, list[Telling]]]:
    """Return every alarm with what was told of it, newest first."""
    owner = stepped.house.operator_id
    return stepped.house.database.read(lambda tx: store.page(tx, owner, open_only=False, before=None, limit=100))


def test_an_alarm_says_what_happened_what_was_done_and_what_to_do(telling: Open, received: Received) -> None:
    """Woken at night, a person must not have to look up what it means."""
    stepped = telling(received.url)
    alarm(stepped, message="foreign order x1: BUY 1 BTCUSDT")

    [letter] = received.letters
    assert letter["title"] == "Pilothouse [warning] An order was found that was not made here (on paper)"
    for part in ("foreign order x1: BUY 1 BTCUSDT", "What was done: ", "What to do: ", "pilothouse alarm ack alm_"):
        assert part in letter["message"]


def test_the_same_alarm_is_told_once_counted_and_summed_up(telling: Open, received: Received) -> None:
    """A flood of messages hides the one that matters."""
    stepped = telling(received.url)
    for _ in range(5):
        alarm(stepped)
    assert len(received.letters) == 1

    later(stepped, MINUTE)
    assert len(received.letters) == 2
    assert "[warning, again]" in received.titles()[1]
    assert "Raised 5 times in 60 s" in received.letters[1]["message"]

    later(stepped, PAUSES[1] * 3)
    assert len(received.letters) == 2, "what did not happen again is not told again"
    assert kept(stepped)[0][0].pace.count == 5


def test_different_alarms_that_come_together_go_out_together(telling: Open, received: Received) -> None:
    """Ten messages a minute is what a service puts up with, and a person too."""
    stepped = telling(received.url)
    for number in range(40):
        alarm(stepped, about=f"COIN{number}")
    assert len(received.letters) == 1

    later(stepped, deliver.GAP)
    assert len(received.letters) == 2
    assert received.titles()[1] == "Pilothouse [warning] 39 alarms"
    assert "COIN1 " in received.letters[1]["message"]
    assert "And 19 more" in received.letters[1]["message"]
    assert all(one.arrived for _, told in kept(stepped) for one in told)


def test_what_stands_is_told_again_until_it_is_over_and_the_end_is_told(telling: Open, received: Received) -> None:
    """Who was woken by the beginning may sleep after the end."""
    stepped = telling(received.url)
    house, account = stepped.house, stepped.account
    house.database.write(
        lambda tx: halts.halt(tx, house.desk, account.id, account.owner_id, reason="1 is not 2", by="reconcile"),
        name="halt",
    )
    stepped.run()
    later(stepped, MINUTE)
    later(stepped, deliver.GAP)
    house.database.write(lambda tx: halts.resume(tx, house.desk, account.id, account.owner_id, by="me"), name="resume")
    stepped.run()
    later(stepped, PAUSES[-1])

    assert [title.split("]")[0] for title in received.titles()] == [
        "Pilothouse [critical",
        "Pilothouse [critical, again",
        "Pilothouse [over",
    ]
    assert "1 is not 2" in received.letters[0]["message"]


def test_an_alarm_that_somebody_has_seen_is_told_no_more(telling: Open, received: Received) -> None:
    """Whoever works on it already wants to work on it."""
    stepped = telling(received.url)
    alarm(stepped, "protection_refused")
    [(seen, _)] = kept(stepped)
    owner, now = stepped.house.operator_id, stepped.clock.now()
    stepped.house.database.write(lambda tx: raising.acknowledge(tx, owner, seen.id, "me", now), name="acknowledge")

    later(stepped, MINUTE)
    alarm(stepped, "protection_refused")
    later(stepped, PAUSES[1])

    assert len(received.letters) == 1
    assert kept(stepped)[0][0].pace.count == 2
    with pytest.raises(raising.AlarmNotFound):
        stepped.house.database.write(
            lambda tx: raising.acknowledge(tx, "usr_else", seen.id, "x", now), name="acknowledge"
        )


def test_a_dead_address_holds_up_no_other_and_is_reported_to_it(telling: Open, received: Received) -> None:
    """The address that works is the one that says that the other does not."""
    stepped = telling(DEAD, received.url)
    alarm(stepped)
    assert len(received.letters) == 1

    for _ in range(4):
        later(stepped, timedelta(seconds=60))
    assert any("cannot be reached" in title for title in received.titles())
    waits = [one for _, told in kept(stepped) for one in told if one.settled_at is None]
    assert {one.label.split(":")[0] for one in waits} == {"json"}
    assert all("Connection error" in (one.error or "") for one in waits)

    later(stepped, deliver.GIVEN_UP_AFTER + timedelta(minutes=10))
    given_up = [one for _, told in kept(stepped) for one in told if one.arrived is False]
    assert given_up, "what waited for a day is given up, and says so"


def test_what_did_not_arrive_is_sent_again_until_it_does(telling: Open, received: Received) -> None:
    """A service that is away for a minute must not cost the alarm."""
    stepped = telling(received.url)
    received.status = 503
    alarm(stepped)
    assert received.letters == []

    received.status = 200
    later(stepped, deliver.pause_after(1))
    assert len(received.letters) == 1
    [(_, [told])] = kept(stepped)
    assert (told.attempts, told.arrived) == (2, True)


@pytest.mark.parametrize("moment", ["before:alarm told", "alarm.raised", "alarm turn"])
def test_a_crash_between_raising_and_noting_loses_no_alarm(
    moment: str, telling: Open, received: Received, request: pytest.FixtureRequest
) -> None:
    """It is told at least once, whatever dies when; twice at most, when it died between sending and noting."""
    stepped = telling(received.url)
    stepped.fuse.lit, stepped.fuse.at_name = True, f"books {moment}"
    with pytest.raises(Crash):
        alarm(stepped)
    stepped.die()
    stepped.fuse.at_name = None

    stepped.open()
    for _ in range(4):
        later(stepped, timedelta(seconds=60))

    assert 1 <= len(received.letters) <= 2
    assert all(one.arrived for _, told in kept(stepped) for one in told)


def test_a_house_without_addresses_keeps_alarms_and_sends_nothing(telling: Open) -> None:
    """They are listed all the same, and no message waits for ever for an address that is not there."""
    stepped = telling()
    alarm(stepped)
    later(stepped, MINUTE)

    [(_, told)] = kept(stepped)
    assert told == []
    assert stepped.house.database.read(outbox.counts) == {"ready": 0, "leased": 0, "parked": 0}
    with pytest.raises(NoAlarmAddress):
        try_out(stepped.house.database, stepped.clock, stepped.house.post, stepped.house.operator_id, "me", None)


def test_an_address_that_was_taken_out_of_the_settings_is_told_nothing_more(telling: Open, received: Received) -> None:
    """Whoever was taken off the list was taken off for a reason."""
    stepped = telling(received.url)
    received.status = 503
    alarm(stepped)
    stepped.die()
    received.status = 200
    stepped.alarm_urls = ""
    stepped.open()
    later(stepped, timedelta(minutes=5))

    assert received.letters == []
    [(_, [told])] = kept(stepped)
    assert told.arrived is False


def test_an_order_that_stays_unknown_is_told_after_a_minute_and_so_is_its_end(
    telling: Open, received: Received
) -> None:
    """Money may be at work that nobody knows of."""
    stepped = telling(received.url)
    stepped.faults.arm(Fault.LOSE_REQUEST)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=10_000)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.01")

    stepped.pass_time(58, step=1)
    assert standing.look(stepped.house) == []
    stepped.pass_time(5, step=1)
    standing.look(stepped.house)
    stepped.run()
    standing.look(stepped.house)
    stepped.run()

    [letter] = received.letters
    assert letter["title"] == "Pilothouse [critical] Nobody knows what became of an order (BTCUSDT on paper)"

    stepped.faults.disarm()
    stepped.pass_time(20, step=1)
    assert standing.look(stepped.house) == []
    later(stepped, deliver.GAP)
    assert "[over]" in received.titles()[-1]


def test_a_daily_loss_and_a_full_disk_are_conditions_like_any_other(telling: Open) -> None:
    """Both are told while there is still something to be done."""
    assert [one.code for one in standing.about_disk(1_000_000, "usr_1")] == ["disk_low"]
    assert standing.about_disk(standing.DISK_FREE_LEAST, "usr_1") == []
    stepped = telling()
    house = stepped.house
    snapshot_equity(house)
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.5")
    stepped.limit(daily_loss_percent_max="0.01")

    assert [one.code for one in standing.look(house)] == ["daily_loss"]


def test_a_record_that_cannot_be_written_is_told_past_it_and_not_again_at_once(
    telling: Open, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes the alarm about itself as little as anything else."""
    stepped = telling(received.url)
    house = stepped.house
    monkeypatch.setattr(standing, "DISK_FREE_LEAST", 10**18)  # no disk is so large: there is something to be written
    house.database.close()

    look_after_alarms(house)
    assert received.titles() == [], "once may be a hiccup"
    look_after_alarms(house)
    look_after_alarms(house)

    assert received.titles() == ["Pilothouse [critical] The record cannot be written"]


def test_mail_arrives_as_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest way to reach somebody needs no account with anybody."""
    # The mail library asks the network what this machine is called, and a test speaks to this machine alone.
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "house.example.com")
    with mailbox() as box:
        [one] = read(box.url)
        assert Post([one]).send(one.key, Letter("Pilothouse [test] x", "y", Grade.WARNING)) == ""

        [mail] = box.mails
        assert mail["Subject"] == "Pilothouse [test] x"


def test_what_the_library_says_of_an_address_is_not_in_our_log() -> None:
    """It names hosts, users and topics; a log is read by more people than an alarm."""
    ours: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ours.append(record)

    listener = Listener()
    logging.getLogger().addHandler(listener)
    try:
        [one] = read(DEAD)
        said = Post([one]).send(one.key, Letter("t", "b", Grade.WARNING))
    finally:
        logging.getLogger().removeHandler(listener)

    assert "Connection error" in said
    assert ours == []


def test_a_test_reaches_every_address_and_says_which_did_not_take_it(telling: Open, received: Received) -> None:
    """An address is tried on a quiet day, or found wanting on the other kind."""
    stepped = telling(received.url, DEAD)
    house = stepped.house
    tried = try_out(house.database, stepped.clock, house.post, house.operator_id, "me", None)

    assert [one.arrived for one in tried] == [True, False]
    assert "[test]" in received.titles()[0]
    with webhook() as other:
        [one] = try_out(house.database, stepped.clock, house.post, house.operator_id, "me", other.url)
        assert one.arrived
        assert len(other.letters) == 1
    assert [record.code for record, _ in kept(stepped)] == ["test", "test"]
