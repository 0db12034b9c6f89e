"""Grids and averaging entries in exact decimals, slowly: the oracle that the compiled loop and the turns must equal.

Written for reading, from the rules that the pages of the two strategies tell: nothing of `kernels`, `turns` or the
strategies is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any, Final

from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.spec import BacktestSpec, Slip
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import EXACT, divided, down, is_on_grid, nearest, up

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
MILLIONTH: Final = Decimal("0.000001")
CENT_OF_MILLIONTH: Final = Decimal("0.00000001")


@dataclass
class Order:
    """An order that rests: prices in quote, `born` the bar in which it was asked for in this form."""

    name: str
    buys: bool
    quantity: Decimal
    limit: Decimal | None
    trigger: Decimal | None
    born: int


@dataclass
class Trade:
    """A position from flat to flat, in base and quote."""

    opened_bar: int
    first_price: Decimal
    worst: Decimal
    best: Decimal
    entered: Decimal = ZERO
    opened_value: Decimal = ZERO
    closed_value: Decimal = ZERO
    fees: Decimal = ZERO
    closed_bar: int = -1
    last_price: Decimal = ZERO
    reason_out: Reason = Reason.OPEN


@dataclass
class Outcome:
    """What the run came to; a fill is bar, signed quantity, price, fee, reason, maker."""

    trades: list[Trade] = field(default_factory=list)
    fills: list[tuple[int, Decimal, Decimal, Decimal, Reason, bool]] = field(default_factory=list)
    equity: list[Decimal] = field(default_factory=list)
    skipped: int = 0


@dataclass(frozen=True)
class Row:
    """One candle."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


def reference_ladder(spec: BacktestSpec, candles: Candles) -> Outcome:
    """Return what the built-in `grid` or `dca` that the spec names leads to, with all its parameters told."""
    with localcontext(EXACT):
        desk = _DESKS[spec.strategy](spec, candles)
        for bar, row in enumerate(_rows(candles)):
            desk.one_bar(bar, row)
        return desk.ended()


def _rows(candles: Candles) -> Iterator[Row]:
    columns = (getattr(candles, name).tolist() for name in ("open", "high", "low", "close"))
    for row in zip(*columns, strict=True):
        yield Row(*(each * candles.price_step for each in row))


class Desk:
    """An account that buys and sells one instrument by orders that rest. What it wants is said by who inherits it."""

    def __init__(self, spec: BacktestSpec, candles: Candles) -> None:
        """Begin flat, with the capital in cash."""
        self.spec, self.market, self.p = spec, spec.markets[0], dict(spec.params)
        self.tick, self.lot = candles.price_step, self.market.lot
        self.unit = CENT_OF_MILLIONTH
        while not is_on_grid(self.tick * self.lot, self.unit):
            self.unit /= 10
        self.cash = down(spec.capital, self.unit)
        self.held = ZERO
        self.trade: Trade | None = None
        self.book: list[Order] = []
        self.bar = 0
        self.row = Row(ZERO, ZERO, ZERO, ZERO)
        self.out = Outcome()

    def closed(self) -> None:
        """Do what is to be done at the close of a bar."""
        raise NotImplementedError

    def filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Do what is to be done after a fill of signed `quantity`."""
        raise NotImplementedError

    def percent(self, name: str) -> Decimal:
        """Return a parameter in percent as a part of one, in whole millionths."""
        return nearest(Decimal(str(self.p[name])) / HUNDRED, MILLIONTH)

    def quote(self, name: str) -> Decimal:
        """Return a parameter that is an amount, cut to 8 digits."""
        return down(Decimal(str(self.p[name])), CENT_OF_MILLIONTH)

    # ── one bar ───────────────────────────────────────────────────────────────────────────────────

    def one_bar(self, bar: int, row: Row) -> None:
        """Walk from the open down to the low and up to the high; then the strategy has its turn."""
        self.bar, self.row = bar, row
        held_through = self.trade
        for order in [each for each in self.book if each.limit is None and each.trigger is None]:
            self.fill(order, self.worse(row.open, buys=order.buys), maker=False)
        self.go_down(row)
        self.go_up(row)
        if held_through is not None and held_through is self.trade:
            held_through.worst = min(held_through.worst, row.low)
            held_through.best = max(held_through.best, row.high)
        self.closed()
        self.out.equity.append(self.cash + self.held * row.close)

    def go_down(self, row: Row) -> None:
        """Fill purchases and stops from the highest to the lowest; at one price stops first, then by age."""
        reach = self.tick if self.spec.fills.through else ZERO
        price = row.open
        while True:
            meets = [
                (level, not order.buys, -place)
                for place, order in enumerate(self.book)
                for level in [order.limit if order.buys and order.trigger is None else order.trigger]
                if level is not None and (order.buys is (order.trigger is None))
                and level - (reach if order.buys else ZERO) >= row.low
            ]  # fmt: skip
            if not meets:
                return
            level, is_stop, place = max(meets)
            price = min(price, level)
            order = self.book[-place]
            self.fill(order, self.worse(price, buys=False) if is_stop else price, maker=not is_stop)

    def go_up(self, row: Row) -> None:
        """Fill sales at their price from the lowest to the highest; only what was asked for before this bar."""
        reach = self.tick if self.spec.fills.through else ZERO
        while True:
            meets = [
                (order.limit, place)
                for place, order in enumerate(self.book)
                if not order.buys and order.limit is not None and order.born < self.bar
                and order.limit + reach <= row.high
            ]  # fmt: skip
            if not meets:
                return
            limit, place = min(meets)
            self.fill(self.book[place], max(limit, row.open), maker=True)

    def worse(self, price: Decimal, *, buys: bool) -> Decimal:
        """Return what an order pays or gets that takes at `price`."""
        costs = self.spec.costs
        if costs.slip is Slip.NONE:
            return price
        away = up(price * costs.slip_ppm * MILLIONTH, self.tick) + costs.slip_ticks * self.tick
        if costs.slip is Slip.SPREAD:
            away = up(away / 2, self.tick)
        return price + away if buys else max(price - away, self.tick)

    def fill(self, order: Order, price: Decimal, *, maker: bool) -> None:
        """Book a fill, if it can be paid; then the strategy has its turn."""
        self.book.remove(order)
        quantity = order.quantity if order.buys else min(order.quantity, self.held)
        value = quantity * price
        ppm = self.spec.costs.maker_ppm if maker else self.spec.costs.taker_ppm
        fee = up(value * ppm * MILLIONTH, self.unit)
        if quantity == 0 or (order.buys and value + fee > self.cash):
            self.out.skipped += 1
            return
        if self.trade is None:
            self.trade = Trade(self.bar, price, price, price)
        trade = self.trade
        trade.worst, trade.best, trade.fees = min(trade.worst, price), max(trade.best, price), trade.fees + fee
        if order.buys:
            why = Reason.SIGNAL
            self.cash, self.held = self.cash - value - fee, self.held + quantity
            trade.entered, trade.opened_value = trade.entered + quantity, trade.opened_value + value
        else:
            why = Reason.STOP if order.trigger is not None else Reason.LEAVE if order.limit is None else Reason.TARGET
            self.cash, self.held = self.cash + value - fee, self.held - quantity
            trade.closed_value += value
        signed = quantity if order.buys else -quantity
        self.out.fills.append((self.bar, signed, price, fee, why, maker))
        if self.held == 0:
            trade.closed_bar, trade.last_price, trade.reason_out = self.bar, price, why
            self.out.trades.append(trade)
            self.trade = None
        self.filled(order, signed, price)

    def ended(self) -> Outcome:
        """Return the outcome; what is still held is valued at the last close, for nothing."""
        if self.trade is not None:
            self.trade.closed_value += self.held * self.row.close
            self.trade.closed_bar, self.trade.last_price = self.bar, self.row.close
            self.out.trades.append(self.trade)
        return self.out

    # ── orders ────────────────────────────────────────────────────────────────────────────────────

    def ask(
        self, name: str, quantity: Decimal, *, buys: bool, limit: Decimal | None = None, trigger: Decimal | None = None
    ) -> None:
        """Ask for an order, cut to whole lots and ticks against who asks; the same name is the same order."""
        quantity = down(quantity, self.lot)
        if limit is not None:
            limit = (down if buys else up)(limit, self.tick)
        if trigger is not None:
            trigger = (up if buys else down)(trigger, self.tick)
        old = next((order for order in self.book if order.name == name), None)
        if old is not None:
            self.book.remove(old)
        most = self.market.lots_most
        if quantity < self.market.lots_min * self.lot or (most is not None and quantity > most * self.lot):
            self.out.skipped += 1
            return
        if buys and limit is not None and quantity * limit < self.market.notional_min:
            self.out.skipped += 1
            return
        order = Order(name, buys, quantity, limit, trigger, self.bar)
        if old is not None and (old.limit, old.trigger) == (limit, trigger) and quantity <= old.quantity:
            order.born = old.born
        self.book.append(order)

    def call_off(self, begins: tuple[str, ...]) -> None:
        """Call off every order whose name begins so."""
        self.book = [order for order in self.book if not order.name.startswith(begins)]


class GridDesk(Desk):
    """Levels below the first close; what one bought is sold higher, then it buys again."""

    def __init__(self, spec: BacktestSpec, candles: Candles) -> None:
        """Begin without a grid."""
        super().__init__(spec, candles)
        self.prices: dict[str, Decimal] = {}
        self.sells_at: dict[str, Decimal] = {}
        self.has_ended = False

    def lay_out(self, top: Decimal) -> None:
        """Say where each level lies."""
        step, take, geometric = self.percent("step"), self.percent("take"), self.p["spacing"] == "geometric"
        part = above = ONE
        for number in range(int(self.p["levels"])):
            part = down(part * (1 - step), Decimal("0.000000000001")) if geometric else part - step
            if part <= 0:
                break
            self.prices[f"{number}"] = top * part
            self.sells_at[f"{number}"] = top * (part * (1 + take) if take else above)
            above = part
        if self.p["base"]:
            self.prices["base"] = top
            self.sells_at["base"] = top * (1 + (take or step))

    def closed(self) -> None:
        """Begin with the first close; give up below the stop."""
        if not self.prices:
            self.lay_out(self.row.close)
            for level, price in self.prices.items():
                if level == "base":
                    self.ask("buy base", self.quote("base") / price, buys=True)
                else:
                    self.ask(f"buy {level}", self.quote("order") / price, buys=True, limit=price)
        elif not self.has_ended and self.p["stop_loss"]:
            if self.row.close >= min(self.prices.values()) * (1 - self.percent("stop_loss")):
                return
            self.has_ended = True
            self.call_off(("buy", "sell"))
            if self.held:
                self.ask("stop", self.held, buys=False)

    def filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Turn a level round."""
        side, _, level = order.name.partition(" ")
        if side == "buy":
            self.ask(f"sell {level}", quantity, buys=False, limit=self.sells_at[level])
        elif side == "sell":
            wanted = self.quote("base" if level == "base" else "order")
            self.ask(f"buy {level}", wanted / self.prices[level], buys=True, limit=self.prices[level])


class AveragingDesk(Desk):
    """A base order, safety orders below it, one stop and three targets from the average price."""

    def __init__(self, spec: BacktestSpec, candles: Candles) -> None:
        """Begin before the first cycle."""
        super().__init__(spec, candles)
        self.bought = self.paid = self.entry = ZERO
        self.reached = self.waits = 0

    def closed(self) -> None:
        """Ask for the base order at the close, while nothing is held and nothing is to be waited for."""
        if self.held:
            return
        if self.waits:
            self.waits -= 1
            return
        self.entry = self.row.close
        self.ask("entry", self.quote("base") / self.entry, buys=True, limit=self.entry)

    def filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Move the exits with the average; end the cycle when nothing is left."""
        if quantity > 0:
            if not self.bought:
                self.ask_for_safeties()
            self.bought, self.paid = self.bought + quantity, self.paid + quantity * price
        elif not self.held:
            self.call_off(("",))
            self.bought = self.paid = ZERO
            self.reached, self.waits = 0, int(self.p["cooldown"])
            return
        elif order.name.startswith("take"):
            self.reached = max(self.reached, int(order.name[-1]))
            self.call_off(("entry", "safety"))
        self.ask_for_exits()

    def ask_for_safeties(self) -> None:
        """Ask for the purchases below the entry."""
        part, step, wanted = ONE, self.percent("deviation"), self.quote("safety")
        for number in range(int(self.p["safety_most"])):
            part -= step
            if part <= 0 or not wanted:
                return
            price = self.entry * part
            self.ask(f"safety {number}", wanted / price, buys=True, limit=price)
            step = down(step * nearest(Decimal(str(self.p["scale"])), MILLIONTH), MILLIONTH)
            wanted = down(wanted * nearest(Decimal(str(self.p["volume_scale"])), MILLIONTH), CENT_OF_MILLIONTH)

    def ask_for_exits(self) -> None:
        """Ask for the stop and for what is left of the targets."""
        first = ONE + self.percent("take_1")
        if self.reached or self.p["stop_loss"]:
            stands = {0: ONE - self.percent("stop_loss"), 1: ONE}.get(self.reached, first)
            # Divided last and cut to the tick, so that no digit is lost before.
            level = divided(self.paid * stands, self.bought, self.tick)
            self.ask("stop", self.held, buys=False, trigger=level)
        left = self.held
        for number in (1, 2, 3):
            if number == 3:
                part = left
            elif number > self.reached:
                part = min(self.bought * self.percent(f"share_{number}"), left)
            else:
                continue
            left -= part
            if part:
                gain = ONE + self.percent(f"take_{number}")
                level = divided(self.paid * gain, self.bought, self.tick, upward=True)
                self.ask(f"take {number}", part, buys=False, limit=level)


_DESKS: Final[dict[str, type[Desk]]] = {"grid": GridDesk, "dca": AveragingDesk}


def same_ladder(outcome: Outcome, result: Result) -> str:
    """Return the first difference between the oracle's outcome and a result in words; nothing if equal."""
    scale, f, t = result.scale, result.fills, result.trades
    for bar, (ours, theirs) in enumerate(zip(outcome.equity, result.equity.tolist(), strict=True)):
        if ours != theirs * scale.unit:
            return f"equity at bar {bar}: {ours} and {theirs * scale.unit}"
    if (len(outcome.fills), len(outcome.trades)) != (len(f), len(t)):
        return f"{len(outcome.fills)} fills, {len(outcome.trades)} trades and {len(f)}, {len(t)}"
    for row, fill in enumerate(outcome.fills):
        told: tuple[Any, ...] = (
            int(f.bar[row]), f.lots[row] * scale.lot, f.price[row] * scale.tick, f.fee[row] * scale.unit,
            Reason(f.reason[row]), bool(f.maker[row]),
        )  # fmt: skip
        if fill != told:
            return f"fill {row}: {fill} and {told}"
    for row, trade in enumerate(outcome.trades):
        ours_: tuple[Any, ...] = (
            trade.opened_bar, trade.closed_bar, trade.entered, trade.opened_value, trade.closed_value, trade.fees,
            trade.worst, trade.best, trade.first_price, trade.last_price, trade.reason_out,
        )  # fmt: skip
        theirs_ = (
            int(t.opened_bar[row]), int(t.closed_bar[row]), t.lots[row] * scale.lot,
            t.opened_value[row] * scale.unit, t.closed_value[row] * scale.unit, t.fees[row] * scale.unit,
            t.worst[row] * scale.tick, t.best[row] * scale.tick, t.first_price[row] * scale.tick,
            t.last_price[row] * scale.tick, Reason(t.reason_out[row]),
        )  # fmt: skip
        if ours_ != theirs_:
            return f"trade {row}: {ours_} and {theirs_}"
        if int(t.pnl[row]) * scale.unit != trade.closed_value - trade.opened_value - trade.fees:
            return f"trade {row}: its result"
    return "" if outcome.skipped == result.skipped else f"skipped: {outcome.skipped} and {result.skipped}"
