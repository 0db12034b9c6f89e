"""What else might have happened: the trades or the returns of one run go in; a fan of other lives comes out.

Pure and seeded: the same seed is the same fan. This is the only file of the room that draws lots, and nothing that it
draws ever becomes a price, a candle or a fill; it only shuffles what was measured.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.core.errors import Invalid, Problem

Floats = NDArray[np.float64]

PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)

_RUNS_MOST = 100_000
_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Fan:
    """How final equity and drawdown spread over many lives.

    runs             how many lives were drawn
    final            percentile (1 to 99) -> final equity, in the unit of the start
    drawdown         percentile -> deepest fall from a high, 0 to 1 of the high; 1 is ruin
    loss             share of lives that end below their start, 0 to 1
    ruin             share of lives in which equity fell to `ruin_below` of the start, 0 to 1
    """

    runs: int
    final: dict[int, float]
    drawdown: dict[int, float]
    loss: float
    ruin: float


def of_trades(
    results: Floats, start: float, *, runs: int = 1_000, seed: int = 0, replace: bool = True, ruin_below: float = 0.5
) -> Fan:
    """Draw other orders, or other choices, of the same trades.

    results      float64[trades], net result of each, in the unit of `start`
    start        equity at the beginning, above zero
    runs         1 to 100,000
    replace      True: trades are drawn with replacement, as if more of the same kind came (bootstrap);
                 False: the same trades in another order: the end is the same, the way there is not
    ruin_below   a share of the start, 0 to 1

    Raises Invalid.
    """
    values = _checked("results", results, runs, start)
    draw = np.random.default_rng(seed)
    lives = _Lives(start)
    for count in _batches(runs, len(values)):
        picked = (
            values[draw.integers(0, len(values), (count, len(values)))]
            if replace
            else draw.permuted(np.broadcast_to(values, (count, len(values))), axis=1)
        )
        lives.take(start + np.cumsum(picked, axis=1))
    return lives.fan(ruin_below)


def of_returns(
    returns: Floats, start: float, *, runs: int = 1_000, seed: int = 0, block: float = 20.0, ruin_below: float = 0.5
) -> Fan:
    """Draw other histories made of blocks of this one, so that calm and storm keep together.

    returns   float64[bars], simple returns, each above -1
    block     mean length of a block, bars, 1 or more

    Others as in `of_trades`. Raises Invalid.
    Source: D. Politis and J. Romano, The Stationary Bootstrap, JASA 89(428), 1994.
    """
    values = _checked("returns", returns, runs, start)
    if bool((values <= -1).any()):
        raise Invalid([Problem("returns", f"{values.min():.4f}", "above -1 each: no more than all is lost", "too_low")])
    if not block >= 1:
        raise Invalid([Problem("block", str(block), "1 or more", "out_of_range")])
    draw = np.random.default_rng(seed)
    growth = np.log1p(values)
    lives = _Lives(start)
    for count in _batches(runs, len(values)):
        chosen = _blocks(draw, count, len(values), block)
        lives.take(start * np.exp(np.cumsum(growth[chosen], axis=1)))
    return lives.fan(ruin_below)


def _blocks(draw: np.random.Generator, count: int, length: int, block: float) -> NDArray[np.int64]:
    """Return int64[count, length] of row numbers: runs of neighbours, of geometric length, round the end."""
    begins = draw.random((count, length)) < 1.0 / block
    begins[:, 0] = True
    fresh = draw.integers(0, length, (count, length))
    columns = np.arange(length)
    since = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
    first = np.take_along_axis(fresh, since, axis=1)
    chosen: NDArray[np.int64] = (first + columns - since) % length
    return chosen


def _checked(name: str, given: Floats, runs: int, start: float) -> Floats:
    values = np.asarray(given, dtype=np.float64)
    problems = []
    if values.ndim != 1 or not len(values) or not bool(np.isfinite(values).all()):
        problems.append(Problem(name, f"{values.size} came", "one finite number or more, in one row", "too_few"))
    if not 1 <= runs <= _RUNS_MOST:
        problems.append(Problem("runs", str(runs), f"1 to {_RUNS_MOST:,}", "out_of_range"))
    if not start > 0:
        problems.append(Problem("start", str(start), "above zero", "out_of_range"))
    if problems:
        raise Invalid(problems)
    return values


def _batches(runs: int, width: int) -> list[int]:
    """Return how many lives to draw at once, so that memory stays small however many there are."""
    each = max(1, min(runs, _CELLS_AT_ONCE // max(width, 1)))
    full, rest = divmod(runs, each)
    return [each] * full + ([rest] if rest else [])


class _Lives:
    """What is kept of lives that were drawn: how each ended, its deepest fall and its lowest point."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._kept: list[Floats] = []

    def take(self, paths: Floats) -> None:
        """Keep lives, float64[lives, steps], each from its first step on."""
        whole = np.concatenate((np.full((len(paths), 1), self._start), paths), axis=1)
        high = np.maximum.accumulate(whole, axis=1)
        falls = np.minimum(((high - whole) / high).max(axis=1), 1.0)
        self._kept.append(np.stack((whole[:, -1], falls, whole.min(axis=1))))

    def fan(self, ruin_below: float) -> Fan:
        """Return how the lives spread."""
        final, fall, low = np.concatenate(self._kept, axis=1)
        return Fan(
            len(final),
            {each: float(np.percentile(final, each)) for each in PERCENTILES},
            {each: float(np.percentile(fall, each)) for each in PERCENTILES},
            float((final < self._start).mean()),
            float((low <= self._start * ruin_below).mean()),
        )
