"""What the oracle makes of a wish: its size, whether something is left, and where the entry that waits is filled."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pilothouse.backtest.gate import instrument_of
from pilothouse.backtest.reference_account import ONE, PPM, ZERO, Account, Trade, Waiting
from pilothouse.backtest.reference_inputs import Bar, Wish
from pilothouse.backtest.result import Reason
from pilothouse.backtest.spec import FillAt
from pilothouse.core.instrument import Side
from pilothouse.core.limits import NOTHING
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Activity, Denial, Denied, Exposure, check
from pilothouse.core.rounding import divided, down, up
from pilothouse.strategies.rules import SizeBy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000


class Wishes(Account):
    """An account that is told what its strategy wants."""

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
        reasons = self._denied(wish, trade.held * held if trade and held == wish.enters else ZERO, quantity, equity)
        if reasons:
            self.out.denied.append((self.feed.bars[wish.bar].closed_ms, quantity * wish.enters, reasons))
            self.waiting = None
            return
        if trade is not None and held == wish.enters:
            trade.adds += 1
        since = self.now.index + (0 if self.spec.fills.at is FillAt.OPEN else 1)
        why = Reason.FLIP if turns else Reason.SIGNAL
        until = self.feed.last_of(since, self.spec.fills.rest - 1)
        self.waiting = Waiting(wish.enters, quantity, wish, why, wish.limit, wish.trigger, since, until)

    def _denied(self, wish: Wish, held: Decimal, quantity: Decimal, equity: Decimal) -> tuple[Denial, ...]:
        """Ask the house's own gate with what was known at the close that decided; return why not, nothing if it may."""
        if self.spec.limits == NOTHING:
            return ()
        now_ms = self.feed.bars[wish.bar].closed_ms
        now = _EPOCH + timedelta(milliseconds=now_ms)
        exposure = self._asked(wish, held, equity, now_ms)
        kind = (OrderType.MARKET, OrderType.LIMIT) if wish.trigger is None else (OrderType.STOP_MARKET, OrderType.STOP)
        symbol, side = self.market.symbol, Side.of(Decimal(wish.enters))
        terms = OrderTerms(symbol, side, kind[wish.limit is not None], quantity, wish.limit, wish.trigger)
        quote = Quote(symbol, wish.close, wish.close, wish.close, wish.close, now, "reference")
        answer = check(terms, exposure, self.spec.limits, instrument_of(self.market, self.tick), quote, now)
        return answer.reasons if isinstance(answer, Denied) else ()

    def _asked(self, wish: Wish, held: Decimal, equity: Decimal, now_ms: int) -> Exposure:
        """Return what the gate is asked with."""
        midnight = now_ms // _DAY_MS * _DAY_MS
        known = list(zip(self.feed.bars[: wish.bar], self.out.equity, strict=False))
        capital = down(self.spec.capital, self.unit)
        begun = [worth for bar, worth in known if bar.closed_ms <= midnight][-1:] or [capital]
        return Exposure(
            held, ZERO, ZERO, equity, equity if now_ms == midnight else begun[0],
            max([capital, equity, *(worth for _, worth in known)]), done=self._losses(now_ms),
        )  # fmt: skip

    def _losses(self, now_ms: int) -> Activity:
        """Return how many closing fills of the day lost, one after the other, and how long ago the last loss is.

        A loss inside a bar has no time of its own but the end of the bar.
        """
        lost = [at for at, result in self.out.closed if result < 0]
        run = [at // _DAY_MS for at, _ in itertools.takewhile(lambda each: each[1] < 0, reversed(self.out.closed))]
        day = now_ms // _DAY_MS
        since = Decimal(max(now_ms - lost[-1], 0)) / 1_000 if lost else None
        return Activity(losses_in_a_row=run.count(day) if run[:1] == [day] else 0, since_loss_s=since)

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
        times, room = self.spec.leverage, self._room(price)
        least, most = 0, int(quantity / self.lot)
        while least < most:
            middle = (least + most + 1) // 2
            value = middle * self.lot * price
            if value + times * up(value * self.taker, self.unit) <= room:
                least = middle
            else:
                most = middle - 1
        return least * self.lot

    def _room(self, price: Decimal) -> Decimal:
        """Return what equity still carries at `price` beside what is held, with leverage."""
        trade = self.trade
        held = trade.held if trade else ZERO
        worth = self.cash + (trade.side * held * price if trade else ZERO)
        return self.spec.leverage * worth - held * price
