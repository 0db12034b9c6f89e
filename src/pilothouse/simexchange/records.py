"""What the exchange remembers besides the floor: orders as they were asked, conditional orders, fills, income, keys."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from pilothouse.simulation.account import Account
from pilothouse.simulation.orders import Order
from pilothouse.simulation.slots import slot
from pilothouse.simulation.trailing import Trail

HISTORY_MAX = 200_000
"""Orders, fills and income kept for one account; a load test of hours must not eat the machine."""

ASTER, BINANCE = "aster", "binance"


class Fill(NamedTuple):
    """One trade of one order, as the floor notes it, and the side of the slot it went to."""

    trade: int
    number: int
    account_id: str
    client_id: str
    symbol: str
    sign: int
    price: int
    lots: int
    commission: int
    realised: int
    maker: bool
    at: int
    side: str


@dataclass(slots=True)
class Told:
    """An order and how it was asked for.

    kind      the type in the venue's words; it stays when the order triggers
    working   MARK_PRICE or CONTRACT_PRICE
    told      lots of it that user events have told
    amended   (microseconds, lots before, lots after, ticks before, ticks after)
    conditional   it came of a conditional order that is not in the books; `kind` is that one's type
    modify_id what the latest amendment was called by who asked for it
    """

    order: Order
    kind: str
    working: str = "CONTRACT_PRICE"
    protect: bool = False
    match: str = "NONE"
    stp: str = "EXPIRE_MAKER"
    good_till: int = 0
    told: int = 0
    told_worth: int = 0
    announced: bool = False
    modify_id: str = ""
    conditional: bool = False
    amended: list[tuple[int, int, int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Algo:
    """A conditional order of the Binance kind: it becomes an order only when it triggers.

    lots, price, stop   whole lots and ticks; zero lots: it closes the position
    good_till           milliseconds, zero: none
    """

    number: int
    client_id: str
    symbol: str
    sign: int
    side: str
    kind: str
    tif: str
    lots: int
    price: int | None
    stop: int | None
    trail: Trail | None
    working: str
    protect: bool
    reduce_only: bool
    closes: bool
    match: str
    stp: str
    good_till: int
    created: int
    updated: int
    status: str = "NEW"
    triggered: int = 0
    actual: Order | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Say whether it still waits."""
        return self.status == "NEW"


@dataclass(frozen=True, slots=True)
class Income:
    """One line of the income history; quote units."""

    number: int
    symbol: str
    kind: str
    amount: int
    at: int
    info: str = ""
    trade: str = ""


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """One trade as everybody sees it; `is_buy`: the taker bought."""

    number: int
    symbol: str
    ticks: int
    lots: int
    at: int
    is_buy: bool


@dataclass(slots=True)
class AccountFile:
    """Everything about one account that the floor does not keep.

    countdowns   symbol -> microseconds at which all its orders are cancelled
    minute, ten_seconds  (which one, how many orders came in it); spot_ten, spot_day: likewise, on the spot side
    protection   how a market maker is protected, as it was set
    called       the slots that a margin call was about, while they are still near to being lost
    margins      what was set aside by hand: (microseconds, symbol, side, quote units)
    """

    id: str
    alias: str
    profile: str
    multi_assets: bool = False
    builder: str = ""
    fee_burn: bool = False
    orders: dict[int, Told] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)
    algos: dict[int, Algo] = field(default_factory=dict)
    algo_by_client: dict[str, int] = field(default_factory=dict)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    income: deque[Income] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    countdowns: dict[str, int] = field(default_factory=dict)
    minute: tuple[int, int] = (0, 0)
    ten_seconds: tuple[int, int] = (0, 0)
    spot_ten: tuple[int, int] = (0, 0)
    spot_day: tuple[int, int] = (0, 0)
    changed: dict[str, int] = field(default_factory=dict)
    protection: dict[str, str] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    margins: list[tuple[int, str, str, int]] = field(default_factory=list)

    def keep(self, told: Told) -> None:
        """Remember an order."""
        order = told.order
        self.orders[order.number] = told
        self.latest[order.client_id] = order.number
        if len(self.orders) > HISTORY_MAX:
            oldest = next(iter(self.orders))
            if not self.orders[oldest].order.is_open:
                gone = self.orders.pop(oldest).order
                if self.latest.get(gone.client_id) == oldest:
                    del self.latest[gone.client_id]

    def open_algos(self, symbol: str = "") -> list[Algo]:
        """Return the conditional orders that wait."""
        return [each for each in self.algos.values() if each.is_open and (not symbol or each.symbol == symbol)]


def slots_of(account: Account, symbol: str) -> list[str]:
    """Return the slots of an instrument that an account has in its position mode."""
    sides = ("LONG", "SHORT") if account.hedged else ("BOTH",)
    return [slot(symbol, side) for side in sides]
