"""A message that fails is delivered again, and put aside only if it is the message that is to blame."""

from datetime import timedelta
from typing import Any

import pytest

from pilothouse.backtest.pieces import PIECE_TOPIC
from pilothouse.core.errors import Unavailable
from pilothouse.core.facts import FactKind
from pilothouse.jobs.giving_back import FAILURES_MAX, give_back
from pilothouse.kit import outbox
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.outbox import Message
from pilothouse.marketdata.quotes import QuoteMissing
from pilothouse.wiring.benches import BenchesClosed, BenchGone

MINUTE = timedelta(minutes=1)
OWN = ValueError("this piece cannot be computed")


class Away(Unavailable):
    """The other side is not there."""

    code = "away"


@pytest.fixture
def waiting(database: Database, clock: FrozenClock) -> Database:
    """Return a database in which one piece of a sweep waits, and alarms are heard."""
    database.heard_kinds.add(FactKind.ALARM_RAISED.value)
    database.write(
        lambda tx: outbox.put(tx, PIECE_TOPIC, key="bt_1", payload={"backtest_id": "bt_1"}, now=clock.now()), name="put"
    )
    return database


def claimed(database: Database, topic: str = PIECE_TOPIC) -> list[Message]:
    """Take what is due, as the next process does."""
    now = database.clock.now()
    return database.write(
        lambda tx: outbox.claim(tx, owner="one", topics=[topic], limit=9, now=now, lease_for=MINUTE), name="claim"
    )


def given_back(database: Database, error: Exception, **told: Any) -> None:
    """Claim it and give it back."""
    [message] = claimed(database)
    now = database.clock.now()
    database.write(lambda tx: give_back(tx, message, error, now, "usr_1", **told), name="give back")


def test_a_piece_that_is_given_back_by_stopping_processes_is_no_nearer_to_being_put_aside(
    waiting: Database, clock: FrozenClock
) -> None:
    """Workers are started anew at every upgrade; a long sweep must not be lost for it."""
    for _ in range(2 * FAILURES_MAX):
        given_back(waiting, OWN, stopping=True)  # due at once: somebody else goes on with it
    for error in (Away("the database is away"), BenchesClosed("the house is stopping")) * FAILURES_MAX:
        given_back(waiting, error)
        clock.advance(MINUTE)
    [message] = claimed(waiting)
    clock.advance(2 * MINUTE)
    assert (message.attempt, message.suspect) == (4 * FAILURES_MAX + 1, 1)

    # That one died. What dies, fails by itself or is left by its bench may be to blame.
    given_back(waiting, BenchGone("killed by signal 9"))
    clock.advance(MINUTE)
    for _ in range(FAILURES_MAX - 3):
        given_back(waiting, OWN)
        assert claimed(waiting) == []  # not at once: what fails is not tried all day long
        clock.advance(MINUTE)
    assert waiting.read(outbox.counts)["parked"] == 0
    given_back(waiting, OWN)
    [shown] = waiting.read(outbox.parked)
    assert shown.error == "ValueError: this piece cannot be computed"


def test_what_misses_a_price_is_tried_again_soon_however_often_it_was_delivered(
    waiting: Database, clock: FrozenClock
) -> None:
    """An order was handed to and fro between two processes; the price that the last one asked for comes in a moment."""
    for _ in range(20):
        given_back(waiting, Away("the other side is away"))
        clock.advance(MINUTE)
    given_back(waiting, QuoteMissing("aster", "BTCUSDT"))
    assert claimed(waiting) == []
    clock.advance(1)
    assert len(claimed(waiting)) == 1


def test_whoever_puts_a_message_aside_says_so(waiting: Database, clock: FrozenClock) -> None:
    """A process beside the house has nobody who looks at it; the house hears of it, as of its own."""
    for _ in range(FAILURES_MAX):
        given_back(waiting, OWN)
        clock.advance(MINUTE)

    [told] = claimed(waiting, FactKind.ALARM_RAISED.value)
    assert told.payload["payload"]["message"].endswith("failed 12 times: ValueError: this piece cannot be computed")


def test_a_late_giver_changes_nothing(waiting: Database, clock: FrozenClock) -> None:
    """Its lease was over and another is at it: what the late one says neither counts nor is told."""
    [late] = claimed(waiting)
    clock.advance(2 * MINUTE)
    [other] = claimed(waiting)
    now, poisoned = (
        clock.now(),
        Message(**{name: getattr(late, name) for name in late.__slots__} | {"attempt": 1, "excused": -99}),
    )

    waiting.write(lambda tx: give_back(tx, late, OWN, now, "usr_1"), name="late")
    waiting.write(lambda tx: give_back(tx, poisoned, OWN, now, "usr_1"), name="late and poisoned")

    assert waiting.read(outbox.counts) == {"ready": 0, "leased": 1, "parked": 0}
    assert (other.attempt, other.excused) == (2, 0)
    assert claimed(waiting, FactKind.ALARM_RAISED.value) == []
