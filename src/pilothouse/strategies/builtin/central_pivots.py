"""Central pivot range: buy in the first minutes of the day, out where the day usually returns to."""

import numpy as np

from pilothouse.core.candles import Ints
from pilothouse.strategies.builtin.usual import DAY_MS, away, risk, rules, shifted, stop_loss, take_profit
from pilothouse.strategies.calendar import local_clock, local_months
from pilothouse.strategies.indicators.momentum import cmo
from pilothouse.strategies.indicators.sessions import pivots
from pilothouse.strategies.parameters import Params, choice, number, switch
from pilothouse.strategies.rules import Exits, Rules, Target
from pilothouse.strategies.sdk import Columns, Floats, Signals, Truths
from pilothouse.strategies.view import View

DAY_MINUTES = 1_440
FIRST_MINUTES, LAST_MINUTE = 10, 1_435
RSI_DAYS = 14


class CentralPivots(Columns):
    """Long in the first ten minutes of the UTC day if the day opens far from the central range; out at the range.

    Levels are those of the day before, which has closed; RSI and ranges of days are of closed days as well.
    """

    name = "cpr"
    title = "Central pivot range"
    parameters = {
        "position": choice("below", ("below", "above"), label="Open", help="Where the day opens, seen from the range"),
        "distance": number(0.24, 0.0, 20.0, step=0.1, label="Distance %", help="Least distance of the open from BC"),
        "volatility_most": number(3.48, 0.1, 100.0, label="Most volatility %", help="Range of the day before"),
        "band_least": number(2.2, 0.0, 100.0, label="S1 to BC least %"),
        "band_most": number(2.85, 0.0, 100.0, label="S1 to BC most %"),
        "rsi_most": number(25.0, 1.0, 100.0, step=5.0, label="Daily RSI most"),
        "pullback": number(0.2, 0.0, 20.0, step=0.1, label="Pullback %", help="So far below the open first"),
        "take_profit": take_profit(0.8),
        "reduced_take_profit": number(0.2, 0.0, 100.0, label="Reduced target %", help="Yesterday's range in the way"),
        "stop_loss": stop_loss(3.5),
        "month": switch(default=False, label="Month's range", help="Only above the lower edge of the month's range"),
        "risk": risk(1.0),
    }  # fmt: skip

    def warm_up(self, p: Params) -> int:
        """Return none: what counts here are days."""
        return 0

    def warm_up_ms(self, p: Params) -> int:
        """Return the days that are looked back to, and with the month's range two whole months besides the first."""
        return DAY_MS * (3 * 31 if p.month else RSI_DAYS + 3)

    def signals(self, view: View, p: Params) -> Signals:
        """Return entries in the first minutes, and exits at the range and at the end of the day."""
        day, minute = local_clock(view.opened_ms, "UTC")
        levels = pivots(view.high, view.low, view.close, day)
        pivot, top, bottom, support, wide = levels[0], levels[1], levels[2], levels[4], levels[5] - levels[0]
        opened = np.where(of_first_bar(minute.astype(float), day) == 0, of_first_bar(view.open, day), np.nan)
        band = 100.0 * (bottom - support) / bottom
        wanted = (
            (minute < FIRST_MINUTES)
            & far_enough(opened, top, bottom, p)
            & (100.0 * wide / pivot <= p.volatility_most)
            & (band >= p.band_least) & (band <= p.band_most)
            & (of_day_before(strength_of_days(of_each_day(view.close, day)), day) <= p.rsi_most)
            & (view.low <= opened * (1.0 - p.pullback / 100.0))
        )  # fmt: skip
        if p.month:
            month = local_months(view.opened_ms, "UTC")
            wanted &= opened > pivots(view.high, view.low, view.close, month)[2]
        span = view.candles.span_ms // 60_000
        back = view.high >= bottom if p.position == "below" else view.low <= bottom
        return Signals(
            long=wanted & ~back, leave_long=back | (minute + span >= LAST_MINUTE),
            take=reduced_target(view, day, opened, bottom, p),
        )  # fmt: skip

    def rules(self, p: Params) -> Rules:
        """Return stop, target and a size by risk; long only."""
        target = away(p.take_profit)
        return rules(p, exits=Exits(stop=away(p.stop_loss), targets=(Target(target),) if target else ()), side="long")


def strength_of_days(closes: Floats) -> Floats:
    """Return the RSI of the last days, 0 to 100, by sums: 50 + CMO / 2.

    Wilder's average would remember all days of the history, so that the same day would be judged differently by who
    knows more of them. Source: D. Cutler; T. S. Chande and S. Kroll, The New Technical Trader, 1994.
    """
    return 50.0 + cmo(closes, RSI_DAYS) / 2.0


def far_enough(opened: Floats, top: Floats, bottom: Floats, p: Params) -> Truths:
    """Return where the day opens far enough from the range, on the side that is asked for."""
    gap = bottom - opened if p.position == "below" else opened - top
    far: Truths = 100.0 * gap / opened >= p.distance
    return far


def reduced_target(view: View, day: Ints, opened: Floats, bottom: Floats, p: Params) -> Floats:
    """Return the shorter way to the target where yesterday's lower edge stands in the way; else NaN."""
    yesterday = of_day_before(of_each_day(bottom, day), day)
    hurdle = (yesterday > opened) & (yesterday < bottom) if p.position == "below" else yesterday > opened
    reduced = view.close * (p.reduced_take_profit / 100.0)
    return np.where(hurdle & (p.reduced_take_profit > 0.0), reduced, np.nan)


def of_first_bar(values: Floats, day: Ints) -> Floats:
    """Return at each bar the value of the first bar of its day."""
    _days, first, which = np.unique(day, return_index=True, return_inverse=True)
    found: Floats = values[first][which]
    return found


def of_each_day(values: Floats, day: Ints) -> Floats:
    """Return the value of the last bar of each day: known only when the next day begins."""
    _days, first_from_end = np.unique(day[::-1], return_index=True)
    return values[len(values) - 1 - first_from_end]


def of_day_before(of_days: Floats, day: Ints) -> Floats:
    """Return at each bar the value of the day before, given one value for each day; NaN on the first."""
    _days, which = np.unique(day, return_inverse=True)
    return shifted(of_days)[which]
