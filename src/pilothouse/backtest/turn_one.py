"""One instrument that is held one way, its bars walked whole: what most strategies in turns are. Pure.

The same walk as `turn_run.py` tells it, without the questions that arise where several positions stand beside each
other. While no gate is asked nobody looks at the equity of earlier bars, so that it is counted when the run has ended.
"""

from typing import Any

from pilothouse.backtest.turn_calm import CalmRun
from pilothouse.backtest.turn_orders import Lane, Leg
from pilothouse.backtest.turn_run import CLOSE, INSIDE
from pilothouse.backtest.turn_stretches import Stretches


class OneRun(CalmRun):
    """A run over the bars of one instrument, with one position."""

    def __init__(self, *arguments: Any) -> None:
        """Begin flat, before the first bar; as the run that it is."""
        super().__init__(*arguments)
        self.lane = self.lanes[0]
        (self.leg,) = self.lane.legs
        self.passed = Stretches(self.lane.candles) if self.gate is None else None

    def one_step(self, step: int, here: list[Lane]) -> None:
        """Walk one bar."""
        lane, leg = self.lane, self.leg
        self.begin_step(step, here)
        if self.later:
            self.arrive(step)
        if leg.pos or leg.orders:
            if lane.due:
                self.account.pay_at_open(leg)
            self.open_leg(leg)
        self.phase, leg.came = INSIDE, lane.first
        if leg.pos or leg.orders:
            if lane.due:
                self.account.pay_inside(leg)
            self.walk(leg, lane.first)
        self.phase = CLOSE
        lane.close_bar()
        if self.later and self.at_close:
            self.arrive(step, at_close=True)
        self.turn(self._bar_of(lane))
        self.end_of_step(lane.legs, self.lanes)

    def lived(self, lane: Lane, step: int, until: int) -> None:
        """Account for bars that passed without anything."""
        if self.passed is None or until <= step:
            super().lived(lane, step, until)
            return
        account, leg = self.account, self.leg
        account.step = lane.bar = lane.now = until - 1
        lane.last = self.columns[3][until - 1]
        self.passed.add(until - step, account.cash, leg.pos * lane.units)
        if leg.trade is not None:
            account.exposed += until - step
            self.passed.hold(leg.trade, step, until)

    def end_of_step(self, legs: list[Leg], closing: list[Lane]) -> None:
        """Fill what fills at the close, and write down what the account is worth there."""
        lane, leg = self.lane, self.leg
        if self.at_close and leg.orders:
            for reduces in (True, False):
                self.at_market(leg, lane.close, reduces=reduces, inside=True)
        if leg.orders:
            self.end_of_bar(leg)
        elif leg.trade is not None:
            self.account.end_bar(leg)
        if self.passed is None:
            self.take_down()
        else:
            self.account.exposed += leg.pos != 0
            self.passed.add(1, self.account.cash, leg.pos * lane.units)
