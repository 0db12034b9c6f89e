"""The risk gate before every order of a run in turns: all rules, with what the simulated account is exposed to. Pure.

What the books of a house tell the gate, the account of the run tells it here: position, what is under way, equity now,
at midnight and at its highest, what was made lately, and losses. An order decided inside a bar has the time of its end.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from pilothouse.backtest.denials import Denials, Stopped
from pilothouse.backtest.gate import at, instrument_of, terms_of
from pilothouse.backtest.spec import PPM, Slip
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_orders import ALL, Lane, Leg, Order
from pilothouse.core.instrument import Side
from pilothouse.core.limits import Limits
from pilothouse.core.order import OrderTerms
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Activity, Denial, Denied, Elsewhere, Exposure, check

_DAY_MS: Final = 86_400_000
_ZERO: Final = Decimal(0)


class _Made(NamedTuple):
    """An order that was made: when, what it was worth if it could add, and what it asked for."""

    at_ms: int
    worth: Decimal
    terms: OrderTerms


class Gate:
    """Asked before each order; remembers what was made and what was denied."""

    def __init__(self, account: Account, limits: Limits, closed_ms: Sequence[int]) -> None:
        """Begin with nothing made. `closed_ms`: the end of each bar."""
        self._account, self._limits, self._closed_ms = account, limits, closed_ms
        self._closed: list[tuple[int, bool]] = []
        account.closed = self._closed
        self._instruments = {lane.market.symbol: instrument_of(lane.market, lane.scale.tick) for lane in account.lanes}
        self._lately: deque[_Made] = deque()
        self._day = -1
        self._today, self._worth_today = 0, _ZERO
        self._highs = [account.capital]
        self._heard = self._run = 0
        self._lost_day = self._lost_at = -1
        self._stopped: list[Stopped] = []

    def asks(self, order: Order, orders: Iterable[Order], *, again: bool) -> tuple[Denial, ...]:
        """Return why an order may not be made, nothing if it may; then it counts as made.

        orders   all that stand, without this one
        again    it takes the place of one of the same name: it is changed, and not one more
        """
        account, ticket, leg = self._account, order.ticket, order.leg
        lane = leg.lane
        known, now_ms = account.step, self._closed_ms[account.step]
        mark, equity = lane.last, account.worth()
        if ticket is not None and not order.reduces:
            # What rules decided is judged by prices and equity as they were at the close that decided.
            known, now_ms = lane.known[ticket.decided], lane.closed[ticket.decided]
            mark, equity = lane.columns[3][ticket.decided], ticket.worth
        terms = self._terms(order, lane)
        symbol, unit = lane.market.symbol, lane.scale.unit
        rest = [each for each in orders if not each.reduces]
        position = _position(order, orders)
        buys, sells = (_lots(rest, leg, sign) * lane.scale.lot for sign in (1, -1))
        exposure = Exposure(
            position * lane.scale.lot, buys, sells, equity * unit, self._midnight(known, now_ms, equity) * unit,
            max(self._high(known), equity) * unit, self._elsewhere(rest, leg, known), _opposing(orders, order),
            self._done(terms, now_ms, len(rest)),
        )  # fmt: skip
        answer = check(
            terms, exposure, self._limits, self._instruments[symbol], _quote(lane, mark, now_ms), at(now_ms),
            closes=order.reduces,
        )  # fmt: skip
        if isinstance(answer, Denied):
            self._stopped.append(Stopped(now_ms, symbol, terms.side, terms.quantity, answer.reasons))
            return answer.reasons
        if not again:
            top = max(order.limit or 0, order.trigger or 0, mark) * lane.units * unit
            self._count(_Made(now_ms, _ZERO if order.reduces else top * order.lots, terms))
        return ()

    def denials(self) -> Denials:
        """Return all that was denied."""
        return Denials.of(self._stopped)

    def _terms(self, order: Order, lane: Lane) -> OrderTerms:
        tick, lots = lane.scale.tick, order.lots
        if lots >= ALL:
            lots = max(abs(order.leg.pos), 1)
        limit, trigger = (None if price is None else price * tick for price in (order.limit, order.trigger))
        side = Side.BUY if order.sign > 0 else Side.SELL
        return terms_of(lane.market.symbol, side, lots * lane.scale.lot, limit, trigger, reduces=order.reduces)

    def _midnight(self, known: int, now_ms: int, equity: int) -> int:
        midnight = now_ms // _DAY_MS * _DAY_MS
        if now_ms == midnight:
            return equity
        equities = self._account.equity
        place = bisect_right(self._closed_ms, midnight, 0, min(known, len(equities))) - 1
        return equities[place] if place >= 0 else self._account.capital

    def _high(self, known: int) -> int:
        """Return the highest equity at the close of a step before `known`."""
        highs, equity = self._highs, self._account.equity
        known = min(known, len(equity))  # of what is under way still, the close is not known
        while len(highs) <= known:
            highs.append(max(highs[-1], equity[len(highs) - 1]))
        return highs[known]

    def _elsewhere(self, rest: list[Order], leg: Leg, known: int) -> Elsewhere:
        """Return what the other positions come to, at the prices of step `known`; the other side of a hedge is one."""
        gross = net = bought = sold = 0
        for other in self._account.legs:
            if other is leg:
                continue
            pos, buys, sells = other.pos, _lots(rest, other, 1), _lots(rest, other, -1)
            if pos or buys or sells:
                each = self._price(other.lane, known) * other.lane.units
                gross += max(abs(pos + buys), abs(pos - sells)) * each
                net, bought, sold = net + pos * each, bought + (pos + buys) * each, sold + (pos - sells) * each
        unit = leg.lane.scale.unit
        return Elsewhere(gross * unit, net * unit, bought * unit, sold * unit)

    def _price(self, lane: Lane, known: int) -> int:
        """Return the last price of an instrument as it was at the close of a step."""
        is_elsewhere = lane.under_way and lane.now != self._account.step
        if known == self._account.step and not is_elsewhere:
            return lane.last
        bar = bisect_right(lane.known, known) - 1
        bar = min(bar, lane.bar - 1) if lane.under_way else bar
        return lane.columns[3][bar] if bar >= 0 else 0  # before its first close it has no price

    def _done(self, terms: OrderTerms, now_ms: int, live: int) -> Activity:
        self._hear()
        lately, day = self._lately, now_ms // _DAY_MS
        while lately and lately[0].at_ms <= now_ms - 60_000:
            lately.popleft()
        if day != self._day:
            self._day, self._today, self._worth_today = day, 0, _ZERO
        second = [made for made in lately if made.at_ms > now_ms - 1_000]
        return Activity(
            len(second), len(lately), self._today, sum((made.worth for made in second), _ZERO),
            sum((made.worth for made in lately), _ZERO), self._worth_today,
            sum(made.terms == terms for made in lately), live, self._run if self._lost_day == day else 0,
            None if self._lost_at < 0 else Decimal(max(now_ms - self._lost_at, 0)) / 1_000,
        )  # fmt: skip

    def _hear(self) -> None:
        """Take what was closed since into the losses."""
        for ended, lost in self._closed[self._heard :]:
            if not lost:
                self._run = 0
                continue
            day = ended // _DAY_MS
            self._run = self._run + 1 if day == self._lost_day else 1
            self._lost_day, self._lost_at = day, ended
        self._heard = len(self._closed)

    def _count(self, made: _Made) -> None:
        self._lately.append(made)
        self._today += 1
        self._worth_today += made.worth


def _position(order: Order, orders: Iterable[Order]) -> int:
    """Return the position that an order adds to: less what leaves at the market before it.

    Else whoever turns round with two orders, one that closes and one that opens, would be asked for nothing: beside
    what is still held the second looks as if it only reduced.
    """
    leg = order.leg
    if order.ticket is not None:
        return 0 if leg.pos * order.sign < 0 else leg.pos
    side = (leg.pos > 0) - (leg.pos < 0)
    leaves = sum(
        each.lots
        for each in orders
        if each.leg is leg and each.reduces and each.sign == -side and each.limit is None and each.trigger is None
    )
    return side * max(abs(leg.pos) - leaves, 0)


def _lots(orders: Iterable[Order], leg: Leg, sign: int) -> int:
    return sum(order.lots for order in orders if order.leg is leg and order.sign == sign)


def _opposing(orders: Iterable[Order], order: Order) -> tuple[tuple[Decimal, Decimal], ...]:
    lane = order.leg.lane
    return tuple(
        (each.limit * lane.scale.tick, min(each.lots, abs(each.leg.pos) or each.lots) * lane.scale.lot)
        for each in orders
        if each.leg.lane is lane and each.sign != order.sign and each.limit is not None and each.trigger is None
    )  # fmt: skip


def _quote(lane: Lane, mark: int, now_ms: int) -> Quote:
    """Return the price that is known, with the spread that the run pays where its costs tell one."""
    tick, half = lane.scale.tick, _ZERO
    if lane.costs.slip is Slip.SPREAD:
        half = (mark * tick * lane.costs.slip_ppm / PPM + lane.costs.slip_ticks * tick) / 2
    price = mark * tick
    bid = max(price - half, tick)
    return Quote(lane.market.symbol, bid, price + half, price, price, at(now_ms), "candles")
