"""A simulated venue, whole: accounts, orders, settings, time. Pure: every call says what instant it is.

Whoever runs it asks `drain` after each call for what was touched, writes that down, and only then tells anybody.
"""

from collections.abc import Mapping

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.delivery import deliver
from pilothouse.simulation.entry import amend, place, quoted, would_take
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.funding import due_between, payment, rate
from pilothouse.simulation.liquidation import liquidate, liquidation_price, nearly_lost
from pilothouse.simulation.margin import bracket_for, initial
from pilothouse.simulation.market import advance, moved_to, traded_at
from pilothouse.simulation.matching import match
from pilothouse.simulation.orders import MovementKind, Order, Refusal, Status
from pilothouse.simulation.slots import BOTH, LONG, SHORT, SIDES, side_of, slot, symbol_of

__all__ = [
    "add_isolated",
    "amend",
    "cancel",
    "deliver",
    "liquidation_price",
    "nearly_lost",
    "open_account",
    "pay_funding",
    "place",
    "reset_account",
    "set_hedged",
    "set_leverage",
    "set_margin_type",
    "set_price",
    "step",
    "would_take",
]


def step(floor: Floor, now: int, stride: int = 1, led: Mapping[str, int] | None = None) -> None:
    """Let every market make one step and meet its orders, then close what is no longer backed.

    stride   how many ordinary steps this one stands for, where time runs faster
    led      the markets that follow a tape: symbol -> ticks of its latest trade
    """
    for symbol, desk in floor.desks.items():
        if led is not None and symbol in led:
            desk.move(traded_at(desk.state, led[symbol]))
        else:
            desk.move(advance(desk.contract, desk.state, floor.seed, stride))
        floor.changes.markets[symbol] = None
        match(floor, desk, now)
    liquidate(floor, now)


def set_price(floor: Floor, symbol: str, ticks: int, now: int) -> None:
    """Put one market at `ticks`, for demonstrations and tests; it meets its orders there and goes on from there."""
    desk = floor.desks[symbol]
    desk.move(moved_to(desk.state, ticks))
    floor.changes.markets[symbol] = None
    match(floor, desk, now)
    liquidate(floor, now)


def pay_funding(floor: Floor, now: int) -> None:
    """Pay the funding that has come due since it was last asked, if any."""
    due = due_between(floor.funded_at, now)
    if due is None:
        return
    floor.funded_at = due
    for account in floor.accounts.values():
        for key, holding in account.holdings.items():
            if holding.lots and floor.contracts[symbol_of(key)].delivers_us is None:
                fund(floor, account, key, holding, due, rate(floor.desks[symbol_of(key)].state))


def fund(floor: Floor, account: Account, key: str, holding: Holding, due: int, its_rate: int) -> None:
    """Pay or receive the funding of one position; `its_rate` in units of 0.00000001."""
    desk = floor.desks[symbol_of(key)]
    amount = payment(desk.contract, holding.lots, desk.prices.mark, its_rate)
    if not amount:
        return
    if holding.is_isolated:
        holding.isolated += amount
        floor.changes.holdings[account.id, key] = None
    floor.move_money(account, MovementKind.FUNDING, desk.contract.symbol, amount, due)


def cancel(floor: Floor, account_id: str, client_id: str, symbol: str, now: int) -> Order | None:
    """Cancel an open order; return it, or None if no such order stands."""
    account = floor.accounts.get(account_id)
    number = account.by_client.get(client_id) if account is not None else None
    if account is None or number is None:
        return None
    order = account.orders[number]
    if order.symbol != symbol:
        return None
    floor.finish(order, Status.CANCELED, "", now)
    return order


def open_account(floor: Floor, account_id: str, owner_id: str, deposit: int, now: int) -> Account:
    """Open an account with `deposit` quote units."""
    assert account_id not in floor.accounts, "an account is opened once"
    account = floor.accounts[account_id] = Account(account_id, owner_id)
    floor.move_money(account, MovementKind.TRANSFER, "", deposit, now)
    return account


def reset_account(floor: Floor, account_id: str, deposit: int, now: int) -> None:
    """Start an account again: orders cancelled, positions settled at the mark without a fee, wallet at `deposit`.

    All of it is on record as orders, trades and one transfer, so that books which fold them arrive at the same numbers.
    """
    account = floor.accounts[account_id]
    for order in list(account.orders.values()):
        floor.finish(order, Status.CANCELED, "the account starts again", now)
    for key, holding in account.holdings.items():
        if holding.lots:
            symbol = symbol_of(key)
            number = floor.take_number()
            order = Order(
                number, account.id, f"reset-{number}", symbol, -1 if holding.lots > 0 else 1, OrderType.MARKET,
                TimeInForce.GTC, abs(holding.lots), None, None, True, now, now, side=side_of(key),
            )  # fmt: skip
            floor.stand(account, order)
            floor.fill(order, floor.desks[symbol].prices.mark, order.lots, now, maker=False, free=True)
            order.reason = "the account starts again"
    if deposit != account.wallet:
        floor.move_money(account, MovementKind.TRANSFER, "", deposit - account.wallet, now)


def set_leverage(floor: Floor, account_id: str, symbol: str, leverage: int) -> Refusal | None:
    """Set the leverage of an instrument; return why not, or None."""
    account, contract = floor.accounts[account_id], floor.contracts[symbol]
    if not 1 <= leverage <= contract.instrument.leverage_max:
        return Refusal("-4028", f"leverage {leverage} is not 1 to {contract.instrument.leverage_max}")
    before = account.holding(symbol).leverage
    slots = [account.holding(slot(symbol, side)) for side in (SIDES if account.hedged else (BOTH,))]
    if any(holding.lots and holding.is_isolated for holding in slots) and leverage < before:
        return Refusal("-4161", "the leverage of an isolated position cannot be lowered while it is open")
    notional = max(abs(holding.notional(contract, floor.desks[symbol].prices.mark)) for holding in slots)
    if leverage > bracket_for(contract, notional).leverage_max:
        return Refusal("-2027", f"a position worth {quoted(notional)} is too large for leverage {leverage}")
    for holding in slots:
        holding.leverage = leverage
    worth = floor.standing(account)
    if leverage < before and worth.cross_bound > worth.cross_balance:
        for holding in slots:
            holding.leverage = before
        return Refusal("-2019", f"margin is insufficient: leverage {leverage} would bind {quoted(worth.cross_bound)}")
    floor.changes.holdings[account_id, symbol] = None
    return None


def set_margin_type(floor: Floor, account_id: str, symbol: str, *, isolated: bool) -> Refusal | None:
    """Set whether an instrument's position risks its own margin only; return why not, or None (also: no change)."""
    account = floor.accounts[account_id]
    holding = account.holding(symbol)
    if holding.is_isolated == isolated:
        return None
    if any(order.symbol == symbol for order in account.orders.values()):
        return Refusal("-4047", "the margin type cannot change while orders are open in the instrument")
    slots = [account.holding(slot(symbol, side)) for side in (SIDES if account.hedged else (BOTH,))]
    if any(each.lots for each in slots):
        return Refusal("-4048", "the margin type cannot change while a position is open in the instrument")
    for each in slots:
        each.is_isolated = isolated
    floor.changes.holdings[account_id, symbol] = None
    return None


def set_hedged(floor: Floor, account_id: str, *, hedged: bool) -> Refusal | None:
    """Set whether longs and shorts of one instrument stand side by side; return why not, or None."""
    account = floor.accounts[account_id]
    if account.hedged == hedged:
        return Refusal("-4059", "No need to change position side.")
    if account.orders:
        return Refusal("-4067", "Position side cannot be changed if there exists open orders.")
    if any(holding.lots for holding in account.holdings.values()):
        return Refusal("-4068", "Position side cannot be changed if there exists position.")
    account.hedged = hedged
    for key, holding in list(account.holdings.items()):
        if hedged and side_of(key) == BOTH:
            for side in (LONG, SHORT):
                other = account.holding(slot(key, side))
                other.leverage, other.is_isolated = holding.leverage, holding.is_isolated
    return None


def add_isolated(floor: Floor, account_id: str, key: str, amount: int) -> Refusal | None:
    """Set `amount` quote units more aside for an isolated position (below zero: less); return why not, or None."""
    account = floor.accounts[account_id]
    holding = account.holding(key)
    if not holding.is_isolated or not holding.lots:
        return Refusal(
            "-4049" if not holding.is_isolated else "-4054", "there is no isolated position to add margin to"
        )
    if amount > floor.standing(account).available:
        return Refusal("-4050", "Cross balance insufficient.")
    desk = floor.desks[symbol_of(key)]
    floor_of_it = initial(abs(holding.notional(desk.contract, desk.prices.mark)), holding.leverage)
    if (
        amount < 0
        and holding.isolated + amount + min(0, holding.unrealised(desk.contract, desk.prices.mark)) < floor_of_it
    ):
        return Refusal("-4051", "Isolated balance insufficient.")
    holding.isolated += amount
    floor.changes.holdings[account_id, key] = None
    return None
