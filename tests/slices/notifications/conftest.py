"""A house whose alarms go to receivers on this machine, run step by step under a frozen clock."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilothouse.kit.clocks import FrozenClock
from tests.receivers import Received, webhook
from tests.stepped import Stepped


@pytest.fixture
def received() -> Iterator[Received]:
    """Yield what a webhook received."""
    with webhook() as found:
        yield found


@pytest.fixture
def telling(tables_url: str, tmp_path: Path, clock: FrozenClock) -> Iterator[Callable[..., Stepped]]:
    """Return what opens a house that tells these addresses."""
    opened: list[Stepped] = []

    def open_(*urls: str) -> Stepped:
        opened.append(Stepped(tmp_path / "data", tables_url, clock, alarm_urls=" ".join(urls)).open())
        return opened[-1]

    yield open_
    for stepped in opened:
        stepped.die()
