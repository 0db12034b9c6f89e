"""Orders, positions and instruments of a run in turns, in whole lots and ticks: what they are, and no more. Pure."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from pilothouse.backtest.result import Reason, Scale
from pilothouse.backtest.spec import PPM, Costs, Market, Slip
from pilothouse.backtest.turn_steps import Steps
from pilothouse.core.candles import Candles
from pilothouse.core.limits import NOTHING, Limits
from pilothouse.strategies.sdk import Want

ALL: Final = 1 << 61
"""More lots than there are: as many as are held."""

LEAVE: Final = "leave"
"""The key of what closes a position at the market, where rules are carried out."""


class Ticket(Want, frozen=True, gc=False):
    """An order of rules rather than of a strategy: counted in lots and ticks already, and met as the kernels meet it.

    sign             1 buys, -1 sells
    lots             ALL: as many as are held
    limit, trigger   ticks, 0 for none
    decided          the bar of its instrument that decided: its close is what the gate is asked with
    worth            of the account when it was decided, units: what the gate is asked with as well
    until            the last bar of its instrument in which an entry at a limit or trigger waits
    late             the step in which a target fills no more, because an entry filled inside it
    """

    sign: int = 1
    lots: int = 0
    limit: int = 0
    trigger: int = 0
    reason: Reason = Reason.SIGNAL
    decided: int = 0
    worth: int = 0
    until: int = ALL
    late: int = -1
    tag: int = -1


@dataclass(slots=True, eq=False)
class Lane:
    """One instrument and its bars.

    columns    opens, highs, lows, closes, ticks; arrays, because a list of a year's minutes is looked through by
               every collection of garbage
    volume     lots of each bar, where fills depend on them
    due        by bar: (funding at the open, funding inside, interest), ppb, where something is
    tick       what a tick is worth, quote
    step       what a step of the candles' volume is worth, base
    steps      of the whole run
    bar_of     of each bar or piece the bar of `candles`
    bars_at    of each bar of `candles` which of the run's bars it is
    places     of each bar or piece its step
    known      of each bar or piece the step at which its bar has closed
    closed     of each bar or piece when it closed, milliseconds since 1970
    bar        where it is: the last bar or piece so far
    now        the step of that one
    budget     lots that may still be filled in this bar
    last       the last price that is known, ticks
    under_way  whether its last bar has opened and is not over
    sizes      lots of quantities that were asked for lately
    slips      whether who takes pays a worse price
    place      which of the run's instruments it is
    """

    market: Market
    costs: Costs
    candles: Candles
    scale: Scale
    units: int
    columns: tuple["array[int]", "array[int]", "array[int]", "array[int]"]
    volume: list[int]
    due: dict[int, tuple[int, int, int]]
    steps: Steps
    bar_of: Sequence[int]
    bars_at: Sequence[int] = ()
    places: Sequence[int] = ()
    known: Sequence[int] = ()
    closed: Sequence[int] = ()
    tick: Decimal = field(init=False)
    step: Decimal = field(init=False)
    bar: int = -1
    now: int = -1
    first: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    budget: int = ALL
    last: int = 0
    under_way: bool = False
    maker_ppm: int = 0
    taker_ppm: int = 0
    legs: list["Leg"] = field(default_factory=list)
    sizes: dict[Decimal, int] = field(default_factory=dict)
    slips: bool = field(init=False)
    place: int = 0

    def __post_init__(self) -> None:
        """Keep what each bar is told with."""
        self.tick, self.step = self.scale.tick, self.candles.volume_step
        self.slips = self.costs.slip is not Slip.NONE

    def go_to(self, bar: int, share: int | None) -> None:
        """Stand at a bar; `share`: ppm of its volume that may be filled, None for all that is asked for."""
        self.bar = bar
        opens, highs, lows, closes = self.columns
        self.first, self.high, self.low, self.close = opens[bar], highs[bar], lows[bar], closes[bar]
        self.budget = self.volume[bar] * share // PPM if share else ALL
        self.last, self.under_way = self.first, True

    def close_bar(self) -> None:
        """Come to the close of the bar."""
        self.last, self.under_way = self.close, False

    @property
    def has_closed(self) -> bool:
        """Say whether some bar has closed: before that it has no price that a decision could be made at."""
        return self.bar > 0 or (self.bar == 0 and not self.under_way)


class Open(msgspec.Struct, eq=False, gc=False):
    """The trade that is open, from flat to flat; `fresh`: the bar in which it was opened behind the open."""

    side: int
    opened: int
    first_price: int
    reason: Reason
    tag: int
    worst: int
    best: int
    fresh: int = -1
    lots: int = 0
    opened_value: int = 0
    closed_value: int = 0
    fees: int = 0
    funding: int = 0
    number: int = -1


class Booked(msgspec.Struct, eq=False, gc=False):
    """One fill; signed lots. Tens of thousands are kept: as tuples they would be looked through for garbage."""

    step: int
    lots: int
    price: int
    fee: int
    reason: Reason
    trade: Open
    maker: bool


@dataclass(slots=True, eq=False)
class Leg:
    """A position of one instrument; or one side of it, where both may be held at once.

    pos    lots, short below zero
    side   1 or -1 where only that side is held here, else 0
    leave  the key of what closes it at the market, where rules are carried out
    came   the price from which it goes on through its bar, ticks
    """

    lane: Lane
    side: int = 0
    pos: int = 0
    trade: Open | None = None
    leave: str = LEAVE
    came: int = 0
    orders: "dict[str, Order]" = field(default_factory=dict)

    @property
    def worth(self) -> int:
        """Return what the position is worth at the last price, units; short below zero."""
        return self.pos * self.lane.last * self.lane.units


class Order(msgspec.Struct, eq=False):
    """An order that stands: lots left, prices in ticks.

    key       its name, that of what was wanted
    since     step in which it was asked for in this form; of a ticket, the bar of its instrument
    best      from which a trailing trigger is measured
    ticket    what it is, where rules are carried out; such orders rest at their own price, even over a gap
    frozen    a target that was met once: what is left of it no longer changes with the position
    number    its row in the log of orders, where there is one
    """

    want: Want
    leg: Leg
    sign: int
    lots: int
    limit: int | None
    trigger: int | None
    trail: int
    reduces: bool
    since: int
    reason: Reason
    best: int = 0
    ticket: Ticket | None = None
    frozen: bool = False
    key: str = ""
    number: int = -1

    def level(self, at: int) -> int:
        """Return the price at which the market reaches it; `at` where it is reached at once."""
        if self.trigger is not None:
            return self.trigger
        return self.limit if self.limit is not None else at


def is_limited(limits: Limits) -> bool:
    """Say whether the gate has anything to ask."""
    return limits is not NOTHING and limits != NOTHING
