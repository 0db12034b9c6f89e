"""The floor: markets, accounts and open orders of one simulated venue, and the few things that ever change them.

Everything that trades goes through `fill`, everything that ends through `finish`; both note what they touched, so that
whoever keeps a journal knows what to write. No clock: the instant comes with every call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pilothouse.core.order import OrderType
from pilothouse.simulation.account import Account, Standing, standing
from pilothouse.simulation.book import Ladder, ladder
from pilothouse.simulation.contracts import CONTRACTS, SETTLEMENT, Contract
from pilothouse.simulation.fees import commission, liquidation_fee
from pilothouse.simulation.market import MarketState, Prices, opening, prices
from pilothouse.simulation.orders import Execution, Movement, MovementKind, Order, Status, triggers


@dataclass(slots=True)
class Desk:
    """One market: where it is, what can be taken now, and which orders stand in it.

    next_trade   number of the next trade of this symbol
    """

    contract: Contract
    seed: int
    state: MarketState
    next_trade: int = 1
    orders: dict[int, Order] = field(default_factory=dict)
    prices: Prices = field(init=False)
    _ladders: dict[int, Ladder] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the prices off the state."""
        self.prices = prices(self.state, self.seed)

    def move(self, state: MarketState) -> None:
        """Go to the next state; the crowd's ladders come back whole."""
        self.state = state
        self.prices = prices(state, self.seed)
        self._ladders.clear()

    def working(self, *, by_last: bool) -> int:
        """Return the price that triggers are compared with: the mark, or the last trade."""
        return self.prices.last if by_last else self.prices.mark

    def meets(self, type_: OrderType, sign: int, stop: int, *, by_last: bool) -> bool:
        """Say whether the market meets the trigger of a conditional order."""
        return triggers(type_, sign, stop, self.prices.last if by_last else self.prices.mark)

    def is_priced(self, now: int) -> bool:
        """Say whether its prices are of `now` (microseconds); a market that makes its own always has some."""
        return True

    def ladder(self, sign: int) -> Ladder:
        """Return what buyers (1) or sellers (-1) can take now."""
        found = self._ladders.get(sign)
        if found is None:
            found = self._ladders[sign] = ladder(self.contract, self.state, self.prices, self.seed, sign)
        return found


@dataclass(slots=True)
class Changes:
    """What was touched since it was last asked.

    orders      by number, in the order in which they were first touched
    holdings    (account id, symbol)
    contracts   what may be traded since, or may be traded otherwise
    """

    accounts: dict[str, None] = field(default_factory=dict)
    holdings: dict[tuple[str, str], None] = field(default_factory=dict)
    markets: dict[str, None] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    contracts: dict[str, Contract] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether anything was touched."""
        return bool(
            self.accounts
            or self.holdings
            or self.markets
            or self.orders
            or self.executions
            or self.movements
            or self.contracts
        )


class Floor:
    """State of one simulated venue."""

    def __init__(self, seed: int, contracts: Mapping[str, Contract] = CONTRACTS, settlement: str = SETTLEMENT) -> None:
        self.seed = seed
        self.contracts = dict(contracts)
        self.settlement = settlement
        self.accounts: dict[str, Account] = {}
        self.desks: dict[str, Desk] = {
            symbol: Desk(contract, seed, opening(contract)) for symbol, contract in contracts.items()
        }
        self.next_order = 1
        self.next_movement = 1
        self.funded_at = 0
        self.crossing = False  # whether accounts trade with each other, not with the crowd alone
        self.patient = False  # whether a conditional reduction outlives the position it was for
        self.insurance: int | None = None  # what the insurance fund still holds, quote units; None: no end of it
        self.changes = Changes()

    def drain(self) -> Changes:
        """Return what was touched and start anew."""
        changes, self.changes = self.changes, Changes()
        return changes

    def marks(self) -> dict[str, int]:
        """Return the mark prices, ticks by symbol."""
        return {symbol: desk.prices.mark for symbol, desk in self.desks.items()}

    def standing(self, account: Account) -> Standing:
        """Return what an account is worth now."""
        return standing(account, self.contracts, self.marks())

    def take_number(self) -> int:
        """Return the number of a new order."""
        number = self.next_order
        self.next_order += 1
        return number

    def take_trade(self, symbol: str) -> int:
        """Return the number of a new trade of an instrument."""
        desk = self.desks[symbol]
        number, desk.next_trade = desk.next_trade, desk.next_trade + 1
        return number

    def stand(self, account: Account, order: Order) -> None:
        """Put an order among the open ones."""
        account.orders[order.number] = order
        account.by_client[order.client_id] = order.number
        self.desks[order.symbol].orders[order.number] = order
        self.changes.orders[order.number] = order

    def finish(self, order: Order, status: Status, reason: str, now: int) -> None:
        """End an order; it no longer stands anywhere."""
        order.status, order.reason, order.updated = status, reason, now
        account = self.accounts[order.account_id]
        account.orders.pop(order.number, None)
        if account.by_client.get(order.client_id) == order.number:
            del account.by_client[order.client_id]
        self.desks[order.symbol].orders.pop(order.number, None)
        self.changes.orders[order.number] = order

    def fill(
        self,
        order: Order,
        ticks: int,
        lots: int,
        now: int,
        *,
        maker: bool,
        forced: bool = False,
        free: bool = False,
        trade: int | None = None,
    ) -> None:
        """Book a trade of `lots` (at most what is left) at `ticks`.

        forced   a liquidation, which has its own fee
        free     without any fee: a position that is settled when its account starts again
        trade    its number, where the other side has been booked already; None: it gets the next one
        """
        assert 0 < lots <= order.left, "an order never trades more than was asked"
        account, desk = self.accounts[order.account_id], self.desks[order.symbol]
        notional = lots * ticks * desk.contract.unit
        if free:
            fee = 0
        elif forced:
            fee = liquidation_fee(desk.contract, notional)
        else:
            fee = commission(
                desk.contract, notional, maker=maker, own_ppm=account.maker_ppm if maker else account.taker_ppm
            )
        realised = account.holding(order.slot).trade(desk.contract, order.sign, ticks, lots)
        account.wallet += realised - fee
        order.filled += lots
        order.traded += notional
        order.updated = now
        order.status = Status.PARTIALLY_FILLED
        execution = Execution(
            self.take_trade(order.symbol) if trade is None else trade, order.number, account.id, order.client_id,
            order.symbol, order.sign, ticks, lots, fee, realised, maker, now,
        )  # fmt: skip
        touched = self.changes
        touched.executions.append(execution)
        touched.orders[order.number] = order
        touched.accounts[account.id] = None
        touched.holdings[account.id, order.slot] = None
        touched.markets[order.symbol] = None
        if not order.left:
            self.finish(order, Status.FILLED, "", now)

    def takeable(self, account: Account, symbol: str, sign: int, lots: int, limit: int | None) -> int:
        """Return how many of `lots` an account could take at once: of the crowd and, where accounts meet, of others."""
        desk = self.desks[symbol]
        found = desk.ladder(sign).worst_for(lots, limit)[1]
        for each in desk.orders.values() if self.crossing else ():
            rests = each.sign == -sign and each.price is not None and not each.waits
            own = each.account_id == account.id and account.stp != "NONE"
            if rests and not own and (limit is None or (limit - (each.price or 0)) * sign >= 0):
                found += each.left
        return min(found, lots)

    def take(self, order: Order, now: int, *, forced: bool = False) -> None:
        """Trade as much of an order as can be taken at once, within its limit and what it may reduce."""
        most = order.left
        if order.reduce_only:
            most = min(most, self.accounts[order.account_id].reducible(order.symbol, order.sign, order.side))
        limit = order.price if order.type.has_limit else None
        ladder = self.desks[order.symbol].ladder(order.sign)
        for maker in self._opposite(order, limit) if self.crossing else ():
            if most <= 0 or not order.is_open:
                break
            assert maker.price is not None, "only limits rest"
            for ticks, lots in ladder.take(most, maker.price - order.sign):  # the crowd where it is better
                self.fill(order, ticks, lots, now, maker=False, forced=forced)
                most -= lots
            most -= self._meet(order, maker, most, now, forced=forced)
        if most > 0 and order.is_open:
            for ticks, lots in ladder.take(most, limit):
                self.fill(order, ticks, lots, now, maker=False, forced=forced)

    def _opposite(self, order: Order, limit: int | None) -> list[Order]:
        """Return the resting orders it can trade with, best price first, then by time."""
        found = [
            each
            for each in self.desks[order.symbol].orders.values()
            if each.sign == -order.sign
            and each.price is not None
            and not each.waits
            and each.number != order.number
            and (limit is None or (limit - each.price) * order.sign >= 0)
        ]
        return sorted(found, key=lambda each: ((each.price or 0) * order.sign, each.rank))

    def _meet(self, order: Order, maker: Order, most: int, now: int, *, forced: bool) -> int:
        """Trade with a resting order, or prevent it where both are of one account; return the lots traded."""
        account = self.accounts[maker.account_id]
        if maker.account_id == order.account_id and account.stp != "NONE":
            if account.stp != "EXPIRE_TAKER":
                self.finish(maker, Status.EXPIRED, "self-trade prevention", now)
            if account.stp != "EXPIRE_MAKER":
                self.finish(order, Status.EXPIRED, "self-trade prevention", now)
            return 0
        lots = min(most, maker.left)
        if maker.reduce_only:
            lots = min(lots, account.reducible(maker.symbol, maker.sign, maker.side))
        if lots <= 0 or maker.price is None or not maker.is_open:
            return 0
        trade = self.take_trade(order.symbol)
        self.fill(order, maker.price, lots, now, maker=False, forced=forced, trade=trade)
        self.fill(maker, maker.price, lots, now, maker=True, trade=trade)
        self.drop_idle_reductions(account, maker.symbol, now)
        return lots

    def drop_idle_reductions(self, account: Account, symbol: str, now: int) -> None:
        """Expire the orders that could only reduce a position which is no longer there; what still waits may wait."""
        for order in list(account.orders.values()):
            if self.patient and order.waits:
                continue
            if order.reduce_only and order.symbol == symbol and not account.reducible(symbol, order.sign, order.side):
                self.finish(order, Status.EXPIRED, "nothing is left that it could reduce", now)

    def move_money(self, account: Account, kind: MovementKind, symbol: str, amount: int, now: int) -> None:
        """Add `amount` (signed) to the wallet, on record."""
        account.wallet += amount
        self.changes.accounts[account.id] = None
        self.changes.movements.append(Movement(self.next_movement, account.id, kind, symbol, amount, now))
        self.next_movement += 1
