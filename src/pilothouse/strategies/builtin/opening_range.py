"""Follow the price out of the range in which a session opened, by the clock of the exchange."""

import numpy as np

from pilothouse.strategies.builtin.usual import (
    SIDE,
    WHOLE_DAY_MS,
    exits,
    rules,
    shifted,
    size,
    stop_loss,
    take_profit,
    truth_before,
)
from pilothouse.strategies.calendar import local_clock
from pilothouse.strategies.indicators.sessions import opening_range
from pilothouse.strategies.parameters import Params, choice, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Floats, Signals, Truths
from pilothouse.strategies.view import View

ZONES = (
    "America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin", "Europe/Istanbul", "Asia/Tokyo",
    "Asia/Hong_Kong", "Asia/Singapore", "Asia/Kolkata", "Australia/Sydney", "UTC",
)  # fmt: skip
ZONE = choice("America/New_York", ZONES, label="Time zone", help="Whose clock shows the hour; summer time included")


class OpeningRange(Columns):
    """Long when the price left the opening range upwards two bars ago and has made higher highs since; short mirrored.

    The range is known only when its minutes are over, and not at all on a day on which none of its bars was seen.
    """

    name = "opening-range"
    title = "Opening range breakout"
    parameters = {
        "hour": whole(9, 0, 23, label="Hour", help="Local hour at which the range begins"),
        "minute": whole(15, 0, 59, step=15, label="Minute"),
        "minutes": whole(15, 1, 720, step=15, label="Minutes", help="How long the range lasts"),
        "timezone": ZONE,
        "stop_loss": stop_loss(0.5),
        "take_profit": take_profit(1.0),
        "size": size(10.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars that a breakout takes; days before the first whole one answer NaN."""
        return 3

    def warm_up_ms(self, p: Params) -> int:
        """Return a day: the one in which the history begins has no range."""
        return WHOLE_DAY_MS

    def signals(self, view: View, p: Params) -> Signals:
        """Return the breakouts that were followed through."""
        day, minute = local_clock(view.opened_ms, p.timezone)
        upper, lower = opening_range(view.high, view.low, day, minute, 60 * p.hour + p.minute, p.minutes)
        same_day = np.concatenate([np.zeros(min(3, len(day)), bool), day[3:] == day[:-3]])
        high, low = view.high, view.low
        rising = (high > shifted(high)) & (shifted(high) > shifted(high, 2))
        falling = (low < shifted(low)) & (shifted(low) < shifted(low, 2))
        return Signals(
            long=truth_before(breakouts(view.close, upper), 2) & rising & same_day,
            short=truth_before(breakouts(-view.close, -lower), 2) & falling & same_day,
        )

    def rules(self, p: Params) -> Rules:
        """Return stop, target and size."""
        return rules(p, exits=exits(p), side=p.side)


def breakouts(close: Floats, level: Floats) -> Truths:
    """Return where the close is above a level that is known, and at the bar before it was not."""
    return (close > level) & ~(shifted(close) > level)
