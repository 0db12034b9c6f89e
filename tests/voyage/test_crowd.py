"""More alerts at once than can be decided at once: they are stored and answered first, and decided in their turn."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from pilothouse.core.order import Purpose
from pilothouse.fleet.answer import AnswerState
from pilothouse.fleet.drive import TURN_MOST
from pilothouse.fleet.inbox import Taken
from pilothouse.fleet.store import SignalState
from pilothouse.kit.db import Tx
from pilothouse.kit.units import CROWD
from pilothouse.venues.paper_faults import Fault
from tests.stepped import Stepped

MANY = 2 * TURN_MOST + 7


@contextmanager
def a_crowd(house: Stepped) -> Iterator[None]:
    """Let so much wait at once that there is a crowd; it counts as one until the clock goes on."""
    begun, go_on = threading.Event(), threading.Event()

    def hold_up(_: Tx) -> None:
        begun.set()
        go_on.wait(60)

    database = house.house.database
    first = database.submit(hold_up, name="held up")
    begun.wait(60)
    others = [database.submit(_nothing, name="one of many") for _ in range(CROWD)]
    go_on.set()
    for each in (first, *others):
        each.result()
    yield


def _nothing(_: Tx) -> None:
    """Wait only."""


def _open(house: Stepped, name: str, side: str = "BUY", symbol: str = "BTCUSDT", **fields: str) -> Taken:
    body = {"action": "open", "symbol": symbol, "side": side, "quantity": "0.01", "alert_id": name, **fields}
    return house.send(json.dumps(body).encode())


def test_alerts_in_a_crowd_are_stored_first_and_decided_in_their_order(stepped: Stepped) -> None:
    """A burst is acknowledged as fast as it can be stored; none is lost, none comes before its elder."""
    with a_crowd(stepped):
        taken = [_open(stepped, f"many-{number}", "BUY" if number % 3 else "SELL") for number in range(MANY)]
        stepped.run()

    assert all(one.held and one.signal.state is SignalState.PENDING for one in taken)
    assert stepped.orders() == []
    stepped.pass_time(2)
    orders = stepped.orders()
    assert [order.signal_id for order in orders] == [one.signal.id for one in taken]
    assert {stepped.outcome(one.signal.id).state for one in taken} == {AnswerState.FILLED}
    bought = sum(1 if number % 3 else -1 for number in range(MANY))
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.01") * bought


def test_a_house_that_dies_in_a_crowd_decides_what_it_had_stored(stepped: Stepped) -> None:
    """What was answered with 200 was promised, whether or not it had been looked at."""
    with a_crowd(stepped):
        taken = [_open(stepped, f"many-{number}") for number in range(MANY)]
    stepped.die()
    stepped.recover()

    assert len(stepped.orders()) == MANY
    assert {stepped.outcome(one.signal.id).state for one in taken} == {AnswerState.FILLED}
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.01") * MANY


def test_an_alert_that_waits_is_known_when_it_comes_again(stepped: Stepped) -> None:
    """A sender that lost its answer sends again, above all when everybody does."""
    with a_crowd(stepped):
        first, again = _open(stepped, "once"), _open(stepped, "once")
    stepped.pass_time(1)
    later = _open(stepped, "once")

    assert (first.duplicate, again.duplicate, later.duplicate) == (False, True, True)
    assert first.signal.id == again.signal.id == later.signal.id
    assert len(stepped.orders()) == 1


def test_an_alert_behind_more_than_one_turn_waits_for_those_before_it(stepped: Stepped) -> None:
    """The crowd is gone, its alerts are not: what comes now is younger than they are."""
    with a_crowd(stepped):
        held = [_open(stepped, f"many-{number}") for number in range(MANY)]
    stepped.clock.advance(1)
    fresh = _open(stepped, "fresh", "SELL")

    assert not fresh.held
    assert fresh.signal.state is SignalState.PENDING
    stepped.pass_time(2)
    assert [order.signal_id for order in stepped.orders()] == [one.signal.id for one in (*held, fresh)]


def test_a_newer_target_supersedes_those_that_wait_in_a_crowd(stepped: Stepped) -> None:
    """Where the position shall be is said by the last one that said it."""
    with a_crowd(stepped):
        for number, size in enumerate(("0.05", "-0.02", "0.03")):
            body = {"order_action": "buy", "symbol": "BTCUSDT", "contracts": "1", "position_size": size}
            stepped.send(json.dumps(body | {"alert_id": f"target-{number}"}).encode())
    stepped.pass_time(2)

    assert stepped.position("BTCUSDT") == Decimal("0.03")
    assert len(stepped.orders()) == 1


@pytest.mark.parametrize("flood", [TURN_MOST * 4])
def test_one_instruments_flood_does_not_keep_another_waiting(stepped: Stepped, flood: int) -> None:
    """Turns are taken by instrument: who shouts loudest is not heard alone."""
    with a_crowd(stepped):
        for number in range(flood):
            _open(stepped, f"loud-{number}")
        quiet = _open(stepped, "quiet", symbol="ETHUSDT")
        stepped.clock.advance(0.25)
    stepped.pass_time(0.25)

    assert stepped.outcome(quiet.signal.id).state is AnswerState.FILLED


def test_a_crowd_is_decided_slowly_whatever_moves_meanwhile(stepped: Stepped) -> None:
    """Each fill gives its instrument a turn; if each turn decided one more, the crowd would wait for all of them."""
    first = _open(stepped, "before")
    with a_crowd(stepped):
        held = [_open(stepped, f"many-{number}") for number in range(3)]
        stepped.run()
        states = [stepped.outcome(one.signal.id).state for one in (first, *held)]

    assert states == [AnswerState.FILLED, AnswerState.FILLED, AnswerState.PENDING, AnswerState.PENDING]
    stepped.pass_time(2)
    assert {stepped.outcome(one.signal.id).state for one in held} == {AnswerState.FILLED}


def test_a_position_is_protected_while_there_is_a_crowd(stepped: Stepped) -> None:
    """Alerts can wait; a position without its stop cannot."""
    taken = _open(stepped, "guarded", stop_loss="2%")
    with a_crowd(stepped):
        stepped.run()

    assert stepped.outcome(taken.signal.id).state is AnswerState.FILLED
    assert stepped.only_order(Purpose.STOP_LOSS).state.is_resting


def test_many_alerts_behind_an_unknown_order_wait_until_it_is_known(stepped: Stepped) -> None:
    """Nobody knows what became of an order: to look at those behind it again and again would tell nothing new."""
    stepped.faults.arm(Fault.LOSE_ANSWER)
    stepped.faults.arm(Fault.LOSE_ANSWER, "find", times=3)
    first = _open(stepped, "lost")
    stepped.run()
    assert [order.id for order in stepped.unknown()] == [stepped.only_order().id]
    behind = [_open(stepped, f"behind-{number}") for number in range(MANY)]
    stepped.run()  # would not end if each turn asked for another one

    assert len(stepped.orders()) == 1
    stepped.pass_time(20)
    assert [order.signal_id for order in stepped.orders()] == [one.signal.id for one in (first, *behind)]
    assert stepped.position("BTCUSDT") == stepped.venue_position("BTCUSDT") == Decimal("0.01") * (MANY + 1)


def test_an_alert_that_was_answered_and_is_refused_in_its_turn_is_not_carried_out_when_it_comes_again(
    stepped: Stepped,
) -> None:
    """It was answered 200, which is remembered: what comes again seconds later must not sell what was bought since."""
    close = json.dumps({"action": "decrease", "symbol": "BTCUSDT", "quantity": "0.01"}).encode()
    with a_crowd(stepped):
        first = stepped.send(close)
    stepped.pass_time(2)
    assert stepped.outcome(first.signal.id).state is AnswerState.REFUSED, "nothing was held in its turn"
    _open(stepped, "later", quantity="0.02")
    stepped.run()

    again = stepped.send(close)
    stepped.run()

    assert again.duplicate
    assert again.signal.id == first.signal.id
    assert stepped.position("BTCUSDT") == Decimal("0.02")
