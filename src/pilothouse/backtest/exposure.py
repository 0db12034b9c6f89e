"""How much was held at the close of each bar: fills and closes go in; notional, gross and net, comes out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.result import Result
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.core.candles import Candles, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """At the last prices; int64[n], units.

    gross   all that was held, long and short alike; both sides of a hedge
    net     long less short
    """

    gross: Ints
    net: Ints

    def shares(self, equity: Ints) -> tuple[Floats, Floats]:
        """Return both as shares of equity: 1.0 is as much as the account is worth; NaN where it is worth nothing."""
        worth = np.where(equity > 0, equity, 1)
        gross: Floats = np.where(equity > 0, self.gross / worth, np.nan)
        net: Floats = np.where(equity > 0, self.net / worth, np.nan)
        return gross, net


def exposure_of(result: Result, bars: Sequence[Candles]) -> Exposure:
    """Return what a run held.

    bars   of its instruments, in the order of its symbols; of a run over one instrument that one's alone
    """
    gross, net = np.zeros(len(result), np.int64), np.zeros(len(result), np.int64)
    many = isinstance(result, Portfolio)
    markets = result.fill_market if isinstance(result, Portfolio) else np.zeros(len(result.fills), np.int64)
    sides = result.trades.side[result.fills.trade] if len(result.fills) else np.zeros(0, np.int64)
    for place, candles in enumerate(bars):
        scale = result.scales[place] if isinstance(result, Portfolio) else result.scale
        close = _closes(candles, result.opened_ms) if many else candles.close
        each = close * scale.units
        for side in (1, -1):
            chosen = (markets == place) & (sides == side)
            held = np.zeros(len(result), np.int64)
            np.add.at(held, result.fills.bar[chosen], result.fills.lots[chosen])
            worth = np.cumsum(held) * each
            gross += np.abs(worth)
            net += worth
    return Exposure(gross, net)


def _closes(candles: Candles, calendar: Ints) -> Ints:
    """Return the last close of an instrument at each bar of the calendar of all, 0 before its first."""
    at: NDArray[np.int64] = np.searchsorted(candles.opened_ms, calendar, side="right") - 1
    found: Ints = np.where(at >= 0, candles.close[np.maximum(at, 0)], 0)
    return found
