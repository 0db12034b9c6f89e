"""Two instruments that go together: sell the one that ran ahead, buy the one that stayed behind."""

import numpy as np

from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.builtin.usual import rules, size
from pilothouse.strategies.indicators.statistics import z_score
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Exits, Rules
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View


class Pairs(Columns):
    """Short when this instrument is dear against the other one, long when it is cheap; out when both agree again.

    It trades the instrument it runs on. Run over both of a pair, each sees the other, and what one sells the other
    buys: the z-scores of the two are mirror images, so both legs open and close at the same bars.
    """

    name = "pairs"
    title = "Pairs by z-score"
    parameters = {
        "period": whole(100, 5, 5_000, step=20, label="Bars", help="Over which mean and deviation are taken"),
        "entry": number(2.0, 0.1, 20.0, step=0.25, label="Enter at", help="Standard deviations from the mean"),
        "leave": number(0.5, 0.0, 20.0, step=0.25, label="Leave at", help="Standard deviations from the mean"),
        "give_up": number(4.0, 0.1, 100.0, step=0.5, label="Give up at", help="They no longer go together"),
        "size": size(50.0),
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars of the mean and one for the cross."""
        return int(p.period) + 1

    def signals(self, view: View, p: Params) -> Signals:
        """Return entries and exits. Raises Invalid if there is not exactly one other instrument."""
        others = [symbol for symbol in view.symbols if symbol != view.candles.symbol]
        if len(others) != 1:
            told = ", ".join(others) or "none"
            raise Invalid([Problem("instruments", f"{told} beside {view.candles.symbol}", "exactly one other", "pair")])
        frame = view.instrument(others[0])
        score = z_score(np.log(view.close) - frame.seen(np.log(frame.close)), p.period)
        far = np.abs(score) >= p.give_up
        return Signals(
            long=crossed_below(score, -p.entry) & ~far,
            short=crossed_above(score, p.entry) & ~far,
            leave_long=(score >= -p.leave) | far,
            leave_short=(score <= p.leave) | far,
        )

    def rules(self, p: Params) -> Rules:
        """Return the size of this leg."""
        return rules(p, exits=Exits(), flips=False)
