"""Runs of rules in turns: what each position wants goes in; who gets a place, and what an order meets, comes out. Pure.

A bar goes like that of the compiled portfolio, each step for all positions before the next; with one position it is
that of the compiled loop. Who may be open at once, and who goes first, is told in `kernels/portfolio.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from pilothouse.backtest.columns_as_turns import ColumnsAsTurns
from pilothouse.backtest.order_log import UNSIZED, OrderLog
from pilothouse.backtest.orders import Outcome
from pilothouse.backtest.result import Result
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.simulate import Plan
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.backtest.turn_orders import Lane, Leg, Order
from pilothouse.backtest.turn_run import CLOSE, INSIDE, TurnRun
from pilothouse.core.candles import Floats
from pilothouse.strategies.parameters import Parameter, Params
from pilothouse.strategies.sdk import Denied, Happening, Turn

_NEW, _WAITED, _HELD = range(3)
_FIRST: Final = 0.0


class Rules:
    """In place of a strategy in turns, whose part the seats have."""

    name: ClassVar[str] = "columns"
    title: ClassVar[str] = "Columns, turn by turn"
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def begin(self, p: Params) -> dict[str, Any]:
        """Return no state: it is kept in the seats."""
        return {}

    def decide(self, state: dict[str, Any], happening: Happening, p: Params) -> Turn:
        """Return nothing: what is wanted comes from the seats."""
        return Turn(state)


class RulesRun(TurnRun):
    """A run whose orders are those of rules, for each position of its own."""

    def __init__(self, spec: BacktestSpec, lanes: list[Lane], log: OrderLog | None = None) -> None:
        """Begin flat, without any position that could be held."""
        super().__init__(spec, lanes, Rules(), Params({}), log)
        self.late = 0  # the plans say when a wish is carried out
        self.seats: list[ColumnsAsTurns] = []
        self.ranks: dict[int, Floats | None] = {}
        self.queue: list[ColumnsAsTurns] = []
        self.crowded = 0
        self._by_leg: dict[int, ColumnsAsTurns] = {}
        self._by_key: dict[str, ColumnsAsTurns] = {}

    def seat(self, plan: Plan, leg: Leg, rank: Floats | None = None) -> None:
        """Let a position be held; those of one run come in the order of its legs. `rank`: of each bar, or equal."""
        name = f" {len(self.seats)}" if self.account.many else ""
        seat = ColumnsAsTurns(plan, leg, self, name)
        self.seats.append(seat)
        self._by_leg[id(leg)] = self._by_key[seat.entry] = seat
        self.ranks[id(seat)] = rank

    def heard(self, leg: Leg, key: str, lots: int, price: int) -> None:
        """Let the rules of a position take the turn that follows a fill."""
        self.follow(self._by_leg[id(leg)].filled())

    def turn(self, happening: Happening) -> None:
        """Tell the rules of a position that its entry was denied; of anything else they know by themselves."""
        if isinstance(happening, Denied) and happening.key in self._by_key:
            self._by_key[happening.key].denied(happening.key)

    def stop_of(self, leg: Leg) -> int | None:
        """Return where the rules stop a position."""
        stop = leg.orders.get(self._by_leg[id(leg)].stop)
        return None if stop is None else stop.trigger

    # ── one step ──────────────────────────────────────────────────────────────────────────────────

    def open_step(self, step: int, here: list[Lane]) -> None:
        """Carry out what the opens of a step bring, in the order that the module tells."""
        self.begin_step(step, here)
        account = self.account
        seats, lanes = self._seats_of(here)
        for seat in seats:
            account.pay_at_open(seat.leg)
        account.pay_interest()
        self.call()
        for seat in seats:
            if seat.leg.pos:
                self.liquidate_at_open(seat.leg)
                self.rules_at_open(seat.leg, seat.leg.lane.first)
        if not self.at_close:
            self._wishes(seats, seats)
        self._enter(lanes)

    def close_step(self, step: int, here: list[Lane]) -> None:
        """Walk through the bars of a step to their closes."""
        self.account.step = step
        seats, lanes = self._seats_of(here)
        self._inside(seats, lanes)
        self._close(seats, here)

    def _seats_of(self, here: list[Lane]) -> tuple[list[ColumnsAsTurns], set[int]]:
        lanes = {id(lane) for lane in here}
        return [seat for seat in self.seats if id(seat.leg.lane) in lanes], lanes

    def _inside(self, seats: list[ColumnsAsTurns], lanes: set[int]) -> None:
        self.phase = INSIDE
        for seat in seats:
            self.account.pay_inside(seat.leg)
            seat.leg.came = seat.leg.lane.first
        for seat in self.queue:
            if id(seat.leg.lane) in lanes:
                seat.leg.came = self.enter_inside(seat.leg)
        came = {id(seat): seat.leg.came for seat in seats}
        self.call(inside=True)
        for seat in seats:
            if seat.leg.pos:
                self.walk(seat.leg, came[id(seat)])

    def _close(self, seats: list[ColumnsAsTurns], here: list[Lane]) -> None:
        self.phase = CLOSE
        for lane in here:
            lane.close_bar()
        closes = {id(lane) for lane in self.closing(here)}
        lanes = {id(lane) for lane in here} | closes
        ending = [seat for seat in self.seats if id(seat.leg.lane) in lanes]
        if self.at_close:
            for seat in ending:
                self.follow(seat.time(0))
            self._wishes([seat for seat in ending if id(seat.leg.lane) in closes], ending)
            self._enter(lanes)
        for seat in seats:
            if not self.at_close:
                self.follow(seat.time(1))
            self.follow(seat.follow_prices())
            self.account.end_bar(seat.leg)
        for seat in ending:
            self._no_longer(seat)
        self.queue = [seat for seat in self.queue if seat.waits is not None]
        self.take_down()

    @staticmethod
    def _waits_for_ever(order: Order) -> bool:
        return order.limit is None and order.trigger is None

    def _no_longer(self, seat: ColumnsAsTurns) -> None:
        """Let no entry wait longer than it may, nor behind the last bar of its instrument: it would keep its place."""
        entry, lane = seat.waits, seat.leg.lane
        if entry is None or entry.ticket is None:
            return
        waited = not self._waits_for_ever(entry) and lane.bar >= entry.ticket.until
        if waited or (self.account.many and lane.bar + 1 == len(lane.places)):
            self.forget(entry, Outcome.EXPIRED)

    # ── wishes ────────────────────────────────────────────────────────────────────────────────────

    def _wishes(self, seats: Sequence[ColumnsAsTurns], leaving: Sequence[ColumnsAsTurns]) -> None:
        """Carry out what was wished; what arrives together at one instrument, one after the other.

        leaving   who may leave what is to be left, be it by an earlier wish
        """
        told = {id(seat): seat.wishes() for seat in seats}
        for turn in range(max(map(len, told.values()), default=0)):
            if turn:
                self._enter({id(seat.leg.lane) for seat in seats})
            self._wished([(seat, told[id(seat)][turn]) for seat in seats if turn < len(told[id(seat)])], leaving)
        if not any(told.values()):
            self._leave(leaving)

    def _wished(self, told: list[tuple[ColumnsAsTurns, int]], leaving: Sequence[ColumnsAsTurns]) -> None:
        """Carry out one wish of each: first who leaves, then who enters, the best ranked first."""
        worth = self.account.worth()
        before = {id(seat): _HELD if seat.leg.pos else _WAITED if seat.waits is not None else _NEW for seat, _ in told}
        for seat, decided in told:
            if before[id(seat)] != _NEW:
                self.follow(seat.wish(decided, worth))
        self._leave(leaving)
        used = sum(seat.leg.pos != 0 or seat.waits is not None for seat in self.seats)
        fresh: list[tuple[float, ColumnsAsTurns, int, bool]] = []
        for seat, decided in told:
            came = before[id(seat)]
            waits = seat.waits
            if came == _NEW:
                if not seat.opens(decided):
                    continue
            elif waits is None or waits.ticket is None or waits.ticket.decided != decided:
                continue
            needs = came == _NEW or (came == _HELD and not seat.leg.pos)
            used -= needs and came == _HELD
            fresh.append((self._rank(seat, decided), seat, decided, needs))
        for _, seat, decided, needs in sorted(fresh, key=lambda each: -each[0]):
            if needs and used >= self.spec.positions_most and self.account.many:
                self.crowded += 1
                if seat.waits is not None:
                    self.forget(seat.waits, Outcome.NO_PLACE)
                elif self.log is not None:
                    self.log.never(seat.leg, seat.entry, seat.way(decided), UNSIZED, Outcome.NO_PLACE)
                continue
            if before[id(seat)] == _NEW:
                self.follow(seat.wish(decided, worth))
                if seat.waits is None:
                    continue
            used += needs
            self.queue = [each for each in self.queue if each is not seat] + [seat]

    def _leave(self, seats: Sequence[ColumnsAsTurns]) -> None:
        for seat in seats:
            leaves = seat.leg.orders.get(seat.leg.leave)
            if seat.leg.pos and leaves is not None:
                self.take(leaves, seat.leg.lane.last)

    def _rank(self, seat: ColumnsAsTurns, decided: int) -> float:
        """Return how a wish ranks: the larger goes first; what has no rank goes last."""
        rank = self.ranks[id(seat)]
        if rank is None:
            return _FIRST
        found = float(rank[seat.leg.lane.bar_of[decided]])
        return -math.inf if math.isnan(found) else found

    def _enter(self, lanes: set[int]) -> None:
        """Fill entries at the opens, or those at the market at the closes, whoever wished first going first."""
        for seat in list(self.queue):
            leg, entry = seat.leg, seat.waits
            if id(leg.lane) not in lanes or entry is None:
                continue
            if self.phase != CLOSE:
                self.enter_at_open(leg)
            elif self._waits_for_ever(entry) and leg.pos * entry.sign >= 0:
                self.take(entry, leg.lane.close, inside=True)

    # ── the end ───────────────────────────────────────────────────────────────────────────────────

    def result(self) -> Result:
        """Return what came out, and how many found no place."""
        found = super().result()
        return replace(found, crowded=self.crowded) if isinstance(found, Portfolio) else found
