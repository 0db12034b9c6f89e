"""What the risk gate measures an order by: what an account, a bot or several accounts hold and did. Values alone."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pilothouse.core.limits import NOTHING, Limits

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Activity:
    """What an account, or one bot on it, has done lately; without the order that is asked about.

    orders_*           orders made within the last second, the last 60 seconds, and since midnight UTC
    notional_*         what they were worth, quote, without those that only reduce
    repeats_last_minute equal orders made within the last 60 seconds
    open_orders        orders that rest or are under way
    losses_in_a_row    closing orders of this UTC day that lost, with none that won behind them
    since_loss_s       seconds since the last of these, or of an earlier one; None: there was none
    """

    orders_last_second: int = 0
    orders_last_minute: int = 0
    orders_today: int = 0
    notional_last_second: Decimal = ZERO
    notional_last_minute: Decimal = ZERO
    notional_today: Decimal = ZERO
    repeats_last_minute: int = 0
    open_orders: int = 0
    losses_in_a_row: int = 0
    since_loss_s: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the account holds in all other instruments, quote; what is under way counts as if it were filled.

    gross    the larger of both sides of each, added up; zero or more
    net      as booked, short below zero
    net_bought, net_sold   with everything that is being bought, or sold
    same     of `gross`, what other accounts hold in the instrument of the order; zero where only one is counted
    """

    gross: Decimal = ZERO
    net: Decimal = ZERO
    net_bought: Decimal = ZERO
    net_sold: Decimal = ZERO
    same: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account holds and has asked for, in the instrument of the order and at all.

    position          base, signed, as booked
    pending_buy, pending_sell   base at rest or under way, be its outcome unknown, without orders that only reduce
    equity            quote, may be below zero
    equity_at_midnight quote, with what was paid in or out since
    high_water        the highest equity so far, with what was paid in or out since; None: nobody has looked yet
    opposing          (limit price, base) of own resting orders of the other side in the instrument
    """

    position: Decimal
    pending_buy: Decimal
    pending_sell: Decimal
    equity: Decimal
    equity_at_midnight: Decimal
    high_water: Decimal | None = None
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    opposing: tuple[tuple[Decimal, Decimal], ...] = ()
    done: Activity = field(default_factory=Activity)
    bot: Activity = field(default_factory=Activity)


@dataclass(frozen=True, slots=True)
class Together:
    """Limits for several accounts together, and what all of them hold and did.

    whose      names them in messages, such as "all accounts of the user"
    exposure   as of the order's account, with what the others hold in `elsewhere`, and sums for what is counted
    """

    whose: str
    exposure: Exposure
    limits: Limits = NOTHING
    warn: Limits = NOTHING
