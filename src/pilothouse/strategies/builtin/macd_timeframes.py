"""MACD crosses in the direction of a longer timeframe that has closed."""

import numpy as np

from pilothouse.strategies.builtin.usual import SIDE, ema_settled, exits, rules, size, stop_loss, take_profit
from pilothouse.strategies.indicators.oscillators import macd
from pilothouse.strategies.parameters import Params, choice, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below
from pilothouse.strategies.view import View

MINUTE_MS = 60_000
LENGTHS_MS = {
    name: minutes * MINUTE_MS
    for name, minutes in {
        "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "12h": 720, "1d": 1_440, "1w": 10_080,
    }.items()
}  # fmt: skip


class MacdTimeframes(Columns):
    """Long when MACD crosses its signal upwards while the longer timeframe points up; short mirrored.

    The longer candle counts only after it has closed. The opposing cross ends a position, whatever the longer one says.
    """

    name = "macd-timeframes"
    title = "MACD on two timeframes"
    parameters = {
        "timeframe": choice("4h", tuple(LENGTHS_MS), label="Longer timeframe"),
        "fast": whole(12, 2, 200, step=2, label="Fast average"),
        "slow": whole(26, 3, 400, step=2, label="Slow average"),
        "signal": whole(9, 1, 200, label="Signal average"),
        "trend": choice(
            "macd-signal", ("macd-signal", "macd"), label="Trend",
            help="macd-signal: up where MACD is above its signal; macd: up where it is above zero",
        ),
        "stop_loss": stop_loss(2.0),
        "take_profit": take_profit(4.0),
        "size": size(10.0),
        "side": SIDE,
    }  # fmt: skip

    def warm_up(self, p: Params) -> int:
        """Return the bars until MACD has settled; the one of longer bars answers NaN until then."""
        return ema_settled(max(p.fast, p.slow)) + int(p.signal)

    def warm_up_ms(self, p: Params) -> int:
        """Return as many of the longer bars, and the two that may be cut at either end."""
        return (ema_settled(max(p.fast, p.slow)) + int(p.signal) + 2) * LENGTHS_MS[p.timeframe]

    def signals(self, view: View, p: Params) -> Signals:
        """Return the crosses with the trend, and every cross against the position."""
        line, signal, _ = view.once(macd, view.close, p.fast, p.slow, p.signal)
        longer = view.higher(p.timeframe)
        far_line, far_signal, _ = view.once(macd, longer.close, p.fast, p.slow, p.signal)
        settled = np.arange(len(longer)) >= ema_settled(max(p.fast, p.slow)) + p.signal
        lean = np.where(settled, far_line - far_signal if p.trend == "macd-signal" else far_line, np.nan)
        lean = longer.seen(lean)
        up, down = crossed_above(line, signal), crossed_below(line, signal)
        return Signals(long=up & (lean > 0), short=down & (lean < 0), leave_long=down, leave_short=up)

    def rules(self, p: Params) -> Rules:
        """Return stop, target and size."""
        return rules(p, exits=exits(p), side=p.side)
