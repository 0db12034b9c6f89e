"""The house dies at every commit of a backtest's life, starts again, and the backtest is done once."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pilothouse.api.backtest_shapes import RunAsked, plain_of
from pilothouse.backtest import asking, progress, store
from pilothouse.backtest.asking import Prepared
from pilothouse.backtest.bounds import Bounds
from pilothouse.backtest.store import Backtest, Kind, State
from pilothouse.core.errors import Broken
from pilothouse.execution import halts
from pilothouse.execution.tell import ORDER_TOPIC
from pilothouse.jobs.dispatch import Dispatcher
from pilothouse.jobs.giving_back import FAILURES_MAX, give_back
from pilothouse.kit import outbox
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Tx
from tests.bench_files import SharedBenches, request
from tests.conftest import NOON
from tests.stepped import Stepped

_BOUNDS = Bounds(at_once=10, per_day=10, work=10**9)


def _prepared(benches: SharedBenches, capital: int) -> Prepared:
    """Return a request that nobody has made before."""
    asked = plain_of(RunAsked(**request(capital=str(capital))))
    told: dict[str, Any] = benches.door.ask("prepare", {"kind": "run", "asked": asked})
    assert told["kept"] is None, "another capital is another backtest"
    names = ("strategy", "asked", "name", "spec", "bars", "combinations")
    return Prepared(Kind.RUN, *(told[name] for name in names))


def _ask(house: Stepped, prepared: Prepared) -> None:
    owner_id, now = house.house.operator_id, house.clock.now()

    def work(tx: Tx) -> Backtest:
        return asking.ask(tx, prepared, _BOUNDS, owner_id=owner_id, who="me", now=now)

    house.house.database.write(work, name="backtest")


def _all(house: Stepped) -> list[Backtest]:
    owner_id = house.house.operator_id
    return house.house.database.read(
        lambda tx: store.page(tx, owner_id, kind=None, state=None, strategy=None, before=None, limit=10)
    )


@pytest.mark.timeout(300)
@pytest.mark.soak_on("postgresql")
def test_a_backtest_is_done_once_wherever_the_house_dies(
    fresh_url: Callable[[], str], tmp_path: Path, benches: SharedBenches
) -> None:
    """The message is written with the request and forgotten with the result; whoever died in between is followed."""
    for point in itertools.count():
        prepared = _prepared(benches, 20_000 + point)
        house = Stepped(tmp_path / f"data-{point}", fresh_url(), FrozenClock(NOON), benches=benches).open()
        house.fuse.at, house.fuse.lit = point, True
        died = False
        try:
            _ask(house, prepared)
            house.run()
        except BaseException:  # a dying database raises different things in whoever waits for it
            died = True
        seen = list(house.fuse.seen)
        house.die()
        house.clock.advance(61)  # on PostgreSQL others may be alive: a lease is waited for
        house.open()
        _ask(house, prepared)  # who was not answered asks again
        house.run()

        where = seen[-1] if seen else "start"
        found = _all(house)
        assert [(each.state, each.name) for each in found] == [(State.DONE, prepared.name)], where
        assert found[0].attempt <= 2, where
        waiting = house.house.database.read(_counts)
        assert not any(waiting.values()), where
        house.die()
        if not died:
            assert point >= 8, "a backtest's life has more commits than that"
            return


def test_work_that_breaks_a_law_of_ours_halts_nobodys_trading(stepped: Stepped, benches: SharedBenches) -> None:
    """It belongs to no account, whatever its key: it fails, is put aside and told, and orders go on."""
    house = stepped.house
    _ask(stepped, _prepared(benches, 30_000))
    (backtest,) = _all(stepped)
    house.database.write(lambda tx: progress.begin(tx, backtest.id, 1, house.clock.now()), name="begin")
    _broken(stepped, asking.BACKTEST_TOPIC)
    (seen,) = _all(stepped)
    assert (seen.state, seen.error) == (State.FAILED, "law broken: two and two are five")

    _put(stepped, asking.BACKTEST_TOPIC, backtest.id)
    _broken(stepped, asking.BACKTEST_TOPIC)
    assert house.database.read(halts.halted_accounts) == set()

    _put(stepped, ORDER_TOPIC, backtest.id)
    _broken(stepped, ORDER_TOPIC)
    assert house.database.read(halts.halted_accounts) == {stepped.account.id}, "an order's account is halted as ever"


def test_a_backtest_whose_work_always_fails_has_failed_when_it_is_put_aside(
    stepped: Stepped, benches: SharedBenches
) -> None:
    """Whoever waits for it is told why, in place of seeing it run for ever."""
    house = stepped.house
    _ask(stepped, _prepared(benches, 31_000))
    (backtest,) = _all(stepped)
    house.database.write(lambda tx: progress.begin(tx, backtest.id, 1, house.clock.now()), name="begin")
    for _ in range(FAILURES_MAX):
        (seen,) = _all(stepped)
        assert (seen.state, seen.error) == (State.RUNNING, None)
        _fail(stepped, asking.BACKTEST_TOPIC)
        stepped.clock.advance(60)

    (seen,) = _all(stepped)
    assert (seen.state, seen.error) == (State.FAILED, "it failed 12 times: OSError: no such disk")


def _put(stepped: Stepped, topic: str, backtest_id: str) -> None:
    """Put a message whose key is an account."""
    now, key, payload = stepped.clock.now(), stepped.account.id, {"backtest_id": backtest_id}
    stepped.house.database.write(lambda tx: outbox.put(tx, topic, key=key, payload=payload, now=now), name="put")


def _fail(stepped: Stepped, topic: str) -> None:
    """Let the work on the one message of a topic fail in a way that nobody knows."""
    now, error = stepped.clock.now(), OSError("no such disk")
    (message,) = Dispatcher(stepped.house, topics=(topic,))._claimed(now)
    stepped.house.database.write(lambda tx: give_back(tx, message, error, now, "usr_1"), name="give back")


def _broken(stepped: Stepped, topic: str) -> None:
    """Let the work on the messages of a topic break a law."""
    dispatcher = Dispatcher(stepped.house, topics=(topic,))
    claimed = dispatcher._claimed(stepped.clock.now())
    assert claimed
    for message in claimed:
        dispatcher._stop(message, Broken("two and two are five"))


def _counts(tx: Tx) -> dict[str, int]:
    return outbox.counts(tx)
