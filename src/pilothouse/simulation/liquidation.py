"""Liquidation: what can no longer be backed is closed by force, and nobody ends below nothing.

Cross: when wallet and open results no longer exceed the maintenance of all cross positions, open orders end and the
positions are closed, largest first, until the rest is backed again. Isolated: each position by its own margin.
"""

from collections.abc import Iterable

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.account import Account, Holding
from pilothouse.simulation.division import divided_up
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.margin import liquidation_ticks, maintenance
from pilothouse.simulation.orders import MovementKind, Order, Status
from pilothouse.simulation.slots import side_of, symbol_of

CALL_PPM, CALL_PPM_OF = 800_000, 1_000_000
"""From this share of their backing on, the owner of positions is warned."""


def liquidate(floor: Floor, now: int, among: Iterable[Account] | None = None) -> None:
    """Close by force whatever is no longer backed, in every account or `among` these.

    What has no price of now is judged by the last one there was, and closed only once there is one.
    """
    for account in floor.accounts.values() if among is None else among:
        if any(holding.lots for holding in account.holdings.values()):
            _isolated(floor, account, now)
            _cross(floor, account, now)


def nearly_lost(floor: Floor, account: Account) -> list[str]:
    """Return the slots whose maintenance has eaten up four fifths of what backs them."""
    worth = floor.standing(account)
    cross = worth.cross_maintenance * CALL_PPM_OF >= worth.cross_balance * CALL_PPM
    found = []
    for key, holding in account.holdings.items():
        if not holding.lots:
            continue
        if not holding.is_isolated:
            found += [key] if cross else []
            continue
        desk = floor.desks[symbol_of(key)]
        left = holding.isolated + holding.unrealised(desk.contract, desk.prices.mark)
        if _maintenance_of(floor, key, holding) * CALL_PPM_OF >= left * CALL_PPM:
            found.append(key)
    return found


def backing(floor: Floor, account: Account, key: str) -> int:
    """Return what backs the position of a slot, quote units.

    Its own margin if isolated; else the cross wallet and all other cross results less their maintenance.
    """
    holding = account.holding(key)
    if holding.is_isolated:
        return holding.isolated
    worth = floor.standing(account)
    desk = floor.desks[symbol_of(key)]
    own_result = holding.unrealised(desk.contract, desk.prices.mark)
    own_margin = _maintenance_of(floor, key, holding)
    return worth.cross_wallet + worth.cross_unrealised - own_result - (worth.cross_maintenance - own_margin)


def liquidation_price(floor: Floor, account: Account, key: str) -> int | None:
    """Return the mark price, in ticks, at which a position would be closed by force; None if there is none."""
    holding = account.holding(key)
    if not holding.lots:
        return None
    desk = floor.desks[symbol_of(key)]
    return liquidation_ticks(desk.contract, holding.lots, holding.cost, backing(floor, account, key), desk.prices.mark)


def _maintenance_of(floor: Floor, key: str, holding: Holding) -> int:
    desk = floor.desks[symbol_of(key)]
    return maintenance(desk.contract, abs(holding.notional(desk.contract, desk.prices.mark))) if holding.lots else 0


def _isolated(floor: Floor, account: Account, now: int) -> None:
    for key, holding in list(account.holdings.items()):
        if not holding.lots or not holding.is_isolated:
            continue
        desk = floor.desks[symbol_of(key)]
        if not desk.is_priced(now):
            continue
        worth = holding.isolated + holding.unrealised(desk.contract, desk.prices.mark)
        if worth > _maintenance_of(floor, key, holding):
            continue
        _end_orders(floor, account, now, symbol_of(key))
        wallet, at_stake = account.wallet, holding.isolated
        _close(floor, account, key, now)
        lost = wallet - account.wallet
        _insure(floor, account, symbol_of(key), lost - (at_stake - holding.isolated), now)


def _cross(floor: Floor, account: Account, now: int) -> None:
    ended = False
    for key in _largest_first(floor, account):
        worth = floor.standing(account)
        if worth.cross_balance > worth.cross_maintenance:
            return
        if not floor.desks[symbol_of(key)].is_priced(now):
            continue
        if not ended:
            _end_orders(floor, account, now, None)
            ended = True
        _close(floor, account, key, now)
    if ended and not any(h.lots for h in account.holdings.values() if not h.is_isolated):
        _insure(floor, account, "", -floor.standing(account).cross_wallet, now)


def _largest_first(floor: Floor, account: Account) -> list[str]:
    held = [
        (_maintenance_of(floor, key, holding), key)
        for key, holding in account.holdings.items()
        if holding.lots and not holding.is_isolated
    ]
    return [key for _, key in sorted(held, reverse=True)]


def _end_orders(floor: Floor, account: Account, now: int, symbol: str | None) -> None:
    """End the open orders in `symbol`, or (None) in every instrument that is not isolated."""
    for order in list(account.orders.values()):
        concerned = order.symbol == symbol if symbol else not account.holding(order.symbol).is_isolated
        if concerned:
            floor.finish(order, Status.EXPIRED, "the position was liquidated", now)


def _close(floor: Floor, account: Account, key: str, now: int) -> None:
    """Close a position by force at what the ladder gives; what finds no taker is closed at the next step.

    With an empty insurance fund, accounts that gain on the other side are closed against it first.
    """
    holding, symbol = account.holding(key), symbol_of(key)
    if floor.insurance is not None and floor.insurance <= 0:
        deleverage(floor, account, key, now)
        if not holding.lots:
            return
    number = floor.take_number()
    order = Order(
        number, account.id, f"autoclose-{number}", symbol, -1 if holding.lots > 0 else 1, OrderType.MARKET,
        TimeInForce.GTC, abs(holding.lots), None, None, True, now, now, reason="liquidation", side=side_of(key),
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
        if floor.insurance is not None:
            floor.insurance -= shortfall
        floor.move_money(account, MovementKind.INSURANCE, symbol, shortfall, now)


def deleverage(floor: Floor, account: Account, key: str, now: int) -> None:
    """Close a position against those who gain most on the other side, at the price where its own backing is used up.

    The order in which they are taken is that of result times leverage, as venues rank it; both sides pay no fee.
    """
    holding, symbol = account.holding(key), symbol_of(key)
    desk = floor.desks[symbol]
    spent, per_tick = holding.cost - backing(floor, account, key), holding.lots * desk.contract.unit
    ticks = max(1, divided_up(spent, per_tick) if per_tick > 0 else spent // per_tick)
    for _, other, theirs in _queue_of(floor, account, symbol, -1 if holding.lots > 0 else 1):
        if not holding.lots:
            return
        against = other.holding(theirs)
        lots = min(abs(holding.lots), abs(against.lots))
        sign, trade = -1 if holding.lots > 0 else 1, floor.take_trade(symbol)
        for owner, name, its_sign, its_key in (
            (account, "autoclose", sign, key),
            (other, "adl_autoclose", -sign, theirs),
        ):
            number = floor.take_number()
            order = Order(
                number, owner.id, f"{name}-{number}" if owner is account else name, symbol, its_sign,
                OrderType.MARKET, TimeInForce.GTC, lots, None, None, True, now, now, reason="deleveraged",
                side=side_of(its_key),
            )  # fmt: skip
            floor.stand(owner, order)
            floor.fill(order, ticks, lots, now, maker=False, free=True, trade=trade)
            order.reason = "deleveraged"
        floor.drop_idle_reductions(other, symbol, now)


def _queue_of(floor: Floor, account: Account, symbol: str, sign: int) -> list[tuple[int, Account, str]]:
    """Return who holds the other side (of that sign) at a gain: rank, account, slot; the first to be closed first."""
    desk = floor.desks[symbol]
    found = []
    for other in floor.accounts.values():
        for key, holding in other.holdings.items():
            if other is account or symbol_of(key) != symbol or holding.lots * sign <= 0:
                continue
            gain = holding.unrealised(desk.contract, desk.prices.mark)
            if gain > 0:
                found.append((gain * holding.leverage * 1_000_000 // max(1, abs(holding.cost)), other, key))
    return sorted(found, key=lambda each: -each[0])
