"""Follow a volatility band: be where Supertrend is."""

import numpy as np

from pilothouse.strategies.builtin.usual import SIDE, rma_settled, rules, shifted, size
from pilothouse.strategies.indicators.stops import supertrend
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Exits, Rules
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View


class SupertrendFollow(Columns):
    """Long when the line turns below the price, short when it turns above; the turn is also the exit."""

    name = "supertrend"
    title = "Supertrend"
    parameters = {
        "period": whole(10, 2, 200, step=2, label="ATR bars"),
        "width": number(3.0, 0.5, 20.0, step=0.5, label="Width in ATR"),
        "size": size(100.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars until the true range has settled, and as many again for a first turn."""
        return 2 * rma_settled(p.period)

    def signals(self, view: View, p: Params) -> Signals:
        """Return the turns."""
        _line, way = view.once(supertrend, view.high, view.low, view.close, p.period, p.width)
        before = shifted(way)
        up, down = (way > 0) & (before < 0), (way < 0) & (before > 0)
        return Signals(long=up, short=down, leave_long=np.copy(down), leave_short=np.copy(up))

    def rules(self, p: Params) -> Rules:
        """Return the size; the line is the stop."""
        return rules(p, exits=Exits(), side=p.side)
