"""Hold the strongest of many instruments, and look again now and then."""

import numpy as np

from pilothouse.strategies.builtin.many import on_the_hour, standing
from pilothouse.strategies.builtin.usual import rules, size
from pilothouse.strategies.indicators.momentum import roc
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Exits, Rules
from pilothouse.strategies.sdk import Columns, Floats, Signals
from pilothouse.strategies.view import Frame, View


class MomentumRotation(Columns):
    """Long while an instrument is among the strongest of all that are traded, and itself rising; out when it is not.

    Run over many instruments on shared capital; each sees the others. Alone, it is a momentum filter.
    """

    name = "momentum-rotation"
    title = "Momentum rotation"
    parameters = {
        "lookback": whole(90, 1, 2_000, step=10, label="Lookback", help="Bars over which the change is measured"),
        "top": whole(3, 1, 100, label="How many", help="So many of the strongest are held"),
        "every": whole(10_080, 1, 525_600, label="Every", help="Minutes between two looks, by the clock"),
        "least": number(0.0, -100.0, 1_000.0, step=5.0, label="Least change %", help="Weaker ones are not held"),
        "size": size(33.0),
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars of the lookback."""
        return int(p.lookback)

    def signals(self, view: View, p: Params) -> Signals:
        """Return entries and exits at each look; the strongest goes first where capital is short."""

        def change(frame: Frame) -> Floats:
            return roc(frame.close, p.lookback)

        own, above = standing(view, change)
        held = (above < p.top) & (own > p.least)
        look = on_the_hour(view, p.every)
        return Signals(long=look & held, leave_long=look & ~held, rank=np.nan_to_num(own, nan=-1e9))

    def rules(self, p: Params) -> Rules:
        """Return the size of each; long only."""
        return rules(p, exits=Exits(), side="long")
