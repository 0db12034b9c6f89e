"""A simulated venue, whole: accounts, orders, settings, time. Pure: every call says what instant it is.

Whoever runs it asks `drain` after each call for what was touched, writes that down, and only then tells anybody.
"""

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.entry import place, quoted
from pilothouse.simulation.floor import Desk, Floor
from pilothouse.simulation.funding import due_between, payment, rate
from pilothouse.simulation.liquidation import liquidate, liquidation_price
from pilothouse.simulation.margin import bracket_for
from pilothouse.simulation.market import advance, moved_to
from pilothouse.simulation.matching import match
from pilothouse.simulation.orders import MovementKind, Order, Refusal, Status

__all__ = [
    "cancel",
    "liquidation_price",
    "open_account",
    "pay_funding",
    "place",
    "reset_account",
    "set_leverage",
    "set_margin_type",
    "set_price",
    "step",
]


def step(floor: Floor, now: int) -> None:
    """Let every market make one step and meet its orders, then close what is no longer backed."""
    for symbol, desk in floor.desks.items():
        desk.move(advance(desk.contract, desk.state, floor.seed))
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
        for symbol, holding in account.holdings.items():
            if holding.lots:
                _fund(floor, account, floor.desks[symbol], holding, due)


def _fund(floor: Floor, account: Account, desk: Desk, holding: Holding, due: int) -> None:
    amount = payment(desk.contract, holding.lots, desk.prices.mark, rate(desk.state))
    if not amount:
        return
    if holding.is_isolated:
        holding.isolated += amount
        floor.changes.holdings[account.id, desk.contract.symbol] = None
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
    for symbol, holding in account.holdings.items():
        if holding.lots:
            number = floor.take_number()
            order = Order(
                number, account.id, f"reset-{number}", symbol, -1 if holding.lots > 0 else 1, OrderType.MARKET,
                TimeInForce.GTC, abs(holding.lots), None, None, True, now, now,
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
    holding = account.holding(symbol)
    before = holding.leverage
    if holding.lots and holding.is_isolated and leverage < before:
        return Refusal("-4161", "the leverage of an isolated position cannot be lowered while it is open")
    notional = abs(holding.notional(contract, floor.desks[symbol].prices.mark))
    if leverage > bracket_for(contract, notional).leverage_max:
        return Refusal("-2027", f"a position worth {quoted(notional)} is too large for leverage {leverage}")
    holding.leverage = leverage
    worth = floor.standing(account)
    if leverage < before and worth.cross_bound > worth.cross_balance:
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
    if holding.lots:
        return Refusal("-4048", "the margin type cannot change while a position is open in the instrument")
    holding.is_isolated = isolated
    floor.changes.holdings[account_id, symbol] = None
    return None
