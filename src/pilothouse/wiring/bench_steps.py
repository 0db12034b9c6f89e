"""How far a bench has come: what is done goes in; parts per million of the whole go to whoever asked."""

from collections.abc import Callable
from typing import Final

from pilothouse.backtest.pace import BAR_BY_BAR, Where

PPM: Final = 1_000_000
LOADED_PPM: Final = 100_000
"""So far is work whose strategy and candles are read."""

_WALKED_PPM: Final = 950_000

Told = Callable[[int], None]
"""Is called with how far the work has come, parts per million."""


class Steps:
    """Counts trials that are done, and tells how far that is."""

    def __init__(self, whole: int, told: Told) -> None:
        """Begin with none of so many."""
        self._whole, self._told, self._done = max(whole, 1), told, 0

    def __call__(self, more: int) -> None:
        """Count some more."""
        self._done += more
        self._told(LOADED_PPM + (PPM - LOADED_PPM) * self._done // self._whole)


class Walked:
    """Tells how far a single run is, where it goes bar by bar; never less than before."""

    def __init__(self, told: Told) -> None:
        """Begin at the first bar."""
        self._told, self._most = told, 0

    def look(self, where: Where) -> None:
        """Tell where a run is, if that is further than it was."""
        if where.words == BAR_BY_BAR and where.done_ppm is not None and where.done_ppm > self._most:
            self._most = where.done_ppm
            self._told(LOADED_PPM + (_WALKED_PPM - LOADED_PPM) * self._most // PPM)
