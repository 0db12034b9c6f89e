"""A sweep in pieces on record: each piece counts once, whoever did it, and the whole is asked for once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from pilothouse.accounts.tables import users
from pilothouse.backtest import asking, computers, pieces, progress, store
from pilothouse.backtest.asking import BACKTEST_TOPIC, Prepared
from pilothouse.backtest.bounds import Bounds
from pilothouse.backtest.computers import Presence
from pilothouse.backtest.pieces import PIECE_TOPIC, WHOLE_TOPIC
from pilothouse.backtest.store import Backtest, Kind, State
from pilothouse.kit import outbox
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database, Tx
from pilothouse.kit.outbox import Message
from pilothouse.kit.tables import leases

BARS, COMBINATIONS, PIECES = 600, 640, 10
LEASE = timedelta(seconds=60)


def _claim(database: Database, topic: str, owner: str = "one") -> list[Message]:
    now = database.clock.now()
    return database.write(
        lambda tx: outbox.claim(tx, owner=owner, topics=[topic], limit=100, now=now, lease_for=LEASE), name="claim"
    )


def _finish(database: Database, message: Message) -> bool:
    return database.write(lambda tx: pieces.finish(tx, message, database.clock.now()), name="piece done")


def _sweep(database: Database, **asked: Any) -> tuple[Backtest, Message]:
    """Return a sweep that was taken up, and its message."""
    now = database.clock.now()
    prepared = Prepared(Kind.SWEEP, "ema-cross", {"optuna": 0} | asked, "a" * 64, "{}", BARS, COMBINATIONS)
    bounds = Bounds(at_once=2, per_day=4, work=10**9)

    def ask(tx: Tx) -> None:
        values = {"id": "usr_1", "email": None, "name": "somebody", "role": "member", "created_at": now}
        tx.execute(insert(users), values)
        asking.ask(tx, prepared, bounds, owner_id="usr_1", who="me", now=now)

    database.write(ask, name="ask")
    [message] = _claim(database, BACKTEST_TOPIC)
    begun = database.write(lambda tx: progress.begin(tx, message.payload["backtest_id"], 1, now), name="begin")
    assert begun is not None
    return begun, message


@pytest.fixture
def cut(database: Database) -> Backtest:
    """Return a sweep that was put back in pieces."""
    backtest, message = _sweep(database)
    assert pieces.is_worth_cutting(backtest)
    assert database.write(lambda tx: pieces.put(tx, backtest, message, database.clock.now()), name="pieces")
    return backtest


def _row(database: Database, backtest: Backtest) -> Backtest:
    found = database.read(lambda tx: store.by_id(tx, backtest.id))
    assert found is not None
    return found


def test_the_last_piece_asks_for_the_whole_once(database: Database, cut: Backtest) -> None:
    """Before it, something would be missing; twice, and two would tell the same result."""
    every = _claim(database, PIECE_TOPIC)
    assert len(every) == PIECES
    assert [each.payload["first"] for each in every] == [COMBINATIONS * number // PIECES for number in range(PIECES)]
    told = []
    for message in every:
        assert _claim(database, WHOLE_TOPIC) == []
        assert _finish(database, message)
        assert not _finish(database, message), "told twice, counted once"
        told.append(_row(database, cut).progress_ppm)

    [whole] = _claim(database, WHOLE_TOPIC)
    assert whole.payload == {"backtest_id": cut.id}
    assert told == sorted(set(told)), "it comes on with each"
    assert told[-1] < 1_000_000


def test_two_that_end_at_the_same_moment_leave_one_of_them_the_last(database: Database, cut: Backtest) -> None:
    """Each saw the other as not done yet, and nobody asked for the whole: the sweep would run for ever."""
    every = _claim(database, PIECE_TOPIC)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda message: _finish(database, message), every))

    assert len(_claim(database, WHOLE_TOPIC)) == 1
    assert _row(database, cut).state is State.RUNNING


def test_a_worker_that_was_thought_dead_has_nothing_to_say(
    database: Database, cut: Backtest, clock: FrozenClock
) -> None:
    """Its lease ran out while its machine slept; another one has the piece, and is not done."""
    late = _claim(database, PIECE_TOPIC, "sleeper")
    clock.advance(61)
    again = _claim(database, PIECE_TOPIC, "other")
    assert [message.attempt for message in again] == [2] * PIECES

    assert not any(_finish(database, message) for message in late)
    assert database.read(lambda tx: outbox.waiting(tx, PIECE_TOPIC, cut.id)) == PIECES
    assert all(_finish(database, message) for message in again)
    assert len(_claim(database, WHOLE_TOPIC)) == 1


def test_a_message_that_somebody_else_has_is_not_cut(database: Database, clock: FrozenClock) -> None:
    """Cut twice, a sweep would be worked on twice."""
    backtest, message = _sweep(database)
    clock.advance(61)
    _claim(database, BACKTEST_TOPIC, "other")

    assert not database.write(lambda tx: pieces.put(tx, backtest, message, database.clock.now()), name="pieces")
    assert _claim(database, PIECE_TOPIC) == []


def test_who_tells_the_whole_takes_the_say_from_who_cut_it(database: Database, cut: Backtest) -> None:
    """One delivery at a time may end a backtest; what was cancelled meanwhile is not taken up."""
    now = database.clock.now()
    told = database.write(lambda tx: progress.go_on(tx, cut.id), name="goes on")
    assert told is not None

    assert not database.write(lambda tx: progress.finish(tx, cut, {}, now, found=False), name="late")
    assert database.write(lambda tx: progress.finish(tx, told, {}, now, found=False), name="done")
    assert database.write(lambda tx: progress.go_on(tx, cut.id), name="goes on") is None


def test_a_search_that_is_led_is_not_cut(database: Database) -> None:
    """What Optuna tries next depends on what came before."""
    backtest, _ = _sweep(database, optuna=640)
    assert not pieces.is_worth_cutting(backtest)


def test_a_process_computes_as_long_as_it_says_so(database: Database, clock: FrozenClock) -> None:
    """A sweep is cut for those who are there, not for those who were."""
    one, two = (Presence(database, clock, name) for name in ("one", "two"))

    def present() -> list[str]:
        return database.read(lambda tx: computers.present(tx, clock.now()))

    one.tell()
    two.tell()
    assert present() == ["one", "two"]
    two.leave()
    assert present() == ["one"]
    clock.advance(computers.EVERY_S)
    one.tell()
    clock.advance(2.5 * computers.EVERY_S)
    assert present() == ["one"]
    clock.advance(computers.EVERY_S)
    assert present() == []
    one.tell()
    assert present() == ["one"], "one that was away comes back"
    clock.advance(7 * computers.EVERY_S)
    two.tell()
    assert len(database.read(lambda tx: tx.execute(select(leases)).all())) == 1, "who is gone leaves nothing"
