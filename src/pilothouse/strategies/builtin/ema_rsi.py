"""Two averages say the way, the RSI says whether it is late: the small bot for short bars."""

from pilothouse.strategies.builtin.usual import (
    SIDE,
    away,
    ema_settled,
    rma_settled,
    rules,
    size,
    stop_loss,
    take_profit,
)
from pilothouse.strategies.indicators.averages import ema
from pilothouse.strategies.indicators.momentum import rsi
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Exits, Rules, Target
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View


class EmaRsi(Columns):
    """Long while the fast average is above the slow one and the RSI is not overbought; short mirrored.

    A state and not a cross: after an exit it enters again at once if the state still holds.
    """

    name = "ema-rsi"
    title = "EMA and RSI"
    parameters = {
        "fast": whole(8, 2, 500, step=2, label="Fast average"),
        "slow": whole(21, 3, 1_000, step=3, label="Slow average"),
        "rsi_period": whole(7, 2, 200, step=2, label="RSI bars"),
        "oversold": number(35.0, 0.0, 100.0, step=5.0, label="Oversold", help="Below it nothing is sold short"),
        "overbought": number(65.0, 0.0, 100.0, step=5.0, label="Overbought", help="Above it nothing is bought"),
        "stop_loss": stop_loss(0.5),
        "take_profit": take_profit(1.5),
        "trailing_stop": number(
            0.3, 0.0, 50.0, step=0.1, label="Trailing stop %", help="Behind the best price; 0: none"
        ),
        "size": size(10.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars until averages and RSI have settled."""
        return max(ema_settled(max(p.fast, p.slow)), rma_settled(p.rsi_period))

    def signals(self, view: View, p: Params) -> Signals:
        """Return where the state holds."""
        fast, slow, strength = (
            view.once(ema, view.close, p.fast),
            view.once(ema, view.close, p.slow),
            view.once(rsi, view.close, p.rsi_period),
        )
        return Signals(long=(fast > slow) & (strength < p.overbought), short=(fast < slow) & (strength > p.oversold))

    def rules(self, p: Params) -> Rules:
        """Return stop, target and trailing stop; the other state turns the position."""
        target = away(p.take_profit)
        ends = Exits(stop=away(p.stop_loss), targets=(Target(target),) if target else (), trail=away(p.trailing_stop))
        return rules(p, exits=ends, side=p.side)
