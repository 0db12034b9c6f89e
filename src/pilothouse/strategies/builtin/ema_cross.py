"""Two averages cross: the oldest way to follow a trend."""

from pilothouse.strategies.builtin.usual import SIDE, ema_settled, exits, risk, rules, stop_loss, take_profit
from pilothouse.strategies.indicators.averages import ema
from pilothouse.strategies.parameters import Params, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View


class EmaCross(Columns):
    """Long when the fast average crosses above the slow one, short when it crosses below; the other cross ends it."""

    name = "ema-cross"
    title = "Two averages cross"
    parameters = {
        "fast": whole(10, 2, 500, step=2, label="Fast average"),
        "slow": whole(20, 3, 1_000, step=5, label="Slow average"),
        "risk": risk(1.0),
        "stop_loss": stop_loss(2.0),
        "take_profit": take_profit(4.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars until the slower average has settled."""
        return ema_settled(max(p.fast, p.slow))

    def signals(self, view: View, p: Params) -> Signals:
        """Return the crosses."""
        fast, slow = view.once(ema, view.close, p.fast), view.once(ema, view.close, p.slow)
        up, down = crossed_above(fast, slow), crossed_below(fast, slow)
        return Signals(long=up, short=down, leave_long=down, leave_short=up)

    def rules(self, p: Params) -> Rules:
        """Return stop, target and a size by risk."""
        return rules(p, exits=exits(p), side=p.side)
