"""Houses that run, as the journeys need them: one shared by a module, or as many fresh ones as a test wants."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.house_process import HouseProcess


@pytest.fixture
def new_house(tmp_path: Path) -> Iterator[Callable[..., HouseProcess]]:
    """Yield what makes one more house, not started yet; all are ended after the test."""
    numbers = itertools.count()
    with ExitStack() as stack:

        def make(**fields: Any) -> HouseProcess:
            return stack.enter_context(HouseProcess(tmp_path / f"house-{next(numbers)}", **fields))

        yield make


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HouseProcess]:
    with HouseProcess(tmp_path_factory.mktemp("shared")) as house:
        yield house.start()


@pytest.fixture
def house(_running: HouseProcess) -> HouseProcess:
    """Return the running house of this module; nothing is held and nothing rests in it."""
    _running.flatten()
    return _running
