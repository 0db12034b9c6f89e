"""Markets whose prices come from outside: each quote that is told meets the orders that stand. Whole numbers only.

Nothing here is drawn: the same quotes in the same order, at the same instants, give the same venue. Nobody trades
better than the market that was told: who takes pays its best price or a worse one, who rests trades at the own limit,
once the best price of the other side reaches it or the market has traded through it. Best prices, mark and last trade
are told apart, and any of them may fall silent: nothing is filled at best prices that are too old, or older than what
the others had said when the order came. What the mark triggers, or closes by force, waits for best prices that are not
older than it.
"""

from dataclasses import replace

from pilothouse.simulation import exchange
from pilothouse.simulation.account import Account
from pilothouse.simulation.admission import POSITION_MOST
from pilothouse.simulation.contracts import UNITS_PER_QUOTE, Contract
from pilothouse.simulation.entry import activate
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.liquidation import liquidate, nearly_lost
from pilothouse.simulation.market import opening
from pilothouse.simulation.matching import is_met
from pilothouse.simulation.orders import Asked, Order, Refusal
from pilothouse.simulation.outside_desk import OutsideDesk, usual_lots
from pilothouse.simulation.slots import slot, symbol_of
from pilothouse.simulation.told import BOOK_AGE_US_MAX, Told

WORTH_MOST = POSITION_MOST * UNITS_PER_QUOTE
"""A price at which one lot is worth more is not heard: it could not be counted."""

LATE_US = 2_000_000
"""A last price may be of a trade so long ago: only orders that have rested for longer are filled by it."""

PATIENT_US = 1_000_000
"""Best prices that should follow a mark are waited for so long before somebody asks for them."""

RESTS_US = 10_000_000
"""Best prices that orders rest against are asked for once they are as old as this and other prices go on."""

NO_FRESH_PRICE = "no_fresh_price"
NO_FRESH_BOOK = "no_fresh_book"
NOT_HELD = "-2010"


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


def place(floor: Floor, account_id: str, asked: Asked, now: int, arrived: int | None = None) -> Order | Refusal:
    """Take an order into the books, or say why not: for now, where no price or no book of now is known.

    arrived   microseconds: since when it has waited for best prices that were asked for; None: it came just now
    """
    desk = floor.desks.get(asked.symbol)
    account = floor.accounts.get(account_id)
    if isinstance(desk, OutsideDesk) and account is not None:
        if not is_ready(desk, now, now if arrived is None else arrived, waits=asked.waits):
            return _unready(desk, now)
        settle_in(floor, account, asked.symbol)
        if asked.sign < 0 and desk.contract.instrument.leverage_max == 1:
            free = account.reducible(asked.symbol, -1, asked.side) - _offered(account, asked.symbol)
            if asked.lots > free:
                held = desk.contract.quantity_text(max(0, free))
                return Refusal(NOT_HELD, f"only what is held can be sold without leverage: {held} is free")
            asked = replace(asked, reduce_only=True)
    return exchange.place(floor, account_id, asked, now)


def is_ready(desk: OutsideDesk, now: int, arrived: int, *, waits: bool) -> bool:
    """Say whether a market is known well enough to take an order in that arrived then.

    waits   it waits for a trigger: that is measured against the mark, and the best prices are met later
    """
    return desk.is_heard(now) if waits else desk.may_fill(now, arrived)


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


def _unready(desk: OutsideDesk, now: int) -> Refusal:
    symbol, told = desk.contract.symbol, desk.told
    if told is None:
        return Refusal(NO_FRESH_PRICE, f"nobody has told a price of {symbol} yet", for_now=True)
    if not desk.is_heard(now):
        age = (now - told.seen) // 1_000_000
        return Refusal(NO_FRESH_PRICE, f"the last price of {symbol} is {age} s old: it is not traded at", for_now=True)
    if not told.of_book:
        why = f"the best prices of {symbol} have not been told yet"
    elif not told.is_young(now):
        most, age = BOOK_AGE_US_MAX // 1_000_000, (now - told.of_book) // 1_000_000
        why = f"the best prices of {symbol} are {age} s old, and older than {most} s they are not traded at"
    else:
        age = (now - told.of_book) // 1_000
        why = f"the best prices of {symbol} are {age} ms old, and its mark or last price was told since"
    return Refusal(NO_FRESH_BOOK, f"{why}; younger ones are asked for", for_now=True)


def tell(floor: Floor, told: Told, now: int) -> bool:
    """Let a market go to what is told, and meet its orders there; say whether it was news.

    What is older than what is known is no news, part by part, and neither are prices beyond the bounds of the contract.
    """
    desk = floor.desks.get(told.symbol)
    if not isinstance(desk, OutsideDesk) or not 0 < told.bid < told.ask or told.mark < 1 or told.last < 1:
        return False
    if max(told.ask, told.mark_above, told.last) * desk.contract.unit > WORTH_MOST:
        return False
    known = told if desk.told is None else told.on_top_of(desk.told)
    if known is None:
        return False
    _pay(floor, desk, min(known.seen, now))
    desk.hear(known)
    floor.changes.markets[told.symbol] = None
    if not desk.is_heard(now):
        return True  # it came late: nothing is triggered or traded by what the market was
    if desk.orders:
        _match(floor, desk, now)
    if known.is_even:
        liquidate(floor, now, _holders(floor, told.symbol))
    return True


def lacking(floor: Floor, now: int) -> set[str]:
    """Return the markets whose best prices are waited for, and do not come by themselves.

    What is triggered, or may be closed by force, waits for them for PATIENT_US; what rests, for RESTS_US, where the
    mark goes on. Then they have not changed since, or are not told, and should be asked for.
    """
    found = set()
    for symbol, desk in floor.desks.items():
        if not isinstance(desk, OutsideDesk) or desk.told is None:
            continue
        waits_since = [order.met for order in desk.orders.values() if order.waits and order.met is not None]
        if not desk.is_priced(now) and any(
            symbol in map(symbol_of, nearly_lost(floor, one)) for one in _holders(floor, symbol)
        ):
            waits_since.append(desk.told.of_mark)
        rests = desk.is_heard(now) and any(not order.waits for order in desk.orders.values())
        if rests and now - desk.told.of_book > RESTS_US:
            found.add(symbol)
        if waits_since and min(waits_since) + PATIENT_US <= now:
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
        order.met = told.of_last if order.by_last else told.of_mark
        floor.changes.orders[order.number] = order
    for order in held_up + fresh:
        if not order.is_open or order.met is None or told.of_book < order.met:
            continue
        waited, order.met = now - order.met, None
        activate(floor, order, now)
        if order in held_up and waited >= PATIENT_US:
            order.reason = order.reason or f"triggered {waited // 1_000_000} s before the next best prices were told"
        elif desk.gap:
            order.reason = order.reason or f"triggered by the first price after {desk.gap // 1_000_000} s without one"


def _meet_limits(floor: Floor, desk: OutsideDesk, resting: list[Order], sign: int, now: int) -> None:
    """Trade resting orders of one side as makers, at their own price, by the rule at the top."""
    is_young = desk.told is not None and desk.told.is_young(now)
    through = usual_lots(desk.contract, desk.prices.last)  # what a trade through a limit brings, for all together
    for order in sorted(resting, key=lambda order: (-sign * (order.price or 0), order.rank)):
        if not order.is_open or order.price is None:
            continue
        account = floor.accounts[order.account_id]
        most = min(order.left, account.reducible(order.symbol, sign, order.side)) if order.reduce_only else order.left
        if is_young and desk.ladder(sign).reaches(order.price):
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
