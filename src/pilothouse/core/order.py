"""An order and its life: one table of (state, event) -> state. A pair that is not in it is Broken.

    INTENDED ──send──> SENDING ──accept──> WORKING ──fill──> PARTLY_FILLED ──> FILLED
                          │ reject──> REJECTED       └──cancel──> CANCELED   └──expire──> EXPIRED
       <──put_off──────── │
                          └ lose──> UNKNOWN ──(what the venue answers when asked)──> any of these

Three outcomes leave SENDING: accepted, refused, unknown. From UNKNOWN only the venue's own word leads on: what it
reports of the order, or, after the request can no longer be accepted, that it never saw it (`deny`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from pilothouse.core.errors import Broken
from pilothouse.core.instrument import Side


class OrderType(StrEnum):
    """What kind of order; names as venues use them.

    is_conditional   whether it waits for a trigger price
    has_limit        whether it carries a limit price
    """

    is_conditional: bool
    has_limit: bool

    def __new__(cls, name: str) -> Self:
        """Work out once what is asked of every order again and again."""
        self = str.__new__(cls, name)
        self._value_ = name
        self.is_conditional = name not in {"MARKET", "LIMIT"}
        self.has_limit = name in {"LIMIT", "STOP", "TAKE_PROFIT"}
        return self

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


CLOSES_ALL = frozenset({OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET})
"""Kinds of order that may close whatever is held when they fire."""


class TimeInForce(StrEnum):
    """How long an order stands. GTX is post-only: it never takes."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


_RESTS = frozenset({TimeInForce.GTC, TimeInForce.GTX})


class Purpose(StrEnum):
    """Why an order exists.

    protects   whether it guards a position and dies with it
    """

    protects: bool

    def __new__(cls, name: str) -> Self:
        """Work out once what is asked of every order again and again."""
        self = str.__new__(cls, name)
        self._value_ = name
        self.protects = name in {"stop_loss", "take_profit"}
        return self

    ENTRY = "entry"
    EXIT = "exit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    MANUAL = "manual"
    LIQUIDATION = "liquidation"
    FOREIGN = "foreign"


class OrderState(StrEnum):
    """Where an order is in its life."""

    INTENDED = "intended"
    SENDING = "sending"
    UNKNOWN = "unknown"
    WORKING = "working"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Say whether nothing more is expected to happen to it."""
        return self in FINAL

    @property
    def is_resting(self) -> bool:
        """Say whether it stands at the venue."""
        return self in {OrderState.WORKING, OrderState.PARTLY_FILLED}


FINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED})
LIVE = frozenset(set(OrderState) - FINAL)


class OrderEvent(StrEnum):
    """What may happen to an order."""

    SEND = "send"
    LOSE = "lose"
    ACCEPT = "accept"
    REJECT = "reject"
    FILL_PART = "fill_part"
    FILL_REST = "fill_rest"
    CANCEL = "cancel"
    EXPIRE = "expire"
    DENY = "deny"
    PUT_OFF = "put_off"
    WITHDRAW = "withdraw"


def _table() -> Mapping[tuple[OrderState, OrderEvent], OrderState]:
    """Return every pair that may happen; what is not here is Broken."""
    s, e = OrderState, OrderEvent
    table = {
        (s.INTENDED, e.SEND): s.SENDING,
        (s.INTENDED, e.WITHDRAW): s.CANCELED,  # given up before it was ever sent
        (s.SENDING, e.PUT_OFF): s.INTENDED,  # it certainly did not arrive: its sender says so, or the venue was busy
        (s.SENDING, e.LOSE): s.UNKNOWN,
        (s.UNKNOWN, e.LOSE): s.UNKNOWN,  # asked, and the question was lost too
        (s.UNKNOWN, e.DENY): s.INTENDED,  # never arrived and no longer can: the same id may be sent again
        # The venue speaks twice of one thing, and not always in order: by answer, by stream, and when asked.
        (s.WORKING, e.ACCEPT): s.WORKING,
        (s.PARTLY_FILLED, e.ACCEPT): s.PARTLY_FILLED,
        (s.CANCELED, e.CANCEL): s.CANCELED,
        (s.EXPIRED, e.EXPIRE): s.EXPIRED,
        (s.REJECTED, e.REJECT): s.REJECTED,
    }
    for final in (s.FILLED, s.CANCELED, s.EXPIRED):
        table[final, e.ACCEPT] = final  # a late acknowledgement changes nothing
    for asked in (s.SENDING, s.UNKNOWN):
        table |= {
            (asked, e.ACCEPT): s.WORKING,
            (asked, e.REJECT): s.REJECTED,
            (asked, e.FILL_PART): s.PARTLY_FILLED,
            (asked, e.FILL_REST): s.FILLED,
            (asked, e.CANCEL): s.CANCELED,
            (asked, e.EXPIRE): s.EXPIRED,
        }
    for resting in (s.WORKING, s.PARTLY_FILLED):
        table |= {
            (resting, e.FILL_PART): s.PARTLY_FILLED,
            (resting, e.FILL_REST): s.FILLED,
            (resting, e.CANCEL): s.CANCELED,
            (resting, e.EXPIRE): s.EXPIRED,
        }
    for gone in (s.CANCELED, s.EXPIRED):
        # A fill from before the cancel may be told after it; the money is real, the rest stays cancelled.
        table[gone, e.FILL_PART] = gone
        table[gone, e.FILL_REST] = s.FILLED
    return MappingProxyType(table)


TRANSITIONS = _table()


class UnlistedTransition(Broken):
    """Something happened to an order that cannot happen in its state."""

    code = "unlisted_transition"


def after(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state that follows; raises UnlistedTransition, which stops trading on the account."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise UnlistedTransition(f"an order that is {state} cannot meet '{event}'") from None


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What is asked of the venue: everything that makes an order this order.

    quantity      base, above zero, on the lot grid
    price         limit, quote per base, for LIMIT, STOP and TAKE_PROFIT; else None
    stop_price    trigger, for conditional types; else None; compared with the mark price. Of an order that trails: from
                  which price on it follows the market; None: from the beginning
    trail_percent for TRAILING_STOP_MARKET: how far the market turns back from its best before it fires; else None
    whole_position   it closes all that is held when it fires; the quantity is what is held now, and is not sent
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    trail_percent: Decimal | None = None
    whole_position: bool = False

    def __post_init__(self) -> None:
        """Refuse terms that no venue could read one way only."""
        trails = self.type is OrderType.TRAILING_STOP_MARKET
        assert (self.trail_percent is not None) == trails, f"{self.type} and trail {self.trail_percent} do not fit"
        assert not self.whole_position or (self.reduce_only and self.type in CLOSES_ALL), (
            f"{self.type} closes no whole position"
        )
        assert self.quantity > 0, "an order is for something"
        assert (self.price is not None) == self.type.has_limit, f"{self.type} and price {self.price} do not fit"
        assert trails or (self.stop_price is not None) == self.type.is_conditional, (
            f"{self.type} and stop price {self.stop_price} do not fit"
        )

    @property
    def rests(self) -> bool:
        """Say whether it may stand at the venue instead of being done at once."""
        if self.type is OrderType.LIMIT:
            return self.time_in_force in _RESTS
        return self.type.is_conditional
