"""The only retry loop: bounded, with pauses that grow and are jittered, for errors after which nothing has happened."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def pause_after(attempt: int, *, first: float, longest: float, chance: Callable[[], float] = random.random) -> float:
    """Return how many seconds to wait after `attempt` (1 for the first) has failed.

    first, longest   seconds; the pause doubles with each attempt and never exceeds `longest`
    chance           a number from 0 to 1: the pause lies between half of its length and the whole, so that those who
                     failed together do not return together
    """
    whole = min(longest, first * 2.0 ** min(attempt - 1, 60))
    return whole * (0.5 + chance() / 2)


def retrying(
    work: Callable[[], T],
    *,
    on: type[E] | tuple[type[E], ...],
    when: Callable[[E], bool] = lambda _: True,
    attempts: int,
    first: float,
    longest: float,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Return what `work` returns, tried up to `attempts` times.

    on, when   the errors after which it is safe to try again: their classes, and if need be a question asked of them.
               Never an outcome that is unknown: what may have happened is asked about, not repeated
    sleep      how to wait; a test passes its own

    Raises the last error, and every other error at once.
    """
    assert attempts >= 1, "work is tried at least once"
    for attempt in range(1, attempts):
        try:
            return work()
        except on as error:
            if not when(error):
                raise
            sleep(pause_after(attempt, first=first, longest=longest))
    return work()
