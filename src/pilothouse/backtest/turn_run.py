"""One run in turns: candles, orders and an account on one side, a strategy on the other, bar after bar. Pure.

Every order passes the house's own risk gate before it stands. See `turn_walk.py` for the way through a bar.
Orders at the market fill at the next open, or at the close where the run fills there.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from pilothouse.backtest.denials import NONE
from pilothouse.backtest.order_log import UNSIZED, OrderLog
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.spec import BacktestSpec, FillAt
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_gate import Gate
from pilothouse.backtest.turn_lanes import numbers_of
from pilothouse.backtest.turn_orders import Lane, Leg, Order, Ticket, is_limited
from pilothouse.backtest.turn_result import result_of
from pilothouse.backtest.turn_stretches import Stretches
from pilothouse.backtest.turn_walk import Walk
from pilothouse.backtest.turn_wants import cut_order, ticket_order
from pilothouse.core.errors import Invalid, Problem, Refused
from pilothouse.core.rounding import divided
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Bar, Denied, Filled, Happening, Turn, Turns, Want

_ONE: Final = Decimal(1)
_DAY_MS: Final = 86_400_000
_DENIED_MOST_A_BAR: Final = 10_000
OPEN, INSIDE, CLOSE = range(3)
"""Where in a bar a run is."""


def _legs_of(lanes: list[Lane]) -> list[Leg]:
    return lanes[0].legs if len(lanes) == 1 else [leg for lane in lanes for leg in lane.legs]


class TurnRun(Walk):
    """One run: the strategy decides, orders stand and are met, the account keeps the books."""

    def __init__(
        self, spec: BacktestSpec, lanes: list[Lane], strategy: Turns, p: Params, log: OrderLog | None = None
    ) -> None:
        """Begin flat, before the first bar. `log`: where orders are written down."""
        capital = int(divided(spec.capital, lanes[0].scale.unit, _ONE))
        super().__init__(Account(spec, lanes, capital), through=spec.fills.through, log=log)
        if log is not None:
            log.seat(lanes, self.moment)
        self.spec, self.lanes, self.p = spec, lanes, p
        self.by_symbol = {lane.market.symbol: lane for lane in lanes}
        self.strategy, self.decide = strategy, strategy.decide
        self.state: dict[str, Any] = strategy.begin(p)
        self.steps = lanes[0].steps
        self.opened = numbers_of(self.steps.opened_ms)
        self.closed: Sequence[int] = lanes[0].closed if len(lanes) == 1 else numbers_of(self.steps.closed_ms)
        bars = range(len(self.opened))
        self.bar_at: Sequence[int] = bars
        self.first_of: Sequence[int] = bars
        self.last_of: Sequence[int] = bars
        if self.steps.thin is not None:
            self.bar_at, self.first_of, self.last_of = (
                numbers_of(each) for each in (self.steps.bar, self.steps.first, self.steps.last)
            )
        self.gate = Gate(self.account, spec.limits, self.closed) if is_limited(spec.limits) else None
        self.phase = CLOSE
        self.at_close = spec.fills.at is FillAt.CLOSE
        self.late = spec.fills.latency or spec.fills.latency_ms
        self.later: list[tuple[int, Order | str]] = []
        self.denied_now = 0
        self.passed: Stretches | None = None
        """Equity of the bars so far, where nobody asks for it before the end; else the account has it."""

    # ── bars ──────────────────────────────────────────────────────────────────────────────────────

    def through(self) -> None:
        """Walk all steps; those that overlap open one after the other before the first of them is over."""
        ends, under_way = numbers_of(self.steps.ends), deque[tuple[int, list[Lane]]]()
        for step, opened in enumerate(self.opened):
            while under_way and ends[under_way[0][0]] <= opened:
                self.close_step(*under_way.popleft())
            here = self.here_at(step)
            self.open_step(step, here)
            under_way.append((step, here))
        while under_way:
            self.close_step(*under_way.popleft())

    def steps_over(self) -> int:
        """Return how many steps are over; other threads may ask."""
        return self.account.step

    def moment(self) -> int:
        """Return when it is: the opening of a bar or piece, or its end once it closes; milliseconds since 1970."""
        return self.closed[self.account.step] if self.phase == CLOSE else self.opened[self.account.step]

    def here_at(self, step: int) -> list[Lane]:
        """Bring the instruments that have a bar or piece at a step to it, and return them."""
        here = []
        for lane in self.lanes:
            after = lane.bar + 1
            if after < len(lane.places) and lane.places[after] == step:
                lane.bar = after
                here.append(lane)
        return here

    def one_step(self, step: int, here: list[Lane]) -> None:
        """Walk one step, which is a bar or a piece of one, of every instrument that has one."""
        self.open_step(step, here)
        self.close_step(step, here)

    def open_step(self, step: int, here: list[Lane]) -> None:
        """Carry out what the opens of a step bring."""
        self.begin_step(step, here)
        if self.later:
            self.arrive(step)
        self._opens(_legs_of(here))

    def close_step(self, step: int, here: list[Lane]) -> None:
        """Walk through the bars of a step to their closes: when it is over, all of that is known."""
        self.account.step, self.phase = step, INSIDE
        legs = _legs_of(here)
        for leg in legs:
            leg.came = leg.lane.first
            if leg.pos or leg.orders:
                self.account.pay_inside(leg)
        self.call(inside=True)
        entered = len(self.account.fills)
        for leg in legs:
            if leg.pos or leg.orders:
                self.walk(leg, leg.lane.first)
        if self.account.shared:
            self._call_again(legs, entered)
        self._closes(here, legs)

    def begin_step(self, step: int, here: list[Lane]) -> None:
        """Come to the opens of a step."""
        account, share = self.account, self.spec.fills.volume_ppm
        account.step, account.now_ms, self.denied_now, self.phase = step, self.opened[step], 0, OPEN
        for lane in here:
            lane.go_to(lane.bar, share)
            lane.now = step
        if account.tiered:
            account.begin_day(account.now_ms // _DAY_MS)

    def _opens(self, legs: list[Leg]) -> None:
        """Pay what is due, close what the opens close, and fill what was waiting for them."""
        account = self.account
        if not account.many:
            if legs[0].pos or legs[0].orders:
                account.pay_at_open(legs[0])
                self.open_leg(legs[0])
            return
        for leg in legs:
            if leg.pos:
                account.pay_at_open(leg)
        account.pay_interest()
        self.call()
        for leg in legs:
            self.liquidate_at_open(leg)
        for reduces in (True, False):
            for leg in legs:
                if leg.orders:
                    self.at_market(leg, leg.lane.first, reduces=reduces)

    def _call_again(self, legs: list[Leg], count: int) -> None:
        """Judge the account once more if something was entered inside: what came after that is not known."""
        added = {fill.trade: fill.price for fill in self.account.fills[count:] if fill.lots * fill.trade.side > 0}
        entered = [leg for leg in legs if leg.trade is not None and leg.trade in added]
        for leg in legs:
            leg.came = added[leg.trade] if leg in entered and leg.trade is not None else leg.lane.first
        if entered:
            self.call(inside=True)

    def _closes(self, here: list[Lane], legs: list[Leg]) -> None:
        step, self.phase = self.account.step, CLOSE
        for lane in here:
            lane.close_bar()
        if self.later and self.at_close:
            self.arrive(step, at_close=True)
        closing = self.closing(here)
        self.tell(closing)
        self.end_of_step(legs, closing)

    def tell(self, lanes: list[Lane]) -> None:
        """Tell the bars of some instruments that close now, one after the other."""
        for lane in lanes:
            self.turn(self._bar_of(lane))

    def closing(self, here: list[Lane]) -> list[Lane]:
        """Return the instruments whose bar closes with this step: with its last step those of all close together."""
        if self.steps.thin is None:
            return here
        step = self.account.step
        bar = self.bar_at[step]
        if step != self.last_of[bar]:
            return []
        return [lane for lane in self.lanes if lane.bar >= 0 and self.bar_at[lane.now] == bar]

    def end_of_step(self, legs: list[Leg], closing: list[Lane]) -> None:
        """Fill what fills at the close, and write down what the account is worth there."""
        if self.at_close:
            for reduces in (True, False):
                for leg in [leg for lane in closing for leg in lane.legs]:
                    self.at_market(leg, leg.lane.close, reduces=reduces, inside=True)
        for leg in legs:
            self.end_of_bar(leg)
        self.take_down()

    def take_down(self) -> None:
        """Write down what the account is worth now."""
        account = self.account
        if not account.many:
            leg = account.legs[0]
            account.exposed += leg.pos != 0
            account.equity.append(account.cash + leg.pos * leg.lane.last * leg.lane.units)
            return
        account.exposed += any(leg.pos for leg in account.legs)
        account.equity.append(account.worth())

    def _bar_of(self, lane: Lane) -> Bar:
        """Return the bar that closes now, as the strategy is told."""
        tick, candles, bar = lane.tick, lane.candles, lane.bar
        prices = (lane.first, lane.high, lane.low, lane.close)
        opened = self.opened[lane.now]
        if self.steps.thin is not None:
            bar = lane.bar_of[bar]
            opened = int(candles.opened_ms[bar])
            columns = (candles.open, candles.high, candles.low, candles.close)
            first, high, low, last = (int(column[bar]) for column in columns)
            prices = (first, high, low, last)
        return Bar(
            lane.market.symbol, opened, opened + candles.span_ms, prices[0] * tick, prices[1] * tick, prices[2] * tick,
            prices[3] * tick, int(candles.volume[bar]) * lane.step,
        )  # fmt: skip

    def end_of_bar(self, leg: Leg) -> None:
        """Take the bar into what its trade saw, and let trailing triggers follow it."""
        self.account.end_bar(leg)
        step, lane = self.account.step, leg.lane
        for order in leg.orders.values():
            if order.trail and order.since != step and order.trigger is not None:
                order.best = min(order.best, lane.low) if order.sign > 0 else max(order.best, lane.high)
                order.trigger = max(order.best + order.sign * order.trail, 1)
                if self.log is not None:
                    self.log.moved(order)

    # ── turns ─────────────────────────────────────────────────────────────────────────────────────

    def turn(self, happening: Happening) -> None:
        """Let the strategy decide, and carry out what it decided."""
        turn = self.decide(self.state, happening, self.p)
        self.state = turn.state
        if turn.wants or turn.cancels:
            self.follow(turn)

    def heard(self, leg: Leg, key: str, lots: int, price: int) -> None:
        """Let the strategy take the turn that follows a fill."""
        lane = leg.lane
        at = lane.closed[lane.bar]
        filled = Filled(key, lane.market.symbol, lots * lane.scale.lot, price * lane.tick, at)
        turn = self.decide(self.state, filled, self.p)
        self.state = turn.state
        if turn.wants or turn.cancels:
            self.follow(turn)

    def follow(self, turn: Turn) -> None:
        """Take over the orders of a turn, at once or when they arrive."""
        for key in turn.cancels:
            lane = self._lane_of(key)
            if self.late or self._is_elsewhere(lane):
                self.later.append((self._due(lane), key))
            elif key in self.orders:
                self.forget(self.orders[key])
        for want in turn.wants:
            if isinstance(want, Ticket):
                leg = self._leg_of(want)
                order: Order | None = ticket_order(want, leg, leg.lane.bar + (self.at_close and not want.reduce_only))
            else:
                order = self._made(want)
            if order is None or (self.gate is not None and not self._passes(order, self.gate)):
                continue
            if self.late or self._is_elsewhere(order.leg.lane):
                if self.log is not None:
                    self.log.made(order)
                self.later.append((self._due(order.leg.lane), order))
            else:
                self._stand(order)

    def _is_elsewhere(self, lane: Lane) -> bool:
        """Say whether an instrument is on its way through a bar of another step.

        Nobody knows how far: what is decided meanwhile is not met inside that bar, it arrives with the next one, or at
        the close where orders fill there.
        """
        return lane.under_way and lane.now != self.account.step

    def _lane_of(self, key: str) -> Lane:
        """Return whose order a key names, standing or under way; any, where it names none."""
        known = [self.orders[key]] if key in self.orders else []
        known += [what for _, what in self.later if isinstance(what, Order) and what.key == key]
        return known[-1].leg.lane if known else self.lanes[0]

    def _due(self, lane: Lane) -> int:
        """Return the step at which arrives at an instrument what is decided now; a latency counts its own bars."""
        fills, step = self.spec.fills, self.account.step
        closes = self.phase == CLOSE
        if fills.latency_ms:
            # What follows a fill inside is decided when the piece has ended: nothing tells when it was.
            bar = self.bar_at[step]
            now = int(self.steps.bars_ms[bar]) + self.lanes[0].candles.span_ms if closes else self.closed[step]
            return max(bisect_left(self.opened, now + fills.latency_ms), step + 1)
        closes = closes or self._is_elsewhere(lane)
        bar = (lane.bar_of[lane.bar] if lane.bar >= 0 else -1) + fills.latency + (closes and not self.at_close)
        places = self.last_of if self.at_close else self.first_of
        return places[lane.bars_at[bar]] if bar < len(lane.bars_at) else len(self.opened)

    def arrive(self, step: int, *, at_close: bool = False) -> None:
        """Let what was under way arrive: before the open, or before the close where orders fill there."""
        if self.at_close is not at_close:
            return
        due = [what for at, what in self.later if at <= step]
        self.later = [(at, what) for at, what in self.later if at > step]
        for what in due:
            if isinstance(what, Order):
                what.since = step - 1
                self._stand(what)
            elif what in self.orders:
                self.forget(self.orders[what])

    def _leg_of(self, want: Want) -> Leg:
        lane = self.by_symbol.get(want.symbol)
        if lane is None:
            allowed = f"one of the markets of the run: {', '.join(self.by_symbol)}"
            raise Invalid([Problem(f"wants.{want.key}", f"symbol {want.symbol[:40]!r} came", allowed, "unknown")])
        if not self.spec.hedge:
            return lane.legs[0]
        opens_long = (want.quantity > 0) is not want.reduce_only
        return lane.legs[0 if opens_long else 1]

    def _made(self, want: Want) -> Order | None:
        """Return the order that is to stand; None, and nothing stands, where it cannot be made."""
        before, leg = self.orders.get(want.key), self._leg_of(want)
        made = cut_order(want, leg, self.account.step, before)
        if isinstance(made, Order):
            return made
        self.account.skipped += 1
        if before is not None:
            self.forget(before)
        if self.log is not None:
            self.log.never(
                leg, want.key, 1 if want.quantity > 0 else -1, made.lots or UNSIZED, made.outcome, made.words,
                limit=made.limit, trigger=made.trigger, reduces=want.reduce_only,
            )  # fmt: skip
        return None

    def _passes(self, order: Order, gate: Gate) -> bool:
        """Ask the gate; a denial takes away what stood under that name, and the strategy hears of it."""
        before = self.orders.get(order.key)
        under_way = [what for _, what in self.later if isinstance(what, Order)]
        others = [each for each in (*self.orders.values(), *under_way) if each.key != order.key]
        reasons = gate.asks(order, others, again=before is not None)
        if not reasons:
            return True
        if before is not None:
            self.forget(before)
        self.denied_now += 1
        if self.denied_now > _DENIED_MOST_A_BAR:
            raise Refused(f"more than {_DENIED_MOST_A_BAR} orders were denied in one bar: each asks for the next")
        why = reasons[0]
        symbol = order.leg.lane.market.symbol
        if self.log is not None:
            self.log.denied(order, "; ".join(reason.message for reason in reasons))
        self.turn(Denied(order.key, symbol, why.code, why.message, self.closed[self.account.step]))
        return False

    def _stand(self, order: Order) -> None:
        before = self.orders.pop(order.key, None)
        if before is not None:
            del before.leg.orders[order.key]
        if self.log is not None:
            self.log.stands(order, before)
        self.orders[order.key] = order.leg.orders[order.key] = order

    # ── the end ───────────────────────────────────────────────────────────────────────────────────

    def result(self) -> Result:
        """Return what came out; a position that is still open is valued at the last close, without a fee."""
        account = self.account
        for leg in account.legs:
            if leg.trade is not None:
                account.step = leg.lane.now  # the last bar that its instrument had
                leg.trade.closed_value += abs(leg.pos) * leg.lane.last * leg.lane.units
                account.write(leg, leg.trade, leg.lane.last, Reason.OPEN)
        denials = self.gate.denials() if self.gate is not None else NONE
        return result_of(self.spec, self.lanes, account, denials, self.passed)
