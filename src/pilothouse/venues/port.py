"""What the house asks of a venue, and the three outcomes it may answer with.

Accepted: it stands in the venue's books. Rejected: it does not and, sent like this, never will. Unknown: nobody can
say; the house asks by client order id and never sends blindly again.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from pilothouse.core.candle import Candle
from pilothouse.core.fill import Fill
from pilothouse.core.funding_rate import FundingRate
from pilothouse.core.instrument import Instrument
from pilothouse.core.order import OrderTerms
from pilothouse.core.quote import Quote
from pilothouse.venues.card import Card


class VenueStatus(StrEnum):
    """Where an order is, in the venue's own words."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


class MarginType(StrEnum):
    """Whether a position risks its own margin or the whole account's."""

    ISOLATED = "ISOLATED"
    CROSSED = "CROSSED"


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """Whose account at the venue. `id` is the house's id of it; adapters find keys by it."""

    id: str
    owner_id: str


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order on its way out.

    client_order_id   ours, unique in the account for ever
    stamped_at        when this attempt was stamped; the venue takes it within its acceptance window only
    close_position    a stop or take-profit at the market that closes the whole position, whatever its size is then;
                      the quantity of its terms is what is expected to be closed and is not sent; so are terms that
                      say so themselves
    beside            the other half of a pair (OCO), which is placed by the same request or not at all: whichever
                      fires, or is cancelled, ends the other; only for venues with the capability PAIRS
    """

    client_order_id: str
    terms: OrderTerms
    stamped_at: datetime
    close_position: bool = False
    beside: "OrderRequest | None" = None

    def __post_init__(self) -> None:
        """Close the whole position where the terms say so."""
        if self.terms.whole_position and not self.close_position:
            object.__setattr__(self, "close_position", True)


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue says of one order at one instant.

    filled_quantity   base, in all
    fills             the executions it tells with this report; may be fewer than there are, never more
    """

    client_order_id: str
    venue_order_id: str
    terms: OrderTerms
    status: VenueStatus
    filled_quantity: Decimal
    at: datetime
    fills: tuple[Fill, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue has it; the report may already tell that it filled, expired or was cancelled.

    beside   the same of the other half, where a pair was placed and the venue told of both
    """

    report: OrderReport
    beside: OrderReport | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The venue does not take it.

    would_trigger     a stop whose price was already passed
    may_be_repeated   it was not for what was asked: limits, a busy venue, no connection; asked later, it may be taken
    """

    code: str
    message: str
    would_trigger: bool = False
    may_be_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say whether it happened."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The venue says that it knows no such order: no proof before the acceptance window has passed."""


@dataclass(frozen=True, slots=True)
class Gone:
    """There was nothing left to cancel: it had filled, expired or been cancelled; `report` if the venue tells."""

    report: OrderReport | None = None


PlaceOutcome = Accepted | Rejected | Unknown
CancelOutcome = Accepted | Gone | Rejected | Unknown
FindOutcome = Accepted | Absent | Unknown


@dataclass(frozen=True, slots=True)
class Replaced:
    """The old order was ended and another takes its place.

    ended    the old order as it ended, with what it had filled until then
    placed   what became of the new one, which asks for the rest; None: nothing was left to ask for
    """

    ended: OrderReport
    placed: PlaceOutcome | None


AmendOutcome = Accepted | Replaced | Gone | Rejected | Unknown
"""Accepted: changed in place, its client id stays. Gone: it had ended. Rejected: it stands as it was."""


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """A position as the venue keeps it (one-way: one per symbol; flat ones may be left out)."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealised: Decimal
    leverage: int
    margin_type: MarginType
    liquidation_price: Decimal | None
    isolated_margin: Decimal | None
    notional: Decimal


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """What the account holds of one currency, as the venue keeps it; exact."""

    asset: str
    wallet: Decimal
    available: Decimal
    cross_wallet: Decimal
    unrealised: Decimal
    margin_balance: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """A funding payment; `amount` above zero was received, quote currency."""

    venue_id: str
    symbol: str
    amount: Decimal
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that came in (above zero) or left, such as the first deposit of a paper account."""

    venue_id: str
    amount: Decimal
    currency: str
    at: datetime


class StreamState(StrEnum):
    """How well an account is heard.

    LOST          nothing is heard; it is being opened again
    CATCHING_UP   it is open, and what happened meanwhile is being asked for: decide nothing until it is told
    LIVE          everything that happened has been told
    """

    LOST = "lost"
    CATCHING_UP = "catching_up"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """Something that happened to an account on its own: exactly one field besides the account is set."""

    account_id: str
    report: OrderReport | None = None
    funding: FundingPayment | None = None
    stream: StreamState | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found when an account was tried: nothing was changed by it.

    label           in which its owner knows the credential again; no secret
    clock_ahead     of the venue, against ours
    hedge_mode      whether it keeps long and short apart: then it cannot be traded here
    may_trade, may_withdraw   as the venue says of the credential; None: it does not say
    """

    label: str
    clock_ahead: timedelta
    balance: VenueBalance
    hedge_mode: bool
    may_trade: bool | None
    may_withdraw: bool | None
    positions: tuple[VenuePosition, ...]


class Venue(Protocol):
    """One venue. Every call may take long and may end in Unknown or raise core.errors.Unavailable (reads only).

    Reads raise Unavailable when the venue does not answer: a failed query is never "flat".
    """

    @property
    def card(self) -> Card:
        """Return what this venue can do."""
        ...

    def instruments(self) -> Sequence[Instrument]:
        """Return everything that can be traded here."""
        ...

    def place(self, account: VenueAccount, orders: Sequence[OrderRequest]) -> list[PlaceOutcome]:
        """Place orders one after the other, in this order; one outcome each. Never raises for an order's own fault."""
        ...

    def cancel(
        self, account: VenueAccount, symbol: str, client_order_id: str, stamped_at: datetime | None = None
    ) -> CancelOutcome:
        """Cancel one order. `stamped_at`: when the request was stamped, if before now; it may be too old then."""
        ...

    def amend(self, account: VenueAccount, client_order_id: str, wanted: OrderRequest) -> AmendOutcome:
        """Change price or size of a resting order, by the venue's own means or by ending it and placing another.

        client_order_id   of the resting order
        wanted            as it is to be; its quantity counts what has filled already, its client id is given to the
                          order that takes the place of the old one, if one does
        """
        ...

    def find(self, account: VenueAccount, symbol: str, client_order_id: str) -> FindOutcome:
        """Ask for one order by our id, open or not, with all of its fills."""
        ...

    def open_orders(self, account: VenueAccount) -> list[OrderReport]:
        """Return every order that stands, ours or not."""
        ...

    def fills_after(self, account: VenueAccount, symbol: str, venue_trade_id: str | None) -> list[Fill]:
        """Return the fills behind `venue_trade_id` (None: all there are), oldest first."""
        ...

    def funding_after(self, account: VenueAccount, venue_id: str | None) -> list[FundingPayment]:
        """Return the funding payments behind `venue_id`, oldest first."""
        ...

    def transfers_after(self, account: VenueAccount, venue_id: str | None) -> list[Transfer]:
        """Return deposits and withdrawals behind `venue_id`, oldest first."""
        ...

    def positions(self, account: VenueAccount) -> list[VenuePosition]:
        """Return every position that is not flat."""
        ...

    def balance(self, account: VenueAccount) -> VenueBalance:
        """Return what the account holds of its settlement currency."""
        ...

    def settings(self, account: VenueAccount, symbol: str) -> tuple[int, MarginType]:
        """Return leverage and margin type in one instrument."""
        ...

    def set_leverage(
        self, account: VenueAccount, symbol: str, leverage: int, stamped_at: datetime | None = None
    ) -> int:
        """Set the leverage, 1 to the instrument's maximum, and return it; raises Refused, Unavailable or Unknown.

        stamped_at   when the request was stamped, if before now; it may be too old then
        """
        ...

    def set_margin_type(
        self, account: VenueAccount, symbol: str, margin_type: MarginType, stamped_at: datetime | None = None
    ) -> MarginType:
        """Set the margin type and return it; no change is success; raises Refused, Unavailable or Unknown.

        stamped_at   as of `set_leverage`
        """
        ...

    def examine(self, account: VenueAccount) -> Examined:
        """Try an account's credential without changing anything.

        Raises Refused (it does not fit, or the venue does not take it) or Unavailable.
        """
        ...

    def listen(self, account: VenueAccount, sink: Callable[[AccountEvent], None]) -> Callable[[], None]:
        """Hand every event of one account to `sink` as it happens, until what this returns is called.

        `sink` must not block. A stream that broke is opened again by itself; its state is told, and after each
        reconnect what was missed is told before LIVE.
        """
        ...

    def watch(self, sink: Callable[[Sequence[Quote]], None]) -> Callable[[], None]:
        """Hand quotes of what is followed to `sink` as they change; return what stops it. `sink` must not block."""
        ...

    def follow(self, symbols: Collection[str]) -> None:
        """Follow the prices of these symbols too from now on; what is followed already stays so. Does not wait."""
        ...

    def quotes(self, symbols: Collection[str] = ()) -> list[Quote]:
        """Ask for the present prices of `symbols` (none named: of what is followed). Raises Unavailable."""
        ...

    def timeframes(self) -> tuple[str, ...]:
        """Return how long candles may be here, such as 1m, 1h, 1d; empty if the venue has none."""
        ...

    def candles(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Candle]:
        """Return candles that open from `start` to `end`, oldest first; as many as one question gives.

        Raises NotFound for a timeframe or symbol it does not have, or Unavailable.
        """
        ...

    def tells_funding(self) -> bool:
        """Say whether past funding rates can be asked for here; where nothing is lent, as on spot, there are none."""
        ...

    def funding_rates(self, symbol: str, start: datetime, end: datetime) -> list[FundingRate]:
        """Return the rates that were settled from `start` to `end`, oldest first; as many as one question gives.

        Raises NotFound where the venue tells none, or does not have the symbol; Unavailable.
        """
        ...

    def close(self) -> None:
        """End what is open. Safe to call twice."""
        ...
