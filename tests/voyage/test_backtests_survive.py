"""The house dies at every commit of a backtest's life, starts again, and the backtest is done once."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pilothouse.api.backtest_shapes import RunAsked, plain_of
from pilothouse.backtest import asking, store
from pilothouse.backtest.asking import Prepared
from pilothouse.backtest.bounds import Bounds
from pilothouse.backtest.store import Backtest, Kind, State
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


def _counts(tx: Tx) -> dict[str, int]:
    return outbox.counts(tx)
