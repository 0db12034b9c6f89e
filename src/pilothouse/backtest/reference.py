"""The slow simulator in exact decimals: the oracle that the compiled loops must equal, to the last unit.

Written for reading, from the rules and not from the loops, over plain objects: nothing of `kernels` or `simulation` is
used. It takes some ten thousand bars a second, so it serves tests and doubts, not searches.
"""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any

from pilothouse.backtest.reference_inputs import Bar, Feed, Wish, feed_of
from pilothouse.backtest.result import Reason
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec, FillAt, Margin, Market, Slip
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import EXACT, divided, down, up
from pilothouse.strategies.rules import Rules, SizeBy
from pilothouse.strategies.sdk import Signals

ZERO, ONE = Decimal(0), Decimal(1)
PPM = Decimal("0.000001")


@dataclass
class Trade:
    """A position from flat to flat; quantities in base, money in quote, exact."""

    opened_bar: int
    side: int
    reason_in: Reason
    first_price: Decimal
    wish: Wish
    worst: Decimal
    best: Decimal
    entered: Decimal = ZERO
    held: Decimal = ZERO
    opened_value: Decimal = ZERO
    closed_value: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    adds: int = 0
    target: int = 0
    target_left: Decimal | None = None
    fresh: bool = False
    closed_bar: int = -1
    last_price: Decimal = ZERO
    reason_out: Reason = Reason.OPEN

    @property
    def pnl(self) -> Decimal:
        """Return what it changed the account by."""
        return self.side * (self.closed_value - self.opened_value) - self.fees + self.funding


@dataclass
class Waiting:
    """An entry that is not filled yet; `since` and `until` are bars."""

    side: int
    quantity: Decimal
    wish: Wish
    reason: Reason
    limit: Decimal | None
    trigger: Decimal | None
    since: int
    until: int


@dataclass
class Outcome:
    """What the run came to; equity at each close."""

    trades: list[Trade] = field(default_factory=list)
    fills: list[tuple[int, Decimal, Decimal, Decimal, Reason, bool]] = field(default_factory=list)
    equity: list[Decimal] = field(default_factory=list)
    skipped: int = 0


def reference(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    *,
    warm_up: int,
    funding: Funding | None = None,
) -> Outcome:
    """Return what trading `signals` by `rules` leads to. Without checks: it is given what `simulate` has accepted."""
    with localcontext(EXACT):
        feed = feed_of(spec, market, candles, signals, rules, warm_up, funding)
        desk = Desk(spec, market, rules, feed)
        for bar in feed.bars:
            desk.one_bar(bar)
        if desk.trade is not None:
            last = feed.bars[-1]
            desk.trade.closed_value += desk.trade.held * last.close
            desk.trade.closed_bar, desk.trade.last_price = last.index, last.close
            desk.out.trades.append(desk.trade)
        return desk.out


class Desk:
    """An account that trades one instrument over bars."""

    def __init__(self, spec: BacktestSpec, market: Market, rules: Rules, feed: Feed) -> None:
        """Begin flat, with the capital in cash."""
        self.spec, self.market, self.rules, self.feed = spec, market, rules, feed
        self.tick, self.lot, self.unit = feed.tick, market.lot, feed.unit
        self.cash = down(spec.capital, self.unit)
        self.trade: Trade | None = None
        self.waiting: Waiting | None = None
        self.leaving: tuple[Reason, Decimal | None] | None = None
        self.room: Decimal | None = None
        self.no_opening_before = 0
        self.took_inside = False
        self.by_day: dict[int, Decimal] = defaultdict(Decimal)
        self.maker, self.taker = Decimal(spec.costs.maker_ppm) * PPM, Decimal(spec.costs.taker_ppm) * PPM
        self.day = -1
        self.out = Outcome()

    # ── one bar ───────────────────────────────────────────────────────────────────────────────────

    def one_bar(self, bar: Bar) -> None:
        """Carry out one bar, in the order that the rules give."""
        self.now = bar
        self.took_inside = False
        share = self.spec.fills.volume_ppm
        self.room = None if share is None else down(bar.volume * share * PPM, self.lot)
        self._begin_day(bar.day)
        self._pay_at_open(bar)
        self._open(bar)
        at_open = self.spec.fills.at is FillAt.OPEN
        if at_open and bar.wish is not None:
            self._decide(bar.wish, self.out.equity[bar.wish.bar])
            self._leave_at_market(bar.open)
        self._enter_at_open(bar.open)
        if self.trade is not None and bar.funding_inside:
            self._charge(self.trade.held * bar.open, self.trade.side * bar.funding_inside)
        came = self._enter_inside(bar)
        self._path(bar, came)
        if not at_open:
            self._close(bar)
        trade = self.trade
        if trade is not None and not trade.fresh:
            better, worse = (bar.high, bar.low) if trade.side > 0 else (bar.low, bar.high)
            trade.best, trade.worst = self._better(trade, better), self._worse(trade, worse)
        if trade is not None:
            trade.fresh = False
        self.out.equity.append(self.cash + (trade.side * trade.held * bar.close if trade else ZERO))
        waits = self.waiting
        if waits is not None and (waits.limit is not None or waits.trigger is not None) and bar.index >= waits.until:
            self.waiting = None

    def _begin_day(self, day: int) -> None:
        tiers = self.spec.costs.tiers
        if not tiers or day == self.day:
            return
        self.day = day
        traded = sum((self.by_day[day - back] for back in range(1, 31)), ZERO)
        self.maker, self.taker = Decimal(self.spec.costs.maker_ppm) * PPM, Decimal(self.spec.costs.taker_ppm) * PPM
        for tier in tiers:
            if traded >= tier.volume:
                self.maker, self.taker = tier.maker_ppm * PPM, tier.taker_ppm * PPM

    def _pay_at_open(self, bar: Bar) -> None:
        if self.trade is None:
            return
        value = self.trade.held * bar.open
        if bar.funding_at_open:
            self._charge(value, self.trade.side * bar.funding_at_open)
        if bar.interest:
            owed = value if self.trade.side < 0 else -self.cash
            if owed > 0:
                self._charge(owed, bar.interest)

    def _charge(self, value: Decimal, rate: Decimal) -> None:
        assert self.trade is not None, "only a position is charged"
        due = up(value * rate, self.unit)
        self.cash -= due
        self.trade.funding -= due

    # ── levels of the open position ───────────────────────────────────────────────────────────────

    def _average(self, trade: Trade) -> Decimal:
        return divided(trade.opened_value, trade.entered, self.tick)

    def _stop(self, trade: Trade) -> tuple[Decimal, Reason] | None:
        """Return the nearest of stop, trailing stop and break-even."""
        average, side = self._average(trade), trade.side
        gone = (trade.best - average) * side
        found: list[tuple[Decimal, Reason]] = []
        stop, trail = trade.wish.stop(trade.first_price), trade.wish.trail(trade.first_price)
        if stop:
            found.append((average - side * stop, Reason.STOP))
        if trail and gone >= (trade.wish.after(trade.first_price) or ZERO):
            found.append((trade.best - side * trail, Reason.TRAIL))
        even = trade.wish.even(trade.first_price)
        if even and gone >= even:
            found.append((average, Reason.BREAK_EVEN))
        found = [(level, why) for level, why in found if level > 0 or side < 0]
        # Of equal ones the first counts.
        return max(found, key=lambda each: each[0] * side, default=None)

    def _target(self, trade: Trade) -> Decimal | None:
        targets = trade.wish.targets(trade.first_price)
        if trade.target >= len(targets) or not targets[trade.target][0]:
            return None
        level = self._average(trade) + trade.side * targets[trade.target][0]
        return level if level > 0 else None

    def _liquidation(self, trade: Trade) -> Decimal | None:
        keep = self.spec.costs.maintenance_ppm * PPM
        left = ONE - trade.side * keep
        if self.spec.margin is Margin.CROSS:
            if trade.side > 0:
                return divided(-self.cash, trade.held * left, self.tick, upward=True) if self.cash < 0 else None
            return divided(max(self.cash, ZERO), trade.held * left, self.tick)
        times = self.spec.leverage
        average = self._average(trade)
        if trade.side > 0:
            level = divided(average * (times - 1), times * left, self.tick, upward=True)
            return level if level > 0 else None
        return divided(average * (times + 1), times * left, self.tick)

    def _bankrupt(self, trade: Trade) -> Decimal:
        times = self.spec.leverage
        if self.spec.margin is Margin.CROSS:
            if trade.side > 0:
                return max(divided(-self.cash, trade.held, self.tick, upward=True), self.tick)
            return max(divided(self.cash, trade.held, self.tick), self.tick)
        average = self._average(trade)
        if trade.side > 0:
            return max(divided(average * (times - 1), Decimal(times), self.tick, upward=True), self.tick)
        return divided(average * (times + 1), Decimal(times), self.tick)

    # ── what ends a position ──────────────────────────────────────────────────────────────────────

    def _open(self, bar: Bar) -> None:
        trade = self.trade
        if trade is None:
            self.leaving = None
            return
        side = trade.side
        liquid = self._liquidation(trade)
        if liquid is not None and bar.open * side <= liquid * side:
            self._liquidate(trade, liquid, bar.open)
            return
        at_open = self.spec.fills.at is FillAt.OPEN
        if self.leaving is None and at_open and self._time_is_up(trade, bar):
            self.leaving = (Reason.TIME, None)
        stop = self._stop(trade)
        if self.leaving is None and stop is not None and bar.open * side <= stop[0] * side:
            self.leaving = (stop[1], None)
        self._leave_at_market(bar.open)
        self._take_targets(bar.open)

    def _time_is_up(self, trade: Trade, bar: Bar) -> bool:
        most = self.rules.exits.bars
        return most is not None and bar.index >= trade.opened_bar + most + self.spec.fills.latency

    def _path(self, bar: Bar, came: Decimal) -> None:
        trade = self.trade
        if trade is None:
            return
        side = trade.side
        worse = bar.low if side > 0 else bar.high
        stop, liquid = self._stop(trade), self._liquidation(trade)
        is_stopped = stop is not None and worse * side <= stop[0] * side
        is_liquid = liquid is not None and worse * side <= liquid * side
        if (
            liquid is not None
            and is_liquid
            and not (is_stopped and stop is not None and stop[0] * side > liquid * side)
        ):
            self._liquidate(trade, liquid, came)
            return
        if stop is not None and is_stopped and self.leaving is None:
            self.leaving = (stop[1], None)
            self._leave_at_market(min(stop[0] * side, came * side) * side)
            if self.trade is not None:
                again = self._liquidation(trade)
                if again is not None and worse * side <= again * side:
                    self._liquidate(trade, again, came)
            return
        if not self.took_inside:
            self._take_targets(bar.high if side > 0 else bar.low)

    def _liquidate(self, trade: Trade, level: Decimal, came: Decimal) -> None:
        side = trade.side
        worse = min(level * side, came * side)
        price = max(worse, self._bankrupt(trade) * side) * side
        self._leave(trade, trade.held, max(price, self.tick), Reason.LIQUIDATION, maker=False)

    def _leave_at_market(self, price: Decimal) -> None:
        trade = self.trade
        if trade is None or self.leaving is None:
            return
        why, wanted = self.leaving
        quantity = min(trade.held, wanted if wanted is not None else trade.held)
        if self.room is not None:
            quantity = min(quantity, self.room)
        if quantity <= 0:
            return
        if wanted is not None:
            self.leaving = (why, wanted - quantity) if wanted > quantity else None
        self._leave(trade, quantity, self._slipped(price, -trade.side, quantity), why, maker=False)

    def _take_targets(self, furthest: Decimal) -> None:
        reach = self.tick if self.spec.fills.through else ZERO
        while (trade := self.trade) is not None:
            level = self._target(trade)
            if level is None or (furthest - level) * trade.side < reach:
                return
            shares = [share for _, share in trade.wish.targets(trade.first_price)]
            if trade.target_left is None:
                is_last = trade.target == len(shares) - 1 and sum(shares) >= 1
                part = max(down(trade.entered * shares[trade.target], self.lot), self.lot)
                trade.target_left = trade.held if is_last else part
            quantity = min(trade.held, trade.target_left)
            if self.room is not None:
                quantity = min(quantity, self.room)
            if quantity <= 0:
                return
            trade.target_left -= quantity
            if trade.target_left == 0:
                trade.target, trade.target_left = trade.target + 1, None
            self._leave(trade, quantity, level, Reason.TARGET, maker=True)

    def _leave(self, trade: Trade, quantity: Decimal, price: Decimal, why: Reason, *, maker: bool) -> None:
        trade.fees += self._fill(-trade.side * quantity, price, why, maker=maker)
        trade.held -= quantity
        trade.closed_value += quantity * price
        trade.best, trade.worst = self._better(trade, price), self._worse(trade, price)
        if trade.held:
            return
        trade.closed_bar, trade.last_price, trade.reason_out = self.now.index, price, why
        self.out.trades.append(trade)
        self.trade = self.leaving = None
        wait = self.rules.cooldown
        self.no_opening_before = self.now.index + wait + 1 if wait else self.now.index
        if self.waiting is not None and self.waiting.side == trade.side:
            self.waiting = None

    # ── wishes ────────────────────────────────────────────────────────────────────────────────────

    def _decide(self, wish: Wish, equity: Decimal) -> None:
        rules, trade = self.rules, self.trade
        held = trade.side if trade else 0
        turns = held != 0 and wish.enters == -held
        if turns or (held != 0 and held in wish.leaves):
            self.leaving = (Reason.FLIP if turns and rules.flips else Reason.LEAVE, None)
            self.waiting = None
            if not (turns and rules.flips and rules.cooldown == 0):
                return
        if self.waiting is not None and self.waiting.side in wish.leaves:
            self.waiting = None
        if wish.enters == 0 or wish.enters in wish.leaves or self.now.index < self.no_opening_before:
            return
        if trade is not None and held == wish.enters and not wish.resizes and trade.adds >= rules.pyramiding:
            return
        quantity = self._size(wish, equity)
        if trade is not None and held == wish.enters and wish.resizes:
            quantity -= trade.held
            if quantity < 0:
                self.leaving = (Reason.LEAVE, -quantity)
            if quantity <= 0:
                self.waiting = None
                return
        if quantity < self.market.lots_min * self.lot or quantity * wish.close < self.market.notional_min:
            self.out.skipped += 1
            self.waiting = None
            return
        if trade is not None and held == wish.enters:
            trade.adds += 1
        since = self.now.index + (0 if self.spec.fills.at is FillAt.OPEN else 1)
        why = Reason.FLIP if turns else Reason.SIGNAL
        until = since + self.spec.fills.rest - 1
        self.waiting = Waiting(wish.enters, quantity, wish, why, wish.limit, wish.trigger, since, until)

    def _size(self, wish: Wish, equity: Decimal) -> Decimal:
        """Return the quantity that a wish is for, a whole number of lots."""
        size, price = self.rules.size, wish.close
        value = Decimal(repr(size.value))
        share = down(value / 100, PPM)
        if size.by not in {SizeBy.FIXED, SizeBy.QUOTE} and equity <= 0:
            return ZERO
        match size.by:
            case SizeBy.FIXED:
                lots = divided(value, self.lot, ONE)
            case SizeBy.QUOTE:
                lots = divided(down(value, self.unit), price * self.lot, ONE)
            case SizeBy.RISK:
                away = wish.stop(price)
                lots = divided(down(equity * share, self.unit), away * self.lot, ONE) if away else ZERO
            case SizeBy.KELLY:
                lots = divided(down(equity * self._kelly(share), self.unit), price * self.lot, ONE)
            case SizeBy.VOLATILITY:
                lots = divided(down(equity * wish.share, self.unit), price * self.lot, ONE)
            case SizeBy.PERCENT:
                lots = divided(down(equity * share, self.unit), price * self.lot, ONE)
        lots = down(lots * wish.weight, ONE)
        if self.market.lots_most is not None:
            lots = min(lots, Decimal(self.market.lots_most))
        return lots * self.lot

    def _kelly(self, cap: Decimal) -> Decimal:
        results = [trade.pnl for trade in self.out.trades[-self.rules.size.lookback :]]
        if len(results) < 10:
            return down(cap / 10, PPM)
        won = sum((pnl for pnl in results if pnl > 0), ZERO)
        lost = -sum((pnl for pnl in results if pnl <= 0), ZERO)
        least = down(cap / 100, PPM)
        if won <= lost:
            return least
        wins = sum(pnl > 0 for pnl in results)
        edge = divided(won - lost, won, PPM)
        return min(max(divided(wins * edge, Decimal(len(results)), PPM), least), cap)

    # ── entries ───────────────────────────────────────────────────────────────────────────────────

    def _ready(self) -> Waiting | None:
        waits = self.waiting
        return None if waits is None or (self.trade is not None and self.trade.side != waits.side) else waits

    def _enter_at_open(self, price: Decimal) -> None:
        waits = self._ready()
        if waits is None:
            return
        if waits.limit is None and waits.trigger is None:
            self._enter(waits, price, maker=False, inside=False)
            return
        if self.now.index < waits.since:
            return
        side = waits.side
        if waits.trigger is not None:
            if price * side < waits.trigger * side:
                return
            waits.trigger = None
            if waits.limit is None or price * side <= waits.limit * side:
                self._enter(waits, price, maker=False, inside=False)
            return
        assert waits.limit is not None, "neither at the market nor with a trigger"
        if price * side > waits.limit * side:
            return
        reach = self.tick if self.spec.fills.through else ZERO
        if self.now.index == waits.since:
            self._enter(waits, price, maker=False, inside=False)
        elif (waits.limit - price) * side >= reach:
            self._enter(waits, waits.limit, maker=True, inside=False)

    def _enter_inside(self, bar: Bar) -> Decimal:
        waits = self._ready()
        if waits is None or bar.index < waits.since:
            return bar.open
        side = waits.side
        near, far = (bar.low, bar.high) if side > 0 else (bar.high, bar.low)
        reach = self.tick if self.spec.fills.through else ZERO
        price = bar.open
        count = len(self.out.fills)
        if waits.trigger is not None:
            if far * side < waits.trigger * side:
                return bar.open
            price, waits.trigger = waits.trigger, None
            if waits.limit is None or waits.limit * side >= price * side:
                self._enter(waits, price, maker=False, inside=True)
        elif waits.limit is not None and (waits.limit - near) * side >= reach:
            price = waits.limit
            self._enter(waits, price, maker=True, inside=True)
        return price if len(self.out.fills) > count else bar.open

    def _enter(self, waits: Waiting, price: Decimal, *, maker: bool, inside: bool) -> None:
        side = waits.side
        quantity = waits.quantity if self.room is None else min(waits.quantity, self.room)
        if quantity <= 0:
            return
        if not maker:
            price = self._slipped(price, side, quantity)
            if waits.limit is not None and price * side > waits.limit * side:
                price = waits.limit
        most = self._affordable(quantity, price)
        too_small = most < self.market.lots_min * self.lot or most * price < self.market.notional_min
        if most < quantity and too_small:
            self.out.skipped += 1
            self.waiting = None
            return
        if most < quantity:
            waits.quantity = most
        fee = self._fill(side * most, price, waits.reason, maker=maker)
        trade = self.trade
        if trade is None:
            trade = Trade(self.now.index, side, waits.reason, price, waits.wish, price, price)
            trade.fresh = inside or self.now.closing
            self.trade, self.leaving = trade, None
        self.took_inside = self.took_inside or inside
        trade.best, trade.worst = self._better(trade, price), self._worse(trade, price)
        trade.entered += most
        trade.held += most
        trade.opened_value += most * price
        trade.fees += fee
        waits.quantity -= most
        if waits.quantity == 0:
            self.waiting = None

    def _affordable(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the largest quantity up to `quantity` that equity carries with its fee, beside what is held."""
        times, trade = self.spec.leverage, self.trade
        held = trade.held if trade else ZERO
        worth = self.cash + (trade.side * held * price if trade else ZERO)
        room = times * worth - held * price
        least, most = 0, int(quantity / self.lot)
        while least < most:
            middle = (least + most + 1) // 2
            value = middle * self.lot * price
            if value + times * up(value * self.taker, self.unit) <= room:
                least = middle
            else:
                most = middle - 1
        return least * self.lot

    # ── fills ─────────────────────────────────────────────────────────────────────────────────────

    def _close(self, bar: Bar) -> None:
        bar.closing = True
        trade = self.trade
        if trade is not None and self.leaving is None and self._time_is_up(trade, bar):
            self.leaving = (Reason.TIME, None)
        if bar.wish is not None:
            now = self.cash + (trade.side * trade.held * bar.close if trade else ZERO)
            self._decide(bar.wish, now if bar.wish.bar == bar.index else self.out.equity[bar.wish.bar])
        self._leave_at_market(bar.close)
        waits = self._ready()
        if waits is not None and waits.limit is None and waits.trigger is None:
            self._enter(waits, bar.close, maker=False, inside=False)

    def _slipped(self, price: Decimal, side: int, quantity: Decimal) -> Decimal:
        costs = self.spec.costs
        share = costs.slip_ppm * PPM
        ticks = costs.slip_ticks * self.tick
        match costs.slip:
            case Slip.NONE:
                worse = ZERO
            case Slip.FIXED:
                worse = up(price * share, self.tick) + ticks
            case Slip.SPREAD:
                worse = up((up(price * share, self.tick) + ticks) / 2, self.tick)
            case Slip.VOLUME | Slip.IMPACT:
                volume = down(self.now.volume, self.lot)
                part = ONE if volume <= quantity else divided(quantity, volume, PPM, upward=True)
                grown = up(part * part, PPM) if costs.slip is Slip.VOLUME else _root_up(part)
                worse = up(price * up(share * grown, PPM), self.tick)
        return price + worse if side > 0 else max(price - worse, self.tick)

    def _fill(self, quantity: Decimal, price: Decimal, why: Reason, *, maker: bool) -> Decimal:
        value = abs(quantity) * price
        fee = up(value * (self.maker if maker else self.taker), self.unit)
        if why is Reason.LIQUIDATION:
            fee += up(value * self.spec.costs.liquidation_ppm * PPM, self.unit)
        elif self.room is not None:
            self.room -= abs(quantity)
        self.cash -= quantity * price + fee
        self.by_day[self.day] += value
        self.out.fills.append((self.now.index, quantity, price, fee, why, maker))
        return fee

    def _better(self, trade: Trade, price: Decimal) -> Decimal:
        return max(trade.best * trade.side, price * trade.side) * trade.side

    def _worse(self, trade: Trade, price: Decimal) -> Decimal:
        return min(trade.worst * trade.side, price * trade.side) * trade.side


def _root_up(part: Decimal) -> Decimal:
    """Return the square root of a share in whole ppm, rounded up to whole ppm."""
    square = int(part / PPM) * 1_000_000
    root = math.isqrt(square)
    return (root + (root * root < square)) * PPM


def same(outcome: Outcome, result: Any) -> str:
    """Return the first difference between the oracle's outcome and a compiled result in words; nothing if equal."""
    scale = result.scale
    for bar, (ours, theirs) in enumerate(zip(outcome.equity, result.equity.tolist(), strict=True)):
        if ours != theirs * scale.unit:
            return f"equity at bar {bar}: {ours} and {theirs * scale.unit}"
    if len(outcome.fills) != len(result.fills) or len(outcome.trades) != len(result.trades):
        return f"{len(outcome.fills)} fills, {len(outcome.trades)} trades and {len(result.fills)}, {len(result.trades)}"
    f = result.fills
    for row, (bar, quantity, price, fee, why, maker) in enumerate(outcome.fills):
        told = (f.bar[row], f.lots[row] * scale.lot, f.price[row] * scale.tick, f.fee[row] * scale.unit, f.reason[row])
        if (bar, quantity, price, fee, why) != told or maker != bool(f.maker[row]):
            return f"fill {row}: {(bar, quantity, price, fee, why, maker)} and {told}, {f.maker[row]}"
    t = result.trades
    names = ("opened_bar", "closed_bar", "side", "reason_in", "reason_out")
    money = ("opened_value", "closed_value", "fees", "funding", "pnl")
    for row, trade in enumerate(outcome.trades):
        pairs = [(name, getattr(trade, name), int(getattr(t, name)[row])) for name in names]
        pairs += [(name, getattr(trade, name), int(getattr(t, name)[row]) * scale.unit) for name in money]
        prices = ("worst", "best", "first_price", "last_price")
        pairs += [(name, getattr(trade, name), int(getattr(t, name)[row]) * scale.tick) for name in prices]
        pairs += [("lots", trade.entered, int(t.lots[row]) * scale.lot)]
        for name, ours, theirs in itertools.chain(pairs):
            if ours != theirs:
                return f"trade {row}, {name}: {ours} and {theirs}"
    if outcome.skipped != result.skipped:
        return f"skipped: {outcome.skipped} and {result.skipped}"
    return ""
