"""A result and its candles go in; metrics, periods and what a page tells of them come out. Pure."""

from dataclasses import dataclass

import numpy as np

from pilothouse.backtest.curves import Curve, TradeTable
from pilothouse.backtest.metrics import measure
from pilothouse.backtest.periods import Ended, Period, by_kind, by_time
from pilothouse.backtest.result import Result
from pilothouse.core.candles import Candles, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Everything that was measured of one run.

    metrics   by name, see `metrics.CATALOGUE`; None where a number is not defined
    """

    metrics: dict[str, float | None]
    days: list[Period]
    months: list[Period]
    years: list[Period]
    kinds: list[Period]


def measured(result: Result, candles: Candles) -> Measured:
    """Return what a run was worth.

    candles   of the instrument, which is the benchmark: holding it from the first open on; of several, `held_alike`
    """
    curve, table = result.curve(), result.table()
    found = metrics_of(result, curve, table, candles)
    names = tuple(result.symbol_of(trade, candles.symbol) for trade in range(len(result.trades)))
    closed = result.opened_ms[result.trades.closed_bar] + result.span_ms
    ended = Ended(closed, table.result, table.fees, result.trades.side, names)
    days, months, years = (by_time(curve, ended, unit) for unit in ("day", "month", "year"))
    return Measured(found, days, months, years, by_kind(ended))


def metrics_of(result: Result, curve: Curve, table: TradeTable, candles: Candles) -> dict[str, float | None]:
    """Return the metrics alone, of the curve and the trades that a result tells; `candles` as above."""
    exposed = result.exposed / len(result) if len(result) else None
    return measure(curve, table, exposed=exposed, benchmark=_held(candles))


def _held(candles: Candles) -> Floats | None:
    """Return what holding the instrument was worth: its first open, then each close."""
    if not len(candles):
        return None
    first = candles.price("open")[:1]
    held: Floats = np.concatenate((first, candles.price("close")))
    return held
