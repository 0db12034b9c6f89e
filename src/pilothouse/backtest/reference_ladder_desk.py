"""The account of the ladders' oracle in exact decimals: orders that rest, the way through a bar, fills and trades.

Written for reading, from the rules that the pages of the two strategies tell: nothing of `kernels`, `turns` or the
strategies is used.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pilothouse.backtest.result import Reason
from pilothouse.backtest.spec import BacktestSpec, Slip
from pilothouse.core.candles import Candles
from pilothouse.core.rounding import down, is_on_grid, nearest, up

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
    """What the run came to; a fill is bar, signed quantity, price, fee, reason, maker.

    Looks like the one in `reference_account`, and stays apart: that one counts what rules and limits do as well, and
    two oracles that share nothing cannot share a mistake.
    """

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
