"""What must always be true of the exchange's books; asked by its tests after every step, and by the control."""

from pilothouse.simexchange.exchange import Exchange
from pilothouse.simulation.contracts import SETTLEMENT
from pilothouse.simulation.division import divided_even
from pilothouse.simulation.slots import slot


def complaints(exchange: Exchange) -> list[str]:
    """Return every sentence that should be true and is not; an empty list is a sound exchange.

    Only what is remembered can be added up: an account whose history was cut is left out.
    """
    found: list[str] = []
    for account_id, file in exchange.files.items():
        account = exchange.floor.accounts[account_id]
        if len(file.income) == file.income.maxlen or len(file.fills) == file.fills.maxlen:
            continue
        total = sum(each.amount for each in file.income)
        if total != account.wallet:
            found.append(f"{account_id}: the wallet holds {account.wallet}, its income adds up to {total}")
        found += [f"{account_id}: {each}" for each in _positions(exchange, account_id)]
        for number, standing in account.orders.items():
            told = file.orders.get(number)
            if told is None or told.order is not standing or not standing.is_open:
                found.append(f"{account_id}: order {number} stands and is not told of as open")
            if exchange.floor.desks[standing.symbol].orders.get(number) is not standing:
                found.append(f"{account_id}: order {number} stands in the account and not in the market")
        filled: dict[int, int] = {}
        for fill in file.fills:
            filled[fill.number] = filled.get(fill.number, 0) + fill.lots
        for number, told in file.orders.items():
            if told.order.filled != filled.get(number, 0):
                found.append(
                    f"{account_id}: order {number} traded {told.order.filled}, its fills {filled.get(number, 0)}"
                )
    for spot_id, spot in exchange.spot.accounts.items():
        locked: dict[str, int] = {}
        for order in spot.orders.values():
            base = exchange.floor.contracts[order.symbol].instrument.base
            asset = SETTLEMENT if order.sign > 0 else base
            locked[asset] = locked.get(asset, 0) + order.locked
            if order.locked < 0 or (order.locked and not order.is_open and not order.list_id):
                found.append(f"{spot_id}: spot order {order.number} has {order.locked} locked and is {order.status}")
        for asset, held in spot.locked.items():
            if held != locked.get(asset, 0):
                found.append(f"{spot_id}: {held} of {asset} is locked, its orders lock {locked.get(asset, 0)}")
        found += [f"{spot_id}: less than no {asset} is free" for asset, held in spot.free.items() if held < 0]
    return found


def _positions(exchange: Exchange, account_id: str) -> list[str]:
    """Fold the fills anew, independently of the floor, and compare."""
    lots: dict[str, int] = {}
    cost: dict[str, int] = {}
    for fill in exchange.files[account_id].fills:
        key = slot(fill.symbol, fill.side)
        each = fill.price * exchange.floor.contracts[fill.symbol].unit
        held, paid = lots.get(key, 0), cost.get(key, 0)
        closed = min(abs(held), fill.lots) if held * fill.sign < 0 else 0
        share = divided_even(paid * closed, abs(held)) if closed else 0
        lots[key] = held + fill.sign * fill.lots
        cost[key] = paid - share + fill.sign * (fill.lots - closed) * each
    found = []
    for key, holding in exchange.floor.accounts[account_id].holdings.items():
        if (holding.lots, holding.cost) != (lots.get(key, 0), cost.get(key, 0)):
            found.append(
                f"{key} holds {holding.lots} for {holding.cost}, its fills {lots.get(key)} for {cost.get(key)}"
            )
        if holding.isolated < 0 or (holding.isolated and not holding.is_isolated):
            found.append(f"{key} has {holding.isolated} set aside")
    return found
