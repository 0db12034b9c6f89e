"""In a crowd the writer lets a group come together; whoever is in a hurry, or alone, waits for nobody."""

from collections.abc import Callable
from concurrent.futures import Future

from pilothouse.kit.db import Tx
from pilothouse.kit.units import CROWD, CROWDED_S, GATHER_LOOKS, GATHER_S, Unit, UnitQueue


def unit() -> Unit:
    """Return a unit that does nothing."""

    def work(_: Tx) -> None:
        pass

    return Unit(work, "nothing", Future())


class Waiting:
    """A queue in which there was a crowd just now, and what happens each time that somebody waits."""

    def __init__(self, meanwhile: Callable[[UnitQueue], None]) -> None:
        """Let a crowd come and go."""
        self.now = 0.0
        self.waited: list[float] = []
        self._meanwhile = meanwhile
        self.queue = UnitQueue(lambda: self.now, self._pause)
        for _ in range(CROWD):
            self.queue.put(unit(), urgent=False)
        self.queue.drain()

    def _pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self._meanwhile(self.queue)


def _one_comes(queue: UnitQueue) -> None:
    queue.put(unit(), urgent=False)


def test_it_goes_on_as_soon_as_as_many_wait_as_before() -> None:
    """The crowd that was answered has come back: to wait longer would only keep it waiting."""
    crowd = Waiting(_one_comes)
    crowd.queue.gather(5)
    assert (len(crowd.queue), len(crowd.waited)) == (5, 5)


def test_it_waits_for_a_moment_at_most() -> None:
    """Those who come no more must not keep the others waiting."""
    crowd = Waiting(lambda _: None)
    crowd.queue.gather(5)
    assert len(crowd.waited) == GATHER_LOOKS
    assert sum(crowd.waited) <= GATHER_S * 1.001


def test_what_is_urgent_waits_for_nobody() -> None:
    """A halt goes before all alerts."""
    crowd = Waiting(lambda queue: queue.put(unit(), urgent=True))
    crowd.queue.gather(5)
    assert len(crowd.waited) == 1


def test_without_a_crowd_nobody_waits() -> None:
    """A single alert is stored at once."""
    crowd = Waiting(_one_comes)
    crowd.now = CROWDED_S
    crowd.queue.gather(5)
    assert crowd.waited == []
