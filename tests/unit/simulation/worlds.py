"""Small worlds for the tests of the simulation: a floor, an account on it, orders in a line of text's worth of code."""

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation import exchange
from pilothouse.simulation.contracts import CONTRACTS, UNITS_PER_QUOTE
from pilothouse.simulation.floor import Desk, Floor
from pilothouse.simulation.orders import Asked, Order, Refusal

NOW = 1_770_000_000_000_000
BTC = CONTRACTS["BTCUSDT"]


class World:
    """A floor with one account of 10,000 USDT, and a counter for client ids."""

    def __init__(self, seed: int = 7, deposit: int = 10_000) -> None:
        self.floor = Floor(seed)
        self.floor.funded_at = NOW
        self.account = exchange.open_account(self.floor, "acc", "own", deposit * UNITS_PER_QUOTE, NOW)
        self.now = NOW
        self.count = 0
        self.floor.drain()

    @property
    def desk(self) -> Desk:
        """Return the BTC market."""
        return self.floor.desks["BTCUSDT"]

    def asked(
        self,
        sign: int,
        lots: int,
        type_: OrderType = OrderType.MARKET,
        *,
        symbol: str = "BTCUSDT",
        price: int | None = None,
        stop: int | None = None,
        tif: TimeInForce = TimeInForce.GTC,
        reduce_only: bool = False,
    ) -> Asked:
        """Return an order with a client id of its own."""
        self.count += 1
        return Asked(f"c{self.count}", symbol, sign, type_, tif, lots, price, stop, reduce_only)

    def send(self, asked: Asked) -> Order | Refusal:
        """Send an order, whatever the venue makes of it."""
        return exchange.place(self.floor, "acc", asked, self.now)

    def order(self, asked: Asked) -> Order:
        """Send an order that the venue takes."""
        placed = self.send(asked)
        assert isinstance(placed, Order), placed
        return placed

    def market(self, sign: int, lots: int, *, symbol: str = "BTCUSDT", reduce_only: bool = False) -> Order:
        """Trade at once."""
        return self.order(self.asked(sign, lots, symbol=symbol, reduce_only=reduce_only))

    def limit(self, sign: int, lots: int, price: int, tif: TimeInForce = TimeInForce.GTC) -> Order:
        """Send a limit order that the venue takes."""
        return self.order(self.asked(sign, lots, OrderType.LIMIT, price=price, tif=tif))

    def price(self, ticks: int, symbol: str = "BTCUSDT") -> None:
        """Put a market at a price, in ticks."""
        exchange.set_price(self.floor, symbol, ticks, self.now)

    def step(self, times: int = 1) -> None:
        """Let the markets make steps."""
        for _ in range(times):
            self.now += 250_000
            exchange.step(self.floor, self.now)

    def lots(self, symbol: str = "BTCUSDT") -> int:
        """Return the position, in lots."""
        return self.account.holding(symbol).lots
