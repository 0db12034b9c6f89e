"""Buy below the band and leave in the middle: a bet that the price comes back."""

from pilothouse.strategies.builtin.usual import SIDE, exits, rules, size, stop_loss, take_profit
from pilothouse.strategies.indicators.bands import bollinger
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View


class BollingerReversion(Columns):
    """Long when the close comes back above the lower band, short below the upper one; out at the middle."""

    name = "bollinger-reversion"
    title = "Bollinger reversion"
    parameters = {
        "period": whole(20, 2, 500, step=5, label="Bars"),
        "width": number(2.0, 0.1, 10.0, step=0.25, label="Width", help="Standard deviations from the middle"),
        "stop_loss": stop_loss(3.0),
        "take_profit": take_profit(0.0),
        "size": size(50.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars of the bands and one for the cross."""
        return int(p.period) + 1

    def signals(self, view: View, p: Params) -> Signals:
        """Return the ways back into the bands, and to the middle."""
        upper, middle, lower = view.once(bollinger, view.close, p.period, p.width)
        close = view.close
        return Signals(
            long=crossed_above(close, lower),
            short=crossed_below(close, upper),
            # Prices are whole ticks and often meet the mean exactly; its last bit depends on where the history begins.
            leave_long=close >= middle * (1.0 - 1e-9),
            leave_short=close <= middle * (1.0 + 1e-9),
        )

    def rules(self, p: Params) -> Rules:
        """Return stop, target if any, and size."""
        return rules(p, exits=exits(p), side=p.side, flips=False)
