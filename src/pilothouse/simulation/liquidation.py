"""Liquidation: what can no longer be backed is closed by force, and nobody ends below nothing.

Cross: when wallet and open results no longer exceed the maintenance of all cross positions, open orders end and the
positions are closed, largest first, until the rest is backed again. Isolated: each position by its own margin.
"""

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.margin import liquidation_ticks, maintenance
from pilothouse.simulation.orders import MovementKind, Order, Status


def liquidate(floor: Floor, now: int) -> None:
    """Close by force whatever is no longer backed, in every account."""
    for account in floor.accounts.values():
        if any(holding.lots for holding in account.holdings.values()):
            _isolated(floor, account, now)
            _cross(floor, account, now)


def backing(floor: Floor, account: Account, symbol: str) -> int:
    """Return what backs a position, quote units.

    Its own margin if isolated; else the cross wallet and all other cross results less their maintenance.
    """
    holding = account.holding(symbol)
    if holding.is_isolated:
        return holding.isolated
    worth = floor.standing(account)
    desk = floor.desks[symbol]
    own_result = holding.unrealised(desk.contract, desk.prices.mark)
    own_margin = _maintenance_of(floor, symbol, holding)
    return worth.cross_wallet + worth.cross_unrealised - own_result - (worth.cross_maintenance - own_margin)


def liquidation_price(floor: Floor, account: Account, symbol: str) -> int | None:
    """Return the mark price, in ticks, at which a position would be closed by force; None if there is none."""
    holding = account.holding(symbol)
    if not holding.lots:
        return None
    desk = floor.desks[symbol]
    return liquidation_ticks(
        desk.contract, holding.lots, holding.cost, backing(floor, account, symbol), desk.prices.mark
    )


def _maintenance_of(floor: Floor, symbol: str, holding: Holding) -> int:
    desk = floor.desks[symbol]
    return maintenance(desk.contract, abs(holding.notional(desk.contract, desk.prices.mark))) if holding.lots else 0


def _isolated(floor: Floor, account: Account, now: int) -> None:
    for symbol, holding in account.holdings.items():
        if not holding.lots or not holding.is_isolated:
            continue
        desk = floor.desks[symbol]
        worth = holding.isolated + holding.unrealised(desk.contract, desk.prices.mark)
        if worth > _maintenance_of(floor, symbol, holding):
            continue
        _end_orders(floor, account, now, symbol)
        wallet, at_stake = account.wallet, holding.isolated
        _close(floor, account, symbol, now)
        lost = wallet - account.wallet
        _insure(floor, account, symbol, lost - (at_stake - holding.isolated), now)


def _cross(floor: Floor, account: Account, now: int) -> None:
    ended = False
    for symbol in _largest_first(floor, account):
        worth = floor.standing(account)
        if worth.cross_balance > worth.cross_maintenance:
            return
        if not ended:
            _end_orders(floor, account, now, None)
            ended = True
        _close(floor, account, symbol, now)
    if ended and not any(h.lots for h in account.holdings.values() if not h.is_isolated):
        _insure(floor, account, "", -floor.standing(account).cross_wallet, now)


def _largest_first(floor: Floor, account: Account) -> list[str]:
    held = [
        (_maintenance_of(floor, symbol, holding), symbol)
        for symbol, holding in account.holdings.items()
        if holding.lots and not holding.is_isolated
    ]
    return [symbol for _, symbol in sorted(held, reverse=True)]


def _end_orders(floor: Floor, account: Account, now: int, symbol: str | None) -> None:
    """End the open orders in `symbol`, or (None) in every instrument that is not isolated."""
    for order in list(account.orders.values()):
        concerned = order.symbol == symbol if symbol else not account.holding(order.symbol).is_isolated
        if concerned:
            floor.finish(order, Status.EXPIRED, "the position was liquidated", now)


def _close(floor: Floor, account: Account, symbol: str, now: int) -> None:
    """Close a position by force at what the ladder gives; what finds no taker is closed at the next step."""
    holding = account.holding(symbol)
    number = floor.take_number()
    order = Order(
        number, account.id, f"autoclose-{number}", symbol, -1 if holding.lots > 0 else 1, OrderType.MARKET,
        TimeInForce.GTC, abs(holding.lots), None, None, True, now, now, reason="liquidation",
    )  # fmt: skip
    floor.stand(account, order)
    floor.take(order, now, forced=True)
    if order.is_open:
        floor.finish(order, Status.EXPIRED, "liquidation: the book was empty, the rest follows", now)
    else:
        order.reason = "liquidation"


def _insure(floor: Floor, account: Account, symbol: str, shortfall: int, now: int) -> None:
    """Pay what a forced close lost beyond what backed it: a real venue's insurance fund does."""
    if shortfall > 0:
        floor.move_money(account, MovementKind.INSURANCE, symbol, shortfall, now)
