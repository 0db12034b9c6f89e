"""Follow the price out of the range of the bars before the market opened, if it has not run away yet."""

import numpy as np

from pilothouse.strategies.builtin.opening_range import ZONE, breakouts
from pilothouse.strategies.builtin.usual import (
    SIDE,
    WHOLE_DAY_MS,
    exits,
    kept,
    rules,
    shifted,
    size,
    stop_loss,
    take_profit,
)
from pilothouse.strategies.calendar import local_clock
from pilothouse.strategies.indicators.windows import rolling_highest, rolling_lowest
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View


class Premarket(Columns):
    """Long when the close leaves the range before the open upwards by no more than the deviation; short mirrored.

    Out when the price comes back through the other side. The bars of the range have to be there without a gap.
    """

    name = "premarket"
    title = "Premarket breakout"
    parameters = {
        "hour": whole(9, 0, 23, label="Hour", help="Local hour at which the market opens"),
        "minute": whole(30, 0, 59, step=15, label="Minute"),
        "timezone": ZONE,
        "bars": whole(15, 1, 500, step=5, label="Bars", help="Bars before the open that make the range"),
        "deviation": number(0.5, 0.0, 50.0, step=0.25, label="Most deviation %", help="Beyond it, it is too late"),
        "stop_loss": stop_loss(0.5),
        "take_profit": take_profit(1.0),
        "size": size(10.0),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars of the range."""
        return int(p.bars) + 1

    def warm_up_ms(self, p: Params) -> int:
        """Return a day: the one in which the history begins may have no bars before its open."""
        return WHOLE_DAY_MS

    def signals(self, view: View, p: Params) -> Signals:
        """Return the breakouts behind the open, and the ways back through the other side."""
        day, minute = local_clock(view.opened_ms, p.timezone)
        begin = 60 * p.hour + p.minute
        opens = minute >= begin
        # The open is the first bar of a local day that is not before it; the bar before it belongs to the same day.
        first = opens & np.concatenate([[False], ~opens[:-1] & (day[1:] == day[:-1])])[: len(day)]
        age = view.opened_ms - np.concatenate([np.full(p.bars, -1), view.opened_ms])[: len(day)]
        whole_range = age == p.bars * view.candles.span_ms
        upper = kept(first & whole_range, shifted(rolling_highest(view.high, p.bars)), day)
        lower = kept(first & whole_range, shifted(rolling_lowest(view.low, p.bars)), day)
        close, room = view.close, p.deviation / 100.0
        return Signals(
            long=breakouts(close, upper) & (close <= upper * (1.0 + room)),
            short=breakouts(-close, -lower) & (close >= lower * (1.0 - room)),
            leave_long=close < lower,
            leave_short=close > upper,
        )

    def rules(self, p: Params) -> Rules:
        """Return stop, target and size."""
        return rules(p, exits=exits(p), side=p.side)
