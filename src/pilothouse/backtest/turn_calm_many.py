"""Several instruments: steps in which nothing can happen but the strategy's own turns, passed quickly. Pure.

As `turn_calm.py` for one: while no order and no forced close of any instrument is within the reach of its bars, and
nothing is due, a strategy may take many turns at once (`decide_many`): all bars of some steps in order, those of one
moment in order of name. What it asks for is carried out at that moment, before the bars behind it are told.
"""

from bisect import bisect_left
from typing import Any, Final

import numpy as np

from pilothouse.backtest.turn_calm import first_met, lived_through, reach_of
from pilothouse.backtest.turn_orders import ALL, Lane, Leg
from pilothouse.backtest.turn_run import CLOSE, TurnRun
from pilothouse.core.candles import Ints
from pilothouse.strategies.sdk import Bar, Turn

_LEAST: Final = 16
_MOST: Final = 4_096


class CalmMany(TurnRun):
    """A run over several instruments that looks ahead to the next step in which something may happen."""

    def __init__(self, *arguments: Any) -> None:
        """Begin flat, before the first bar; as the run that it is."""
        super().__init__(*arguments)
        self.decide_many = getattr(self.strategy, "decide_many", self._one_by_one)
        if hasattr(self.strategy, "seat"):
            self.strategy.seat(self)
        due = {lane.places[bar] for lane in self.lanes for bar in lane.due}
        self.dues = sorted(due | self.account.interest_steps())
        self.at_once = _LEAST
        self.is_walked = self.steps.thin is not None or self.steps.overlap
        """Whether every step is walked in full, because bars are walked inside or open while others are under way."""

    def through(self) -> None:
        """Walk all steps."""
        if self.is_walked:
            super().through()
            return
        count, step = len(self.opened), 0
        while step < count:
            until = self._calm_until(step, min(count, step + self.at_once))
            if until > step:
                step = self._pass(step, until)
                continue
            self.one_step(step, self.here_at(step))
            step += 1

    def tell(self, lanes: list[Lane]) -> None:
        """Tell the bars of some instruments that close now, many at once while nothing is asked for."""
        if self.is_walked:
            super().tell(lanes)
            return
        while lanes:
            which = np.array([self.lanes.index(lane) for lane in lanes], np.int64)
            bars = np.array([lane.bar for lane in lanes], np.int64)
            place, turn = self.decide_many(self.state, which, bars, self.p)
            self.state = turn.state
            if turn.wants or turn.cancels:
                self.follow(turn)
            lanes = lanes[place + 1 :]

    def _calm_until(self, step: int, count: int) -> int:
        """Return the first step from `step` on in which more may happen than the strategy's turns."""
        held = any(leg.pos for leg in self.account.legs)
        if self.later or (held and self.account.shared):
            return step
        if held and self.dues:
            place = bisect_left(self.dues, step)
            count = min(count, self.dues[place]) if place < len(self.dues) else count
        for lane in self.lanes:
            reach = reach_of(self, lane)
            if reach is None:
                return step
            floor, ceiling = reach
            begin = lane.bar + 1
            end = bisect_left(lane.places, count, begin)
            met = end
            if floor:
                met = first_met(lane.candles.low[begin:end] <= floor, begin, met)
            if ceiling != ALL:
                met = first_met(lane.candles.high[begin:met] >= ceiling, begin, met)
            if met < end:
                count = min(count, lane.places[met])
        return max(count, step)

    def _pass(self, step: int, until: int) -> int:
        """Take the turns of the steps from `step` up to `until`, or to the first that asks for something."""
        which, bars, at = self._told(until)
        place, turn = self.decide_many(self.state, which, bars, self.p)
        self.state = turn.state
        asked = bool(turn.wants or turn.cancels)
        end = int(at[place]) if asked else until
        self._lived(step, end)
        if not asked:
            self.at_once = min(2 * self.at_once, _MOST)
            return until
        self.at_once = max(self.at_once // 2, _LEAST)
        here = self.here_at(end)
        self.begin_step(end, here)
        self.phase = CLOSE
        for lane in here:
            lane.close_bar()
        self.follow(turn)
        self.tell(here[here.index(self.lanes[which[place]]) + 1 :])
        self.end_of_step([leg for lane in here for leg in lane.legs], here)
        return end + 1

    def _told(self, until: int) -> tuple[Ints, Ints, Ints]:
        """Return the bars of the next steps up to `until` as they are told: of which lane, which bar, at which step."""
        which, bars, at = [], [], []
        for number, lane in enumerate(self.lanes):
            begin = lane.bar + 1
            end = bisect_left(lane.places, until, begin)
            which.append(np.full(end - begin, number, np.int64))
            bars.append(np.arange(begin, end, dtype=np.int64))
            at.append(np.array(lane.places[begin:end], np.int64))
        steps = np.concatenate(at)
        order = np.argsort(steps, kind="stable")
        return np.concatenate(which)[order], np.concatenate(bars)[order], steps[order]

    def _one_by_one(self, state: dict[str, Any], which: Ints, bars: Ints, p: Any) -> tuple[int, Turn]:
        """Return the place of the first turn that asks for something, and it; else the last."""
        decide, turn, place = self.decide, Turn(state), 0
        for place, (number, bar) in enumerate(zip(which.tolist(), bars.tolist(), strict=True)):
            turn = decide(state, _bar(self.lanes[number], bar), p)
            state = turn.state
            if turn.wants or turn.cancels:
                return place, turn
        return place, turn

    def _lived(self, step: int, until: int) -> None:
        """Account for steps that passed without anything."""
        if until <= step:
            return
        account = self.account
        account.step, worth = until - 1, [account.cash] * (until - step)
        held = [leg for leg in account.legs if leg.pos]
        account.exposed += (until - step) * bool(held)
        for leg in held:
            worth = [sum(pair) for pair in zip(worth, _worths(leg, step, until), strict=True)]
        account.equity += worth
        for lane in self.lanes:
            lane.bar = bisect_left(lane.places, until, lane.bar + 1) - 1
            if lane.bar >= 0:
                lane.now, lane.last = lane.places[lane.bar], lane.columns[3][lane.bar]


def _worths(leg: Leg, step: int, until: int) -> list[int]:
    """Return what a position is worth at the close of each step; its trade has lived through their bars."""
    lane = leg.lane
    begin = lane.bar + 1
    end = bisect_left(lane.places, until, begin)
    each, now = leg.pos * lane.units, leg.worth
    found: list[int] = []
    for place, close in zip(lane.places[begin:end], lane.columns[3][begin:end], strict=True):
        found += [now] * (place - step - len(found))
        now = close * each
        found.append(now)
    if end > begin:
        lived_through(leg, max(lane.columns[1][begin:end]), min(lane.columns[2][begin:end]))
    return found + [now] * (until - step - len(found))


def _bar(lane: Lane, bar: int) -> Bar:
    opens, highs, lows, closes = lane.columns
    tick, opened = lane.tick, int(lane.candles.opened_ms[bar])
    return Bar(
        lane.market.symbol, opened, opened + lane.candles.span_ms, opens[bar] * tick, highs[bar] * tick,
        lows[bar] * tick, closes[bar] * tick, int(lane.candles.volume[bar]) * lane.step,
    )  # fmt: skip
