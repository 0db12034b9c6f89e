"""The oracle's account: what it holds and has paid, where its position stops, and what a fill does to it.

Written for reading, from the rules and not from the loops: nothing of `kernels` or `simulation` is used.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from pilothouse.backtest.reference_inputs import Bar, Feed, Wish
from pilothouse.backtest.result import Reason
from pilothouse.backtest.spec import BacktestSpec, Margin, Market, Slip
from pilothouse.core.risk import Denial
from pilothouse.core.rounding import divided, down, up
from pilothouse.strategies.rules import Rules

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
    """What the run came to: equity at each close, what was denied when, what each closing fill brought when."""

    trades: list[Trade] = field(default_factory=list)
    fills: list[tuple[int, Decimal, Decimal, Decimal, Reason, bool]] = field(default_factory=list)
    equity: list[Decimal] = field(default_factory=list)
    skipped: int = 0
    denied: list[tuple[int, Decimal, tuple[Denial, ...]]] = field(default_factory=list)
    closed: list[tuple[int, Decimal]] = field(default_factory=list)


class Account:
    """One instrument and the money behind it; the bar that is walked stands in `now`."""

    now: Bar

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

    # ── fills ─────────────────────────────────────────────────────────────────────────────────────

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

    def _leave(self, trade: Trade, quantity: Decimal, price: Decimal, why: Reason, *, maker: bool) -> None:
        fee = self._fill(-trade.side * quantity, price, why, maker=maker)
        gained = trade.side * (quantity * price * trade.entered - quantity * trade.opened_value)
        if gained != 0:
            # Times what was entered: so nothing is divided, and nothing rounded.
            self.out.closed.append((self.now.closed_ms, gained - fee * trade.entered))
        trade.fees += fee
        trade.held -= quantity
        trade.closed_value += quantity * price
        trade.best, trade.worst = self._better(trade, price), self._worse(trade, price)
        if trade.held:
            return
        trade.closed_bar, trade.last_price, trade.reason_out = self.now.index, price, why
        self.out.trades.append(trade)
        self.trade = self.leaving = None
        wait = self.rules.cooldown
        self.no_opening_before = self.feed.last_of(self.now.index, wait) + 1 if wait else self.now.index
        if self.waiting is not None and self.waiting.side == trade.side:
            self.waiting = None


def _root_up(part: Decimal) -> Decimal:
    """Return the square root of a share in whole ppm, rounded up to whole ppm."""
    square = int(part / PPM) * 1_000_000
    root = math.isqrt(square)
    return (root + (root * root < square)) * PPM
