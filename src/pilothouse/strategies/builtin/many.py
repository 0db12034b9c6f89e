"""How an instrument stands among others: what strategies over several instruments ask."""

from collections.abc import Callable

import numpy as np

from pilothouse.strategies.sdk import Floats
from pilothouse.strategies.view import Frame, View


def standing(view: View, measure: Callable[[Frame], Floats]) -> tuple[Floats, Floats]:
    """Return what an instrument measures, and how many others measure more.

    measure   float64[n] of a frame, NaN where it does not take part
    returns   float64[n] of the own instrument; how many others are above it at that bar, NaN where it takes no part

    Of equals the one whose symbol comes first stands above, so that never two share a place.
    """
    own = measure(view)
    above = np.zeros(len(own))
    for symbol in view.symbols:
        if symbol == view.candles.symbol:
            continue
        frame = view.instrument(symbol)
        other = frame.seen(measure(frame))
        above += (other > own) | ((other == own) & (symbol < view.candles.symbol))
    return own, np.where(np.isnan(own), np.nan, above)


def bars_in(view: Frame, hours: float) -> int:
    """Return how many bars of this frame are in so many hours, at least one."""
    return max(int(hours * 3_600_000 // view.candles.span_ms), 1)


def on_the_hour(view: View, minutes: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return where a bar closes on a whole multiple of so many minutes since 1970: the same for every history."""
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = view.candles.closed_ms % (minutes * 60_000) == 0
    return found
