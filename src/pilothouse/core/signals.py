"""A signal: what an alert asks for, in the house's words, before anybody looked at the account."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType


class SignalKind(StrEnum):
    """What is wanted."""

    OPEN = "open"
    INCREASE = "increase"
    DECREASE = "decrease"
    CLOSE = "close"
    TARGET = "target"


class SizeKind(StrEnum):
    """What the number of a size counts."""

    QUANTITY = "quantity"
    QUOTE_AMOUNT = "quote_amount"
    EQUITY_PERCENT = "equity_percent"
    RISK_PERCENT = "risk_percent"


@dataclass(frozen=True, slots=True)
class Size:
    """How much: base units, quote units, percent of equity, or percent of equity lost if the stop fills; above zero."""

    kind: SizeKind
    value: Decimal


@dataclass(frozen=True, slots=True)
class Level:
    """Where a stop-loss or take-profit stands: a price, or a percentage of the entry price; above zero."""

    price: Decimal | None = None
    percent: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse both and neither."""
        assert (self.price is None) != (self.percent is None), "a level is a price or a percentage"


@dataclass(frozen=True, slots=True)
class Signal:
    """What an alert asks for.

    symbol       as it was sent; `venues/symbols` finds the instrument
    side         for OPEN always, for INCREASE optional, else None
    size         for OPEN, INCREASE, DECREASE; None means the hook's default size
    target       for TARGET: the position wanted, base, signed
    price        for LIMIT: quote per base; else None
    stop_loss, take_profit   for signals that open or increase
    alert_id     the sender's own id of this alert, or None
    sent_at      when the sender says it was sent, if that parsed
    """

    kind: SignalKind
    symbol: str
    side: Side | None = None
    size: Size | None = None
    target: Decimal | None = None
    order_type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    stop_loss: Level | None = None
    take_profit: Level | None = None
    alert_id: str | None = None
    sent_at: datetime | None = None
    comment: str | None = None
