"""How far a run has come: whoever works says what it is at; whoever looks asks, from another thread.

A run that goes bar after bar is not slowed down by it: nothing is called on its way, its own count of bars is read.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pilothouse.strategies.indicators import compiling

COMPILING: Final = "compiling kernels, once per version"
BAR_BY_BAR: Final = "bar by bar"
_WHOLE_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Where:
    """What is done now, and how much of it is over, ppm; None where nobody can tell."""

    words: str
    done_ppm: int | None


class Pace:
    """How far one piece of work has come."""

    def __init__(self) -> None:
        """Begin before anything."""
        self._at: tuple[str, int, Callable[[], int] | None] = ("", 1, None)

    def at(self, words: str) -> None:
        """Say what begins now; how long it takes nobody can tell."""
        self._at = (words, 1, None)

    @contextmanager
    def walk(self, words: str, whole: int, done: Callable[[], int]) -> Iterator[None]:
        """Say what is done inside, in how many steps; `done` tells how many are over, and is asked by other threads."""
        self._at = (words, max(whole, 1), done)
        try:
            yield
        except BaseException:
            over = done()
            self._at = (words, max(whole, 1), lambda: over)
            raise
        self._at = (words, 1, None)  # not to hold on to a run that is over

    def where(self) -> Where:
        """Return where it is now."""
        words, whole, done = self._at
        far = None if done is None else min(max(done(), 0) * _WHOLE_PPM // whole, _WHOLE_PPM)
        return Where(COMPILING if compiling.is_compiling() else words, far)

    @contextmanager
    def watched(self, look: Callable[[Where], None], *, first_s: float, every_s: float) -> Iterator[None]:
        """Let `look` be called by another thread for as long as the work goes on, which is done inside.

        first_s   work that is over before is not looked at
        every_s   between two calls; none is under way any more when this returns
        """
        over = threading.Event()

        def looks() -> None:
            wait_s = first_s
            while not over.wait(wait_s):
                look(self.where())
                wait_s = every_s

        thread = threading.Thread(target=looks, name="pace", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


UNWATCHED: Final = Pace()
"""For work that nobody looks at."""
