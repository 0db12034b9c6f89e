"""Orders as the simulated venue keeps them, in ticks and lots, and what becomes of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation.slots import BOTH, slot
from pilothouse.simulation.trailing import Trail


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
    side          the slot it is for: BOTH, or LONG or SHORT of a hedged account
    closes        closes the whole slot when it triggers; `lots` is zero until then
    by_last       its trigger is compared with the last trade instead of the mark
    protect_ppm   while mark and last are further apart than that, the trigger waits; zero: it never does
    trail         its trigger follows the market; then `stop` is None
    expires_if_taking   a post-only order that would take is accepted and expires, instead of being refused
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
    side: str = BOTH
    closes: bool = False
    by_last: bool = False
    protect_ppm: int = 0
    trail: Trail | None = None
    expires_if_taking: bool = False

    @property
    def slot(self) -> str:
        """Return the name of the slot it is for."""
        return slot(self.symbol, self.side)

    @property
    def waits(self) -> bool:
        """Say whether it will wait for a trigger."""
        return self.stop is not None or self.trail is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The venue does not take the order; the code is what real venues answer with.

    for_now   it was not for what was asked: later it may be taken
    """

    code: str
    message: str
    would_trigger: bool = False
    for_now: bool = False


@dataclass(slots=True)
class Order:
    """An order in the venue's books; it changes as it trades.

    number     rises with every order of the venue
    at, updated  microseconds since 1970
    filled     lots
    triggered  whether a conditional order has become active
    traded     quote units of all its trades
    met        microseconds: when the price was that met its trigger, while best prices as young lack; else None
    rank       its place among orders of one price: its number, or that at which it was last amended
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
    side: str = BOTH
    closes: bool = False
    by_last: bool = False
    protect_ppm: int = 0
    trail: Trail | None = None
    traded: int = 0
    rank: int = 0
    met: int | None = None

    def __post_init__(self) -> None:
        """Stand where it arrived."""
        self.rank = self.rank or self.number

    @property
    def slot(self) -> str:
        """Return the name of the slot it is for."""
        return slot(self.symbol, self.side)

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
        return (self.stop is not None or self.trail is not None) and not self.triggered

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
    return mark >= stop if rises(type_, sign) else mark <= stop


def rises(type_: OrderType, sign: int) -> bool:
    """Say whether a conditional order waits for the market to rise to its stop price."""
    return (type_ in _STOPS) == (sign > 0)
