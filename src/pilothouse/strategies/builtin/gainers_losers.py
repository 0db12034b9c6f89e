"""Among many instruments, take those that gained or lost most, at the moment when MACD turns their way."""

from collections.abc import Callable

import numpy as np

from pilothouse.strategies.builtin.many import bars_in, on_the_hour, standing
from pilothouse.strategies.builtin.usual import SIDE, away, ema_settled, risk, rules, stop_loss
from pilothouse.strategies.indicators.momentum import roc
from pilothouse.strategies.indicators.oscillators import macd
from pilothouse.strategies.indicators.windows import rolling_sum
from pilothouse.strategies.parameters import Params, number, switch, whole
from pilothouse.strategies.rules import Exits, Rules
from pilothouse.strategies.sdk import Columns, Floats, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import Frame, View


class GainersLosers(Columns):
    """Long in the instruments that gained most, short in those that lost most, when the histogram crosses zero.

    The change is a percentage, and what is traded too little takes no part: a coin that nobody trades is no gainer.
    """

    name = "gainers-losers"
    title = "Top gainers and losers"
    parameters = {
        "top": whole(3, 1, 100, label="How many", help="Of each side"),
        "scan": whole(15, 1, 1_440, label="Scan", help="Minutes between two looks, by the clock"),
        "hours": number(6.0, 0.1, 720.0, step=1.0, label="Hours", help="Over which the change is measured"),
        "least": number(3.0, 0.0, 1_000.0, step=1.0, label="Least change %"),
        "turnover": number(1_000_000.0, 0.0, 1e12, label="Least turnover", help="Quote currency in 24 hours"),
        "candles": whole(50, 2, 5_000, label="Least history", help="Bars"),
        "fast": whole(12, 2, 200, label="Fast average"),
        "slow": whole(26, 3, 400, label="Slow average"),
        "signal": whole(9, 1, 200, label="Signal average"),
        "leave": switch(default=True, label="Leave at the cross", help="Out when the histogram crosses back"),
        "stop_loss": stop_loss(5.0),
        "risk": risk(1.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the least history, at least what MACD needs to settle."""
        return max(int(p.candles), ema_settled(p.slow) + int(p.signal))

    def warm_up_ms(self, p: Params) -> int:
        """Return the day of the turnover or the hours of the change, whichever is longer, and one hour to begin."""
        return int(max(24.0, p.hours) + 1.0) * 3_600_000

    def signals(self, view: View, p: Params) -> Signals:
        """Return the crosses of those that stand in front."""
        change = change_of_liquid(p)
        own, gainers_above = standing(view, change)
        _own, losers_above = standing(view, lambda frame: -change(frame))
        _line, _signal, histogram = macd(view.close, p.fast, p.slow, p.signal)
        look = on_the_hour(view, p.scan)
        up, down = crossed_above(histogram, 0.0), crossed_below(histogram, 0.0)
        gained, lost = (gainers_above < p.top) & (own >= p.least), (losers_above < p.top) & (own <= -p.least)
        nothing = np.zeros(len(view), bool)
        return Signals(
            long=look & gained & up & (view.close > view.open),
            short=look & lost & down & (view.close < view.open),
            leave_long=down if p.leave else nothing,
            leave_short=up if p.leave else nothing,
            rank=np.nan_to_num(np.abs(own), nan=-1.0),
        )

    def rules(self, p: Params) -> Rules:
        """Return the stop and a size by risk."""
        return rules(p, exits=Exits(stop=away(p.stop_loss)), side=p.side)


def change_of_liquid(p: Params) -> Callable[[Frame], Floats]:
    """Return what measures an instrument: its change in percent, NaN where too little is traded."""

    def change(frame: Frame) -> Floats:
        turnover = rolling_sum(frame.close * frame.volume, bars_in(frame, 24.0))
        return np.where(turnover >= p.turnover, roc(frame.close, bars_in(frame, p.hours)), np.nan)

    return change
