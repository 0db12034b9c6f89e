"""The desk: what execution works with, opened once by `wiring` and handed to every function that needs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Final, cast

from pilothouse.core.clock import Clock
from pilothouse.core.errors import Broken
from pilothouse.core.ids import Ids
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.core.stops import StopWay, TrailRange
from pilothouse.execution.activity import DaySums
from pilothouse.execution.elapsed import Elapsed
from pilothouse.execution.fence import Writers
from pilothouse.execution.lanes import Lanes
from pilothouse.kit.db import Database
from pilothouse.kit.meters import Meters
from pilothouse.venues.abilities import TellsItsTime
from pilothouse.venues.catalogue import carries_stops, has_pairs, holds_coins, stop_ways, trails
from pilothouse.venues.port import Venue

CLOCK_OFF_MOST: Final = timedelta(seconds=5)
"""So much may the clocks of a venue and of this machine differ."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the order path waits for what.

    hand_off        a process may put an order on the wire this long after it decided; then somebody asks
    ask_first, ask_most   back-off between questions about an unknown order
    window_slack    added to the venue's acceptance window before "no such order" is believed
    intent_age_most an order that adds exposure and waited longer than this is not sent any more
    venue_busy      an order that the venue was too busy to take is sent again after so long at the earliest
    elsewhere       whoever may not send for an account looks again after so long whether it may
    loosening       a limit that is loosened holds only after so long
    deaf            an account that is not heard decides nothing for so long; then what only reduces goes on
    """

    hand_off: timedelta = timedelta(seconds=30)
    ask_first: timedelta = timedelta(milliseconds=200)
    ask_most: timedelta = timedelta(seconds=5)
    window_slack: timedelta = timedelta(milliseconds=500)
    intent_age_most: timedelta = timedelta(seconds=300)
    venue_busy: timedelta = timedelta(seconds=1)
    elsewhere: timedelta = timedelta(milliseconds=500)
    deaf: timedelta = timedelta(seconds=10)
    loosening: timedelta = timedelta(0)

    def back_off(self, asked: int) -> timedelta:
        """Return after how long to ask again what was asked so often: twice as long each time, up to the most."""
        doubled: int = 1 << min(asked, 10)
        return min(self.ask_first * doubled, self.ask_most)


@dataclass(frozen=True, slots=True)
class Desk:
    """What execution works with.

    house_key      makes client order ids; at least 10 random bytes that never change
    instrument_of  (venue, symbol) -> Instrument; raises NotFound
    resolve        (venue, symbol as somebody wrote it) -> Instrument; raises Refused
    quote_of       (venue, symbol) -> Quote; raises Unavailable
    process        the name of this process in leases
    writers        for which accounts this process may send; asked right before the wire
    bodies_heard   (id, monotonic time) of the alert that brought a body to a hook, by (hook, fingerprint)
    crowd_turns    when a turn of an instrument last had something to decide in a crowd, monotonic, by (account, symbol)
    exits_denied   when the gate last denied which exit of a protection: it is not asked again at once
    protect_within_s, when_unprotected   what accounts want that did not say: seconds, and flatten or alarm
    trail_at       "venue": trailing stops are the venue's own where it has them; "house": a stop is moved everywhere
    """

    database: Database
    clock: Clock
    ids: Ids
    house_key: bytes
    process: str
    venues: Mapping[str, Venue]
    instrument_of: Callable[[str, str], Instrument]
    resolve: Callable[[str, str], Instrument]
    quote_of: Callable[[str, str], Quote]
    lanes: Lanes
    meters: Meters
    writers: Writers
    patience: Patience = field(default_factory=Patience)
    protect_within_s: int = 5
    when_unprotected: str = "flatten"
    trail_at: str = "venue"
    day_sums: DaySums = field(default_factory=DaySums)
    elapsed: Elapsed = field(default_factory=Elapsed)
    exits_denied: dict[str, datetime] = field(default_factory=dict)
    bodies_heard: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    crowd_turns: dict[tuple[str, str], float] = field(default_factory=dict)

    def holds_coins(self, venue: str) -> bool:
        """Say whether a position at the venue of this key is coins that are owned, as on spot."""
        return holds_coins(venue)

    def carries_stops(self, venue: str) -> bool:
        """Say whether the venue of this key takes orders that wait for a trigger; else the house keeps them."""
        return carries_stops(venue)

    def trails(self, venue: str) -> TrailRange | None:
        """Return how far the trailing orders of the venue of this key may trail; None: the house moves a stop."""
        return trails(venue) if self.trail_at == "venue" else None

    def has_pairs(self, venue: str) -> bool:
        """Say whether at the venue of this key two orders may wait for the same coins (OCO)."""
        return has_pairs(venue)

    def stop_ways(self, venue: str) -> tuple[StopWay, ...]:
        """Return in which forms the venue of this key takes a stop, in the order in which they are tried."""
        return stop_ways(venue)

    def clock_ahead(self, venue: str) -> timedelta:
        """Return how far a venue's clock is ahead of ours, where that is more than it may be; else nothing.

        Which clock is wrong cannot be known from here; what is judged by time goes by the venue's, as its orders do.
        """
        nothing = timedelta(0)
        if venue not in self.venues:  # to get it would open it, inside of the unit of work of an alert
            return nothing
        opened = self.venues[venue]
        if not _tells_its_time(type(opened)):
            return nothing
        ahead = cast("TellsItsTime", opened).clock_ahead()
        return ahead if ahead is not None and abs(ahead) > CLOCK_OFF_MOST else nothing

    def venue(self, name: str) -> Venue:
        """Return the open venue of that name; raises Broken if the house was built without it."""
        try:
            return self.venues[name]
        except KeyError:
            raise Broken(f"the house has no venue {name!r}; it has {sorted(self.venues)}") from None


@cache
def _tells_its_time(kind: type[Venue]) -> bool:
    """Say of a kind of venue whether it tells its time: looked up once, since alerts ask."""
    return issubclass(kind, TellsItsTime)
