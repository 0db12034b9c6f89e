"""Markets whose prices come from outside: each quote that is told meets the orders that stand. Whole numbers only.

Nothing here is drawn: the same quotes in the same order, at the same instants, give the same venue. Nobody trades
better than the market that was told: who takes pays its best price or a worse one, who rests trades at the own limit,
once the best price of the other side reaches it or the market has traded through it. The mark may be told before the
best prices that belong to it: what it triggers, or closes by force, waits for best prices that are not older.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pilothouse.core.order import OrderType
from pilothouse.simulation import exchange
from pilothouse.simulation.account import Account
from pilothouse.simulation.admission import POSITION_MOST
from pilothouse.simulation.book import Ladder
from pilothouse.simulation.contracts import UNITS_PER_QUOTE, Contract
from pilothouse.simulation.division import divided_up
from pilothouse.simulation.entry import activate
from pilothouse.simulation.floor import Desk, Floor
from pilothouse.simulation.liquidation import liquidate, nearly_lost
from pilothouse.simulation.market import Prices, opening
from pilothouse.simulation.matching import is_met
from pilothouse.simulation.orders import Asked, Order, Refusal, rises
from pilothouse.simulation.slots import slot, symbol_of

STALE_US = 10_000_000
"""A price that was not confirmed for so long, in microseconds, is no price to trade at."""

LEVELS = 50
LEVEL_WORTH = 10_000 * UNITS_PER_QUOTE
"""What one level of the book holds where nobody tells: quote units."""

GAP_PPM = 100
RETURNS_US = 1_000_000
"""What was taken comes back when the book has changed on that side, or after at most so many microseconds."""

WORTH_MOST = POSITION_MOST * UNITS_PER_QUOTE
"""A price at which one lot is worth more is not heard: it could not be counted."""

LATE_US = 2_000_000
"""A last price may be of a trade so long ago: only orders that have rested for longer are filled by it."""

PATIENT_US = 1_000_000
"""Best prices that should follow a mark are waited for so long before somebody asks for them."""

NO_FRESH_PRICE = "no_fresh_price"
NOT_HELD = "-2010"


class Told(NamedTuple):
    """What the real market was at one instant, on the grid of the contract and never better than it was.

    bid, mark, last   ticks, rounded down
    ask, mark_above   ticks, rounded up
    seen              microseconds: when it was certainly so
    bid_lots, ask_lots   what stands at the best prices; None: nobody tells
    rate, funds_at    the funding that is announced, in units of 0.00000001, and its instant; None: there is none
    book_seen, mark_seen   `seen` of the best prices, and of the mark, where these are older; None: they are not
    """

    symbol: str
    bid: int
    ask: int
    mark: int
    mark_above: int
    last: int
    seen: int
    bid_lots: int | None = None
    ask_lots: int | None = None
    rate: int | None = None
    funds_at: int | None = None
    book_seen: int | None = None
    mark_seen: int | None = None

    @property
    def is_even(self) -> bool:
        """Say whether the best prices are not older than the mark."""
        return self.has_best_of(self.seen if self.mark_seen is None else self.mark_seen)

    def has_best_of(self, instant: int) -> bool:
        """Say whether the best prices are of that instant or later."""
        return (self.seen if self.book_seen is None else self.book_seen) >= instant


@dataclass(slots=True)
class OutsideDesk(Desk):
    """One market whose prices are told.

    told      None: nobody has said yet what it is worth
    is_trade  whether the last price is a new one
    gap       microseconds for which nothing was told before it; zero unless that was too long
    rate, funds_at   what funding is announced and not yet paid
    paid      up to which instant funding was paid
    made      of which instant the ladder of each side is
    """

    told: Told | None = None
    is_trade: bool = False
    gap: int = 0
    rate: int = 0
    funds_at: int | None = None
    paid: int = 0
    made: dict[int, int] = field(default_factory=lambda: {1: 0, -1: 0})

    def __post_init__(self) -> None:
        """Begin without a price."""
        self.prices = Prices(0, 0, 0, 0)

    def is_priced(self, now: int) -> bool:
        """Say whether what was told is fresh enough to trade at."""
        return self.told is not None and now - self.told.seen <= STALE_US

    def meets(self, type_: OrderType, sign: int, stop: int, *, by_last: bool) -> bool:
        """Say whether the market meets a trigger; a mark between two ticks has reached only the one behind it."""
        if by_last or self.told is None:
            return Desk.meets(self, type_, sign, stop, by_last=by_last)
        return self.told.mark >= stop if rises(type_, sign) else self.told.mark_above <= stop

    def hear(self, told: Told) -> None:
        """Go to what is told now."""
        before = self.told
        self.gap = 0 if before is None or told.seen - before.seen <= STALE_US else told.seen - before.seen
        self.is_trade = before is not None and not self.gap and told.last != before.last
        for sign in (1, -1):
            if before is None or _side(told, sign) != _side(before, sign) or told.seen - self.made[sign] >= RETURNS_US:
                self._ladders.pop(sign, None)
        self.told = told
        self.prices = Prices(told.bid, told.mark, told.ask, told.last)
        if told.rate is not None and told.funds_at is not None and told.funds_at > self.paid:
            self.rate, self.funds_at = told.rate, told.funds_at

    def ladder(self, sign: int) -> Ladder:
        """Return what buyers (1) or sellers (-1) can take now."""
        found = self._ladders.get(sign)
        if found is None:
            found = self._ladders[sign] = depth(self.contract, self.told, sign)
            self.made[sign] = 0 if self.told is None else self.told.seen
        return found


def _side(told: Told, sign: int) -> tuple[int, int | None]:
    return (told.ask, told.ask_lots) if sign > 0 else (told.bid, told.bid_lots)


def depth(contract: Contract, told: Told | None, sign: int) -> Ladder:
    """Return the book behind the best price: what is told there, then levels that hold what LEVEL_WORTH buys.

    They lie a tick apart, 0.01 % or the spread, whichever is most: a large order pays for its size.
    """
    if told is None:
        return Ladder(sign, [])
    ticks, lots = _side(told, sign)
    usual = usual_lots(contract, ticks)
    gap = max(1, divided_up(ticks * GAP_PPM, 1_000_000), told.ask - told.bid)
    levels = [(ticks, usual if lots is None else lots)] if lots is None or lots > 0 else []
    levels += [(ticks + sign * gap * step, usual) for step in range(1, LEVELS) if ticks + sign * gap * step > 0]
    return Ladder(sign, levels)


def usual_lots(contract: Contract, ticks: int) -> int:
    """Return how many lots a level holds where nobody tells: at least one."""
    return max(1, LEVEL_WORTH // (ticks * contract.unit))


def admit(floor: Floor, contract: Contract) -> bool:
    """Let a contract be traded, or trade by other bounds from now on; say whether anything is new.

    The grid of a contract that is known stays: what stands in the books is counted in it, and prices between two of
    its ticks are rounded against whoever trades.
    """
    symbol = contract.symbol
    desk = floor.desks.get(symbol)
    if desk is None:
        desk = floor.desks[symbol] = OutsideDesk(contract, floor.seed, opening(contract))
    elif desk.contract == contract:
        return False
    desk.contract = floor.contracts[symbol] = contract
    floor.changes.contracts[symbol] = contract
    return True


def place(floor: Floor, account_id: str, asked: Asked, now: int) -> Order | Refusal:
    """Take an order into the books, or say why not: also where no price is fresh, as a venue that is away."""
    desk = floor.desks.get(asked.symbol)
    account = floor.accounts.get(account_id)
    if desk is not None and account is not None:
        if not desk.is_priced(now):
            return Refusal(NO_FRESH_PRICE, _without_price(desk, now), for_now=True)
        settle_in(floor, account, asked.symbol)
        if asked.sign < 0 and desk.contract.instrument.leverage_max == 1:
            free = account.reducible(asked.symbol, -1, asked.side) - _offered(account, asked.symbol)
            if asked.lots > free:
                held = desk.contract.quantity_text(max(0, free))
                return Refusal(NOT_HELD, f"only what is held can be sold without leverage: {held} is free")
            asked = replace(asked, reduce_only=True)
    return exchange.place(floor, account_id, asked, now)


def settle_in(floor: Floor, account: Account, symbol: str) -> None:
    """Make the holding of an instrument that an account turns to, within the leverage it has."""
    holding = account.holding(symbol)
    if not holding.lots:
        holding.leverage = min(holding.leverage, floor.contracts[symbol].instrument.leverage_max)


def _offered(account: Account, symbol: str) -> int:
    """Return how many lots are offered for sale already, stops left out: they share what they protect."""
    return sum(
        order.left for order in account.orders.values() if order.symbol == symbol and order.sign < 0 and not order.waits
    )


def _without_price(desk: Desk, now: int) -> str:
    told = desk.told if isinstance(desk, OutsideDesk) else None
    if told is None:
        return f"nobody has told a price of {desk.contract.symbol} yet"
    return f"the last price of {desk.contract.symbol} is {(now - told.seen) // 1_000_000} s old: it is not traded at"


def tell(floor: Floor, told: Told, now: int) -> bool:
    """Let a market go to what is told, and meet its orders there; say whether it was news.

    What is older than what is known is no news, and neither are prices beyond the bounds of the contract.
    """
    desk = floor.desks.get(told.symbol)
    if not isinstance(desk, OutsideDesk) or not 0 < told.bid < told.ask or told.mark < 1 or told.last < 1:
        return False
    if desk.told is not None and told.seen < desk.told.seen:
        return False
    if max(told.ask, told.mark_above, told.last) * desk.contract.unit > WORTH_MOST:
        return False
    _pay(floor, desk, min(told.seen, now))
    desk.hear(told)
    floor.changes.markets[told.symbol] = None
    if not desk.is_priced(now):
        return True  # it came late: nothing is triggered or traded by what the market was
    if desk.orders:
        _match(floor, desk, now)
    if told.is_even:
        liquidate(floor, now, _holders(floor, told.symbol))
    return True


def lacking(floor: Floor, now: int) -> set[str]:
    """Return the markets whose best prices are waited for: by what is triggered, or by who may be closed by force.

    For PATIENT_US they come by themselves; then they have not changed since, or are not told, and should be asked for.
    """
    found = set()
    for symbol, desk in floor.desks.items():
        if not isinstance(desk, OutsideDesk) or desk.told is None:
            continue
        met = [order.met for order in desk.orders.values() if order.waits and order.met is not None]
        if not desk.told.is_even and any(
            symbol in map(symbol_of, nearly_lost(floor, one)) for one in _holders(floor, symbol)
        ):
            met.append(desk.told.seen if desk.told.mark_seen is None else desk.told.mark_seen)
        if met and min(met) + PATIENT_US <= now:
            found.add(symbol)
    return found


def pay_announced(floor: Floor, now: int) -> None:
    """Pay the funding that was announced for an instant that has come, at the last mark that was told."""
    for desk in floor.desks.values():
        if isinstance(desk, OutsideDesk):
            _pay(floor, desk, now)


def _pay(floor: Floor, desk: OutsideDesk, now: int) -> None:
    if desk.funds_at is None or desk.funds_at > now:
        return
    due, desk.paid, desk.funds_at = desk.funds_at, desk.funds_at, None
    symbol = desk.contract.symbol
    floor.changes.markets[symbol] = None
    for account in floor.accounts.values():
        for key, holding in account.holdings.items():
            if holding.lots and symbol_of(key) == symbol:
                exchange.fund(floor, account, key, holding, due, desk.rate)


def _holders(floor: Floor, symbol: str) -> list[Account]:
    key = slot(symbol, "BOTH")
    return [one for one in floor.accounts.values() if (held := one.holdings.get(key)) is not None and held.lots]


def _match(floor: Floor, desk: OutsideDesk, now: int) -> None:
    """Let what was told meet the orders: conditional ones first, then limits by price and time."""
    resting = [order for order in desk.orders.values() if not order.waits]
    _meet_triggers(floor, desk, now)
    for sign in (1, -1):
        _meet_limits(floor, desk, [order for order in resting if order.sign == sign], sign, now)


def _meet_triggers(floor: Floor, desk: OutsideDesk, now: int) -> None:
    """Make active what is triggered, those first that have waited for best prices."""
    told = desk.told
    assert told is not None, "it was told just now"
    held_up = [order for order in desk.orders.values() if order.waits and order.met is not None]
    fresh = [order for order in desk.orders.values() if order.waits and order.met is None and is_met(desk, order)]
    for order in fresh:
        order.met = told.seen if order.by_last or told.mark_seen is None else told.mark_seen
        floor.changes.orders[order.number] = order
    for order in held_up + fresh:
        if not order.is_open or order.met is None or not told.has_best_of(order.met):
            continue
        waited, order.met = now - order.met, None
        activate(floor, order, now)
        if order in held_up and waited >= PATIENT_US:
            order.reason = order.reason or f"triggered {waited // 1_000_000} s before the next best prices were told"
        elif desk.gap:
            order.reason = order.reason or f"triggered by the first price after {desk.gap // 1_000_000} s without one"


def _meet_limits(floor: Floor, desk: OutsideDesk, resting: list[Order], sign: int, now: int) -> None:
    """Trade resting orders of one side as makers, at their own price, by the rule at the top."""
    through = usual_lots(desk.contract, desk.prices.last)  # what a trade through a limit brings, for all together
    for order in sorted(resting, key=lambda order: (-sign * (order.price or 0), order.rank)):
        if not order.is_open or order.price is None:
            continue
        account = floor.accounts[order.account_id]
        most = min(order.left, account.reducible(order.symbol, sign, order.side)) if order.reduce_only else order.left
        if desk.ladder(sign).reaches(order.price):
            lots = sum(size for _, size in desk.ladder(sign).take(most, order.price))
        elif _traded_through(desk, order, now):
            lots = min(most, through)
            through -= lots
        else:
            continue
        if lots > 0:
            floor.fill(order, order.price, lots, now, maker=True)
            if not account.reducible(order.symbol, sign, order.side):
                floor.drop_idle_reductions(account, order.symbol, now)


def _traded_through(desk: OutsideDesk, order: Order, now: int) -> bool:
    """Say whether the market has traded at a worse price than the limit since the order rests."""
    if not desk.is_trade or order.price is None or order.updated + LATE_US > now:
        return False
    return (order.price - desk.prices.last) * order.sign > 0
