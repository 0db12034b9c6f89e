"""A strategy in turns over bars, in plain Python and whole numbers: grids and averaging entries against history. Pure.

Each bar is walked along the path that is worst for who is long: the open, down to the low, up to the high, the close.
Orders of earlier bars may fill anywhere on it. What is asked for inside a bar fills only on the way down (more is
bought, stops are hit): that the high came after a purchase in the same bar is something that nobody knows.
Orders at the market fill at the next open. Long positions only, paid in full.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from pilothouse.backtest.result import FILL_COLUMNS, TRADE_COLUMNS, FillTable, Reason, Result, Scale, Trades
from pilothouse.backtest.simulate import TooLargeToCount, scale_of
from pilothouse.backtest.spec import PPM, BacktestSpec, FillAt, Slip
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem, Refused
from pilothouse.core.limits import NOTHING
from pilothouse.core.rounding import divided
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Bar, Filled, Turn, Turns, Want

_FILLS_MOST_A_BAR: Final = 10_000
_ONE: Final = Decimal(1)


@dataclass(slots=True)
class _Order:
    """An order that rests: lots left, prices in ticks, the bar in which it was asked for in this form."""

    want: Want
    buys: bool
    lots: int
    price: int | None
    stop: int | None
    since: int


@dataclass(slots=True)
class _Open:
    """The trade that is open: from flat to flat."""

    opened_bar: int
    first_price: int
    worst: int
    best: int
    lots: int = 0
    opened_value: int = 0
    closed_value: int = 0
    fees: int = 0


def run_turns(spec: BacktestSpec, candles: Candles, strategy: Turns, p: Params) -> Result:
    """Return what a strategy in turns would have done on these candles; the same input is the same result.

    Raises Invalid that names what this way of running does not know, Refused if orders fill each other without end,
    TooLargeToCount.
    """
    _checked(spec, candles)
    walk = _Walk(spec, candles, strategy, p)
    for bar in range(len(candles)):
        walk.through(bar)
    return walk.result()


def _checked(spec: BacktestSpec, candles: Candles) -> None:
    """Refuse what would otherwise be left out without a word."""
    costs, fills = spec.costs, spec.fills
    unknown = (
        ("leverage", spec.leverage != 1, "1: positions are paid in full"),
        ("rules", spec.rules is not None, "none: its exits and sizes are its own parameters"),
        ("costs.funding", costs.funding, "no funding"),
        ("costs.tiers", bool(costs.tiers), "one fee"),
        ("costs.slip", costs.slip in {Slip.VOLUME, Slip.IMPACT}, "none, fixed or spread"),
        ("fills.at", fills.at is not FillAt.OPEN, "open"),
        ("fills.latency", fills.latency != 0, "0"),
        ("fills.volume_ppm", fills.volume_ppm is not None, "no bound"),
        ("fills.finer", fills.finer is not None, "none"),
        ("limits", spec.limits != NOTHING, "none"),
        ("markets", len(spec.markets) != 1, "one market"),
        ("candles", not len(candles), "one or more"),
    )
    problems = [Problem(field, "is not known to runs in turns", wanted) for field, wrong, wanted in unknown if wrong]
    if problems:
        raise Invalid(problems)


class _Walk:
    """One run: cash in units, position in lots, prices in ticks."""

    def __init__(self, spec: BacktestSpec, candles: Candles, strategy: Turns, p: Params) -> None:
        self.spec, self.candles, self.decide, self.p = spec, candles, strategy.decide, p
        self.market = spec.markets[0]
        found = scale_of(candles, self.market)
        self.scale: Scale = found
        self.units = found.units
        self.capital = self.cash = int(divided(spec.capital, found.unit, _ONE))
        self.state: dict[str, Any] = strategy.begin(p)
        self.orders: dict[str, _Order] = {}
        self.held = self.bar = self.skipped = self.exposed = 0
        self.open: _Open | None = None
        self.trades: list[tuple[int, ...]] = []
        self.fills: list[tuple[int, ...]] = []
        self.equity = [0] * len(candles)
        columns = (getattr(candles, name).tolist() for name in ("open", "high", "low", "close", "volume"))
        self.rows = list(zip(*columns, strict=True))
        self.opened: list[int] = candles.opened_ms.tolist()
        self.symbol, self.span = candles.symbol, candles.span_ms
        self.tick, self.volume_step = candles.price_step, candles.volume_step

    def through(self, bar: int) -> None:
        """Walk one bar: its open, down, up, and the turn at its close."""
        self.bar = bar
        first, high, low, close, volume = self.rows[bar]
        before = self.open
        if self.orders:
            self._inside(first, high, low)
        if before is not None and self.open is before:
            before.worst, before.best = min(before.worst, low), max(before.best, high)
        opened, tick = self.opened[bar], self.tick
        happening = Bar(
            self.symbol, opened, opened + self.span, first * tick, high * tick, low * tick, close * tick,
            volume * self.volume_step,
        )  # fmt: skip
        turn = self.decide(self.state, happening, self.p)
        self.state = turn.state
        if turn.wants or turn.cancels:
            self._follow(turn)
        if self.held:
            self.equity[bar] = self.cash + self.held * close * self.units
            self.exposed += 1
        else:
            self.equity[bar] = self.cash

    def _inside(self, first: int, high: int, low: int) -> None:
        """Fill what the bar reaches: orders at the market first, then on the way down, then on the way up."""
        for order in [order for order in self.orders.values() if order.price is None and order.stop is None]:
            if self.orders.get(order.want.key) is order:
                self._fill(order, self._slipped(first, buys=order.buys), maker=False)
        self._down(first, low)
        self._up(first, high)

    def _down(self, at: int, low: int) -> None:
        """Go down to the low: purchases that rest and stops below, the highest first; of equals the stop first."""
        for _ in range(_FILLS_MOST_A_BAR):
            reached = [order for order in self.orders.values() if self._falls_to(order, low)]
            if not reached:
                return
            order = max(reached, key=lambda each: (_level(each, at), not each.buys))
            at = min(at, _level(order, at))
            price = at if order.buys else self._slipped(at, buys=False)
            self._fill(order, price, maker=order.buys)
        raise Refused(f"more than {_FILLS_MOST_A_BAR} orders filled in one bar: they fill each other without end")

    def _falls_to(self, order: _Order, low: int) -> bool:
        if order.buys and order.stop is None and order.price is not None:
            return order.price > low or (order.price == low and not self.spec.fills.through)
        return not order.buys and order.stop is not None and order.stop >= low

    def _up(self, first: int, high: int) -> None:
        """Go up to the high, the lowest first: orders that are older than this bar."""
        for _ in range(_FILLS_MOST_A_BAR):
            reached = [order for order in self.orders.values() if self._rises_to(order, high)]
            if not reached:
                return
            order = min(reached, key=lambda each: _level(each, first))
            at = max(_level(order, first), first)
            self._fill(order, self._slipped(at, buys=True) if order.buys else at, maker=not order.buys)
        raise Refused(f"more than {_FILLS_MOST_A_BAR} orders filled in one bar: they fill each other without end")

    def _rises_to(self, order: _Order, high: int) -> bool:
        if order.since == self.bar:
            return False
        if not order.buys and order.stop is None and order.price is not None:
            return order.price < high or (order.price == high and not self.spec.fills.through)
        return order.buys and order.stop is not None and order.stop <= high

    def _slipped(self, price: int, *, buys: bool) -> int:
        """Return the price of an order that takes: worse, in whole ticks rounded up."""
        costs = self.spec.costs
        if costs.slip is Slip.NONE:
            return price
        worse = -(-price * costs.slip_ppm // PPM) + costs.slip_ticks
        if costs.slip is Slip.SPREAD:
            worse = -(-worse // 2)
        return price + worse if buys else max(price - worse, 1)

    def _fill(self, order: _Order, price: int, *, maker: bool) -> None:
        """Fill an order whole, book it, and let the strategy take the turn that follows."""
        del self.orders[order.want.key]
        lots = order.lots if order.buys else min(order.lots, self.held)
        value = lots * price * self.units
        fee = -(-value * (self.spec.costs.maker_ppm if maker else self.spec.costs.taker_ppm) // PPM)
        if not lots or (order.buys and value + fee > self.cash):
            self.skipped += 1
            return
        signed = lots if order.buys else -lots
        self.cash -= signed * price * self.units + fee
        self.held += signed
        if self.open is None:
            self.open = _Open(self.bar, price, price, price)
        trade = self.open
        trade.worst, trade.best = min(trade.worst, price), max(trade.best, price)
        trade.fees += fee
        if order.buys:
            trade.lots += lots
            trade.opened_value += value
        else:
            trade.closed_value += value
        reason = _reason(order)
        self.fills.append((self.bar, signed, price, fee, int(reason), len(self.trades), int(maker)))
        if not self.held:
            self._close(price, reason)
        at = self.opened[self.bar] + self.span
        quantity, told = signed * self.scale.lot, price * self.scale.tick
        turn = self.decide(self.state, Filled(order.want.key, self.symbol, quantity, told, at), self.p)
        self.state = turn.state
        self._follow(turn)

    def _close(self, price: int, reason: Reason) -> None:
        trade = self.open
        assert trade is not None, "what is closed was opened"
        pnl = trade.closed_value - trade.opened_value - trade.fees
        self.trades.append((
            trade.opened_bar, self.bar, 1, trade.lots, trade.opened_value, trade.closed_value, trade.fees, 0, pnl,
            int(Reason.SIGNAL), int(reason), trade.worst, trade.best, trade.first_price, price, -1,
        ))  # fmt: skip
        self.open = None

    def _follow(self, turn: Turn) -> None:
        """Take over the orders of a turn."""
        for key in turn.cancels:
            self.orders.pop(key, None)
        for want in turn.wants:
            self._place(want)

    def _place(self, want: Want) -> None:
        """Cut an order to whole lots and ticks, against who asks for it; one that stays as it is keeps its age."""
        buys = want.quantity > 0
        if want.price is not None and want.stop is not None:
            raise Invalid([Problem(f"wants.{want.key}", "has a limit and a trigger", "one of the two", "stop_limit")])
        if not buys and not want.reduce_only:
            raise Invalid([Problem(f"wants.{want.key}", "sells more than is held", "a sale that only reduces")])
        lots = int(divided(abs(want.quantity), self.scale.lot, _ONE))
        price = None if want.price is None else int(divided(want.price, self.scale.tick, _ONE, upward=not buys))
        stop = None if want.stop is None else int(divided(want.stop, self.scale.tick, _ONE, upward=buys))
        known = price if price is not None else stop
        small = buys and known is not None and lots * known * self.units * self.scale.unit < self.market.notional_min
        before = self.orders.pop(want.key, None)
        if lots < self.market.lots_min or (self.market.lots_most or lots) < lots or small:
            self.skipped += 1
            return
        made = _Order(want, buys, lots, price, stop, self.bar)
        if before is not None and (before.price, before.stop) == (price, stop) and lots <= before.lots:
            made.since = before.since
        self.orders[want.key] = made

    def result(self) -> Result:
        """Return what came out; a position that is still open is valued at the last close, without a fee."""
        trades = list(self.trades)
        if self.open is not None:
            last = int(self.candles.close[-1])
            self.open.closed_value += self.held * last * self.units
            self._close(last, Reason.OPEN)
            trades = self.trades
        try:
            return Result(
                self.scale, self.capital, self.candles.opened_ms, self.candles.span_ms,
                Trades.of(np.array(trades, np.int64).reshape(-1, len(TRADE_COLUMNS))),
                FillTable.of(np.array(self.fills, np.int64).reshape(-1, len(FILL_COLUMNS))),
                np.array(self.equity, np.int64), self.skipped, self.exposed, not self.spec.costs.any,
            )  # fmt: skip
        except OverflowError:
            words = "an amount of this run does not fit 64 bits: a larger lot, or less capital, would"
            raise TooLargeToCount(words) from None


def _level(order: _Order, at: int) -> int:
    """Return the price at which the market reaches an order; `at` where it is reached at once."""
    if order.stop is not None:
        return order.stop
    return order.price if order.price is not None else at


def _reason(order: _Order) -> Reason:
    if order.buys:
        return Reason.SIGNAL
    if order.stop is not None:
        return Reason.STOP
    return Reason.TARGET if order.price is not None else Reason.LEAVE
