"""Money between the futures side and the spot side of an account: a request in, both balances moved or neither."""

from typing import Any

from pilothouse.simexchange.asking import Asking
from pilothouse.simexchange.exchange import SPOT, Exchange
from pilothouse.simexchange.figures import money, parsed
from pilothouse.simexchange.requests import Request
from pilothouse.simexchange.spot_intake import START_QUOTE
from pilothouse.simexchange.wire_errors import WireError, missing
from pilothouse.simulation.contracts import SETTLEMENT, UNITS_PER_QUOTE

_TO_SPOT = {
    "UMFUTURE_MAIN": True,
    "MAIN_UMFUTURE": False,
    "FUTURE_SPOT": True,
    "SPOT_FUTURE": False,
    "2": True,
    "1": False,
}
"""Which way, in the words of each way of asking."""

_TOO_LITTLE = "Asset transfer failed: insufficient balance"


def between_wallets(asking: Asking) -> Any:
    """Move money between futures and spot, asked for in Aster's way."""
    number = move(asking.exchange, asking.file.id, asking.request, asking.request.need("kindType"))
    return {"tranId": number, "status": "SUCCESS"}


def move(exchange: Exchange, account_id: str, request: Request, way: str) -> int:
    """Move money as asked for; return the number of the transfer. Raises WireError where it cannot be.

    way   one of the words above; others are refused, as there are no other wallets
    """
    to_spot = _TO_SPOT.get(way.upper())
    if to_spot is None:
        raise WireError(-1130, "Data sent for parameter 'type' is not valid.")
    if request.need("asset").upper() != SETTLEMENT:
        raise WireError(-5013, _TOO_LITTLE)
    number = parsed(request.need("amount"))
    if number is None or number[0] <= 0 or number[1] > 8:
        raise missing("amount")
    units = number[0] * 10 ** (8 - number[1])
    spot = exchange.spot.accounts.get(account_id)
    if spot is None:
        spot = exchange.spot.open_account(account_id, START_QUOTE * UNITS_PER_QUOTE)
    worth = exchange.floor.standing(exchange.account(account_id))
    there = max(0, min(worth.available, worth.cross_wallet)) if to_spot else spot.free.get(SETTLEMENT, 0)
    if units > there:
        raise WireError(-5013, _TOO_LITTLE)
    exchange.deposit(account_id, -units if to_spot else units)
    came = units if to_spot else -units
    spot.free[SETTLEMENT] = spot.free.get(SETTLEMENT, 0) + came
    now = exchange.clock.now() // 1_000
    event = {"e": "balanceUpdate", "E": now, "a": SETTLEMENT, "d": money(came), "T": now}
    exchange.telling.tell(SPOT + account_id, "balanceUpdate", event)
    return exchange.floor.next_movement - 1
