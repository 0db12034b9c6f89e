"""Delivery: contracts that end on a day, and what becomes of orders and positions then.

No funding is paid on them. On their last day open orders expire and positions are settled at the mark.
"""

from dataclasses import replace

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.orders import Order, Status
from pilothouse.simulation.slots import side_of, symbol_of

BASIS_PPM = 4_000
"""How much dearer than the perpetual one is a whole quarter before it ends; nothing of it is left at the end."""

QUARTER_US = 91 * 86_400 * 1_000_000


def quarterly(perpetual: Contract, symbol: str, delivers_us: int) -> Contract:
    """Return a contract like a perpetual that ends at `delivers_us`."""
    return replace(perpetual, instrument=replace(perpetual.instrument, symbol=symbol), delivers_us=delivers_us)


def with_basis(ticks: int, now: int, delivers_us: int) -> int:
    """Return what a contract is worth, in ticks, while the perpetual is at `ticks`; they meet at its end."""
    left = max(0, delivers_us - now)
    return ticks + ticks * BASIS_PPM * left // (QUARTER_US * 1_000_000)


def deliver(floor: Floor, symbol: str, now: int) -> None:
    """End a contract: its orders expire, its positions are settled at the mark without a fee."""
    mark = floor.desks[symbol].prices.mark
    for account in floor.accounts.values():
        for order in list(account.orders.values()):
            if order.symbol == symbol:
                floor.finish(order, Status.EXPIRED, "the contract was delivered", now)
        for key, holding in account.holdings.items():
            if symbol_of(key) != symbol or not holding.lots:
                continue
            number = floor.take_number()
            closing = Order(
                number, account.id, f"delivery_autoclose-{number}", symbol, -1 if holding.lots > 0 else 1,
                OrderType.MARKET, TimeInForce.GTC, abs(holding.lots), None, None, True, now, now, side=side_of(key),
            )  # fmt: skip
            floor.stand(account, closing)
            floor.fill(closing, mark, closing.lots, now, maker=False, free=True)
            closing.reason = "delivered"
