"""A spot market over the same prices and crowd: balances of coins instead of positions. Whole numbers only.

What an order may spend is locked while it stands; the commission is taken from what is received, rounded up.
"""

from collections.abc import Mapping

from pilothouse.core.rounding import EXACT
from pilothouse.simulation.book import flow
from pilothouse.simulation.contracts import SETTLEMENT, UNITS_PER_QUOTE, Contract, whole
from pilothouse.simulation.division import divided_up
from pilothouse.simulation.floor import Desk
from pilothouse.simulation.orders import Refusal, Status
from pilothouse.simulation.spot_orders import LIMITED, SpotAccount, SpotFill, SpotOrder

COMMISSION_PPM = 1_000


_STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})


class SpotMarket:
    """All spot accounts of one exchange. `touched` collects what changed until it is asked."""

    def __init__(self, desks: Mapping[str, Desk], seed: int) -> None:
        self._desks, self._seed = desks, seed
        self.accounts: dict[str, SpotAccount] = {}
        self.next_number = 1
        self.next_list = 1
        self.touched: list[tuple[SpotOrder, SpotFill | None]] = []

    def open_account(self, account_id: str, quote: int) -> SpotAccount:
        """Open an account with so many units of quote currency."""
        found = self.accounts[account_id] = SpotAccount(account_id, {SETTLEMENT: quote})
        return found

    def drain(self) -> list[tuple[SpotOrder, SpotFill | None]]:
        """Return what changed, in order: an order with a trade, or an order that came or went."""
        touched, self.touched = self.touched, []
        return touched

    def place(self, order: SpotOrder, now: int, tied: SpotOrder | None = None) -> Refusal | None:
        """Take an order into the books; return why not, or None. Its number and locks are set here.

        tied   the order of the same list that stands already: only one of both will spend, so they share what is locked
        """
        account = self.accounts[order.account_id]
        if self._is_double(order):
            return Refusal("-2010", "Duplicate order sent.")
        refusal = self._admit(order, tied)
        if refusal is not None:
            return refusal
        self._enter(account, order)
        if not order.waits:
            self._work(order, now)
        return None

    def park(self, order: SpotOrder, working: SpotOrder) -> Refusal | None:
        """Keep an order until another has filled; return why not, or None. Nothing is locked for it before that."""
        if self._is_double(order):
            return Refusal("-2010", "Duplicate order sent.")
        order.after = working.number
        self._enter(self.accounts[order.account_id], order)
        if working.status is Status.FILLED:
            self._release(working, order.at)
        elif not working.is_open:
            self._finish(order, Status.EXPIRED, order.at)
        return None

    def amend(self, order: SpotOrder, lots: int, now: int) -> Refusal | None:
        """Make an open order smaller, in its place; return why not, or None."""
        if not order.filled < lots < order.lots or order.tie:
            return Refusal("-2038", "The requested action would change no state; rejecting.")
        account, desk = self.accounts[order.account_id], self._desks[order.symbol]
        order.amended.append((now, order.lots, lots))
        order.lots, order.updated = lots, now
        asset, whole_needs = self._needs(desk, order)
        kept = whole_needs - whole_needs * order.filled // order.lots if not order.after else 0
        freed = max(0, order.locked - kept)
        order.locked -= freed
        account.locked[asset] = account.locked.get(asset, 0) - freed
        account.free[asset] = account.free.get(asset, 0) + freed
        self.touched.append((order, None))
        return None

    def _is_double(self, order: SpotOrder) -> bool:
        standing = self.accounts[order.account_id].orders.values()
        return any(each.is_open and each.client_id == order.client_id for each in standing)

    def _enter(self, account: SpotAccount, order: SpotOrder) -> None:
        order.number, self.next_number = self.next_number, self.next_number + 1
        account.orders[order.number] = order
        self.touched.append((order, None))

    def _release(self, working: SpotOrder, now: int) -> None:
        """Let what waited for an order to fill come into the books."""
        for order in list(self.accounts[working.account_id].orders.values()):
            if order.after != working.number or not order.is_open:
                continue
            order.after, order.updated = 0, now
            if order.paid:
                order.lots = self._lots_paid_by(working, order)
            others = self.accounts[order.account_id].orders.values()
            tied = next(
                (o for o in others if order.tie and o.tie == order.tie and o is not order and not o.after), None
            )
            if not order.lots or self._admit(order, tied) is not None:
                self._finish(order, Status.EXPIRED, now)
                self._end_list(order, now)
                continue
            self.touched.append((order, None))
            if not order.waits:
                self._work(order, now)

    def _lots_paid_by(self, working: SpotOrder, order: SpotOrder) -> int:
        """Return how many lots of `order` can be had for what an order received, its commission taken off."""
        contract = self._desks[order.symbol].contract
        worth = sum(fill.lots * lot_units(contract) if working.sign > 0 else fill.worth for fill in working.fills)
        came = worth - sum(fill.commission for fill in working.fills)
        if working.sign > 0:
            return came // lot_units(contract)
        return came // ((order.price or order.stop or self._desks[order.symbol].prices.ask) * contract.unit)

    def _admit(self, order: SpotOrder, tied: SpotOrder | None) -> Refusal | None:
        """Lock what an order needs; return why it may not enter the books, or None."""
        account, desk = self.accounts[order.account_id], self._desks[order.symbol]
        if order.waits and order.trail is None and order.stop is not None and _met(order, desk.prices.last):
            return Refusal("-2010", "Stop price would trigger immediately.")
        takes = order.price is not None and desk.ladder(order.sign).reaches(order.price)
        if order.kind == "LIMIT_MAKER" and takes:
            return Refusal("-2010", "Order would immediately match and take.")
        if order.quote and not order.lots:
            order.lots = self._lots_for(desk, order.sign, order.quote)
            if not order.lots:
                return Refusal("-1013", "Filter failure: NOTIONAL")
        asset, needs = self._needs(desk, order)
        needs = max(0, needs - (tied.locked if tied is not None else 0))
        if account.free.get(asset, 0) < needs:
            return Refusal("-2010", "Account has insufficient balance for requested action.")
        order.locked = needs
        account.free[asset] = account.free.get(asset, 0) - needs
        account.locked[asset] = account.locked.get(asset, 0) + needs
        return None

    def cancel(self, order: SpotOrder, now: int) -> None:
        """Cancel an open order, and the one it is tied to."""
        self._finish(order, Status.CANCELED, now)
        self._end_list(order, now)

    def step(self, symbol: str, now: int) -> None:
        """Let the prices of an instrument meet its orders: triggers first, then limits by price and time."""
        desk = self._desks[symbol]
        standing = [
            order
            for account in self.accounts.values()
            for order in account.orders.values()
            if order.is_open and order.symbol == symbol and not order.after
        ]
        resting = [order for order in standing if not order.waits]
        for order in standing:
            if order.is_open and order.waits and _met(order, desk.prices.last):
                order.triggered, order.updated = True, now
                self._end_list(order, now)
                self._work(order, now)
        for sign in (1, -1):
            self._meet_limits(desk, [order for order in resting if order.sign == sign], sign, now)

    def _meet_limits(self, desk: Desk, resting: list[SpotOrder], sign: int, now: int) -> None:
        reach = min(desk.prices.ask, desk.prices.last) if sign > 0 else max(desk.prices.bid, desk.prices.last)
        left = flow(desk.contract, desk.state, self._seed, sign)
        for order in sorted(resting, key=lambda each: (-sign * (each.price or 0), each.number)):
            if order.price is None or (order.price - reach) * sign < 0 or not order.is_open or not left:
                continue
            lots = min(order.lots - order.filled, left)
            left -= lots
            self._fill(order, order.price, lots, now, maker=True)

    def _work(self, order: SpotOrder, now: int) -> None:
        desk = self._desks[order.symbol]
        limit = order.price if order.kind in LIMITED else None
        if order.tif == "FOK" and desk.ladder(order.sign).worst_for(order.lots, limit)[1] < order.lots:
            self._finish(order, Status.EXPIRED, now)
            return
        self._gather(order)
        for ticks, lots in desk.ladder(order.sign).take(order.lots - order.filled, limit):
            affordable = lots
            if order.sign > 0 and limit is None:
                affordable = min(lots, order.locked // (ticks * desk.contract.unit))
            if affordable:
                self._fill(order, ticks, affordable, now, maker=False)
            if affordable < lots:
                break
        if order.is_open and (limit is None or order.tif in {"IOC", "FOK"}):
            self._finish(order, Status.EXPIRED, now)

    def _fill(self, order: SpotOrder, ticks: int, lots: int, now: int, *, maker: bool) -> None:
        account, desk = self.accounts[order.account_id], self._desks[order.symbol]
        contract = desk.contract
        base, lot = contract.instrument.base, lot_units(contract)
        worth = lots * ticks * contract.unit
        self._gather(order)
        spent, paid = (SETTLEMENT, worth) if order.sign > 0 else (base, lots * lot)
        received, came = (base, lots * lot) if order.sign > 0 else (SETTLEMENT, worth)
        fee = divided_up(came * COMMISSION_PPM, 1_000_000)
        account.locked[spent] -= paid
        order.locked -= paid
        account.free[received] = account.free.get(received, 0) + came - fee
        order.filled += lots
        order.traded += worth
        order.updated = now
        order.status = Status.FILLED if order.filled == order.lots else Status.PARTIALLY_FILLED
        fill = SpotFill(
            desk.next_trade, order.number, order.symbol, order.sign, ticks, lots, worth, fee, received, maker, now
        )
        desk.next_trade += 1
        order.fills.append(fill)
        self.touched.append((order, fill))
        self._end_list(order, now)
        if order.status is Status.FILLED:
            self._unlock(order)
            self._release(order, now)

    def _gather(self, order: SpotOrder) -> None:
        """Take over what the other order of a list has locked: this one spends it."""
        if order.tie:
            for other in self.accounts[order.account_id].orders.values():
                if other.tie == order.tie and other is not order:
                    order.locked, other.locked = order.locked + other.locked, 0

    def _end_list(self, order: SpotOrder, now: int) -> None:
        if not order.tie or order.after:
            return
        for other in self.accounts[order.account_id].orders.values():
            if other.tie == order.tie and other is not order and other.is_open:
                self._finish(other, Status.CANCELED if order.status is Status.CANCELED else Status.EXPIRED, now)

    def _finish(self, order: SpotOrder, status: Status, now: int) -> None:
        order.status, order.updated = status, now
        self._unlock(order)
        self.touched.append((order, None))
        for other in list(self.accounts[order.account_id].orders.values()):
            if other.after == order.number and other.is_open:
                self._finish(other, status, now)

    def _unlock(self, order: SpotOrder) -> None:
        account, contract = self.accounts[order.account_id], self._desks[order.symbol].contract
        asset = SETTLEMENT if order.sign > 0 else contract.instrument.base
        account.locked[asset] = account.locked.get(asset, 0) - order.locked
        account.free[asset] = account.free.get(asset, 0) + order.locked
        order.locked = 0

    def _needs(self, desk: Desk, order: SpotOrder) -> tuple[str, int]:
        """Return what an order locks: the quote it may spend (at the worst price), or the coins it sells."""
        contract = desk.contract
        if order.sign < 0:
            return contract.instrument.base, order.lots * lot_units(contract)
        if order.quote:
            return SETTLEMENT, order.quote
        ticks = order.price or order.stop or desk.ladder(1).worst_for(order.lots, None)[0] or desk.prices.ask
        return SETTLEMENT, order.lots * ticks * contract.unit

    @staticmethod
    def _lots_for(desk: Desk, sign: int, quote: int) -> int:
        """Return how many lots an amount of quote currency buys or sells along the crowd's ladder."""
        found = 0
        for ticks, lots in desk.ladder(sign).levels():
            each = ticks * desk.contract.unit
            part = min(lots, quote // each)
            found, quote = found + part, quote - part * each
            if part < lots:
                break
        return found


def lot_units(contract: Contract) -> int:
    """Return what one lot is in units of its base asset."""
    return whole(EXACT.multiply(contract.instrument.lot, UNITS_PER_QUOTE), EXACT.create_decimal(1))


def _met(order: SpotOrder, last: int) -> bool:
    """Say whether a trigger is met: a stop loss to sell falls, one to buy rises; take-profits mirrored."""
    if order.trail is not None:
        return order.trail.meets(order.sign, last)
    if order.stop is None:
        return False
    rising = (order.kind in _STOPS) == (order.sign > 0)
    return last >= order.stop if rising else last <= order.stop
