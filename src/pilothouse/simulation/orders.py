"""Orders as the simulated venue keeps them, in ticks and lots, and what becomes of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pilothouse.core.order import OrderType, TimeInForce


class Status(StrEnum):
    """Where an order is, in the venue's words."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})

_STOPS = frozenset({OrderType.STOP, OrderType.STOP_MARKET})


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it arrives.

    sign          1 for a buy, -1 for a sell
    lots          above zero
    price, stop   ticks, where the type has them
    """

    client_id: str
    symbol: str
    sign: int
    type: OrderType
    tif: TimeInForce
    lots: int
    price: int | None
    stop: int | None
    reduce_only: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The venue does not take the order; the code is what real venues answer with."""

    code: str
    message: str
    would_trigger: bool = False


@dataclass(slots=True)
class Order:
    """An order in the venue's books; it changes as it trades.

    number     rises with every order of the venue
    at, updated  microseconds since 1970
    filled     lots
    triggered  whether a conditional order has become active
    """

    number: int
    account_id: str
    client_id: str
    symbol: str
    sign: int
    type: OrderType
    tif: TimeInForce
    lots: int
    price: int | None
    stop: int | None
    reduce_only: bool
    at: int
    updated: int
    filled: int = 0
    triggered: bool = False
    status: Status = Status.NEW
    reason: str = ""

    @property
    def left(self) -> int:
        """Return the lots that have not traded."""
        return self.lots - self.filled

    @property
    def is_open(self) -> bool:
        """Say whether it stands."""
        return self.status in OPEN

    @property
    def waits(self) -> bool:
        """Say whether it still waits for its trigger."""
        return self.stop is not None and not self.triggered

    @property
    def binds_margin(self) -> bool:
        """Say whether it may add exposure now: what only reduces or has not triggered binds nothing."""
        return not self.reduce_only and not self.waits


class Execution(NamedTuple):
    """One trade of one order.

    trade       rises with every trade of the symbol
    commission, realised   quote units; realised is before commission
    """

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


class MovementKind(StrEnum):
    """Why money moved without a trade."""

    TRANSFER = "transfer"
    FUNDING = "funding"
    INSURANCE = "insurance"


class Movement(NamedTuple):
    """Money that came (above zero) or went without a trade; the number rises with every movement of the venue."""

    number: int
    account_id: str
    kind: MovementKind
    symbol: str
    amount: int
    at: int


def triggers(type_: OrderType, sign: int, stop: int, mark: int) -> bool:
    """Say whether a conditional order becomes active at `mark`.

    Stops: a buy at or above its stop price, a sell at or below; take-profits mirrored (futures API, "New Order").
    """
    rising = (type_ in _STOPS) == (sign > 0)
    return mark >= stop if rising else mark <= stop
