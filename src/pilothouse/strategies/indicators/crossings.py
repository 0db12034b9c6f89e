"""Where one column crosses another, or a level: in one pass over both."""

import numpy as np
from numpy.typing import NDArray

from pilothouse.strategies.indicators.compiling import Column, compiled

Truths = NDArray[np.bool_]


@compiled
def rises_above(one: Column, other: Column) -> Truths:
    """Return bool[n], where `one` stands above `other` and did not at the bar before; False where either is NaN.

    The columns are equally long.
    """
    found = np.zeros(len(one), np.bool_)
    for bar in range(1, len(one)):
        found[bar] = (one[bar] > other[bar]) & (one[bar - 1] <= other[bar - 1])
    return found


@compiled
def crosses(one: Column, other: Column) -> tuple[Truths, Truths]:
    """Return where `one` rises above `other`, and where it falls below; the columns are equally long."""
    rises, falls = np.zeros(len(one), np.bool_), np.zeros(len(one), np.bool_)
    for bar in range(1, len(one)):
        rises[bar] = (one[bar] > other[bar]) & (one[bar - 1] <= other[bar - 1])
        falls[bar] = (one[bar] < other[bar]) & (one[bar - 1] >= other[bar - 1])
    return rises, falls


@compiled
def rises_above_level(one: Column, level: float) -> Truths:
    """Return the same for a level that does not move."""
    found = np.zeros(len(one), np.bool_)
    for bar in range(1, len(one)):
        found[bar] = (one[bar] > level) & (one[bar - 1] <= level)
    return found
