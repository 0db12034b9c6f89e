"""The account of a run in turns: money, positions, fees and what is due, in whole ticks, lots and units. Pure.

Written in plain Python and apart from the kernels, which it has to equal on the same orders.
"""

import math
from collections import defaultdict
from typing import Final

from pilothouse.backtest.result import Reason
from pilothouse.backtest.simulate import interest_of
from pilothouse.backtest.spec import PPM, BacktestSpec, Margin, Slip
from pilothouse.backtest.turn_orders import Booked, Lane, Leg, Open, Order

_PPB: Final = 1_000_000_000


class Account:
    """Cash and positions; every fill is booked here."""

    def __init__(self, spec: BacktestSpec, lanes: list[Lane], capital: int) -> None:
        """Begin flat."""
        self.spec, self.lanes = spec, lanes
        self.capital = self.cash = capital
        sides = (1, -1) if spec.hedge else (0,)
        for lane in lanes:
            lane.legs = [Leg(lane, side) for side in sides]
        self.legs = [leg for lane in lanes for leg in lane.legs]
        self.many = len(self.legs) > 1
        """Whether several positions may stand on this account."""
        self.shared = self.many and spec.margin is Margin.CROSS
        """Whether they stand for one another: then the account is called, and no position alone."""
        self.step = 0
        self.now_ms = 0
        self.skipped = self.exposed = 0
        self.trades: list[tuple[int, ...]] = []
        self.trade_lane: list[int] = []
        self.fills: list[Booked] = []
        self.fill_lane: list[int] = []
        self.equity: list[int] = []
        self.closed: list[tuple[int, bool]] | None = None
        """When positions were made smaller, and whether by a loss, where a gate asks; else None."""
        self._by_day: dict[int, int] = defaultdict(int)
        self._day = -1
        self._interest = _interest(spec, lanes) if self.many else {}
        self.tiered = any(lane.costs.tiers for lane in lanes)
        """Whether fees fall with what was traded, so that each day has to be told."""
        self._alone = spec.leverage == 1 and spec.margin is not Margin.CROSS
        for place, lane in enumerate(lanes):
            lane.place = place
            lane.maker_ppm, lane.taker_ppm = lane.costs.maker_ppm, lane.costs.taker_ppm

    def worth(self) -> int:
        """Return equity at the last prices, units."""
        return self.cash + sum(leg.worth for leg in self.legs if leg.pos)

    # ── what is due ───────────────────────────────────────────────────────────────────────────────

    def begin_day(self, day: int) -> None:
        """Find the fees of a day by what was traded in the 30 days before it."""
        if day == self._day:
            return
        self._day = day
        traded = sum(self._by_day[day - back] for back in range(1, 31))
        for lane in self.lanes:
            lane.maker_ppm, lane.taker_ppm = lane.costs.maker_ppm, lane.costs.taker_ppm
            for tier in lane.costs.tiers:
                if traded * lane.scale.unit >= tier.volume:
                    lane.maker_ppm, lane.taker_ppm = tier.maker_ppm, tier.taker_ppm

    def charge(self, leg: Leg, value: int, ppb: int) -> None:
        """Take `ppb` of `value` from a position, or give it where ppb is below zero; rounded against the holder."""
        assert leg.trade is not None, "only a position is charged"
        due = -(-value * ppb // _PPB)
        self.cash -= due
        leg.trade.funding -= due

    def pay_at_open(self, leg: Leg) -> None:
        """Pay funding that is due at the open and, where it is the only position, interest on what is borrowed."""
        lane = leg.lane
        due = lane.due.get(lane.bar)
        if due is None or not leg.pos:
            return
        side = 1 if leg.pos > 0 else -1
        value = abs(leg.pos) * lane.first * lane.units
        if due[0]:
            self.charge(leg, value, side * due[0])
        if due[2] and not self.many:
            owed = value if side < 0 else -self.cash
            if owed > 0:
                self.charge(leg, owed, due[2])

    def interest_steps(self) -> set[int]:
        """Return the steps at whose open interest is due on what several positions have borrowed."""
        return {step for ppb in self._interest.values() for step, each in enumerate(ppb) if each}

    def pay_interest(self) -> None:
        """Charge who is short what he has borrowed, and those who are long, in order, the cash that is not there."""
        if not self._interest:
            return
        held = [leg for leg in self.legs if leg.pos]
        longs = [leg for leg in held if leg.pos > 0]
        lacks = max(-self.cash, 0)
        for leg in held:
            owed, yearly = abs(leg.worth), leg.lane.costs.borrow_ppm_year
            if leg.pos > 0:
                owed, yearly = lacks if leg is longs[-1] else min(lacks, owed), self.spec.costs.borrow_ppm_year
                lacks -= owed
            ppb = self._interest[yearly][self.step] if yearly else 0
            if owed > 0 and ppb > 0:
                self.charge(leg, owed, ppb)

    def pay_inside(self, leg: Leg) -> None:
        """Pay funding that falls into the bar, on what is held behind its open."""
        due = leg.lane.due.get(leg.lane.bar)
        if due is not None and due[1] and leg.pos:
            side = 1 if leg.pos > 0 else -1
            self.charge(leg, abs(leg.pos) * leg.lane.first * leg.lane.units, side * due[1])

    # ── levels of a position ──────────────────────────────────────────────────────────────────────

    def average(self, leg: Leg) -> int:
        """Return the average price of all that was entered, ticks, rounded down."""
        trade = leg.trade
        assert trade is not None, "a position has a trade"
        return trade.opened_value // (trade.lots * leg.lane.units)

    def liquidation(self, leg: Leg) -> int | None:
        """Return the first price at which a position is worth less than it must be, None where there is none."""
        if self._alone and leg.pos > 0:
            return None
        side = 1 if leg.pos > 0 else -1
        keep = PPM - side * leg.lane.costs.maintenance_ppm
        if self.shared:
            return None
        if self.spec.margin is Margin.CROSS:
            size = abs(leg.pos) * leg.lane.units
            if side > 0:
                owed = -self.cash
                return _up(_up(owed * PPM, size), keep) if owed > 0 else None
            return max(self.cash, 0) * PPM // size // keep
        times = self.spec.leverage
        average = self.average(leg)
        if side > 0:
            level = -(-average * (times - 1) * PPM // (times * keep))
            return level if level > 0 else None
        return average * (times + 1) * PPM // (times * keep)

    def bankrupt(self, leg: Leg) -> int:
        """Return the price at which nothing is left of what stood behind a position: worse is the venue's loss."""
        long = leg.pos > 0
        if self.spec.margin is Margin.CROSS:
            size = abs(leg.pos) * leg.lane.units
            return max(-(self.cash // size) if long else self.cash // size, 1)
        times, average = self.spec.leverage, self.average(leg)
        return max(-(-average * (times - 1) // times), 1) if long else average * (times + 1) // times

    def affordable(self, leg: Leg, lots: int, price: int, fee_ppm: int) -> int:
        """Return the most of `lots` that equity carries at `price` with its fee, beside what is held."""
        each, times = price * leg.lane.units, self.spec.leverage
        room = times * (self.cash + leg.pos * each) - abs(leg.pos) * each
        if len(self.legs) > 1:
            aside = [other.worth for other in self.legs if other is not leg and other.pos]
            room += times * sum(aside) - sum(map(abs, aside))
        if room <= 0:
            return 0
        least, most = 0, min(lots, room // each)
        if lots == most and lots * each + times * -(-lots * each * fee_ppm // PPM) <= room:
            return lots
        while least < most:
            middle = (least + most + 1) // 2
            value = middle * each
            if value + times * -(-value * fee_ppm // PPM) <= room:
                least = middle
            else:
                most = middle - 1
        return least

    def slipped(self, lane: Lane, price: int, sign: int, lots: int) -> int:
        """Return the price of an order that takes: worse, in whole ticks rounded up."""
        costs = lane.costs
        match costs.slip:
            case Slip.NONE:
                return price
            case Slip.FIXED | Slip.SPREAD:
                worse = -(-price * costs.slip_ppm // PPM) + costs.slip_ticks
                worse = -(-worse // 2) if costs.slip is Slip.SPREAD else worse
            case Slip.VOLUME | Slip.IMPACT:
                volume = lane.volume[lane.bar]
                part = PPM if volume <= lots else -(-lots * PPM // volume)
                grown = -(-part * part // PPM) if costs.slip is Slip.VOLUME else _root_up(part * PPM)
                worse = -(-price * -(-costs.slip_ppm * grown // PPM) // PPM)
        return price + worse if sign > 0 else max(price - worse, 1)

    # ── fills ─────────────────────────────────────────────────────────────────────────────────────

    def enter(self, order: Order, lots: int, price: int, *, maker: bool, fresh: bool) -> None:
        """Open a position or add to it. `fresh`: behind the open, so that the whole bar was not lived through."""
        leg = order.leg
        trade = leg.trade
        if trade is None:
            tag = order.ticket.tag if order.ticket is not None else -1
            trade = leg.trade = Open(order.sign, self.step, price, order.reason, tag, price, price)
            trade.fresh = self.step if fresh else -1
        else:
            _seen(trade, price, price)
        fee = self._book(leg, order.sign * lots, price, order.reason, maker=maker)
        leg.pos += order.sign * lots
        trade.lots += lots
        trade.opened_value += lots * price * leg.lane.units
        trade.fees += fee

    def leave(self, leg: Leg, lots: int, price: int, reason: Reason, *, maker: bool) -> None:
        """Close `lots` of a position; when nothing is left, the trade is written."""
        trade = leg.trade
        assert trade is not None, "what is closed was opened"
        fee = self._book(leg, -trade.side * lots, price, reason, maker=maker)
        value = lots * price * leg.lane.units
        if self.closed is not None:
            gained = trade.side * (value * trade.lots - lots * trade.opened_value)
            if gained:
                self.closed.append((leg.lane.closed[leg.lane.bar], gained < fee * trade.lots))
        leg.pos -= trade.side * lots
        trade.fees += fee
        trade.closed_value += value
        _seen(trade, price, price)
        if not leg.pos:
            self.write(leg, trade, price, reason)

    def write(self, leg: Leg, trade: Open, price: int, reason: Reason) -> None:
        """Write a trade that has ended."""
        side = trade.side
        pnl = side * (trade.closed_value - trade.opened_value) - trade.fees + trade.funding
        trade.number = len(self.trades)
        self.trades.append((
            trade.opened, self.step, side, trade.lots, trade.opened_value, trade.closed_value, trade.fees,
            trade.funding, pnl, trade.reason, reason, trade.worst, trade.best, trade.first_price, price,
            trade.tag,
        ))  # fmt: skip
        if self.many:
            self.trade_lane.append(leg.lane.place)
        leg.trade = None

    def _book(self, leg: Leg, lots: int, price: int, reason: Reason, *, maker: bool) -> int:
        lane, trade = leg.lane, leg.trade
        size = abs(lots)
        paid = lots * price * lane.units
        value = abs(paid)
        fee = -(-value * (lane.maker_ppm if maker else lane.taker_ppm) // PPM)
        if reason is Reason.LIQUIDATION:
            fee += -(-value * lane.costs.liquidation_ppm // PPM)
        else:
            lane.budget -= size
        self.cash -= paid + fee
        if self.tiered:
            self._by_day[self._day] += value
        assert trade is not None, "every fill belongs to a trade"
        self.fills.append(Booked(self.step, lots, price, fee, reason, trade, maker))
        if self.many:
            self.fill_lane.append(lane.place)
        return fee

    def end_bar(self, leg: Leg) -> None:
        """Take a bar that was lived through into the best and the worst price."""
        trade = leg.trade
        if trade is None or trade.fresh == self.step:
            return
        _seen(trade, leg.lane.high, leg.lane.low)


def _interest(spec: BacktestSpec, lanes: list[Lane]) -> dict[int, list[int]]:
    """Return by yearly rate, ppm, what is due at each step, ppb."""
    rates = {spec.costs.borrow_ppm_year, *(lane.costs.borrow_ppm_year for lane in lanes)} - {0}
    return {rate: interest_of(lanes[0].steps.opened_ms, rate).tolist() for rate in sorted(rates)}


def _seen(trade: Open, high: int, low: int) -> None:
    better, worse = (high, low) if trade.side > 0 else (low, high)
    if (better - trade.best) * trade.side > 0:
        trade.best = better
    if (trade.worst - worse) * trade.side > 0:
        trade.worst = worse


def _up(amount: int, by: int) -> int:
    return -(-amount // by)


def _root_up(square: int) -> int:
    root = math.isqrt(square)
    return root + (root * root < square)
