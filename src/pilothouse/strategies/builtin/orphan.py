"""The Orphan: a price that comes back into its band while the long trend is up and the market has woken."""

from pilothouse.strategies.builtin.usual import away, ema_settled, rules, size, stop_loss, take_profit
from pilothouse.strategies.indicators.averages import ema
from pilothouse.strategies.indicators.bands import bollinger
from pilothouse.strategies.indicators.statistics import std_dev
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import Exits, Rules, Target
from pilothouse.strategies.sdk import Columns, Signals, crossed_above
from pilothouse.strategies.view import View


class Orphan(Columns):
    """Long when the close comes back above the lower band, above its long average, with volatility growing."""

    name = "orphan"
    title = "The Orphan"
    parameters = {
        "period": whole(14, 2, 500, step=2, label="Bars of the bands"),
        "width": number(2.1, 0.1, 10.0, step=0.1, label="Width of the bands"),
        "trend": whole(90, 2, 1_000, step=10, label="Long average"),
        "quick": whole(15, 2, 500, label="Short volatility", help="Bars"),
        "slowly": whole(28, 2, 500, label="Long volatility", help="Bars"),
        "stop_loss": stop_loss(2.0),
        "take_profit": take_profit(9.0),
        "trail_after": number(0.5, 0.0, 90.0, step=0.5, label="Trail after %", help="Gain from which the stop follows"),
        "trail": number(0.5, 0.0, 90.0, step=0.5, label="Trail %", help="Distance of the stop that follows; 0: none"),
        "size": size(10.0),
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars until the long average has settled."""
        return max(ema_settled(p.trend), int(p.period) + 1, int(p.quick), int(p.slowly))

    def signals(self, view: View, p: Params) -> Signals:
        """Return the ways back into the band, and the touches of the upper one."""
        close = view.close
        upper, _middle, lower = view.once(bollinger, close, p.period, p.width)
        rising = close > view.once(ema, close, p.trend)
        awake = std_dev(close, p.quick) > std_dev(close, p.slowly)
        return Signals(long=crossed_above(close, lower) & rising & awake, leave_long=close >= upper)

    def rules(self, p: Params) -> Rules:
        """Return stop, target and the stop that follows."""
        target, trail = away(p.take_profit), away(p.trail)
        ends = Exits(
            stop=away(p.stop_loss), targets=(Target(target),) if target else (),
            trail=trail, trail_after=away(p.trail_after) if trail else None,
        )  # fmt: skip
        return rules(p, exits=ends, side="long")
