"""One instrument on an account that others share, in exact decimals: the steps of a bar, for the oracle of portfolios.

What happens to the instrument itself is told in `reference.py`; here stands what is the account's.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pilothouse.backtest.reference import Desk
from pilothouse.backtest.reference_account import PPM, ZERO, Outcome, Trade
from pilothouse.backtest.reference_inputs import Bar, Feed, Wish
from pilothouse.backtest.result import Reason
from pilothouse.backtest.spec import BacktestSpec, Margin, Market
from pilothouse.core.risk import Denial, Elsewhere, Exposure
from pilothouse.core.rounding import divided, down, up
from pilothouse.strategies.rules import Rules

_DAY_MS = 86_400_000

Step = tuple[int, int]
"""When it opens, milliseconds since 1970, and which of several of one millisecond it is."""


@dataclass
class Shared:
    """What all legs have in common; fills and trades have their leg beside them."""

    cash: Decimal
    out: Outcome = field(default_factory=Outcome)
    by_day: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    filled: list["Leg"] = field(default_factory=list)
    stopped: list["Leg"] = field(default_factory=list)
    closed_ms: list[int] = field(default_factory=list)
    closed: list["Leg"] = field(default_factory=list)
    crowded: int = 0

    def known_before(self, step: int) -> list[tuple[int, Decimal]]:
        """Return when each step before one closed, and what the account was worth then."""
        return list(zip(self.closed_ms[:step], self.out.equity, strict=False))


@dataclass
class Volume:
    """What may still be filled of an instrument in this bar; None: everything."""

    room: Decimal | None = None


class Leg(Desk):
    """One instrument, or one side of it, on an account that it shares."""

    def __init__(
        self, spec: BacktestSpec, market: Market, rules: Rules, feed: Feed, shared: Shared, volume: Volume
    ) -> None:
        """Begin flat; the cash is the account's."""
        self.shared, self.volume = shared, volume
        super().__init__(spec, market, rules, feed)
        self.out = shared.out
        self.others: list[Leg] = []
        self.rank: Any = None
        self.bars: dict[Step, Bar] = {}
        self.known_at: list[int] = []
        self.openings: list[int] = []
        self.here = self.at_close = self.under_way = False
        self.came = ZERO

    @property
    def cash(self) -> Decimal:
        """What the whole account has in cash."""
        return self.shared.cash

    @cash.setter
    def cash(self, value: Decimal) -> None:
        self.shared.cash = value

    @property
    def room(self) -> Decimal | None:
        """What may still be filled in this bar, by both legs of an instrument."""
        return self.volume.room

    @room.setter
    def room(self, value: Decimal | None) -> None:
        self.volume.room = value

    @property
    def by_day(self) -> dict[int, Decimal]:
        """What the whole account has traded on each day."""
        return self.shared.by_day

    @by_day.setter
    def by_day(self, value: dict[int, Decimal]) -> None:
        """The account's own; nothing is set."""

    # ── what the house of one instrument asks ─────────────────────────────────────────────────────

    @property
    def mark(self) -> Decimal:
        """Return the price that is known: the open of its bar, the close where that is over, or has come to it."""
        return self.now.open if self.under_way and not self.at_close else self.now.close

    @property
    def value(self) -> Decimal:
        """Return what is held, at the price now, below zero for what was sold."""
        return self.trade.side * self.trade.held * self.mark if self.trade else ZERO

    def _liquidation(self, trade: Trade) -> Decimal | None:
        return None if self.spec.margin is Margin.CROSS else super()._liquidation(trade)

    def _asked(self, wish: Wish, held: Decimal, equity: Decimal, now_ms: int) -> Exposure:
        """Return what the gate is asked with: what stands beside this position is the account's."""
        step = self.known_at[wish.bar]
        known, capital = self.shared.known_before(step), down(self.spec.capital, self.unit)
        midnight = now_ms // _DAY_MS * _DAY_MS
        begun = [worth for at, worth in known if at <= midnight][-1:] or [capital]
        gross = net = bought = sold = ZERO
        for other in self.others:
            pos = other.trade.side * other.trade.held if other.trade is not None else ZERO
            waits = other.waiting
            buys = waits.quantity if waits is not None and waits.side > 0 else ZERO
            sells = waits.quantity if waits is not None and waits.side < 0 else ZERO
            price = other.price_at(step)
            gross += max(abs(pos + buys), abs(pos - sells)) * price
            net, bought, sold = net + pos * price, bought + (pos + buys) * price, sold + (pos - sells) * price
        return Exposure(
            held, ZERO, ZERO, equity, equity if now_ms == midnight else begun[0],
            max([capital, equity, *(worth for _, worth in known)]), Elsewhere(gross, net, bought, sold),
            done=self._losses(now_ms),
        )  # fmt: skip

    def price_at(self, step: int) -> Decimal:
        """Return the last close that was known at a step, zero before the first."""
        return next((bar.close for bar in reversed(self.feed.bars) if self.known_at[bar.index] <= step), ZERO)

    def _denied(self, wish: Wish, held: Decimal, quantity: Decimal, equity: Decimal) -> tuple[Denial, ...]:
        reasons = super()._denied(wish, held, quantity, equity)
        self.shared.stopped += [self] if reasons else []
        return reasons

    def _fill(self, quantity: Decimal, price: Decimal, why: Reason, *, maker: bool) -> Decimal:
        self.shared.filled.append(self)
        return super()._fill(quantity, price, why, maker=maker)

    def _leave(self, trade: Trade, quantity: Decimal, price: Decimal, why: Reason, *, maker: bool) -> None:
        super()._leave(trade, quantity, price, why, maker=maker)
        if not trade.held:
            self.shared.closed.append(self)

    def _room(self, price: Decimal) -> Decimal:
        """Return what the equity of the whole account still carries beside all that it holds."""
        held, side = (self.trade.held, self.trade.side) if self.trade else (ZERO, 0)
        worth = self.cash + side * held * price + sum((leg.value for leg in self.others), ZERO)
        return self.spec.leverage * worth - held * price - sum((abs(leg.value) for leg in self.others), ZERO)

    # ── steps of a bar ────────────────────────────────────────────────────────────────────────────

    def begin(self, at: Step) -> None:
        """Begin a bar of the calendar; the leg may have none."""
        bar = self.bars.get(at)
        self.here = bar is not None
        if bar is not None:
            self.now = bar
            self.at_close, self.took_inside, self.under_way = False, False, True
            if self.trade is not None:
                self.trade.fresh = False
            share = self.spec.fills.volume_ppm
            self.room = None if share is None else down(bar.volume * share * PPM, self.lot)
        self.day = at[0] // _DAY_MS
        costs = self.spec.costs
        traded = sum((self.by_day[self.day - back] for back in range(1, 31)), ZERO)
        self.maker, self.taker = costs.maker_ppm * PPM, costs.taker_ppm * PPM
        for tier in costs.tiers:
            if traded >= tier.volume:
                self.maker, self.taker = tier.maker_ppm * PPM, tier.taker_ppm * PPM

    def fund(self, rate: Decimal) -> None:
        """Pay or receive funding on what is held at the open."""
        if self.trade is not None and rate:
            self._charge(self.trade.held * self.now.open, self.trade.side * rate)

    def pay(self, owed: Decimal, rate: Decimal) -> None:
        """Pay interest."""
        if owed > 0 and rate > 0:
            self._charge(owed, rate)

    def open(self) -> None:
        """Close what the open closes."""
        self._open(self.now)

    def decide(self, wish: Wish, worth: Decimal) -> None:
        """Turn a wish into what leaves and what waits."""
        self._decide(wish, worth)

    def leave(self) -> None:
        """Close what is to be left."""
        self._leave_at_market(self.mark)

    def enter(self) -> None:
        """Fill the waiting entry at the open or, at the market, at the close."""
        if not self.at_close:
            self._enter_at_open(self.now.open)
            return
        waits = self._ready()
        if waits is not None and waits.limit is None and waits.trigger is None:
            self._enter(waits, self.now.close, maker=False, inside=False)

    def enter_inside(self) -> None:
        """Fill the waiting entry inside the bar."""
        self.came = self._enter_inside(self.now)

    def walk(self) -> None:
        """Close what lies on the way through the bar."""
        self._path(self.now, self.came)

    def close(self) -> None:
        """Come to the close of the bar."""
        self.at_close = self.now.closing = True
        if self.trade is not None and self.leaving is None and self._time_is_up(self.trade, self.now):
            self.leaving = (Reason.TIME, None)

    def end(self) -> None:
        """End the bar: the best and the worst price."""
        bar, trade = self.now, self.trade
        if trade is not None and not trade.fresh:
            better, worse = (bar.high, bar.low) if trade.side > 0 else (bar.low, bar.high)
            trade.best, trade.worst = self._better(trade, better), self._worse(trade, worse)
        if trade is not None:
            trade.fresh = False

    def wait_no_longer(self) -> None:
        """Take away an entry that waited too long, or behind the last bar of its instrument."""
        bar, waits = self.now, self.waiting
        waited = (
            waits is not None and (waits.limit is not None or waits.trigger is not None) and bar.index >= waits.until
        )
        if waited or bar.index + 1 == len(self.feed.bars):
            self.waiting = None

    # ── the margin that all share ─────────────────────────────────────────────────────────────────

    def free(self, price: Decimal) -> Decimal:
        """Return what the position is worth at a price, beyond what it must be worth."""
        assert self.trade is not None, "only a position is judged"
        value = self.trade.held * price
        return self.trade.side * value - up(value * self.spec.costs.maintenance_ppm * PPM, self.unit)

    def worst(self) -> Decimal:
        """Return the worst price on the way through the bar; a stop ends the way."""
        assert self.trade is not None, "only a position is judged"
        if not self.here:
            return self.came
        side, stop = self.trade.side, self._stop(self.trade)
        worse = (self.now.low if side > 0 else self.now.high) * side
        if stop is not None:
            worse = max(worse, stop[0] * side)
        return min(self.came * side, worse) * side

    def force(self) -> None:
        """Close the position at `came`, or where the account would have nothing left."""
        trade = self.trade
        assert trade is not None, "only a position is closed"
        rest = self.cash
        for leg in self.others:
            if leg.trade is not None:
                rest += leg.trade.side * leg.trade.held * leg.came
        price = self.came
        if rest + trade.side * trade.held * price < 0:
            is_long = trade.side > 0
            price = divided(-rest if is_long else max(rest, ZERO), trade.held, self.tick, upward=is_long)
        self._leave(trade, trade.held, max(price, self.tick), Reason.LIQUIDATION, maker=False)
