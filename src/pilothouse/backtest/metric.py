"""What a metric is, and what all of them are reckoned from. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pilothouse.backtest.curves import Curve, Falls, Floats, TradeTable, by_month, falls_of

PLAIN: Final = "plain arithmetic"
"""The source of what needs none."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number: what it is called, in what it is told, how it is reckoned and where that stands.

    unit    share (0.1 is 10 %), ratio, quote (currency of the account), days, bars, count
    """

    name: str
    label: str
    unit: str
    formula: str
    source: str


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that metrics are reckoned from, reckoned once; months and drawdowns only where one asks for them.

    returns     float64[k], simple, per day or per bar; see the module
    per_year    how many of them make a year
    benchmark   float64[k], returns of the benchmark over the same spans, or None
    """

    curve: Curve
    trades: TradeTable
    returns: Floats
    per_year: float
    benchmark: Floats | None
    exposed: float | None
    years: float

    @cached_property
    def months(self) -> Floats:
        """Return the returns of calendar months."""
        return by_month(self.curve)

    @cached_property
    def falls(self) -> Falls:
        """Return the drawdowns."""
        return falls_of(self.curve)


Reckon = Callable[[Scene], float | None]
Reckoned = tuple[tuple[Metric, Reckon], ...]


def of_values(values: Callable[[Scene], Floats], how: Callable[[Floats], float]) -> Reckon:
    """Return a metric over an array that may be empty."""

    def reckon(scene: Scene) -> float | None:
        found = values(scene)
        return float(how(found)) if len(found) else None

    return reckon


def spread(values: Floats) -> float | None:
    """Return the standard deviation (n - 1), None for fewer than two."""
    return float(values.std(ddof=1)) if len(values) > 1 else None


def over(above: float | None, below: float | None) -> float | None:
    """Return a ratio, None where there is nothing to divide by."""
    if above is None or below is None or abs(below) <= 1e-15:
        return None
    return above / below


def mean(values: Floats) -> float | None:
    """Return the mean, None of nothing."""
    return float(values.mean()) if len(values) else None
