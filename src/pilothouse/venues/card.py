"""The card of a venue: what it can do, what it cannot, and what it calls itself."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from pilothouse.core.stops import USUAL_WAYS, StopWay, TrailRange

HOLDINGS = "holdings"
"""The capability of a venue whose positions are coins, which may come and go without a trade."""

PAIRS = "order lists (OCO)"
"""The capability of a venue where two orders wait for the same coins, and whichever fires ends the other."""

STOPS_KEPT = "stops kept by the house"
"""The capability of a venue that cannot carry stops: the house watches and triggers them, while it runs."""

COUNTDOWN = "countdown cancel"
"""The capability of a venue that cancels by itself when it is not told in time that somebody is still there."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One rule of the venue card: done, to do, or exempt with the reason."""

    name: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What a venue can do and what it cannot.

    acceptance_window_s   after so many seconds from its stamp a request can no longer be accepted; None: never certain
    simulated             whether its money is made up; it is then named so wherever it is shown
    prices_of             the real market whose prices it has although it is simulated; empty: it has its own
    trails                how far trailing orders of its own may trail; None: it has none that the house uses
    stop_ways             in which forms it takes a stop, in the order in which they are tried
    in_one_go             whether what is placed by one call is taken in its order and becomes durable all at once, and
                          behind an order that is refused for now none is taken that does not wait for a trigger
    """

    venue: str
    title: str
    simulated: bool
    acceptance_window_s: Decimal | None
    capabilities: tuple[Capability, ...] = field(default=())
    prices_of: str = ""
    trails: TrailRange | None = None
    stop_ways: tuple[StopWay, ...] = USUAL_WAYS
    in_one_go: bool = False

    @property
    def acceptance_window(self) -> timedelta | None:
        """Return how long after its stamp a request may still be accepted; None: nobody can say."""
        seconds = self.acceptance_window_s
        return None if seconds is None else timedelta(microseconds=int(seconds * 1_000_000))

    @property
    def makes_prices(self) -> bool:
        """Say whether its prices are made up, not only its money."""
        return self.simulated and not self.prices_of

    @property
    def market(self) -> str:
        """Return what kind of market it is, for people."""
        if self.prices_of:
            return f"paper money on real prices of {self.prices_of}"
        return "simulated market, its prices are made up" if self.simulated else "real market"

    def has(self, capability: str) -> bool:
        """Say whether a capability of that name is done."""
        return any(one.name == capability and one.state == "done" for one in self.capabilities)
