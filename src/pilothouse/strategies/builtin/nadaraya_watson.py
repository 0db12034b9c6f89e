"""Fade the envelope of a kernel regression that knows only the past."""

from pilothouse.strategies.builtin.usual import SIDE, exits, rules, size, stop_loss, take_profit
from pilothouse.strategies.indicators.bands import nadaraya_watson
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View


class NadarayaWatson(Columns):
    """Long when the close is at or below the lower band, short at or above the upper one; out by stop and target."""

    name = "nadaraya-watson"
    title = "Nadaraya-Watson envelope, causal"
    parameters = {
        "bandwidth": number(8.0, 0.5, 200.0, step=1.0, label="Bandwidth", help="Bars; how far back the kernel looks"),
        "width": number(3.0, 0.1, 20.0, step=0.25, label="Width", help="Mean distances from the middle"),
        "period": whole(100, 10, 1_000, label="Bars", help="Where the kernel is cut off"),
        "stop_loss": stop_loss(0.5),
        "take_profit": take_profit(1.0),
        "size": size(10.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars of the kernel and of the mean distance from it."""
        return 2 * int(p.period)

    def signals(self, view: View, p: Params) -> Signals:
        """Return where the close leaves the envelope."""
        upper, _middle, lower = view.once(nadaraya_watson, view.close, p.period, p.bandwidth, p.width)
        return Signals(long=view.close <= lower, short=view.close >= upper)

    def rules(self, p: Params) -> Rules:
        """Return stop, target and size."""
        return rules(p, exits=exits(p), side=p.side)
