"""What a run was worth: an equity curve and its trades go in; numbers with their formulas come out.

Pure; floats, because a metric advises and never orders. Returns are taken per UTC day where bars are shorter than a
day, else per bar, so that the same trading measured on minutes and on hours has the same Sharpe ratio. A number that is
not defined (a ratio over nothing, a best month of three days) is None, never infinite and never zero.

Each metric with label, unit, formula and source stands in `CATALOGUE`.
"""

import math
from collections.abc import Iterable
from typing import Final

from pilothouse.backtest import metrics_beside, metrics_of_returns, metrics_of_trades
from pilothouse.backtest.curves import Curve, Floats, Ints, TradeTable, returns_of
from pilothouse.backtest.metric import Metric, Reckon, Scene

_YEAR_MS: Final = 365.0 * 86_400_000

_RECKONED: Final = (*metrics_of_returns.RECKONED, *metrics_of_trades.RECKONED, *metrics_beside.RECKONED)

CATALOGUE: Final[tuple[Metric, ...]] = tuple(metric for metric, _ in _RECKONED)
"""Every metric, in the order in which people read them."""

_BY_NAME: Final = {metric.name: reckon for metric, reckon in _RECKONED}


def measure(
    curve: Curve,
    trades: TradeTable,
    *,
    exposed: float | None = None,
    benchmark: Floats | None = None,
    names: Iterable[str] = tuple(_BY_NAME),
) -> dict[str, float | None]:
    """Return metrics by name, all of the catalogue unless told otherwise.

    curve       equity at the end of each bar, from the start on, above zero at the start
    trades      what was closed; open ones at their last price count too, if the caller puts them in
    exposed     share of bars with a position, 0 to 1, or None if it is not known
    benchmark   float64[n], worth of the benchmark at the same instants, above zero, or None
    names       of the metrics that are wanted
    """
    returns, per_year = returns_of(curve)
    other = None if benchmark is None else returns_of(Curve(curve.at_ms, benchmark))[0]
    scene = Scene(curve, trades, returns, per_year, other, exposed, years_of(curve.at_ms))
    return {name: _reckoned(_BY_NAME[name], scene) for name in names}


def years_of(at: Ints) -> float:
    """Return how many years of 365 days lie between the first and the last instant."""
    return float(at[-1] - at[0]) / _YEAR_MS


def _reckoned(reckon: Reckon, scene: Scene) -> float | None:
    value = reckon(scene)
    return None if value is None or not math.isfinite(value) else float(value)
