"""How a result changes when a parameter changes a little: trials on a grid go in; a map of stability comes out. Pure.

A peak that stands alone was found by chance or will be lost by it; a plateau is where one may stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem

Floats = NDArray[np.float64]
Value = int | float | str | bool


@dataclass(frozen=True, slots=True, eq=False)
class Plateau:
    """Trials over one or two parameters, the others at their best.

    axes       parameter -> its values, in order; one or two of them
    best       float64, one cell for each pair of values: the best trial there; NaN where none was made
    around     float64, the mean of a cell and its neighbours (also over corners) that were tried
    """

    axes: dict[str, tuple[Value, ...]]
    best: Floats
    around: Floats


def plateau(trials: Sequence[tuple[Mapping[str, Value], float]], axes: Sequence[str]) -> Plateau:
    """Return the map over one or two parameters.

    trials   parameters and score of each; the larger score is the better; a NaN is a trial without a score
    axes     one or two names of parameters that every trial has

    Raises Invalid that names an axis which does not fit.
    """
    if not 1 <= len(axes) <= 2 or len(set(axes)) != len(axes):
        raise Invalid([Problem("axes", ", ".join(axes), "the names of one or two parameters", "out_of_range")])
    missing = sorted({name for name in axes for given, _ in trials if name not in given})
    if missing or not trials:
        raise Invalid([Problem("axes", ", ".join(missing) or "no trials", "parameters of every trial", "unknown")])
    values = {name: _ordered({given[name] for given, _ in trials}) for name in axes}
    table = np.full([len(values[name]) for name in axes], np.nan)
    for given, score in trials:
        cell = tuple(values[name].index(given[name]) for name in axes)
        if not np.isnan(score) and not table[cell] >= score:
            table[cell] = score
    return Plateau(values, table, _around(table))


def steadiness(found: Plateau) -> float:
    """Return the mean around the best cell over the best cell, at most 1; near 1 is a plateau, 0 and below a needle.

    NaN where nothing was tried, or the best is not above zero: there is nothing to be steady about.
    """
    if bool(np.isnan(found.best).all()):
        return float("nan")
    cell = np.unravel_index(int(np.nanargmax(found.best)), found.best.shape)
    best = float(found.best[cell])
    return float(found.around[cell]) / best if best > 0 else float("nan")


def _ordered(values: set[Value]) -> tuple[Value, ...]:
    numbers = [each for each in values if isinstance(each, int | float)]
    words = [each for each in values if isinstance(each, str)]
    return (*sorted(numbers), *sorted(words))


def _around(table: Floats) -> Floats:
    """Return the mean of each cell with its neighbours, those that were not tried left out."""
    known = ~np.isnan(table)
    padded = np.pad(np.where(known, table, 0.0), 1)
    counts = np.pad(known.astype(np.float64), 1)
    total, count = np.zeros(table.shape), np.zeros(table.shape)
    for shift in np.ndindex(*(3,) * table.ndim):
        window = tuple(slice(each, each + size) for each, size in zip(shift, table.shape, strict=True))
        total += padded[window]
        count += counts[window]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, total / count, np.nan)
