"""Grids and averaging entries in exact decimals, slowly: the oracle that the compiled loop and the turns must equal.

Written for reading, from the rules that the pages of the two strategies tell: nothing of `kernels`, `turns` or the
strategies is used.
"""

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any, Final

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.reference_inputs import parts_of
from pilothouse.backtest.result import Reason, Result
from pilothouse.backtest.spec import BacktestSpec, Slip
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import EXACT, divided, down, is_on_grid, nearest, up

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
MILLIONTH: Final = Decimal("0.000001")
CENT_OF_MILLIONTH: Final = Decimal("0.00000001")


@dataclass
class Order:
    """An order that rests: prices in quote, `born` the part of a bar in which it was asked for in this form."""

    name: str
    buys: bool
    quantity: Decimal
    limit: Decimal | None
    trigger: Decimal | None
    reduces: bool
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
    side: int = 1

    @property
    def pnl(self) -> Decimal:
        """Return what it changed the account by."""
        return self.side * (self.closed_value - self.opened_value) - self.fees


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


def reference_ladder(spec: BacktestSpec, candles: Candles, finer: Finer | None = None) -> Outcome:
    """Return what the built-in `grid` or `dca` that the spec names leads to, with all its parameters told."""
    with localcontext(EXACT):
        desk = _DESKS[spec.strategy](spec, candles)
        parts = list(parts_of(candles, finer))
        for number, (bar, _, _, *prices, _) in enumerate(parts):
            ends = number + 1 == len(parts) or parts[number + 1][0] != bar
            desk.one_part(number, bar, Row(*prices), ends=ends)
        return desk.ended()


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
        self.part = self.bar = 0
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

    # ── one part of a bar, or all of it ───────────────────────────────────────────────────────────

    def one_part(self, part: int, bar: int, row: Row, *, ends: bool) -> None:
        """Walk from the open to the worse side and back to the better one; where the bar ends, decide."""
        self.part, self.bar, self.row = part, bar, row
        held_through = self.trade
        for order in [each for each in self.book if each.limit is None and each.trigger is None]:
            self.fill(order, row.open, maker=False)
        way = self.first_way()
        self.go(way, row, back=False)
        self.go(-way, row, back=True)
        if held_through is not None and held_through is self.trade:
            self.see(row.low)
            self.see(row.high)
        if ends:
            self.closed()
            self.out.equity.append(self.cash + self.held * row.close)

    def first_way(self) -> int:
        """Return 1 for up, -1 for down: to the worse side of what is held; of nothing up if all that may open sells."""
        if self.held:
            return -1 if self.held > 0 else 1
        opening = [order.buys for order in self.book if not order.reduces]
        return 1 if opening and not any(opening) else -1

    def go(self, way: int, row: Row, *, back: bool) -> None:
        """Fill what the way to the end of the bar meets, the nearest first; stops first, then what was told first."""
        reach = self.tick if self.spec.fills.through else ZERO
        end = row.high if way > 0 else row.low
        price = row.open
        while True:
            meets = []
            for place, order in enumerate(self.book):
                if back and order.born == self.part:
                    continue
                with_the_way = order.buys is (way > 0)
                if order.trigger is not None and with_the_way and (end - order.trigger) * way >= 0:
                    meets.append((order.trigger * way, 0, place))
                elif order.limit is not None and not with_the_way and (end - order.limit) * way >= reach:
                    meets.append((order.limit * way, 1, place))
            if not meets:
                return
            level, is_limit, place = min(meets)
            price = max(level, (row.open if back else price) * way) * way
            self.fill(self.book[place], price, maker=bool(is_limit))

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
        """Fill an order: what it closes, then what it opens if that can be paid. After each the strategy has a turn."""
        if not maker:
            price = self.worse(price, buys=order.buys)
        sign = 1 if order.buys else -1
        if order.reduces or self.held * sign < 0:
            closes = min(order.quantity, abs(self.held)) if self.held * sign < 0 else ZERO
            order.quantity -= closes
            if order.reduces or not order.quantity:
                self.book.remove(order)
            if not closes:
                self.out.skipped += 1
                return
            self.entry_of(order, sign * closes, price, maker=maker)
            if order not in self.book:
                return
        self.book.remove(order)
        value = order.quantity * price
        room = self.cash + self.held * price - abs(self.held) * price
        if value + self.fee_of(value, maker=maker) > room:
            self.out.skipped += 1
            return
        self.entry_of(order, sign * order.quantity, price, maker=maker)

    def fee_of(self, value: Decimal, *, maker: bool) -> Decimal:
        """Return what trading this value costs."""
        return up(value * (self.spec.costs.maker_ppm if maker else self.spec.costs.taker_ppm) * MILLIONTH, self.unit)

    def entry_of(self, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> None:
        """Enter a fill of signed `quantity` into the books, and let the strategy have its turn."""
        value = abs(quantity) * price
        fee = self.fee_of(value, maker=maker)
        why = Reason.SIGNAL
        if order.reduces:
            why = Reason.STOP if order.trigger is not None else Reason.LEAVE if order.limit is None else Reason.TARGET
        if self.trade is None:
            self.trade = Trade(self.bar, price, price, price, side=1 if quantity > 0 else -1)
        trade = self.trade
        self.see(price)
        trade.fees += fee
        if quantity * trade.side > 0:
            trade.entered, trade.opened_value = trade.entered + abs(quantity), trade.opened_value + value
        else:
            trade.closed_value += value
        self.cash, self.held = self.cash - quantity * price - fee, self.held + quantity
        self.out.fills.append((self.bar, quantity, price, fee, why, maker))
        if self.held == 0:
            trade.closed_bar, trade.last_price, trade.reason_out = self.bar, price, why
            self.out.trades.append(trade)
            self.trade = None
        self.filled(order, quantity, price)

    def see(self, price: Decimal) -> None:
        """Take a price into the best and the worst of the open trade."""
        trade = self.trade
        assert trade is not None, "only while something is held"
        trade.worst = min(trade.worst * trade.side, price * trade.side) * trade.side
        trade.best = max(trade.best * trade.side, price * trade.side) * trade.side

    def ended(self) -> Outcome:
        """Return the outcome; what is still held is valued at the last close, for nothing."""
        if self.trade is not None:
            self.trade.closed_value += abs(self.held) * self.row.close
            self.trade.closed_bar, self.trade.last_price = self.bar, self.row.close
            self.out.trades.append(self.trade)
        return self.out

    # ── orders ────────────────────────────────────────────────────────────────────────────────────

    def ask(
        self, name: str, quantity: Decimal, *, buys: bool, limit: Decimal | None = None,
        trigger: Decimal | None = None, reduces: bool = False,
    ) -> None:  # fmt: skip
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
        if not reduces and limit is not None and quantity * limit < self.market.notional_min:
            self.out.skipped += 1
            return
        order = Order(name, buys, quantity, limit, trigger, reduces, self.part)
        if old is not None and (old.limit, old.trigger) == (limit, trigger) and quantity <= old.quantity:
            order.born = old.born
        self.book.append(order)

    def call_off(self, begins: tuple[str, ...]) -> None:
        """Call off every order whose name begins so."""
        self.book = [order for order in self.book if not order.name.startswith(begins)]


@dataclass
class Level:
    """Where a level of a grid opens and closes, whether it buys first, and what it has open."""

    name: str
    buys: bool
    opens: Decimal
    closes: Decimal
    amount: Decimal
    opened: Decimal = ZERO
    closed: Decimal = ZERO


class GridDesk(Desk):
    """Levels away from the first close; what one opened is closed nearer to it, then it opens again."""

    def __init__(self, spec: BacktestSpec, candles: Candles) -> None:
        """Begin without a grid."""
        super().__init__(spec, candles)
        self.levels: dict[str, Level] = {}
        self.has_ended = False

    def lay_out(self, top: Decimal) -> None:
        """Say where each level lies."""
        for word in {"long": ("below",), "short": ("above",)}.get(str(self.p["side"]), ("below", "above")):
            self.lay_out_one(top, word)
        if self.p["base"] and self.p["side"] != "neutral":
            buys = self.p["side"] == "long"
            away = self.percent("take") if self.p["take"] else self.percent("step")
            closes = max(top * (1 + away if buys else 1 - away), ZERO)
            self.levels["base"] = Level("base", buys, top, closes, self.quote("base"))

    def lay_out_one(self, top: Decimal, word: str) -> None:
        """Say where the levels of one side lie."""
        buys = word == "below"
        step, take = self.percent("step") * (-1 if buys else 1), self.percent("take") * (1 if buys else -1)
        part = nearer = ONE
        for number in range(int(self.p["levels"])):
            geometric = self.p["spacing"] == "geometric"
            part = down(part * (1 + step), Decimal("0.000000000001")) if geometric else part + step
            if part <= 0:
                break
            closes = top * (max(part * (1 + take), ZERO) if take else nearer)
            self.levels[f"{word}{number}"] = Level(f"{word}{number}", buys, top * part, closes, self.quote("order"))
            nearer = part

    def closed(self) -> None:
        """Begin with the first close; give up beyond the stop."""
        if not self.levels:
            self.lay_out(self.row.close)
            for level in self.levels.values():
                self.open_level(level, at_once=level.name == "base")
        elif not self.has_ended and self.p["stop_loss"]:
            away, prices = self.percent("stop_loss"), [level.opens for level in self.levels.values()]
            fell = self.p["side"] != "short" and self.row.close < min(prices) * (1 - away)
            rose = self.p["side"] != "long" and self.row.close > max(prices) * (1 + away)
            if not fell and not rose:
                return
            self.has_ended = True
            self.call_off(("open", "close"))
            if self.held:
                self.ask("stop", abs(self.held), buys=self.held < 0, reduces=True)

    def open_level(self, level: Level, *, at_once: bool = False) -> None:
        """Ask for what a level opens."""
        quantity = level.amount / level.opens
        self.ask(f"open {level.name}", quantity, buys=level.buys, limit=None if at_once else level.opens)

    def filled(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Turn a level round."""
        what, _, name = order.name.partition(" ")
        if what == "stop":
            return
        level = self.levels[name]
        if what == "open":
            level.opened += abs(quantity)
            reduces = self.p["side"] != "neutral"
            self.ask(f"close {name}", level.opened, buys=not level.buys, limit=level.closes, reduces=reduces)
            return
        level.closed += abs(quantity)
        if level.closed >= level.opened:
            level.opened = level.closed = ZERO
            self.open_level(level)


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
            self.ask("stop", self.held, buys=False, trigger=level, reduces=True)
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
                self.ask(f"take {number}", part, buys=False, limit=level, reduces=True)


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
            trade.worst, trade.best, trade.first_price, trade.last_price, trade.reason_out, trade.side, trade.pnl,
        )  # fmt: skip
        theirs_ = (
            int(t.opened_bar[row]), int(t.closed_bar[row]), t.lots[row] * scale.lot,
            t.opened_value[row] * scale.unit, t.closed_value[row] * scale.unit, t.fees[row] * scale.unit,
            t.worst[row] * scale.tick, t.best[row] * scale.tick, t.first_price[row] * scale.tick,
            t.last_price[row] * scale.tick, Reason(t.reason_out[row]), int(t.side[row]), t.pnl[row] * scale.unit,
        )  # fmt: skip
        if ours_ != theirs_:
            return f"trade {row}: {ours_} and {theirs_}"
    return "" if outcome.skipped == result.skipped else f"skipped: {outcome.skipped} and {result.skipped}"
