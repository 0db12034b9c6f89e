"""Orders, lists of orders and accounts of the spot market, as they are kept. Whole numbers only.

Every asset is counted in units of 0.00000001.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from pilothouse.simulation.orders import Status
from pilothouse.simulation.trailing import Trail

_TRIGGERED = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})


LIMITED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})


class SpotFill(NamedTuple):
    """One trade; `commission` in units of the asset received."""

    trade: int
    number: int
    symbol: str
    sign: int
    ticks: int
    lots: int
    worth: int
    commission: int
    asset: str
    maker: bool
    at: int


@dataclass(slots=True)
class SpotOrder:
    """An order of the spot market.

    quote     units of quote currency to spend or receive, where a market order is given so; else zero
    locked    units still set aside for it
    list_id   the list it belongs to; zero: none
    tie       what it shares with the orders of which only one may trade: when one does or goes, so does the other
    after     the number of the order that must fill before this one comes into the books; zero: it is there
    trail     its trigger follows the market; `stop` is then where that begins, if anywhere
    shown     lots of it that the book shows at a time; zero: all
    cancel_id what the request was called that cancelled it
    paid      its size is what the order before it has received
    strategy  number and kind of a strategy, as the asker calls them
    """

    number: int
    account_id: str
    client_id: str
    symbol: str
    sign: int
    kind: str
    tif: str
    lots: int
    price: int | None
    stop: int | None
    quote: int
    at: int
    updated: int
    list_id: int = 0
    tie: int = 0
    after: int = 0
    trail: Trail | None = None
    shown: int = 0
    amended: list[tuple[int, int, int]] = field(default_factory=list)
    cancel_id: str = ""
    paid: bool = False
    strategy: tuple[int, int] = (0, 0)
    filled: int = 0
    traded: int = 0
    locked: int = 0
    triggered: bool = False
    status: Status = Status.NEW
    fills: list[SpotFill] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Say whether it stands."""
        return self.status in {Status.NEW, Status.PARTIALLY_FILLED}

    @property
    def waits(self) -> bool:
        """Say whether it waits for its trigger."""
        return self.kind in _TRIGGERED and not self.triggered

    @property
    def word(self) -> str:
        """Return its status in the venue's words."""
        return "PENDING_NEW" if self.after and self.is_open else self.status.value


@dataclass(frozen=True, slots=True)
class SpotList:
    """Orders that belong together; `kind` is OCO or OTO."""

    number: int
    name: str
    kind: str
    symbol: str
    at: int


@dataclass(slots=True)
class SpotAccount:
    """Balances by asset in units: free, and locked by orders."""

    id: str
    free: dict[str, int] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)
    orders: dict[int, SpotOrder] = field(default_factory=dict)
    lists: dict[int, SpotList] = field(default_factory=dict)

    def of_list(self, made: SpotList) -> list[SpotOrder]:
        """Return the orders of a list."""
        return [order for order in self.orders.values() if order.list_id == made.number]

    def stands(self, made: SpotList) -> bool:
        """Say whether anything of a list stands."""
        return any(order.is_open for order in self.of_list(made))

    def by_client(self, client_id: str) -> SpotOrder | None:
        """Return the open order with a client id, else the latest."""
        found = [order for order in self.orders.values() if order.client_id == client_id]
        standing = [order for order in found if order.is_open]
        return (standing or found or [None])[-1]  # type: ignore[list-item]  # None stands for nothing found
