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
    HEARTBEAT = "heartbeat"


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
    """Where a stop-loss or take-profit stands; exactly one is set, above zero.

    price      quote per base
    percent    so many percent of the entry price away from it
    distance   so much away from the entry price, quote per base
    """

    price: Decimal | None = None
    percent: Decimal | None = None
    distance: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse more than one and none."""
        said = [self.price, self.percent, self.distance]
        assert sum(one is not None for one in said) == 1, "a level is a price, a percentage or a distance"


@dataclass(frozen=True, slots=True)
class Target:
    """One take-profit of several.

    share   percent of the position that it closes, above zero, at most 100; None: what the others leave
    """

    level: Level
    share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Trailing:
    """A stop that follows the best price; exactly one of the first two is set, above zero.

    percent      of the best price, below 100
    distance     quote per base
    activation   it follows from here on; None: from the beginning
    """

    percent: Decimal | None = None
    distance: Decimal | None = None
    activation: Level | None = None

    def __post_init__(self) -> None:
        """Refuse both and neither."""
        assert (self.percent is None) != (self.distance is None), "a stop trails by a percentage or a distance"


@dataclass(frozen=True, slots=True)
class Guards:
    """What a position is to be protected with, whichever side it has; nothing is set by default.

    targets             take-profits; at most one has no share
    break_even_after    so many targets filled, and the stop stands at the entry price at least
    time_stop_s         the position is closed so many seconds after it was opened
    """

    stop_loss: Level | None = None
    targets: tuple[Target, ...] = ()
    break_even_after: int | None = None
    trailing: Trailing | None = None
    time_stop_s: int | None = None

    def __bool__(self) -> bool:
        """Say whether anything is asked for."""
        return bool(self.stop_loss or self.targets or self.trailing or self.time_stop_s)


@dataclass(frozen=True, slots=True)
class Signal:
    """What an alert asks for.

    symbol       as it was sent; `venues/symbols` finds the instrument
    side         for OPEN always, for INCREASE optional, else None
    size         for OPEN, INCREASE, DECREASE; None means the hook's default size
    target       for TARGET: the position wanted, base, signed
    price        for LIMIT: quote per base; else None
    stop_loss, take_profit   for signals that open or increase, as all of the next five
    take_profits   several targets; then there is no `take_profit`
    break_even_after, trailing_stop, time_stop_s   as in Guards
    alert_id     the sender's own id of this alert, or None
    sent_at      when the sender says it was sent, if that parsed
    bar_time     of the bar that it was sent for, as the sender says, if that parsed
    counter      the sender's running number of its alerts, zero or more
    position_before   what the sender held before it, base, signed; None if it does not say
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
    bar_time: datetime | None = None
    counter: int | None = None
    position_before: Decimal | None = None
    take_profits: tuple[Target, ...] = ()
    break_even_after: int | None = None
    trailing_stop: Trailing | None = None
    time_stop_s: int | None = None

    @property
    def guards(self) -> Guards:
        """Return what the position that it opens or adds to is to be protected with."""
        targets = self.take_profits or ((Target(self.take_profit),) if self.take_profit else ())
        return Guards(self.stop_loss, targets, self.break_even_after, self.trailing_stop, self.time_stop_s)
