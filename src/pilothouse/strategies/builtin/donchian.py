"""Follow a broken range: the rule of the Turtles."""

from pilothouse.strategies.builtin.usual import SIDE, rma_settled, rules, shifted
from pilothouse.strategies.indicators.bands import donchian
from pilothouse.strategies.parameters import Params, number, whole
from pilothouse.strategies.rules import By, Distance, Exits, Rules
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View


class DonchianBreakout(Columns):
    """Long when the close leaves the range of the bars before upwards; out when it falls out of a shorter range."""

    name = "donchian"
    title = "Donchian breakout"
    parameters = {
        "entry": whole(20, 2, 500, step=5, label="Range to enter", help="Bars whose range has to be left"),
        "leave": whole(10, 1, 500, step=5, label="Range to leave", help="Bars whose other end closes the position"),
        "stop_atr": number(2.0, 0.1, 20.0, step=0.5, label="Stop in ATR"),
        "atr_bars": whole(20, 1, 200, label="ATR bars"),
        "risk": number(1.0, 0.01, 20.0, label="Risk %", help="Percent of equity that is lost if the stop fills"),
        "side": SIDE,
    }

    def warm_up(self, p: Params) -> int:
        """Return the bars of the longest range, and those until the true range has settled."""
        return max(int(p.entry), int(p.leave), rma_settled(p.atr_bars)) + 1

    def signals(self, view: View, p: Params) -> Signals:
        """Return the breakouts, each against the range without its own bar."""
        upper, _, lower = view.once(donchian, view.high, view.low, p.entry)
        out_upper, _, out_lower = view.once(donchian, view.high, view.low, p.leave)
        close = view.close
        return Signals(
            long=close > shifted(upper),
            short=close < shifted(lower),
            leave_long=close < shifted(out_lower),
            leave_short=close > shifted(out_upper),
        )

    def rules(self, p: Params) -> Rules:
        """Return a stop by range and a size by risk."""
        made = rules(p, exits=Exits(stop=Distance(p.stop_atr, By.ATR)), side=p.side)
        return Rules(exits=made.exits, size=made.size, side=made.side, atr_bars=p.atr_bars)
