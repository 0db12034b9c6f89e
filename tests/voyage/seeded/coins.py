"""The exchange's own memory of a spot account: coins instead of positions, in the words that the laws use.

Nothing there says of an order that it only reduces: what waits, belongs to a pair, or was not asked for by an alert and
sells, is taken for it. More than is held cannot be sold there at all.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pilothouse.simexchange.exchange import Exchange
from pilothouse.simulation.contracts import SETTLEMENT, UNITS_PER_QUOTE
from pilothouse.simulation.spot import lot_units
from pilothouse.simulation.spot_orders import SpotAccount, SpotOrder

START_UNITS = 100_000 * UNITS_PER_QUOTE


class Coins:
    """One spot account at an exchange."""

    def __init__(self, exchange: Exchange, account_id: str) -> None:
        """Open it, with money and no coin."""
        self._exchange = exchange
        self.account: SpotAccount = exchange.spot.open_account(account_id, START_UNITS)

    def of(self, asset: str) -> Decimal:
        """Return what there is of an asset, free and locked."""
        return Decimal(self._units(asset)) / UNITS_PER_QUOTE

    def lots(self, symbol: str) -> int:
        """Return how many whole lots of an instrument are held; a commission in the coin leaves crumbs of one."""
        contract = self._exchange.floor.contracts[symbol]
        return self._units(contract.instrument.base) // lot_units(contract)

    def free_lots(self, symbol: str) -> int:
        """Return how many whole lots of an instrument wait in no order."""
        contract = self._exchange.floor.contracts[symbol]
        return self.account.free.get(contract.instrument.base, 0) // lot_units(contract)

    def money(self) -> Decimal:
        """Return what there is of the settlement currency."""
        return self.of(SETTLEMENT)

    def _units(self, asset: str) -> int:
        return self.account.free.get(asset, 0) + self.account.locked.get(asset, 0)

    def orders(self) -> list[SpotOrder]:
        """Return every order, oldest first."""
        return list(self.account.orders.values())

    def fills(self) -> Iterator[tuple[Any, ...]]:
        """Yield every trade as the laws compare it; nobody tells of results there."""
        grids = self._exchange.grids
        for order in self.account.orders.values():
            for fill in order.fills:
                yield (
                    fill.symbol, str(fill.trade), "BUY" if fill.sign > 0 else "SELL",
                    Decimal(grids[fill.symbol].price(fill.ticks)), Decimal(grids[fill.symbol].quantity(fill.lots)),
                    Decimal(fill.commission) / UNITS_PER_QUOTE, Decimal(0),
                )  # fmt: skip

    def trade(self, symbol: str, sign: int, lots: int, client_id: str, *, ticks: int | None = None) -> SpotOrder | None:
        """Buy or sell as somebody does in the exchange's own screens; None if there is not so much to sell.

        ticks   the limit of an order that rests; None: at the market
        """
        kind, now = "MARKET" if ticks is None else "LIMIT", self._exchange.clock.now()
        made = SpotOrder(0, self.account.id, client_id, symbol, sign, kind, "GTC", lots, ticks, None, 0, now, now)
        if self._exchange.spot.place(made, now) is not None:
            return None
        self._exchange.settle_spot()
        return made

    def end(self, order: SpotOrder) -> None:
        """Cancel an order, and the one it is tied to, as somebody does in the exchange's own screens."""
        if order.is_open:
            self._exchange.spot.cancel(order, self._exchange.clock.now())
            self._exchange.settle_spot()
