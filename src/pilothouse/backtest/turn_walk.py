"""The way of the price through a bar, and what orders and positions meet on it. Pure.

Out first to the side that is worse for what is held, then back to the better one. What is asked for inside the bar
fills only on the way out: that the better price came after it is something that nobody knows. An entry on the way back
is followed by the way out once more, for stops and liquidation alone.
"""

from typing import Final

from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.orders import Outcome
from pilothouse.backtest.result import Reason
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_margin import called
from pilothouse.backtest.turn_orders import ALL, Leg, Order, Ticket
from pilothouse.core.errors import Refused

_FILLS_MOST_A_BAR: Final = 10_000
_OUT, _BACK, _AFTER = range(3)


class Walk:
    """Fills orders on the bars of an account; what follows a fill is heard by `heard`, which a subclass gives."""

    def __init__(self, account: Account, *, through: bool, log: OrderLog | None = None) -> None:
        """Begin without orders."""
        self.account = account
        self.log = log
        self.reach = 1 if through else 0
        self.orders: dict[str, Order] = {}

    def heard(self, leg: Leg, key: str, lots: int, price: int) -> None:
        """Let the strategy take the turn that follows a fill."""
        raise NotImplementedError

    def call(self, *, inside: bool = False) -> None:
        """Close all positions where they stand for one another and the account is not worth what they must be."""
        if not self.account.shared:
            return
        closed = called(self.account, self.stop_of if inside else None)
        if self.log is not None:
            for leg, lots, _ in closed:
                self.log.forced(leg, lots)
        for leg, lots, price in closed:
            self.heard(leg, "liquidation", lots, price)

    def stop_of(self, leg: Leg) -> int | None:
        """Return the nearest price at which a stop ends a position, None without one."""
        sign = -1 if leg.pos > 0 else 1
        found = [
            order.trigger
            for order in leg.orders.values()
            if order.trigger is not None and order.limit is None and order.reduces and order.sign == sign
            and order.lots >= abs(leg.pos)
        ]  # fmt: skip
        return None if not found else max(found) if sign < 0 else min(found)

    def forget(self, order: Order, why: Outcome = Outcome.CANCELED) -> None:
        """Take an order away."""
        if self.orders.get(order.key) is order:
            del self.orders[order.key]
            del order.leg.orders[order.key]
            if self.log is not None:
                self.log.ended(order, why)

    # ── the open ──────────────────────────────────────────────────────────────────────────────────

    def open_leg(self, leg: Leg) -> None:
        """Close what the open itself closes, and fill what was waiting for it."""
        self.liquidate_at_open(leg)
        self.at_market(leg, leg.lane.first)

    def liquidate_at_open(self, leg: Leg) -> None:
        """Close by force what the open itself leaves too little for."""
        liquid = self.account.liquidation(leg) if leg.pos else None
        if liquid is not None and (liquid - leg.lane.first) * (1 if leg.pos > 0 else -1) >= 0:
            self._liquidate(leg, liquid, leg.lane.first)

    def at_market(self, leg: Leg, at: int, *, reduces: bool | None = None, inside: bool = False) -> None:
        """Fill what a strategy wants at the market; `reduces`: only what may or may not open anything, None for all."""
        for order in list(leg.orders.values()):
            waits = order.limit is None and order.trigger is None
            if waits and (reduces is None or reduces is order.reduces) and leg.orders.get(order.key) is order:
                self.take(order, at, inside=inside)

    def rules_at_open(self, leg: Leg, at: int) -> None:
        """Leave what is to be left, by stops that the open has passed and at targets."""
        if leg.leave in leg.orders:
            self.take(leg.orders[leg.leave], at)
        elif leg.pos:
            self._stops_passed(leg, at)
        if leg.pos:
            self._targets(leg, at)

    def _stops_passed(self, leg: Leg, at: int) -> None:
        for order in list(leg.orders.values()):
            if order.ticket is None or not order.reduces or order.trigger is None:
                continue
            if (at - order.trigger) * order.sign >= 0:
                self._leave_by(order, at)

    def _targets(self, leg: Leg, furthest: int) -> None:
        """Fill the targets of rules on the way to `furthest`, each at its own price."""
        while leg.pos:
            met = [
                order
                for order in leg.orders.values()
                if order.ticket is not None and order.reduces and order.limit is not None
                and order.ticket.late != self.account.step
                and (order.limit - furthest) * order.sign >= self.reach
            ]  # fmt: skip
            if not met:
                return
            order = met[0]
            assert order.limit is not None, "as was asked for"
            if not order.frozen:
                order.lots, order.frozen = min(order.lots, abs(leg.pos)), True
            if leg.lane.budget <= 0:
                return
            self.take(order, order.limit, maker=True)

    def enter_at_open(self, leg: Leg) -> None:
        """Fill the entries of rules at the open: at the market, or where the price is there already."""
        for order in [order for order in leg.orders.values() if order.ticket is not None and not order.reduces]:
            if leg.orders.get(order.key) is not order or leg.pos * order.sign < 0:
                continue
            at, sign = leg.lane.first, order.sign
            if order.limit is None and order.trigger is None:
                self.take(order, at)
            elif leg.lane.bar < order.since:
                continue
            elif order.trigger is not None:
                if (at - order.trigger) * sign >= 0:
                    order.trigger = None
                    if order.limit is None or (order.limit - at) * sign >= 0:
                        self.take(order, at)
            elif order.limit is not None and (order.limit - at) * sign >= 0:
                if leg.lane.bar == order.since:
                    self.take(order, at)
                elif (order.limit - at) * sign >= self.reach:
                    self.take(order, order.limit, maker=True)

    # ── inside ────────────────────────────────────────────────────────────────────────────────────

    def enter_inside(self, leg: Leg) -> int:
        """Fill the entries of rules that the bar reaches; return where the price is then."""
        lane = leg.lane
        came = lane.first
        for order in [order for order in leg.orders.values() if order.ticket is not None and not order.reduces]:
            sign = order.sign
            if leg.pos * sign < 0 or lane.bar < order.since:
                continue
            near, far = (lane.low, lane.high) if sign > 0 else (lane.high, lane.low)
            price, count = came, len(self.account.fills)
            if order.trigger is not None:
                if (far - order.trigger) * sign < 0:
                    continue
                price, order.trigger = order.trigger, None
                # Where the limit lies behind the trigger, the price would have to come back.
                if order.limit is None or (order.limit - price) * sign >= 0:
                    self.take(order, price, inside=True)
            elif order.limit is not None and (order.limit - near) * sign >= self.reach:
                price = order.limit
                self.take(order, price, maker=True, inside=True)
            if len(self.account.fills) > count:
                came = price
        return came

    def walk(self, leg: Leg, came: int) -> None:
        """Go out and back."""
        if not leg.pos and not leg.orders:
            return
        lane = leg.lane
        if not leg.orders and not self._may_be_liquidated(leg):
            return
        out = -1 if leg.pos > 0 else 1 if leg.pos < 0 else self._first_way(leg)
        leaving = leg.orders.get(leg.leave)
        self._way(leg, out, came, _OUT)
        if (not leg.pos and not leg.orders) or leg.orders.get(leg.leave) is not leaving:
            return
        entered = len(self.account.fills)
        self._way(leg, -out, lane.first, _BACK)
        if leg.pos and any(fill.lots * leg.pos > 0 for fill in self.account.fills[entered:]):
            self._way(leg, -1 if leg.pos > 0 else 1, lane.high if out < 0 else lane.low, _AFTER)

    def _may_be_liquidated(self, leg: Leg) -> bool:
        liquid = self.account.liquidation(leg)
        if liquid is None:
            return False
        return leg.lane.low <= liquid if leg.pos > 0 else leg.lane.high >= liquid

    def _first_way(self, leg: Leg) -> int:
        """Return down where nothing is held, unless there are entries that sell alone."""
        signs = {order.sign for order in leg.orders.values() if not order.reduces}
        return 1 if signs == {-1} else -1

    def _way(self, leg: Leg, way: int, came: int, part: int) -> None:
        """Go up (1) or down (-1) to the end of the bar, and fill what is met, the nearest first."""
        lane = leg.lane
        end = lane.high if way > 0 else lane.low
        at = came
        if part != _OUT and leg.pos:
            self._targets_of_rules(leg, way, end)
        for _ in range(_FILLS_MOST_A_BAR):
            met = [order for order in leg.orders.values() if self._is_met(order, way, end, part)]
            order = min(met, key=lambda each: (each.level(at) * way, each.trigger is None), default=None)
            side = 1 if leg.pos > 0 else -1
            liquid = self.account.liquidation(leg) if leg.pos and way == -side and part != _BACK else None
            if liquid is not None and (end - liquid) * way >= 0:
                stop = order is not None and order.trigger is not None
                if not stop or (order is not None and (order.level(at) - liquid) * way >= 0):
                    self._liquidate(leg, liquid, came)
                    continue
            if order is None:
                return
            level = order.level(at)
            if order.ticket is not None:
                if leg.leave not in leg.orders:
                    self._stop_out(order, way, end, came)
                return
            start = at if part == _OUT else came
            at = max(level, start) if way > 0 else min(level, start)
            self._meet(order, at)
        raise Refused(f"more than {_FILLS_MOST_A_BAR} orders filled in one bar: they fill each other without end")

    def _stop_out(self, stop: Order, way: int, end: int, came: int) -> None:
        """Leave by a stop of the rules; what there is no volume for may still be liquidated on the way."""
        leg, level = stop.leg, stop.level(came)
        self._leave_by(stop, max(level, came) if way > 0 else min(level, came))
        liquid = self.account.liquidation(leg) if leg.pos else None
        if liquid is not None and (end - liquid) * way >= 0:
            self._liquidate(leg, liquid, came)

    def _targets_of_rules(self, leg: Leg, way: int, end: int) -> None:
        if way == (1 if leg.pos > 0 else -1):
            self._targets(leg, end)

    def _is_met(self, order: Order, way: int, end: int, part: int) -> bool:
        """Say whether the way to `end` reaches an order."""
        if order.ticket is not None:
            if not order.reduces or order.trigger is None or part == _BACK:
                return False
            return order.sign == way and (end - order.trigger) * way >= 0
        if part == _BACK and order.since == self.account.step:
            return False
        if order.trigger is not None:
            stops = order.sign == way and (end - order.trigger) * way >= 0
            return stops and (part != _AFTER or order.reduces)
        if order.limit is None or part == _AFTER or order.leg.lane.budget <= 0:
            return False
        return order.sign == -way and (end - order.limit) * way >= self.reach

    def _meet(self, order: Order, at: int) -> None:
        """Fill an order of a strategy at the price that has reached it."""
        if order.trigger is None:
            self.take(order, at, maker=True, inside=True)
            return
        order.trigger, order.trail = None, 0
        if order.limit is None or (order.limit - at) * order.sign >= 0:
            self.take(order, at, inside=True)
        else:
            order.since = self.account.step

    # ── fills ─────────────────────────────────────────────────────────────────────────────────────

    def _liquidate(self, leg: Leg, level: int, came: int) -> None:
        """Close by force, where the level is met or the price already is behind it; nobody loses more than he had."""
        long = leg.pos > 0
        broke = self.account.bankrupt(leg)
        price = max(min(level, came), broke) if long else min(max(level, came), broke)
        price = max(price, 1)
        lots = abs(leg.pos)
        if self.log is not None:
            self.log.forced(leg, -lots if long else lots)
        self.account.leave(leg, lots, price, Reason.LIQUIDATION, maker=False)
        self.heard(leg, "liquidation", -lots if long else lots, price)

    def _leave_by(self, stop: Order, price: int) -> None:
        """Leave everything because a stop of the rules was met; what finds no volume now goes at the next open."""
        leg = stop.leg
        ticket = Ticket(leg.leave, stop.want.symbol, stop.want.quantity, reduce_only=True, sign=stop.sign, lots=ALL)
        made = Order(
            ticket,
            leg,
            stop.sign,
            ALL,
            None,
            None,
            0,
            True,
            self.account.step,
            stop.reason,
            ticket=ticket,
            key=ticket.key,
            number=stop.number,
        )
        if self.log is not None:
            self.log.triggered(stop)
        self.orders[leg.leave] = leg.orders[leg.leave] = made
        self.take(made, price)

    def take(self, order: Order, price: int, *, maker: bool = False, inside: bool = False) -> None:
        """Fill an order, as much of it as there is volume, position and money for, and let the strategy hear of it."""
        leg = order.leg
        if order.reduces or leg.pos * order.sign < 0:
            self._reduce(order, price, maker=maker, inside=inside)
        else:
            self._add(order, price, maker=maker, inside=inside)

    def _reduce(self, order: Order, price: int, *, maker: bool, inside: bool) -> None:
        leg = order.leg
        held = abs(leg.pos) if leg.pos * order.sign < 0 else 0
        if not held:
            self.forget(order, Outcome.NOTHING_HELD)
            self.account.skipped += order.ticket is None
            return
        lots = min(order.lots, held, leg.lane.budget)
        if lots <= 0:
            return
        if not maker:
            price = self._taken(order, price, lots)
        if self.log is not None:
            self.log.filled(order, lots)
        order.lots -= lots if order.lots < ALL else 0
        turns_round = not order.reduces and order.lots > 0 and lots == held
        if not turns_round and (order.lots == 0 or (lots == held and order.ticket is None)):
            self.forget(order, Outcome.CUT)
        self.account.leave(leg, lots, price, order.reason, maker=maker)
        self.heard(leg, order.key, lots * order.sign, price)
        if turns_round and self.orders.get(order.key) is order:
            self._add(order, price, maker=True, inside=inside, paid=not maker)

    def _add(self, order: Order, price: int, *, maker: bool, inside: bool, paid: bool = False) -> None:
        """Open a position or add to it. `paid`: what a market order pays more is in the price already."""
        leg, account = order.leg, self.account
        lots = min(order.lots, leg.lane.budget)
        if lots <= 0:
            return
        if not maker:
            price = self._taken(order, price, lots)
        maker = maker and not paid
        fee_ppm = leg.lane.maker_ppm if maker and order.ticket is None else leg.lane.taker_ppm
        most = account.affordable(leg, lots, price, fee_ppm)
        market = leg.lane.market
        if most < lots:
            worth = most * price * leg.lane.units * leg.lane.scale.unit
            if order.ticket is None or most < market.lots_min or worth < market.notional_min:
                account.skipped += 1
                self.forget(order, Outcome.UNPAID)
                return
            order.lots = most
        if self.log is not None:
            self.log.filled(order, most)
        account.enter(order, most, price, maker=maker, fresh=inside or order.ticket is None)
        order.lots -= most
        if order.lots == 0:
            self.forget(order, Outcome.CUT)
        self.heard(leg, order.key, most * order.sign, price)

    def _taken(self, order: Order, price: int, lots: int) -> int:
        """Return what whoever takes pays: the price that slips, but none that is worse than the order's limit."""
        lane = order.leg.lane
        if lane.slips:
            price = self.account.slipped(lane, price, order.sign, lots)
        if order.limit is None:
            return price
        return min(price, order.limit) if order.sign > 0 else max(price, order.limit)
