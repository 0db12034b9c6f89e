"""Bars in which nothing can happen but the strategy's own turn, passed quickly; all others are walked in full. Pure.

Nothing can happen while no order and no forced close is within the reach of a bar, and nothing is due. A strategy may
take many such turns at once (`decide_bars`), if asking it one by one costs more than deciding.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, repeat
from operator import mul
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.turn_lanes import numbers_of
from pilothouse.backtest.turn_orders import ALL, Lane, Leg
from pilothouse.backtest.turn_run import CLOSE, TurnRun
from pilothouse.core.candles import Ints
from pilothouse.strategies.sdk import Bar, Turn

_LEAST: Final = 64
_MOST: Final = 8_192


class CalmRun(TurnRun):
    """A run that looks ahead to the next bar in which something may happen."""

    def __init__(self, *arguments: Any) -> None:
        """Begin flat, before the first bar; as the run that it is."""
        super().__init__(*arguments)
        lane = self.lanes[0]
        self.columns = lane.columns
        self.dues = sorted(lane.due)
        self.decide_bars = getattr(self.strategy, "decide_bars", self._one_by_one)
        if hasattr(self.strategy, "seat"):
            self.strategy.seat(self)
        self.at_once = _LEAST
        self.lowest = numbers_of(np.minimum.accumulate(lane.candles.low[::-1])[::-1])
        self.highest = numbers_of(np.maximum.accumulate(lane.candles.high[::-1])[::-1])
        """Of each bar the lowest and the highest price from it on: what lies beyond them is never met."""
        self.told: Iterator[Bar] | None = None
        """The bars in order, each made when it is told; None where they are told otherwise."""

    def through(self) -> None:
        """Walk all bars."""
        if len(self.lanes) > 1 or self.steps.thin is not None:
            super().through()
            return
        lane, count, step = self.lanes[0], len(self.opened), 0
        if self.decide_bars == self._one_by_one:
            self.told = self._bars(lane)
        while step < count:
            until = self._calm_until(lane, step, count)
            if until > step:
                step = self._pass(lane, step, until)
                continue
            lane.bar = step
            self.one_step(step, self.lanes)
            step += 1

    def _calm_until(self, lane: Lane, step: int, count: int) -> int:
        """Return the first bar from `step` on in which more may happen than the strategy's turn."""
        if self.later:
            return step
        held = lane.legs[0].pos or lane.legs[-1].pos
        if held and self.account.shared:
            return step
        reach = reach_of(self, lane)
        if reach is None:
            return step
        floor, ceiling = reach
        count = min(count, step + self.at_once)
        if held and self.dues:
            place = bisect_left(self.dues, step)
            count = min(count, self.dues[place]) if place < len(self.dues) else count
        falls, rises = self.lowest[step] <= floor, self.highest[step] >= ceiling
        if not falls and not rises:
            return count
        if lane.columns[2][step] <= floor or lane.columns[1][step] >= ceiling:
            return step
        if falls:
            count = first_met(lane.candles.low[step:count] <= floor, step, count)
        return count if not rises else first_met(lane.candles.high[step:count] >= ceiling, step, count)

    def _pass(self, lane: Lane, step: int, until: int) -> int:
        """Take the turns of the bars from `step` up to `until`, or to the first that asks for something."""
        bar, turn = self.decide_bars(self.state, range(step, until), self.p)
        self.state = turn.state
        asked = bool(turn.wants or turn.cancels)
        self.lived(lane, step, bar if asked else until)
        if not asked:
            self.at_once = min(2 * self.at_once, _MOST)
            return until
        self.at_once = max(self.at_once // 2, _LEAST)
        self.asked(lane, bar, turn)
        return bar + 1

    def _one_by_one(self, state: dict[str, Any], bars: range, p: Any) -> tuple[int, Turn]:
        """Return the first turn that asks for something, and its bar; else the last turn."""
        assert self.told is not None, "whoever decides one by one is told so"
        decide, turn = self.decide, Turn(state)
        for bar, happening in zip(bars, self.told, strict=False):
            turn = decide(state, happening, p)
            state = turn.state
            if turn.wants or turn.cancels:
                return bar, turn
        return bars.stop - 1, turn

    def _bars(self, lane: Lane) -> Iterator[Bar]:
        """Yield all bars as a strategy is told; one is made only when the one before it has been decided on."""
        prices = (map(mul, repeat(lane.tick), column) for column in self.columns)
        volumes = map(mul, repeat(lane.step), chain.from_iterable(_lists(lane.candles.volume)))
        return map(Bar, repeat(lane.market.symbol), self.opened, self.closed, *prices, volumes)

    def _bar_of(self, lane: Lane) -> Bar:
        return super()._bar_of(lane) if self.told is None else next(self.told)

    def lived(self, lane: Lane, step: int, until: int) -> None:
        """Account for bars that passed without anything."""
        if until <= step:
            return
        account = self.account
        account.step = lane.bar = lane.now = until - 1
        lane.last = self.columns[3][until - 1]
        held = [leg for leg in lane.legs if leg.pos]
        if not held:
            account.equity += [account.cash] * (until - step)
            return
        pos = held[0].pos if len(held) == 1 else sum(leg.pos for leg in held)
        cash, each = account.cash, pos * lane.units
        account.equity += [cash + each * close for close in self.columns[3][step:until]]
        account.exposed += until - step
        highest, lowest = max(self.columns[1][step:until]), min(self.columns[2][step:until])
        for leg in held:
            lived_through(leg, highest, lowest)

    def asked(self, lane: Lane, bar: int, turn: Turn) -> None:
        """Carry out what was asked for at the close of a bar in which nothing else happened."""
        lane.bar = bar
        self.begin_step(bar, self.lanes)
        self.phase = CLOSE
        lane.close_bar()
        self.follow(turn)
        self.end_of_step(lane.legs, self.lanes)


def reach_of(run: TurnRun, lane: Lane) -> tuple[int, int] | None:
    """Return the prices, ticks, down and up to which nothing happens to an instrument; None if it may at any."""
    floor, ceiling = 0, ALL
    for leg in lane.legs:
        for order in leg.orders.values():
            if order.trail or (order.limit is None and order.trigger is None):
                return None
            falls = order.sign < 0 if order.trigger is not None else order.sign > 0
            level = order.level(0) + (order.trigger is None) * run.reach * (-1 if falls else 1)
            floor, ceiling = (max(floor, level), ceiling) if falls else (floor, min(ceiling, level))
        liquid = run.account.liquidation(leg) if leg.pos else None
        if liquid is not None:
            floor, ceiling = (max(floor, liquid), ceiling) if leg.pos > 0 else (floor, min(ceiling, liquid))
    return floor, ceiling


def first_met(met: NDArray[np.bool_], start: int, otherwise: int) -> int:
    """Return the first place that is met, counted from `start`."""
    place = int(met.argmax()) if len(met) else 0
    return start + place if len(met) and met[place] else otherwise


def _lists(column: Ints) -> Iterator[list[int]]:
    for start in range(0, len(column), _MOST):
        yield column[start : start + _MOST].tolist()


def lived_through(leg: Leg, highest: int, lowest: int) -> None:
    """Take bars that a position was held through into its best and worst price."""
    trade = leg.trade
    assert trade is not None, "a position has a trade"
    better, worse = (highest, lowest) if trade.side > 0 else (lowest, highest)
    pick = (max, min) if trade.side > 0 else (min, max)
    trade.best, trade.worst = pick[0](trade.best, better), pick[1](trade.worst, worse)
