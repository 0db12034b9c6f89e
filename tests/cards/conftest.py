"""The cards' fixture: `stand`, and `trader` on an account of its own, once for each adapter that takes the card."""

from collections.abc import Iterator

import pytest

from tests.cards.adapters import STANDS, takes
from tests.cards.stand import Stand, Trader


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let every adapter take the card that is not let off."""
    marker = metafunc.definition.get_closest_marker("card")
    if marker is not None:
        taking = [adapter for adapter in STANDS if takes(adapter, marker.args[0])]
        metafunc.parametrize("stand", taking, indirect=True)


@pytest.fixture(scope="session")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stand]]:
    """Yield the stands that are open: each is opened once, when the first card needs it."""
    opened: dict[str, Stand] = {}
    yield opened
    for each in opened.values():
        each.close()


@pytest.fixture
def stand(
    request: pytest.FixtureRequest, stands: dict[str, Stand], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """Yield the stand of one adapter, as it is at the beginning of a card."""
    name = request.param
    if name not in stands:
        stands[name] = STANDS[name](tmp_path_factory.mktemp(name))
    stands[name].reset()
    yield stands[name]
    stands[name].clear()


@pytest.fixture
def trader(stand: Stand) -> Trader:
    """Return who trades there, on an account of its own."""
    return stand.trader()
