"""A house that has traded: fills, a flip, a stop that stands, a limit order at rest; nothing is wrong with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilothouse.kit.clocks import FrozenClock
from pilothouse.migrations.migrate import migrate
from tests.stepped import Stepped


@pytest.fixture
def traded(tables_url: str, tmp_path: Path, clock: FrozenClock) -> Iterator[Stepped]:
    """Yield a house whose record is healthy, on SQLite and on PostgreSQL."""
    stepped = Stepped(tmp_path / "data", tables_url, clock).open()
    trade(stepped)
    yield stepped
    stepped.die()


@pytest.fixture
def traded_on(tmp_path: Path, clock: FrozenClock) -> Iterator[Callable[[str], Stepped]]:
    """Return what opens a house on a database of the test's own, migrated as a real start does it."""
    opened: list[Stepped] = []

    def open_(url: str) -> Stepped:
        migrate(url, backup_to=None, clock=clock)
        opened.append(Stepped(tmp_path / "data", url, clock).open())
        return opened[-1]

    yield open_
    for stepped in opened:
        stepped.die()


def trade(stepped: Stepped) -> None:
    """Make a record with orders of every kind."""
    stepped.alert(action="open", symbol="BTCUSDT", side="BUY", quantity="0.02", stop_loss="5%")
    stepped.alert(action="open", symbol="ETHUSDT", side="BUY", quantity="0.5")
    stepped.alert(action="decrease", symbol="BTCUSDT", side="BUY", quantity="0.01")
    stepped.alert(order_action="sell", symbol="ETHUSDT", contracts="1", position_size="-0.5")
    stepped.alert(action="open", symbol="SOLUSDT", side="BUY", quantity="1", order_type="LIMIT", price="140")
    stepped.pass_time(2)
    assert len(stepped.orders()) >= 6, "the record holds orders of every kind"
