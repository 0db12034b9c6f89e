"""Price makes a new extreme and the RSI does not: told when the turning point is certain, not when it happens."""

import numpy as np

from pilothouse.strategies.builtin.usual import SIDE, exits, risk, rma_settled, rules, stop_loss, take_profit
from pilothouse.strategies.indicators.momentum import rsi
from pilothouse.strategies.indicators.prices import swings
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Floats, Signals, Truths
from pilothouse.strategies.view import View


class RsiDivergence(Columns):
    """Long when a low is lower than the one before it and the RSI there is higher; short mirrored at highs.

    A low is a low only after `right` higher bars. The signal stands at the bar that makes it certain.
    """

    name = "rsi-divergence"
    title = "RSI divergence"
    parameters = {
        "rsi_period": whole(14, 2, 200, step=2, label="RSI bars"),
        "lookback": whole(20, 3, 500, step=5, label="Lookback", help="At most so many bars between the two extremes"),
        "left": whole(3, 1, 50, label="Bars before", help="Bars before an extreme that it has to exceed"),
        "right": whole(3, 1, 50, label="Bars behind", help="Bars behind an extreme that make it certain"),
        "prominence": number(0.5, 0.0, 50.0, step=0.5, label="Prominence", help="RSI points between the two extremes"),
        "risk": risk(1.5),
        "stop_loss": stop_loss(2.0),
        "take_profit": take_profit(4.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars until the RSI has settled, and those that two extremes may take."""
        return rma_settled(p.rsi_period) + int(p.lookback + p.left + p.right)

    def signals(self, view: View, p: Params) -> Signals:
        """Return the divergences at the bars that confirm them."""
        strength = view.once(rsi, view.close, p.rsi_period)
        new_high, new_low, _top, _bottom = swings(view.high, view.low, p.left, p.right)
        return Signals(long=divergences(-new_low, -strength, p), short=divergences(new_high, strength, p))

    def rules(self, p: Params) -> Rules:
        """Return stop, target and a size by risk."""
        return rules(p, exits=exits(p), side=p.side)


def divergences(confirmed: Floats, strength: Floats, p: Params) -> Truths:
    """Return where a confirmed high exceeds the one before it while the strength there does not.

    confirmed   float64[n], the high that becomes certain at a bar, NaN elsewhere
    strength    float64[n], of the bar itself, not of the confirming one
    """
    found = np.zeros(len(confirmed), bool)
    certain = np.flatnonzero(~np.isnan(confirmed))
    if len(certain) < 2:
        return found
    before, now = certain[:-1], certain[1:]
    weaker = strength[now - p.right] <= strength[before - p.right] - p.prominence
    found[now] = (confirmed[now] > confirmed[before]) & weaker & (now - before <= p.lookback)
    return found
